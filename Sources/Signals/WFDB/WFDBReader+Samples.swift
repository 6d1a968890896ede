extension WFDBReader {
    /// The samples of the signals of one file, `[signals][samples]`, invalid ones included.
    func read(
        _ group: ArraySlice<WFDBHeader.Signal>, frames: Int?, headerFile: String,
        load: (String) throws(WFDBError) -> [UInt8]
    ) throws(WFDBError) -> [[Int32]] {
        guard let first = group.first else { return [] }
        if !first.hasFile { return group.map { _ in [] } }
        guard let format = WFDBFormat(rawValue: first.format) else {
            throw WFDBError(file: headerFile, line: nil, reason: .format(first.format))
        }
        if let other = group.first(where: { $0.format != first.format }) {
            throw WFDBError(
                file: headerFile, line: nil,
                reason: .mixedFormats(first: first.format, second: other.format))
        }
        guard !first.fileName.contains("/"), first.fileName != "..", first.fileName != "." else {
            throw WFDBError(file: headerFile, line: nil, reason: .fileName(first.fileName))
        }
        let bytes = try load(first.fileName)
        guard first.byteOffset <= bytes.count else {
            throw WFDBError(
                file: first.fileName, line: nil,
                reason: .byteOffset(first.byteOffset, bytes: bytes.count))
        }
        let body = bytes.span.extracting(droppingFirst: first.byteOffset)
        if format.isFLAC { return try flac(body, group, frames: frames) }
        var signals = Self.separate(body, format, group.map(\.samplesPerFrame))
        if format == .differences8 {
            for (index, signal) in group.enumerated() {
                Self.accumulate(&signals[index], from: signal.initialValue)
            }
        }
        return signals
    }

    /// A FLAC stream has a channel a signal, all of one length.
    private func flac(
        _ body: Span<UInt8>, _ group: ArraySlice<WFDBHeader.Signal>, frames: Int?
    ) throws(WFDBError) -> [[Int32]] {
        let file = group[group.startIndex].fileName
        let width = group[group.startIndex].samplesPerFrame
        guard group.allSatisfy({ $0.samplesPerFrame == width }) else {
            throw WFDBError(file: file, line: nil, reason: .flacFrames)
        }
        let affordable = bytesMaximum / (4 * group.count)
        let skew = group.map(\.skew).max() ?? 0
        let wanted = frames.map { min(affordable, ($0 + skew) * width) } ?? affordable
        // A block beyond the last sample, since a stream is decoded block by block.
        let stream = FLACStream(decoding: body, samplesMaximum: wanted + 65_535)
        if stream.channels.isEmpty { return group.map { _ in [] } }
        guard stream.channels.count == group.count else {
            throw WFDBError(
                file: file, line: nil,
                reason: .flacChannels(declared: group.count, found: stream.channels.count))
        }
        return stream.channels
    }

    /// Decodes interleaved samples and takes them apart, block by block so that a block stays in the
    /// cache; a frame that is not whole still gives what it has.
    static func separate(
        _ body: Span<UInt8>, _ format: WFDBFormat, _ perFrame: [Int]
    ) -> [[Int32]] {
        let total = format.sampleCount(bytes: body.count)
        let frame = perFrame.reduce(0, +)
        let starts = perFrame.indices.map { perFrame[..<$0].reduce(0, +) }
        var signals = zip(starts, perFrame).map { start, width in
            let size = total / frame * width + min(max(0, total % frame - start), width)
            // Every one is written below, block by block.
            return unsafe [Int32](unsafeUninitializedCapacity: size) { $1 = size }
        }
        let framesPerBlock = WFDBFormat.wholeSamples * max(1, 1024 / frame)
        let samplesPerBlock = framesPerBlock * frame
        var block = [Int32](repeating: 0, count: min(total, samplesPerBlock))
        for first in stride(from: 0, to: total, by: samplesPerBlock) {
            let count = min(samplesPerBlock, total - first)
            let bytes = body.extracting(droppingFirst: format.byteCount(samples: first))
            var span = block.mutableSpan
            format.decode(bytes, count: count, into: &span)
            for (index, width) in perFrame.enumerated() {
                scatter(
                    block, count: count, frame: frame, from: starts[index], width: width,
                    into: &signals[index], at: first / frame * width)
            }
        }
        return signals
    }

    /// Copies the samples of one signal out of the first `count` interleaved ones.
    private static func scatter(
        _ block: [Int32], count: Int, frame: Int, from start: Int, width: Int,
        into samples: inout [Int32], at first: Int
    ) {
        let source = block.span
        var target = samples.mutableSpan
        let frames = count / frame
        // Every index below is less than count, and first + frames · width at most the total.
        if width == 1 && frame == 2 {
            // With a step that the compiler knows, it takes several at once.
            for index in 0..<frames {
                unsafe target[unchecked: first &+ index] =
                    source[unchecked: index &* 2 &+ start]
            }
        } else if width == 1 {
            for index in 0..<frames {
                unsafe target[unchecked: first &+ index] =
                    source[unchecked: index &* frame &+ start]
            }
        } else {
            for index in 0..<frames * width {
                let place = index / width &* frame &+ start &+ index % width
                unsafe target[unchecked: first &+ index] = source[unchecked: place]
            }
        }
        let rest = min(max(0, count - frames * frame - start), width)
        for i in 0..<rest {
            target[first + frames * width + i] = source[frames * frame + start + i]
        }
    }

    /// Sums differences up, from the initial value on.
    private static func accumulate(_ samples: inout [Int32], from initial: Int32) {
        var value = initial
        for i in samples.indices {
            value &+= samples[i]
            samples[i] = value
        }
    }
}
