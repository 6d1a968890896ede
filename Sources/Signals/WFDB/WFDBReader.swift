import Foundation
import Series

/// Reads WFDB records: a header, the signal files beside it, and the segments that it lists.
///
/// A signal file that ends too early gives what it has, and a finding. Samples with the format's
/// invalid code are missing.
package struct WFDBReader: Sendable {
    /// The largest file that is read, in bytes, and the most memory of a segmented record.
    package var bytesMaximum = 4 << 30
    /// The largest header that is read, in bytes; that of a million segments has twenty million.
    package var headerBytesMaximum = 32 << 20

    package init() {}

    /// The record whose header is the file at `path`; the suffix `.hea` may be left out.
    package func read(header path: String) throws(WFDBError) -> Recording {
        let place = HeaderPlace(path)
        let header = try parse(place)
        guard header.segments.isEmpty else { return try segmented(header, place) }
        return try recording(header, headerFile: place.name) { file throws(WFDBError) in
            try load(place.folder + file, limit: bytesMaximum)
        }
    }

    /// The recording whose header is in `bytes`, its signal files lent by `load`; for tests that need
    /// no folder. A record of segments has none here, and is refused.
    ///
    /// - Parameters:
    ///   - bytes: The header.
    ///   - name: The header's file, for errors.
    ///   - load: The bytes of a signal file by its name.
    /// - Returns: The recording.
    /// - Throws: `WFDBError`; the bytes may be anything at all.
    package func read(
        header bytes: [UInt8], name: String, load: (String) throws(WFDBError) -> [UInt8]
    ) throws(WFDBError) -> Recording {
        let header = try WFDBHeader(parsing: String(utf8OrWindows1252: bytes), file: name)
        return try recording(header, headerFile: name, load: load)
    }

    /// The names of the segments that a record is put together from; none for a record of one.
    package func segments(ofRecord path: String) throws(WFDBError) -> [String] {
        let place = HeaderPlace(path)
        // Few records have segments, and their first line says so.
        let head = FileBytes.head(place.path, count: 4096)
        if let record = head.split(whereSeparator: { $0 == 10 || $0 == 13 })
            .first(where: { $0.first != UInt8(ascii: "#") })
        {
            let field = record.prefix { $0 != UInt8(ascii: " ") && $0 != UInt8(ascii: "\t") }
            if field.count < record.count, !field.contains(UInt8(ascii: "/")) { return [] }
        }
        var names: Set<String> = []
        for segment in try parse(place).segments { names.insert(segment.name) }
        return names.subtracting(["~"]).sorted()
    }

    /// The paths of all files of a record that exist: the header, signal files, and those of its
    /// segments.
    package func files(ofRecord path: String) throws(WFDBError) -> [String] {
        let place = HeaderPlace(path)
        let header = try parse(place)
        var paths = [place.path]
        var known: Set<String> = [place.path]
        func add(_ header: WFDBHeader) {
            for signal in header.signals where signal.hasFile && !signal.fileName.contains("/") {
                let path = place.folder + signal.fileName
                guard known.insert(path).inserted else { continue }
                if FileManager.default.fileExists(atPath: path) { paths.append(path) }
            }
        }
        add(header)
        // One level, as reading has it: a segment that is a record of segments is never read. One that
        // cannot be read is a gap of the record, and a finding when it is read.
        for name in Set(header.segments.map(\.name)).sorted() where !name.contains("/") {
            let part = HeaderPlace(place.folder + name)
            guard name != "~", known.insert(part.path).inserted,
                let segment = try? parse(part), segment.segments.isEmpty
            else { continue }
            paths.append(part.path)
            add(segment)
        }
        return paths
    }

    func parse(_ place: HeaderPlace) throws(WFDBError) -> WFDBHeader {
        let bytes = try load(place.path, limit: min(bytesMaximum, headerBytesMaximum))
        return try WFDBHeader(parsing: String(utf8OrWindows1252: bytes), file: place.name)
    }

    private func load(_ path: String, limit: Int) throws(WFDBError) -> [UInt8] {
        do throws(CSVError) {
            return try FileBytes.read(path, limit: limit)
        } catch {
            let reason: WFDBError.Reason =
                switch error.reason {
                case .tooLarge(let bytes, let accepted):
                    .tooLarge(bytes: bytes, accepted: accepted)
                case .unreadable(let why): .unreadable(why)
                default: .unreadable("\(error)")
                }
            throw WFDBError(file: path.lastPathPart, line: nil, reason: reason)
        }
    }

    /// Puts the recording of one segment together.
    func recording(
        _ header: WFDBHeader, headerFile: String,
        load: (String) throws(WFDBError) -> [UInt8]
    ) throws(WFDBError) -> Recording {
        guard header.segments.isEmpty else {
            throw WFDBError(file: headerFile, line: nil, reason: .nestedSegments)
        }
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
            let found = try read(
                header.signals[group], frames: header.frameCount, headerFile: headerFile,
                load: load)
            samples.replaceSubrange(group, with: found)
            first = end
        }
        let frames = header.frameCount ?? Self.frames(header, samples)
        let signals = header.signals.indices.map { index in
            finish(header, index, &samples[index], frames: frames, &findings)
        }
        return Recording(
            name: header.name, start: header.start, signals: signals, comments: header.comments,
            findings: findings)
    }

    /// Frames that exist in every signal, where the header does not say.
    private static func frames(_ header: WFDBHeader, _ samples: [[Int32]]) -> Int {
        zip(header.signals, samples).map { $1.count / $0.samplesPerFrame }.max() ?? 0
    }

    private func finish(
        _ header: WFDBHeader, _ index: Int, _ samples: inout [Int32], frames: Int,
        _ findings: inout [Recording.Finding]
    ) -> Recording.Signal {
        let line = header.signals[index]
        let declared = frames * line.samplesPerFrame
        let late = min(samples.count, line.skew * line.samplesPerFrame)
        if late > 0 { samples.removeFirst(late) }
        if samples.count > declared { samples.removeLast(samples.count - declared) }
        let invalid = WFDBFormat(rawValue: line.format)?.invalid
        let sum = Self.markMissing(&samples, where: invalid)
        if header.frameCount != nil, samples.count < declared, line.skew == 0 {
            findings.append(
                .truncated(channel: index, declared: declared, found: samples.count))
        } else if let checksum = line.checksum, line.skew == 0, header.frameCount != nil,
            sum != Int16(truncatingIfNeeded: checksum)
        {
            findings.append(.checksum(channel: index, declared: checksum, found: Int(sum)))
        }
        if line.gain == nil { findings.append(.uncalibrated(channel: index)) }
        let rate = SamplingRate(
            header.rate.numerator * Int64(line.samplesPerFrame), per: header.rate.denominator)
        return Recording.Signal(
            channel: Channel(name: line.name, unit: PhysicalUnit(line.unit)), rate: rate,
            gain: line.gain ?? WFDBHeader.gainDefault, baseline: line.baseline, samples: samples,
            declaredCount: declared)
    }

    /// Puts `Signal.missing` where a format's sign for it stands.
    ///
    /// - Parameters:
    ///   - samples: Of one signal.
    ///   - invalid: The sign; nil for a format that has none.
    /// - Returns: The sum of the samples as they were, in 16 bits.
    private static func markMissing(_ samples: inout [Int32], where invalid: Int32?) -> Int16 {
        var sum: Int32 = 0
        guard let invalid else {
            return Int16(truncatingIfNeeded: samples.reduce(sum, &+))
        }
        var span = samples.mutableSpan
        for i in 0..<span.count {
            let value = unsafe span[unchecked: i]
            sum &+= value
            unsafe span[unchecked: i] = value == invalid ? Recording.Signal.missing : value
        }
        return Int16(truncatingIfNeeded: sum)
    }
}

/// Where a header lies.
struct HeaderPlace {
    let path: String
    /// The file's own name.
    let name: String
    /// With its slash, or empty.
    let folder: String

    /// The suffix `.hea` may be left out.
    init(_ path: String) {
        self.path = path.hasSuffix(".hea") ? path : path + ".hea"
        name = self.path.lastPathPart
        folder = String(self.path.dropLast(name.count))
    }
}

extension WFDBHeader.Signal {
    /// Format 0 and the name ~ mean a signal without samples.
    var hasFile: Bool { format != 0 && fileName != "~" }
}
