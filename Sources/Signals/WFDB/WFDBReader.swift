import Foundation
import Series

/// Reads WFDB records of one segment: a header and the signal files beside it.
///
/// A signal file that ends too early gives what it has, and a finding. Samples with the format's
/// invalid code are missing.
package struct WFDBReader: Sendable {
    /// The largest signal file that is read, in bytes.
    package var bytesMaximum = 4 << 30

    package init() {}

    /// The record whose header is the file at `path`; the suffix `.hea` may be left out.
    package func read(header path: String) throws(WFDBError) -> Recording {
        let headerPath = path.hasSuffix(".hea") ? path : path + ".hea"
        let bytes = try load(headerPath)
        let name = headerPath.lastPathPart
        let header = try WFDBHeader(parsing: String(utf8OrLatin1: bytes), file: name)
        let folder = headerPath.dropLast(name.count)
        return try recording(header, headerFile: name) { file throws(WFDBError) in
            try load(folder + file)
        }
    }

    /// The names of the signal files that a header tells of, each once.
    package static func signalFiles(ofHeader bytes: [UInt8], named file: String) throws(WFDBError)
        -> [String]
    {
        let header = try WFDBHeader(parsing: String(utf8OrLatin1: bytes), file: file)
        var names: [String] = []
        for signal in header.signals where !names.contains(signal.fileName) {
            if signal.fileName != "~" { names.append(signal.fileName) }
        }
        return names
    }

    private func load(_ path: String) throws(WFDBError) -> [UInt8] {
        do throws(CSVError) {
            return try FileBytes.read(path, limit: bytesMaximum)
        } catch {
            var why = "the file is too large"
            if case .unreadable(let reason) = error.reason { why = reason }
            throw WFDBError(file: path.lastPathPart, line: nil, reason: .unreadable(why))
        }
    }

    /// Puts the recording together.
    func recording(
        _ header: WFDBHeader, headerFile: String,
        load: (String) throws(WFDBError) -> [UInt8]
    ) throws(WFDBError) -> Recording {
        var samples = [[Int32]](repeating: [], count: header.signals.count)
        var findings = header.unreadableStart.map { [Recording.Finding.unreadableStart($0)] } ?? []
        var first = 0
        while first < header.signals.count {
            // Signals of one file stand together, and their samples are interleaved.
            let file = header.signals[first].fileName
            let end =
                header.signals[first...].firstIndex { $0.fileName != file }
                ?? header.signals.count
            let group = first..<end
            let found = try read(header.signals[group], headerFile: headerFile, load: load)
            samples.replaceSubrange(group, with: found)
            first = end
        }
        let frames = header.frameCount ?? Self.frames(header, samples)
        let signals = header.signals.indices.map { index in
            finish(header, index, samples[index], frames: frames, &findings)
        }
        return Recording(
            name: header.name, start: header.start, signals: signals, comments: header.comments,
            findings: findings)
    }

    /// Frames that exist in every signal, where the header does not say.
    private static func frames(_ header: WFDBHeader, _ samples: [[Int32]]) -> Int {
        zip(header.signals, samples).map { $1.count / $0.samplesPerFrame }.max() ?? 0
    }

    /// The samples of the signals of one file, `[signals][samples]`, invalid ones included.
    private func read(
        _ group: ArraySlice<WFDBHeader.Signal>, headerFile: String,
        load: (String) throws(WFDBError) -> [UInt8]
    ) throws(WFDBError) -> [[Int32]] {
        guard let first = group.first else { return [] }
        // Format 0 and the name ~ mean a signal without samples.
        if first.format == 0 || first.fileName == "~" { return group.map { _ in [] } }
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
        let stream = format.decode(body, count: format.sampleCount(bytes: body.count))
        var signals = Self.separate(stream, group.map(\.samplesPerFrame))
        if format == .differences8 {
            for (index, signal) in group.enumerated() {
                Self.accumulate(&signals[index], from: signal.initialValue)
            }
        }
        return signals
    }

    /// Takes interleaved samples apart; a frame that is not whole still gives what it has.
    static func separate(_ stream: [Int32], _ perFrame: [Int]) -> [[Int32]] {
        guard perFrame.count > 1 else { return [stream] }
        let frame = perFrame.reduce(0, +)
        let frames = stream.count / frame
        var start = 0
        var signals: [[Int32]] = []
        for width in perFrame {
            var samples = [Int32](capacity: (frames + 1) * width) { out in
                for index in 0..<frames {
                    for i in 0..<width { out.append(stream[index * frame + start + i]) }
                }
            }
            let rest = frames * frame + start
            if rest < stream.count { samples += stream[rest..<min(stream.count, rest + width)] }
            signals.append(samples)
            start += width
        }
        return signals
    }

    /// Sums differences up, from the initial value on.
    private static func accumulate(_ samples: inout [Int32], from initial: Int32) {
        var value = initial
        for i in samples.indices {
            value &+= samples[i]
            samples[i] = value
        }
    }

    private func finish(
        _ header: WFDBHeader, _ index: Int, _ raw: [Int32], frames: Int,
        _ findings: inout [Recording.Finding]
    ) -> Recording.Signal {
        let line = header.signals[index]
        let declared = frames * line.samplesPerFrame
        var samples = raw
        samples.removeFirst(min(samples.count, line.skew * line.samplesPerFrame))
        if samples.count > declared { samples.removeLast(samples.count - declared) }
        if header.frameCount != nil, samples.count < declared, line.skew == 0 {
            findings.append(
                .truncated(channel: index, declared: declared, found: samples.count))
        } else if let checksum = line.checksum, line.skew == 0, header.frameCount != nil {
            let sum = samples.reduce(Int16(0)) { $0 &+ Int16(truncatingIfNeeded: $1) }
            if sum != Int16(truncatingIfNeeded: checksum) {
                findings.append(
                    .checksum(channel: index, declared: checksum, found: Int(sum)))
            }
        }
        if line.gain == nil { findings.append(.uncalibrated(channel: index)) }
        if let invalid = WFDBFormat(rawValue: line.format)?.invalid {
            for i in samples.indices where samples[i] == invalid {
                samples[i] = Recording.Signal.missing
            }
        }
        let rate = SamplingRate(
            header.rate.numerator * Int64(line.samplesPerFrame), per: header.rate.denominator)
        return Recording.Signal(
            channel: Channel(name: line.name, unit: PhysicalUnit(line.unit)), rate: rate,
            gain: line.gain ?? WFDBHeader.gainDefault, baseline: line.baseline, samples: samples,
            declaredCount: declared)
    }
}
