import Series

/// The header of an EDF, EDF+, BDF or BDF+ file.
///
/// - Source: B. Kemp et al. 1992, "A simple format for exchange of digitized polygraphic
///   recordings"; Kemp and Olivan 2003, "European data format 'plus'".
struct EDFHeader: Equatable {
    /// The most signals of one file; EDF has four digits for them.
    static let signalsMaximum = 4096
    /// The label of the signal that holds annotations instead of samples.
    static let annotationLabels: Set<String> = ["EDF Annotations", "BDF Annotations"]

    /// One signal of the header.
    struct Signal: Equatable {
        var label: String
        var unit: String
        /// Raw units per physical unit.
        var gain: Double
        var baseline: Double
        var samplesPerRecord: Int

        var isAnnotations: Bool { EDFHeader.annotationLabels.contains(label) }
    }

    /// 2 for EDF, 3 for BDF.
    let bytesPerSample: Int
    /// Whether data records may leave time out between them (EDF+D).
    let isDiscontinuous: Bool
    let isPlus: Bool
    let patient: String
    let recording: String
    /// Whole seconds; the first onset may add a fraction.
    let start: Timestamp?
    let byteCount: Int
    /// nil where the header leaves it open (−1).
    let recordCount: Int?
    /// The duration of a data record as an exact fraction of seconds; value 0 where records have
    /// no duration, as in files of annotations alone.
    let recordSeconds: (value: Int64, scale: Int64)
    let signals: [Signal]

    static func == (a: EDFHeader, b: EDFHeader) -> Bool {
        a.signals == b.signals && a.start == b.start && a.recordSeconds == b.recordSeconds
            && a.recordCount == b.recordCount && a.bytesPerSample == b.bytesPerSample
    }

    /// Samples of all signals in one data record.
    var samplesPerRecord: Int { signals.reduce(0) { $0 + $1.samplesPerRecord } }

    init(_ bytes: [UInt8], file: String) throws(EDFError) {
        guard !bytes.isEmpty else { throw EDFError(file: file, reason: .empty) }
        var fields = EDFFields(bytes: bytes, file: file)
        let isBDF = bytes[0] == 255 && bytes.dropFirst().starts(with: Array("BIOSEMI".utf8))
        let isEDF = bytes.prefix(8).elementsEqual(Array("0       ".utf8))
        guard isBDF || isEDF else { throw fields.error(.notEDF) }
        guard bytes.count >= 256 else {
            throw fields.error(.headerTooShort(bytes: bytes.count, accepted: 256))
        }
        bytesPerSample = isBDF ? 3 : 2
        _ = fields.text(8)
        patient = fields.text(80)
        recording = fields.text(80)
        start = Self.start(date: fields.text(8), clock: fields.text(8), recording: recording)
        byteCount = try fields.whole(8, .headerBytes, in: 256...(256 + 256 * Self.signalsMaximum))
        let reserved = fields.text(44)
        isPlus = reserved.hasPrefix("EDF+") || reserved.hasPrefix("BDF+")
        isDiscontinuous = isPlus && reserved.dropFirst(4).first == "D"
        let records = try fields.whole(8, .recordCount, in: -1...99_999_999)
        recordCount = records == -1 ? nil : records
        let seconds = fields.text(8)
        guard let duration = seconds.exactDecimal, duration.scale <= 1_000_000 else {
            throw fields.error(.field(.recordSeconds, signal: nil, found: seconds))
        }
        recordSeconds = duration
        let count = try fields.whole(4, .signalCount, in: 0...9999)
        guard count <= Self.signalsMaximum else {
            throw fields.error(.tooManySignals(declared: count, accepted: Self.signalsMaximum))
        }
        let needed = 256 + 256 * count
        guard byteCount == needed else {
            throw fields.error(.field(.headerBytes, signal: nil, found: "\(byteCount)"))
        }
        guard bytes.count >= needed else {
            throw fields.error(.headerTooShort(bytes: bytes.count, accepted: needed))
        }
        signals = try Self.signals(&fields, count)
    }

