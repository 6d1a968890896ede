import Series

/// A WFDB header: what the samples are and in which files they lie, or of which segments a record
/// is put together.
///
/// - Source: G. Moody, "WFDB Applications Guide", header(5).
struct WFDBHeader: Equatable {
    /// The most signals of one record.
    static let signalsMaximum = 4096
    /// The rate where the record line has none, by the format's definition.
    static let rateDefault = SamplingRate(250)
    /// The highest rate, in frames per second.
    static let rateMaximum = 1e6
    /// The gain where a signal line has none, or 0, by the format's definition.
    static let gainDefault = 200.0

    /// The most segments of one record.
    static let segmentsMaximum = 1_000_000

    /// One line of a header of several segments.
    struct Segment: Equatable {
        /// Of the segment's record, or `~` for a gap.
        var name: String
        /// 0 for the layout, the first segment of a record whose signals come and go.
        var frames: Int
    }

    /// One signal line.
    struct Signal: Equatable {
        var fileName: String
        var format: Int
        var samplesPerFrame = 1
        /// Frames by which the signal comes late in its file.
        var skew = 0
        var byteOffset = 0
        /// nil where the line has none, or 0.
        var gain: Double?
        var baseline = 0.0
        var unit = "mV"
        var initialValue: Int32 = 0
        var checksum: Int?
        var name = ""
    }

    var name = ""
    /// Frames per second.
    var rate = WFDBHeader.rateDefault
    /// Frames; nil where the header does not say.
    var frameCount: Int?
    var start: Timestamp?
    /// What stands where the start should, if it is neither.
    var unreadableStart: String?
    var signals: [Signal] = []
    /// Empty for a record of one segment; otherwise there are no `signals`.
    var segments: [Segment] = []
    var comments: [String] = []

    init(parsing text: String, file: String) throws(WFDBError) {
        var lines = HeaderLines(text: text, file: file)
        guard let record = lines.next() else { throw lines.error(.empty) }
        var declared = 0
        if let segments = try readRecordLine(record, lines) {
            try readSegments(segments, &lines)
        } else if let count = record.fields[safely: 1] {
            declared = Int(count) ?? 0
        }
        while signals.count < declared {
            guard let line = lines.next() else {
                throw lines.error(.signalCount(declared: declared, found: signals.count))
            }
            signals.append(try Self.signal(line, lines, ordinal: signals.count + 1))
        }
        while lines.next() != nil {}  // What follows can only be comments.
        comments = lines.comments
    }

    /// Returns how many segments there are; nil for a record that is not segmented.
    private mutating func readRecordLine(
        _ line: HeaderLine, _ lines: HeaderLines
    ) throws(WFDBError) -> Int? {
        let fields = line.fields
        let names = fields[0].split(separator: "/", maxSplits: 1)
        guard let first = names.first else {
            throw lines.error(.field(.recordName, found: fields[0]), line)
        }
        name = String(first)
        var segments: Int?
        if names.count > 1 {
            guard let read = Int(names[1]), (1...Self.segmentsMaximum).contains(read) else {
                throw lines.error(.field(.segmentCount, found: String(names[1])), line)
            }
            segments = read
        }
        let count = fields[safely: 1] ?? ""
        guard let declared = Int(count), declared >= 0 else {
            throw lines.error(.field(.signalCount, found: count), line)
        }
        guard declared <= Self.signalsMaximum else {
            throw lines.error(
                .tooManySignals(declared: declared, accepted: Self.signalsMaximum), line)
        }
        if let text = fields[safely: 2] {
            // Behind the slash stands the counter frequency, which concerns page numbers only.
            let hertz = text.split(separator: "/").first ?? ""
            guard let read = SamplingRate(decimalHertz: hertz),
                read.hertz <= Self.rateMaximum, read.numerator <= 1 << 40
            else {
                throw lines.error(.field(.samplingRate, found: text), line)
            }
            rate = read
        }
        if let text = fields[safely: 3] {
            guard let read = Int(text), read >= 0, read < 1 << 40 else {
                throw lines.error(.field(.sampleCount, found: text), line)
            }
            frameCount = read == 0 ? nil : read
        }
        readStart(Array(fields.dropFirst(4).prefix(2)))
        return segments
    }

