import Series

/// Reads EDF, EDF+, BDF and BDF+ files.
///
/// Annotation signals are left aside, with a finding; in discontinuous files (EDF+D) the time left
/// out is missing samples; a file that ends too early gives what it has, and a finding.
package struct EDFReader: Sendable {
    /// The longest time between two data records that is filled with missing samples.
    package static let gapSecondsMaximum = 86_400.0

    /// The largest file that is read, in bytes.
    package var bytesMaximum = 4 << 30

    package init() {}

    /// The recording in the file at `path`, named after it.
    package func read(file path: String) throws(EDFError) -> Recording {
        let name = path.lastPathPart
        let bytes: [UInt8]
        do throws(CSVError) {
            bytes = try FileBytes.read(path, limit: bytesMaximum)
        } catch {
            let reason: EDFError.Reason =
                switch error.reason {
                case .tooLarge(let bytes, let accepted):
                    .tooLarge(bytes: bytes, accepted: accepted)
                case .unreadable(let why): .unreadable(why)
                default: .unreadable("\(error)")
                }
            throw EDFError(file: name, reason: reason)
        }
        return try read(bytes, name: name)
    }

    /// The recording in `bytes`; `name` is that of the file, whose suffix is dropped.
    package func read(_ bytes: [UInt8], name: String) throws(EDFError) -> Recording {
        let header = try EDFHeader(bytes, file: name)
        var records = EDFRecords(
            header: header, file: name, bytes: bytes, samplesMaximum: bytesMaximum / 4)
        return try records.recording()
    }
}

/// Puts the data records of one file together.
private struct EDFRecords {
    let header: EDFHeader
    let file: String
    let bytes: [UInt8]
    /// Of all signals, those left out among them.
    let samplesMaximum: Int
    var findings: [Recording.Finding] = []
    /// Bytes from the start of a data record to each signal.
    private let offsets: [Int]
    private let recordBytes: Int

    init(header: EDFHeader, file: String, bytes: [UInt8], samplesMaximum: Int) {
        self.samplesMaximum = samplesMaximum
        self.header = header
        self.file = file
        self.bytes = bytes
        var offset = 0
        var offsets: [Int] = []
        for signal in header.signals {
            offsets.append(offset)
            offset += signal.samplesPerRecord * header.bytesPerSample
        }
        self.offsets = offsets
        recordBytes = offset
    }

    mutating func recording() throws(EDFError) -> Recording {
        let body = bytes.count - header.byteCount
        let declared = header.recordCount ?? (recordBytes > 0 ? body / recordBytes : 0)
        // A last record that is cut short gives the samples it has.
        let records = min(declared, recordBytes > 0 ? (body + recordBytes - 1) / recordBytes : 0)
        let onsets = try onsets(records: records)
        let ordinary = header.signals.indices.filter { !header.signals[$0].isAnnotations }
        let annotations = header.signals.count - ordinary.count
        if annotations > 0 { findings.append(.annotationsLeftAside(signals: annotations)) }
        if header.isDiscontinuous { try noteGaps(onsets, of: ordinary) }
        var signals: [Recording.Signal] = []
        for (channel, index) in ordinary.enumerated() {
            signals.append(
                try signal(
                    index, channel: channel, records: records, declared: declared, onsets: onsets))
        }
        // EDF+ keeps the fraction of the start's second in the first onset.
        let start = header.start.map { start in
            onsets.first.map { start + .microseconds($0) } ?? start
        }
        let words = [header.patient, header.recording].filter { !$0.isEmpty }
        let name = file.lastIndex(of: ".").map { String(file[..<$0]) } ?? file
        return Recording(
            name: name, start: start, signals: signals, comments: words, findings: findings)
    }

    private func rate(_ index: Int) throws(EDFError) -> SamplingRate {
        let (seconds, scale) = header.recordSeconds
        let perRecord = header.signals[index].samplesPerRecord
        guard seconds > 0 else {
            throw EDFError(
                file: file, reason: .field(.recordSeconds, signal: nil, found: "\(seconds)"))
        }
        guard perRecord > 0 else {
            throw EDFError(
                file: file, reason: .field(.samplesPerRecord, signal: index, found: "0"))
        }
        return SamplingRate(Int64(perRecord) * scale, per: seconds)
    }

    private mutating func signal(
        _ index: Int, channel: Int, records: Int, declared: Int, onsets: [Int64]
    ) throws(EDFError) -> Recording.Signal {
        let line = header.signals[index]
        let rate = try rate(index)
        var places: [Int] = []
        var end = 0
        var leftOut = 0
        for record in 0..<records {
            if header.isDiscontinuous {
                let seconds = Double(onsets[record] - onsets[0]) / 1e6
                let missing = max(0, Int((seconds * rate.hertz).rounded()) - end)
                end += missing
                leftOut += missing
            }
            places.append(end)
            end += count(record, index)
        }
        var samples = [Int32](repeating: Recording.Signal.missing, count: end)
        for (record, place) in places.enumerated() {
            decode(record, index, into: &samples, at: place)
        }
        let promised = declared * line.samplesPerRecord + leftOut
        if samples.count < promised {
            findings.append(
                .truncated(channel: channel, declared: promised, found: samples.count))
        }
        return Recording.Signal(
            channel: Channel(name: line.label, unit: PhysicalUnit(spelled: line.unit)),
            rate: rate, gain: line.gain, baseline: line.baseline, samples: samples,
            declaredCount: promised)
    }