    private static func signals(
        _ fields: inout EDFFields, _ count: Int
    ) throws(EDFError) -> [Signal] {
        let labels = (0..<count).map { _ in fields.text(16) }
        _ = (0..<count).map { _ in fields.text(80) }
        let units = (0..<count).map { _ in fields.text(8) }
        let physical = (0..<2).map { _ in (0..<count).map { _ in fields.text(8) } }
        let digital = (0..<2).map { _ in (0..<count).map { _ in fields.text(8) } }
        _ = (0..<count).map { _ in fields.text(80) }
        var signals: [Signal] = []
        for index in 0..<count {
            let perRecord = try fields.whole(
                8, .samplesPerRecord, signal: index, in: 0...10_000_000)
            var signal = Signal(
                label: labels[index], unit: units[index], gain: 1, baseline: 0,
                samplesPerRecord: perRecord)
            if !signal.isAnnotations {
                let low = try fields.number(physical[0][index], .physicalRange, index)
                let high = try fields.number(physical[1][index], .physicalRange, index)
                let rawLow = try fields.number(digital[0][index], .digitalRange, index)
                let rawHigh = try fields.number(digital[1][index], .digitalRange, index)
                guard low != high, rawLow != rawHigh else {
                    throw fields.error(.calibration(signal: index))
                }
                signal.gain = (rawHigh - rawLow) / (high - low)
                signal.baseline = rawLow - low * signal.gain
            }
            signals.append(signal)
        }
        return signals
    }

    /// `dd.mm.yy` and `hh.mm.ss`; the year is of 1985 to 2084, or as EDF+ repeats it in full in
    /// the recording field. Nil where date or clock are impossible.
    private static func start(date: String, clock: String, recording: String) -> Timestamp? {
        guard let time = CSVText.clock(clock) else { return nil }
        let parts = date.split(separator: ".").compactMap { Int64($0) }
        guard parts.count == 3 else { return nil }
        var year = parts[2] + (parts[2] >= 85 ? 1900 : 2000)
        let words = recording.split(separator: " ")
        if words.first == "Startdate", words.count > 1,
            let written = words[1].split(separator: "-").last.flatMap({ Int64($0) })
        {
            year = written
        }
        guard CivilDate.exists(year: year, month: parts[1], day: parts[0]) else { return nil }
        let days = CivilDate.days(year: year, month: parts[1], day: parts[0])
        return Timestamp(microseconds: days * 86_400_000_000 + time)
    }
}

/// Cuts fields of fixed width off the header.
private struct EDFFields {
    let bytes: [UInt8]
    let file: String
    private var position = 0

    init(bytes: [UInt8], file: String) {
        self.bytes = bytes
        self.file = file
    }

    func error(_ reason: EDFError.Reason) -> EDFError { EDFError(file: file, reason: reason) }

    /// The next `width` bytes without the blanks around; UTF-8, or Windows-1252 where it is not that.
    mutating func text(_ width: Int) -> String {
        let field = bytes[min(position, bytes.count)..<min(position + width, bytes.count)]
        position += width
        let text = String(utf8OrWindows1252: field)
        var rest = text[...]
        while let last = rest.last, last == " " || last == "\0" { rest.removeLast() }
        while rest.first == " " { rest.removeFirst() }
        return String(rest)
    }

    mutating func whole(
        _ width: Int, _ field: EDFError.Field, signal: Int? = nil, in range: ClosedRange<Int>
    ) throws(EDFError) -> Int {
        let text = text(width)
        guard let value = Int(text), range.contains(value) else {
            throw error(.field(field, signal: signal, found: text))
        }
        return value
    }

    func number(
        _ text: String, _ field: EDFError.Field, _ signal: Int
    ) throws(EDFError) -> Double {
        guard let value = CSVText.number(text, mark: UInt8(ascii: ".")), value.isFinite else {
            throw error(.field(field, signal: signal, found: text))
        }
        return value
    }
}