    private mutating func readSegments(
        _ declared: Int, _ lines: inout HeaderLines
    ) throws(WFDBError) {
        while segments.count < declared {
            guard let line = lines.next() else {
                throw lines.error(.segmentCount(declared: declared, found: segments.count))
            }
            let text = line.fields[safely: 1] ?? ""
            guard let frames = Int(text), frames >= 0, frames < 1 << 40 else {
                throw lines.error(.field(.sampleCount, found: text), line)
            }
            segments.append(Segment(name: line.fields[0], frames: frames))
        }
    }

    /// The start, if the line has time and date: `10:30:00 31/12/2016`, or as the recordings of
    /// the PhysioNet challenges have it, `31-Dec-2016 10:30:00`. A time alone has no place in the
    /// calendar.
    private mutating func readStart(_ fields: [String]) {
        guard let first = fields.first else { return }
        let second = fields[safely: 1]
        let isDateFirst = first.contains("-")
        let clockText = isDateFirst ? second : first
        let dateText = isDateFirst ? first : second
        guard let micros = Self.clock(clockText ?? "0") else {
            unreadableStart = fields.joined(separator: " ")
            return
        }
        guard let dateText else { return }
        guard let date = CSVText.time(dateText, .dayFirst) ?? Self.namedMonth(dateText) else {
            unreadableStart = fields.joined(separator: " ")
            return
        }
        start = Timestamp(microseconds: date + micros)
    }

    /// Midnight of a date such as `05-May-2020`, in microseconds.
    private static func namedMonth(_ text: String) -> Int64? {
        let months = [
            "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
        ]
        let parts = text.split(separator: "-")
        guard parts.count == 3, let day = Int64(parts[0]), let year = Int64(parts[2]),
            let month = months.firstIndex(of: parts[1].lowercased()),
            CivilDate.exists(year: year, month: Int64(month) + 1, day: day)
        else { return nil }
        return CivilDate.days(year: year, month: Int64(month) + 1, day: day) * 86_400_000_000
    }

    /// `HH:MM:SS`, `MM:SS` or `SS`, perhaps with a fraction, in microseconds since midnight.
    private static func clock(_ text: String) -> Int64? {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count <= 3, let last = parts.last?.exactDecimal, last.scale <= 1_000_000,
            last.value / last.scale < 1_000_000
        else { return nil }
        var micros = last.value * (1_000_000 / last.scale)
        var unit: Int64 = 60_000_000
        for part in parts.dropLast().reversed() {
            guard let whole = part.exactDecimal, whole.scale == 1, whole.value < 1_000_000 else {
                return nil
            }
            micros += whole.value * unit
            unit *= 60
        }
        return micros < 86_400_000_000 ? micros : nil
    }

    private static func signal(
        _ line: HeaderLine, _ lines: HeaderLines, ordinal: Int
    ) throws(WFDBError) -> Signal {
        let fields = line.fields
        guard let formatText = fields[safely: 1] else {
            throw lines.error(.field(.format, found: ""), line)
        }
        guard var signal = FormatField.parse(formatText, fileName: fields[0]) else {
            throw lines.error(.field(.format, found: formatText), line)
        }
        func whole(_ index: Int, _ field: WFDBError.Field) throws(WFDBError) -> Int? {
            guard let text = fields[safely: index] else { return nil }
            guard let value = Int(text) else { throw lines.error(.field(field, found: text), line) }
            return value
        }
        _ = try whole(3, .resolution)
        let zero = try whole(4, .zero) ?? 0
        signal.baseline = Double(zero)
        if let text = fields[safely: 2] {
            guard GainField.parse(text, into: &signal) else {
                throw lines.error(.field(.gain, found: text), line)
            }
        }
        let initial = try whole(5, .initialValue) ?? zero
        signal.initialValue = Int32(truncatingIfNeeded: initial)
        signal.checksum = try whole(6, .checksum)
        signal.name = line.text(fromField: 8)
        if signal.name.isEmpty { signal.name = "signal\(ordinal)" }
        return signal
    }
}

