package import Series

/// Reads metrics as text: OpenMetrics 1.0, and the older text format of Prometheus.
///
/// Every sample is an observation of the series `name{label="value",…}`, labels in the order of their
/// names. Exemplars are passed over. Without a timestamp a sample has the time of the answer.
///
/// - Source: OpenMetrics 1.0.0 (2020), "Text format"; Prometheus, "Exposition formats", 0.0.4.
package struct MetricsReader: Sendable {
    /// Which of the two it is.
    package enum Dialect: String, Sendable, Codable {
        /// Timestamps are milliseconds; nothing marks the end.
        case prometheus
        /// Timestamps are seconds; `# EOF` marks the end.
        case openMetrics = "openmetrics"
    }

    /// Nil for whatever the end of the feed shows.
    package var dialect: Dialect?
    /// The time of samples without one; nil where they are refused.
    package var receivedAt: Timestamp?
    package var limits = FeedLimits()

    package init() {}

    static let accepted = "metrics such as: http_requests_total{code=\"200\"} 1027"
    private static let mark = "# EOF"

    /// The feed in `bytes`, called `name` in errors.
    ///
    /// - Parameters:
    ///   - bytes: Anything at all.
    ///   - name: What errors call it.
    /// - Returns: The feed; lines that could not be read are counted in its report.
    /// - Throws: `FeedError` for what are no metrics at all, or not whole, or beyond the limits.
    package func read(_ bytes: [UInt8], name: String) throws(FeedError) -> Feed {
        var builder = FeedBuilder(feed: name, limits: limits)
        try builder.check(bytes, accepted: Self.accepted)
        let end = Self.end(of: bytes)
        let isOpen = dialect.map { $0 == .openMetrics } ?? (end != nil)
        if isOpen, end == nil { throw builder.error(.unfinished(mark: Self.mark), at: .whole) }
        var units: [String: PhysicalUnit] = [:]
        var (start, line) = (0, 0)
        while start < bytes.count {
            line += 1
            let stop = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
            let text = bytes[start..<stop]
            start = stop + 1
            if let end, text.startIndex >= end {
                // Behind the mark stands nothing but blanks.
                guard text.startIndex == end || text.allSatisfy(FeedBuilder.isBlank) else {
                    try builder.count(
                        bad: Refusal("end", text.prefix(41), accepted: "nothing behind # EOF"),
                        at: .line(line))
                    break
                }
                continue
            }
            guard let first = text.first(where: { !FeedBuilder.isBlank($0) }) else { continue }
            if first == UInt8(ascii: "#") {
                Self.note(text, &units)
                continue
            }
            builder.report.items += 1
            do throws(Refusal) {
                var scan = MetricsLine(text)
                let sample = try scan.sample()
                if !isOpen, stop == bytes.count {
                    throw Refusal("end of the line", [], accepted: "a line end behind every sample")
                }
                let time = try time(sample.timestamp, isOpen: isOpen)
                if sample.timestamp == nil { builder.report.usesReceiveTime = true }
                let series = LabelledName.text(sample.name, sample.labels)
                let index = try builder.place(of: series, unit: Self.unit(sample.name, units))
                try builder.add(sample.value, at: time, to: index)
            } catch {
                try builder.count(bad: error, at: .line(line))
            }
        }
        return builder.feed()
    }

    private func time(_ text: [UInt8]?, isOpen: Bool) throws(Refusal) -> Timestamp {
        guard let text else {
            guard let receivedAt else {
                throw Refusal("timestamp", [], accepted: Self.times(isOpen))
            }
            return receivedAt
        }
        // What has fractions of a millisecond is seconds, of an answer that has lost its end.
        let isWhole = isOpen || text.allSatisfy { $0 &- 48 < 10 || $0 == UInt8(ascii: "-") }
        guard text.count <= 40, isWhole, let count = FeedNumber.read(text),
            let time = FeedNumber.instant(count, unitMicroseconds: isOpen ? 1e6 : 1e3)
        else { throw Refusal("timestamp", text.prefix(41), accepted: Self.times(isOpen)) }
        return time
    }

    private static func times(_ isOpen: Bool) -> String {
        isOpen ? "seconds since 1970" : "whole milliseconds since 1970"
    }

    /// Where the line that marks the end begins; nil where there is none.
    private static func end(of bytes: [UInt8]) -> Int? {
        let mark = Array(Self.mark.utf8)
        var start = 0
        while start < bytes.count {
            let stop = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
            var last = stop
            if last > start, bytes[last - 1] == UInt8(ascii: "\r") { last -= 1 }
            if last - start == mark.count, bytes[start..<last].elementsEqual(mark) { return start }
            start = stop + 1
        }
        return nil
    }

    /// Takes in `# UNIT name unit`; other remarks say nothing that is stored.
    private static func note(_ line: ArraySlice<UInt8>, _ units: inout [String: PhysicalUnit]) {
        let words = line.split(separator: UInt8(ascii: " "), maxSplits: 3)
        guard words.count == 4, Array(words[1]) == Array("UNIT".utf8), units.count < 100_000
        else { return }
        let name = String(decoding: words[2], as: UTF8.self)
        let unit = words[3].filter { !FeedBuilder.isBlank($0) }
        let spelled = String(decoding: unit, as: UTF8.self)
        units[name] = baseUnits[spelled] ?? PhysicalUnit(spelled: spelled)
    }

    /// The unit of a sample, whose name may have an ending behind that of its family.
    private static func unit(_ name: String, _ units: [String: PhysicalUnit]) -> PhysicalUnit {
        guard !units.isEmpty else { return .unknown }
        if let unit = units[name] { return unit }
        // Counts have no unit, whatever they count.
        for ending in ["_total", "_sum", "_min", "_max"] where name.hasSuffix(ending) {
            if let unit = units[String(name.dropLast(ending.count))] { return unit }
        }
        return .unknown
    }

    /// The base units of Prometheus by their UCUM symbols.
    private static let baseUnits: [String: PhysicalUnit] = [
        "seconds": PhysicalUnit("s"), "celsius": PhysicalUnit("Cel"),
        "kelvin": PhysicalUnit("K"),
        "meters": PhysicalUnit("m"), "bytes": PhysicalUnit("By"), "ratio": PhysicalUnit("1"),
        "volts": PhysicalUnit("V"), "amperes": PhysicalUnit("A"), "joules": PhysicalUnit("J"),
        "grams": PhysicalUnit("g"), "watts": PhysicalUnit("W"), "hertz": PhysicalUnit("Hz"),
        "pascals": PhysicalUnit("Pa"), "percent": PhysicalUnit("%"),
    ]
}

