import CCurl
import CZlib
import CZstd

/// A packing that is undone piece by piece.
///
/// Several packed wholes one after another are one body.
protocol Unpacker: ~Copyable {
    /// - Throws: `WebError.transfer` where memory is short.
    init() throws(WebError)

    /// Unpacks until `packed` is used up, `room` is full or a whole ends.
    ///
    /// - Throws: `WebError.damaged`, `unpackable`, or `transfer` where memory is short.
    mutating func step(
        _ packed: Span<UInt8>, into room: inout [UInt8]
    ) throws(WebError) -> UnpackingStep

    /// Whether all that stands behind a whole may be left out.
    static func isPadding(_ rest: ArraySlice<UInt8>) -> Bool
}

/// What one step of an unpacker did.
struct UnpackingStep {
    /// Bytes of the input, from its start.
    let taken: Int
    /// Bytes in the room, from its start.
    let made: Int
    /// Whether a whole ended, behind the bytes taken, and all of it is out.
    let isAtEnd: Bool
}

extension WebError {
    fileprivate static let noMemory = WebError.transfer(code: Int32(CURLE_OUT_OF_MEMORY.rawValue))
}

/// Undoes gzip, with its checksum and length compared at the end of every member.
///
/// Safe because the pointer is private, and freed in `deinit` alone.
///
/// - Source: RFC 1952, by zlib.
@safe struct GzipUnpacker: Unpacker, ~Copyable {
    private let stream: UnsafeMutablePointer<z_stream>

    init() throws(WebError) {
        guard let stream = unsafe czlib_open() else { throw .noMemory }
        unsafe self.stream = stream
    }

    deinit {
        unsafe czlib_close(stream)
    }

    mutating func step(
        _ packed: Span<UInt8>, into room: inout [UInt8]
    ) throws(WebError) -> UnpackingStep {
        let size = room.count
        let code = unsafe packed.withUnsafeBufferPointer { packed in
            unsafe room.withUnsafeMutableBufferPointer { room in
                unsafe czlib_unpack(
                    stream, packed.baseAddress, UInt32(packed.count), room.baseAddress,
                    UInt32(room.count))
            }
        }
        let step = UnpackingStep(
            taken: packed.count - Int(unsafe stream.pointee.avail_in),
            made: size - Int(unsafe stream.pointee.avail_out), isAtEnd: code == Z_STREAM_END)
        switch code {
        case Z_OK, Z_BUF_ERROR: break  // The latter where nothing was taken and nothing made.
        case Z_STREAM_END: unsafe inflateReset(stream)  // What comes next is another member.
        case Z_MEM_ERROR: throw .noMemory
        default: throw .damaged
        }
        return step
    }

    /// Zeros, with which writers of whole blocks, such as tape drives, fill the last one.
    static func isPadding(_ rest: ArraySlice<UInt8>) -> Bool { rest.allSatisfy { $0 == 0 } }
}

/// Undoes zstd, with the checksum compared where a frame has one.
///
/// Refuses windows over 128 MiB, libzstd's own limit; of a window only as much is ever touched as
/// was unpacked. Safe because the pointer is private, and freed in `deinit` alone.
///
/// - Source: RFC 8878, by libzstd.
@safe struct ZstdUnpacker: Unpacker, ~Copyable {
    private let stream: OpaquePointer

    init() throws(WebError) {
        guard let stream = unsafe ZSTD_createDStream() else { throw .noMemory }
        unsafe self.stream = stream
    }

    deinit {
        unsafe _ = ZSTD_freeDStream(stream)
    }

    mutating func step(
        _ packed: Span<UInt8>, into room: inout [UInt8]
    ) throws(WebError) -> UnpackingStep {
        let (code, taken, made) = unsafe packed.withUnsafeBufferPointer { packed in
            unsafe room.withUnsafeMutableBufferPointer { room in
                var input = unsafe ZSTD_inBuffer(
                    src: packed.baseAddress, size: packed.count, pos: 0)
                var output = unsafe ZSTD_outBuffer(
                    dst: room.baseAddress, size: room.count, pos: 0)
                let code = unsafe ZSTD_decompressStream(stream, &output, &input)
                return unsafe (code, input.pos, output.pos)
            }
        }
        guard ZSTD_isError(code) == 0 else { throw Self.failure(ZSTD_getErrorCode(code)) }
        return UnpackingStep(taken: taken, made: made, isAtEnd: code == 0)
    }

    /// Nothing may follow a frame but another frame.
    static func isPadding(_ rest: ArraySlice<UInt8>) -> Bool { rest.isEmpty }

    private static func failure(_ code: ZSTD_ErrorCode) -> WebError {
        switch code {
        case ZSTD_error_memory_allocation: .noMemory
        case ZSTD_error_frameParameter_windowTooLarge, ZSTD_error_frameParameter_unsupported,
            ZSTD_error_dictionary_wrong:
            .unpackable
        default: .damaged
        }
    }
}