    /// Where the samples of one signal in one data record begin in the file.
    private func start(_ record: Int, _ index: Int) -> Int {
        header.byteCount + record * recordBytes + offsets[index]
    }

    /// How many samples of one signal a data record has, as far as the file goes.
    private func count(_ record: Int, _ index: Int) -> Int {
        let left = (bytes.count - start(record, index)) / header.bytesPerSample
        return max(0, min(header.signals[index].samplesPerRecord, left))
    }

    /// Decodes the samples of one signal in one data record, which have room at `place`.
    private func decode(
        _ record: Int, _ index: Int, into samples: inout [Int32], at place: Int
    ) {
        let (start, count) = (start(record, index), count(record, index))
        precondition(place + count <= samples.count, "EDF: \(count) samples at \(place)")
        guard count > 0 else { return }
        let source = unsafe bytes.span.bytes
        var target = samples.mutableSpan
        // The last sample ends within the file: `count` has seen to that.
        if header.bytesPerSample == 2 {
            for i in 0..<count {
                let raw = unsafe source.unsafeLoadUnaligned(
                    fromUncheckedByteOffset: start &+ 2 &* i, as: Int16.self)
                unsafe target[unchecked: place &+ i] = Int32(Int16(littleEndian: raw))
            }
        } else {
            for i in 0..<count {
                let at = start &+ 3 &* i
                let low = unsafe source.unsafeLoadUnaligned(
                    fromUncheckedByteOffset: at, as: UInt16.self)
                let high = unsafe source.unsafeLoadUnaligned(
                    fromUncheckedByteOffset: at &+ 2, as: UInt8.self)
                let bits = UInt32(UInt16(littleEndian: low)) | UInt32(high) << 16
                unsafe target[unchecked: place &+ i] = Int32(bitPattern: bits << 8) >> 8
            }
        }
    }
}

// MARK: - Time-keeping

extension EDFRecords {
    /// When each data record begins, in microseconds after the start in the header; empty where
    /// the file does not keep time by annotations. Continuous files are asked for the first only.
    private func onsets(records: Int) throws(EDFError) -> [Int64] {
        guard header.isPlus, records > 0 else { return [] }
        guard let keeper = header.signals.firstIndex(where: \.isAnnotations) else {
            if !header.isDiscontinuous { return [] }
            throw EDFError(file: file, reason: .noOnset(record: 0))
        }
        var found: [Int64] = []
        for record in 0..<(header.isDiscontinuous ? records : 1) {
            let start = header.byteCount + record * recordBytes + offsets[keeper]
            guard let onset = onset(at: start) else {
                if !header.isDiscontinuous { return [] }
                throw EDFError(file: file, reason: .noOnset(record: record))
            }
            found.append(onset)
        }
        return found
    }

    /// The number that begins a time-stamped annotation list, such as `+12.5`, in microseconds.
    private func onset(at start: Int) -> Int64? {
        guard start + 1 < bytes.count else { return nil }
        let sign = bytes[start]
        guard sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") else { return nil }
        let digits = bytes[(start + 1)...].prefix(24).prefix { $0 != 0x14 && $0 != 0x15 }
        guard let (value, scale) = String(decoding: digits, as: UTF8.self).exactDecimal
        else { return nil }
        let written = (Double(value) / Double(scale) * 1e6).rounded()
        // Thirty years; no recording lasts so long, and more digits would leave the range of time.
        guard written < 1e15 else { return nil }
        let micros = Int64(written)
        return sign == UInt8(ascii: "-") ? -micros : micros
    }

    private mutating func noteGaps(
        _ onsets: [Int64], of signals: [Int]
    ) throws(EDFError) {
        if let first = onsets.first, let last = onsets.last {
            // Gaps are filled in memory, and a few bytes can promise any number of them.
            var total = 0.0
            for index in signals { total += try rate(index).hertz * Double(last - first) / 1e6 }
            guard total <= Double(samplesMaximum) else {
                throw EDFError(
                    file: file,
                    reason: .tooLong(samples: total, accepted: samplesMaximum))
            }
        }
        let seconds = Double(header.recordSeconds.value) / Double(header.recordSeconds.scale)
        let duration = Int64(min(seconds * 1e6, 1e15))
        for record in onsets.indices.dropFirst() {
            let end = onsets[record - 1] + duration
            let gap = Double(onsets[record] - end) / 1e6
            // Onsets are rounded decimals; a microsecond or so is no gap.
            if gap < -0.001 { throw EDFError(file: file, reason: .overlap(record: record)) }
            guard gap > 0.001 else { continue }
            guard gap <= EDFReader.gapSecondsMaximum else {
                throw EDFError(
                    file: file,
                    reason: .gapTooLong(
                        record: record, seconds: gap, accepted: EDFReader.gapSecondsMaximum))
            }
            findings.append(
                .gap(afterSeconds: Double(end - onsets[0]) / 1e6, seconds: gap))
        }
    }
}