/// One line of metrics, taken apart.
struct MetricsLine {
    struct Sample {
        let name: String
        let labels: [(name: String, value: String)]
        let value: Double
        let timestamp: [UInt8]?
    }

    private let bytes: ArraySlice<UInt8>
    private var position: Int

    init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        position = bytes.startIndex
    }

    mutating func sample() throws(Refusal) -> Sample {
        skipBlanks()
        var name = metricName()
        var labels: [(name: String, value: String)] = []
        skipBlanks()
        if take(UInt8(ascii: "{")) { try braces(&name, &labels) }
        guard !name.isEmpty else {
            throw Refusal("metric name", word(), accepted: "letters, digits, _ and :")
        }
        skipBlanks()
        let written = word()
        guard let value = FeedNumber.read(Array(written)) else {
            throw Refusal("value of \(name)", written.prefix(41), accepted: FeedNumber.accepted)
        }
        skipBlanks()
        var timestamp: [UInt8]?
        if let next = peek, next != UInt8(ascii: "#") { timestamp = Array(word()) }
        skipBlanks()
        // What follows a # is an exemplar.
        guard peek == nil || peek == UInt8(ascii: "#") else {
            throw Refusal("end of the line", word(), accepted: "nothing behind the timestamp")
        }
        return Sample(name: name, labels: labels, value: value, timestamp: timestamp)
    }

    private var peek: UInt8? { position < bytes.endIndex ? bytes[position] : nil }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard peek == byte else { return false }
        position += 1
        return true
    }

    private mutating func skipBlanks() {
        while let byte = peek, FeedBuilder.isBlank(byte) { position += 1 }
    }

    /// What stands up to the next blank.
    private mutating func word() -> ArraySlice<UInt8> {
        let start = position
        while let byte = peek, !FeedBuilder.isBlank(byte) { position += 1 }
        return bytes[start..<position]
    }

    private mutating func metricName() -> String {
        let start = position
        if let first = peek, first &- 48 < 10 { return "" }
        while let byte = peek, byte | 0x20 &- 97 < 26 || byte &- 48 < 10 || byte == 95 || byte == 58
        {
            position += 1
        }
        return String(decoding: bytes[start..<position], as: UTF8.self)
    }

    /// Labels up to the closing brace; a text without a label's name is the metric's.
    private mutating func braces(
        _ name: inout String, _ labels: inout [(name: String, value: String)]
    ) throws(Refusal) {
        while true {
            skipBlanks()
            if take(UInt8(ascii: "}")) { return }
            guard labels.count < 256 else {
                throw Refusal("number of labels", "256".utf8, accepted: "at most 256")
            }
            let isQuoted = peek == UInt8(ascii: "\"")
            let label = isQuoted ? try text() : metricName()
            skipBlanks()
            if take(UInt8(ascii: "=")) {
                skipBlanks()
                guard !label.isEmpty, !labels.contains(where: { $0.name == label }) else {
                    throw Refusal("label", label.utf8, accepted: "each label once, with a name")
                }
                labels.append((label, try text()))
            } else if isQuoted, name.isEmpty {
                name = label
            } else {
                throw Refusal("label", word().prefix(41), accepted: "name=\"value\"")
            }
            skipBlanks()
            guard take(UInt8(ascii: ",")) || peek == UInt8(ascii: "}") else {
                throw Refusal("part behind a label", word().prefix(41), accepted: ", or }")
            }
        }
    }

    /// A text in quotes.
    private mutating func text() throws(Refusal) -> String {
        let start = position
        var found: [UInt8] = []
        guard take(UInt8(ascii: "\"")) else {
            throw Refusal("label value", word().prefix(41), accepted: "a text in quotes")
        }
        while let byte = peek, byte != UInt8(ascii: "\"") {
            position += 1
            guard byte == UInt8(ascii: "\\"), let next = peek else {
                found.append(byte)
                continue
            }
            position += 1
            found.append(next == UInt8(ascii: "n") ? 0x0A : next)
        }
        guard take(UInt8(ascii: "\"")), let text = String(validating: found, as: UTF8.self) else {
            throw Refusal(
                "label value", bytes[start...].prefix(41), accepted: "a text in UTF-8 and in quotes"
            )
        }
        return text
    }
}
