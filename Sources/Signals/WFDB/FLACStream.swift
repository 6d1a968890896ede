internal import CFLAC

/// A FLAC stream in memory, decoded as far as it goes.
///
/// - Source: RFC 9639, by libFLAC; the WFDB formats 508, 516 and 524 hold their samples so.
struct FLACStream {
    /// `[channels][samples]`; channels that the stream does not have are missing.
    let channels: [[Int32]]

    /// - Parameters:
    ///   - bytes: The stream; what stands behind its end is ignored.
    ///   - samplesMaximum: Decoding ends where a channel would have more: a few bytes of a stream
    ///     can stand for any number of equal samples.
    init(decoding bytes: Span<UInt8>, samplesMaximum: Int) {
        let output = Output(samplesMaximum: samplesMaximum)
        unsafe bytes.withUnsafeBufferPointer { buffer in
            let input = unsafe Input(rest: buffer[...], output: output)
            guard let decoder = unsafe FLAC__stream_decoder_new() else { return }
            defer { unsafe FLAC__stream_decoder_delete(decoder) }
            let client = unsafe Unmanaged.passUnretained(input).toOpaque()
            let status = unsafe FLAC__stream_decoder_init_stream(
                decoder, Self.read, nil, nil, nil, nil, Self.write, nil, Self.ignore, client)
            guard status == FLAC__STREAM_DECODER_INIT_STATUS_OK else { return }
            // Whether it reached the end shows in the number of samples.
            _ = unsafe withExtendedLifetime(input) {
                unsafe FLAC__stream_decoder_process_until_end_of_stream(decoder)
            }
            _ = unsafe FLAC__stream_decoder_finish(decoder)
        }
        channels = output.channels
    }

    /// What was decoded so far.
    private final class Output {
        let samplesMaximum: Int
        var channels: [[Int32]] = []

        init(samplesMaximum: Int) { self.samplesMaximum = samplesMaximum }
    }

    /// What is still to be decoded, and where it goes; lives as long as the decoder.
    @unsafe private final class Input {
        var rest: Slice<UnsafeBufferPointer<UInt8>>
        let output: Output

        init(rest: Slice<UnsafeBufferPointer<UInt8>>, output: Output) {
            unsafe self.rest = rest
            unsafe self.output = output
        }

        static func of(_ client: UnsafeMutableRawPointer?) -> Input? {
            guard let client = unsafe client else { return nil }
            return unsafe Unmanaged<Input>.fromOpaque(unsafe client).takeUnretainedValue()
        }
    }

    private static let read: FLAC__StreamDecoderReadCallback = {
        _, buffer, count, client in
        guard let input = unsafe Input.of(client), let buffer = unsafe buffer,
            let count = unsafe count
        else { return FLAC__STREAM_DECODER_READ_STATUS_ABORT }
        let piece = unsafe input.rest.prefix(unsafe count.pointee)
        unsafe count.pointee = unsafe piece.count
        if unsafe piece.isEmpty { return FLAC__STREAM_DECODER_READ_STATUS_END_OF_STREAM }
        let first = unsafe piece.startIndex
        for index in 0..<(unsafe piece.count) { unsafe buffer[index] = piece[first + index] }
        unsafe input.rest = unsafe input.rest.dropFirst(unsafe piece.count)
        return FLAC__STREAM_DECODER_READ_STATUS_CONTINUE
    }

    private static let write: FLAC__StreamDecoderWriteCallback = {
        _, frame, buffer, client in
        guard let output = unsafe Input.of(client)?.output, let frame = unsafe frame,
            let buffer = unsafe buffer
        else { return FLAC__STREAM_DECODER_WRITE_STATUS_ABORT }
        let header = unsafe frame.pointee.header
        let (count, width) = (Int(header.blocksize), Int(header.channels))
        if output.channels.isEmpty {
            output.channels = [[Int32]](repeating: [], count: width)
        }
        guard width == output.channels.count,
            output.channels[0].count + count <= output.samplesMaximum
        else { return FLAC__STREAM_DECODER_WRITE_STATUS_ABORT }
        for channel in 0..<width {
            guard let samples = unsafe buffer[channel] else {
                return FLAC__STREAM_DECODER_WRITE_STATUS_ABORT
            }
            unsafe output.channels[channel].append(
                contentsOf: UnsafeBufferPointer(start: samples, count: count))
        }
        return FLAC__STREAM_DECODER_WRITE_STATUS_CONTINUE
    }

    /// Damaged frames are left out by the decoder; the number of samples tells of it.
    private static let ignore: FLAC__StreamDecoderErrorCallback = { _, _, _ in }
}