/// The format field of a signal line: `16x2:3+24`.
private enum FormatField {
    static func parse(_ text: String, fileName: String) -> WFDBHeader.Signal? {
        var rest = text[...]
        guard let format = number(&rest) else { return nil }
        var signal = WFDBHeader.Signal(fileName: fileName, format: format)
        while let mark = rest.popFirst() {
            guard let value = number(&rest) else { return nil }
            switch mark {
            case "x": signal.samplesPerFrame = value
            case ":": signal.skew = value
            case "+": signal.byteOffset = value
            default: return nil
            }
        }
        guard (1...100_000).contains(signal.samplesPerFrame) else { return nil }
        return signal
    }

    private static func number(_ text: inout Substring) -> Int? {
        let digits = text.prefix { ("0"..."9").contains($0) }
        text = text.dropFirst(digits.count)
        return digits.count <= 9 ? Int(digits) : nil
    }
}

/// The gain field of a signal line: `200(1024)/mV`. The order matters: baseline, then unit.
private enum GainField {
    static func parse(_ text: String, into signal: inout WFDBHeader.Signal) -> Bool {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        if parts.count > 1 { signal.unit = String(parts[1]) }
        var number = parts[0]
        if let open = number.firstIndex(of: "(") {
            guard number.last == ")",
                let baseline = Int(number[number.index(after: open)...].dropLast())
            else { return false }
            signal.baseline = Double(baseline)
            number = number[..<open]
        }
        guard let gain = Double(number), gain.isFinite else { return false }
        signal.gain = gain == 0 ? nil : gain
        return true
    }
}

/// One line of a header that is not a comment.
private struct HeaderLine {
    let number: Int
    let text: String
    /// Never empty.
    let fields: [String]

    /// The rest of the line from a field on, with its blanks.
    func text(fromField index: Int) -> String {
        guard fields.count > index else { return "" }
        let parts = text.split(maxSplits: index) { $0 == " " || $0 == "\t" }
        return parts.count > index ? String(parts[index]).trimmingTrailingBlanks : ""
    }
}

/// Hands out the lines of a header, and collects its comments.
private struct HeaderLines {
    let file: String
    private var rest: [(number: Int, text: Substring)]
    private(set) var comments: [String] = []

    init(text: String, file: String) {
        self.file = file
        let lines = text.split(omittingEmptySubsequences: false) { $0.isNewline }
        rest = lines.enumerated().reversed().map { ($0.offset + 1, $0.element) }
    }

    mutating func next() -> HeaderLine? {
        while let (number, text) = rest.popLast() {
            if text.first == "#" {
                comments.append(String(text.dropFirst().drop { $0 == " " }))
                continue
            }
            let fields = text.split { $0 == " " || $0 == "\t" }.map(String.init)
            if fields.isEmpty { continue }
            return HeaderLine(number: number, text: String(text), fields: fields)
        }
        return nil
    }

    func error(_ reason: WFDBError.Reason, _ line: HeaderLine? = nil) -> WFDBError {
        WFDBError(file: file, line: line?.number, reason: reason)
    }
}

extension String {
    fileprivate var trimmingTrailingBlanks: String {
        var rest = self[...]
        while rest.last == " " || rest.last == "\t" { rest.removeLast() }
        return String(rest)
    }
}

extension Array {
    subscript(safely index: Int) -> Element? { indices.contains(index) ? self[index] : nil }
}
