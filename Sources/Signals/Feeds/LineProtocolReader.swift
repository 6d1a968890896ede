package import Series

/// Reads Influx line protocol: `measurement,tag=value field=1,other=2i 1700000000000000000`.
///
/// Every numeric field is a series, named `measurement.field{tag="value",…}` with its tags in the
/// order of their names. A line that cannot be read is left out whole and counted. Truth values are 1
/// and 0; texts are passed over.
///
/// - Source: InfluxData, "Line protocol" (InfluxDB v2 reference).
package struct LineProtocolReader: Sendable {
    /// What the timestamps count.
    package enum Precision: String, Sendable, Codable, CaseIterable {
        case nanoseconds = "ns"
        case microseconds = "us"
        case milliseconds = "ms"
        case seconds = "s"

        var unit: (multiplier: Int64, divisor: Int64) {
            switch self {
            case .nanoseconds: (1, 1000)
            case .microseconds: (1, 1)
            case .milliseconds: (1000, 1)
            case .seconds: (1_000_000, 1)
            }
        }
    }

    package var precision = Precision.nanoseconds
    /// The time of lines without one; nil where they are refused.
    package var receivedAt: Timestamp?
    package var limits = FeedLimits()

    package init() {}

    static let accepted = "lines such as: weather,place=oslo temperature=3.5 1700000000000000000"

    /// The feed in `bytes`, called `name` in errors.
    ///
    /// - Parameters:
    ///   - bytes: Anything at all.
    ///   - name: What errors call it.
    /// - Returns: The feed; lines that could not be read are counted in its report.
    /// - Throws: `FeedError` for what is no line protocol at all, or beyond the limits.
    package func read(_ bytes: [UInt8], name: String) throws(FeedError) -> Feed {
        var builder = FeedBuilder(feed: name, limits: limits)
        try builder.check(bytes, accepted: Self.accepted)
        var scan = LineProtocolScanner(bytes)
        while scan.findLine() {
            let line = scan.line
            builder.report.items += 1
            do throws(Refusal) {
                let point = try scan.point()
                guard let time = time(of: point) else {
                    throw Refusal(
                        "timestamp", point.timestamp ?? [],
                        accepted: "a whole number of \(precision.rawValue)")
                }
                if point.timestamp == nil { builder.report.usesReceiveTime = true }
                try add(point, at: time, to: &builder)
            } catch {
                try builder.count(bad: error, at: .line(line))
                scan.skipLine()
            }
        }
        return builder.feed()
    }

    private func time(of point: LineProtocolPoint) -> Timestamp? {
        guard let text = point.timestamp else { return receivedAt }
        guard text.count <= 20, let count = Int64(String(decoding: text, as: UTF8.self)) else {
            return nil
        }
        return FeedNumber.instant(count, per: precision.unit)
    }

    private func add(
        _ point: LineProtocolPoint, at time: Timestamp, to builder: inout FeedBuilder
    ) throws(Refusal) {
        // The line counts as a whole or not at all.
        var found: [(Int, Double)] = []
        let labels = LabelledName.suffix(point.tags)
        for field in point.fields {
            guard let value = field.value else {
                builder.report.ignored += 1
                continue
            }
            let name = "\(point.measurement).\(field.name)\(labels)"
            found.append((try builder.place(of: name), value))
        }
        for (index, value) in found { try builder.add(value, at: time, to: index) }
    }
}

/// One line, taken apart.
struct LineProtocolPoint {
    var measurement = ""
    var tags: [(name: String, value: String)] = []
    /// Nil for a text.
    var fields: [(name: String, value: Double?)] = []
    var timestamp: [UInt8]?
}

/// Takes lines apart, with their escapes.
struct LineProtocolScanner {
    private let bytes: [UInt8]
    private var position = 0
    /// From 1.
    private(set) var line = 1

    private static let comma = UInt8(ascii: ",")
    private static let equals = UInt8(ascii: "=")
    private static let blank = UInt8(ascii: " ")
    private static let quote = UInt8(ascii: "\"")
    private static let escape = UInt8(ascii: "\\")
    private static let lineFeed = UInt8(ascii: "\n")

    private static let measurementEnds = ByteSet(", \n")
    private static let nameEnds = ByteSet("=, \n")

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// Goes to the next line that is neither empty nor a comment; false at the end.
    mutating func findLine() -> Bool {
        while position < bytes.count {
            let byte = bytes[position]
            if byte == UInt8(ascii: "#") {
                skipLine()
            } else if byte == Self.lineFeed {
                skipLine()
            } else if FeedBuilder.isBlank(byte) {
                position += 1
            } else {
                return true
            }
        }
        return false
    }

    /// Goes behind the next line end.
    mutating func skipLine() {
        while position < bytes.count, bytes[position] != Self.lineFeed { position += 1 }
        if position < bytes.count {
            position += 1
            line += 1
        }
    }

    /// The point of the line that begins here.
    mutating func point() throws(Refusal) -> LineProtocolPoint {
        var point = LineProtocolPoint()
        point.measurement = try name("measurement", until: Self.measurementEnds)
        while take(Self.comma) {
            let key = try name("tag name", until: Self.nameEnds)
            try expect(Self.equals, after: "tag name")
            let value = try name("tag value", until: Self.nameEnds)
            guard !point.tags.contains(where: { $0.name == key }) else {
                throw Refusal("tag", key.utf8, accepted: "each tag once")
            }
            guard point.tags.count < 256 else {
                throw Refusal("number of tags", "256".utf8, accepted: "at most 256")
            }
            point.tags.append((key, value))
        }
        try expect(Self.blank, after: "tags")
        skipBlanks()
        repeat {
            let key = try name("field name", until: Self.nameEnds)
            try expect(Self.equals, after: "field name")
            point.fields.append((key, try value(of: key)))
        } while take(Self.comma)
        skipBlanks()
        if !isAtLineEnd {
            let start = position
            while position < bytes.count, !FeedBuilder.isBlank(bytes[position]) { position += 1 }
            point.timestamp = Array(bytes[start..<position])
            skipBlanks()
        }
        guard isAtLineEnd else {
            throw Refusal("end of the line", rest(), accepted: "nothing behind the timestamp")
        }
        return point
    }

    private var isAtLineEnd: Bool {
        guard position < bytes.count else { return true }
        if bytes[position] == Self.lineFeed { return true }
        return bytes[position] == UInt8(ascii: "\r")
            && (position + 1 == bytes.count || bytes[position + 1] == Self.lineFeed)
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard position < bytes.count, bytes[position] == byte else { return false }
        position += 1
        return true
    }

    private mutating func expect(_ byte: UInt8, after what: String) throws(Refusal) {
        guard take(byte) else {
            let sign = String(decoding: [byte], as: UTF8.self)
            throw Refusal("part behind the \(what)", rest(), accepted: "\"\(sign)\"")
        }
    }

    private mutating func skipBlanks() {
        while position < bytes.count, bytes[position] == Self.blank { position += 1 }
    }

    /// What stands from here to the end of the line, at most forty bytes.
    private func rest() -> ArraySlice<UInt8> {
        bytes[position...].prefix(40).prefix { $0 != Self.lineFeed }
    }

    /// A name up to one of `ends`; a backslash takes their meaning from them.
    private mutating func name(_ what: String, until ends: ByteSet) throws(Refusal) -> String {
        let start = position
        // Most names have no escapes, and are taken as they stand.
        while position < bytes.count, bytes[position] != Self.escape,
            !ends.contains(bytes[position])
        { position += 1 }
        var text = Array(bytes[start..<position])
        while position < bytes.count {
            let byte = bytes[position]
            if byte == Self.escape, position + 1 < bytes.count {
                let next = bytes[position + 1]
                if next == Self.comma || next == Self.equals || next == Self.blank {
                    text.append(next)
                    position += 2
                    continue
                }
            }
            if ends.contains(byte) { break }
            text.append(byte)
            position += 1
        }
        guard !text.isEmpty, text.count <= 4096, let name = String(validating: text, as: UTF8.self)
        else {
            throw Refusal(what, bytes[start..<position], accepted: "a name of 1 to 4096 bytes")
        }
        return name
    }

    /// The value of a field; nil for a text.
    private mutating func value(of name: String) throws(Refusal) -> Double? {
        if take(Self.quote) {
            let start = position - 1
            while position < bytes.count, bytes[position] != Self.quote {
                if bytes[position] == Self.lineFeed { line += 1 }
                position += bytes[position] == Self.escape ? 2 : 1
            }
            guard position < bytes.count else {
                position = bytes.count
                throw Refusal(
                    "text of \(name)", bytes[start...].prefix(40), accepted: "one that ends with \""
                )
            }
            position += 1
            return nil
        }
        let start = position
        while position < bytes.count, bytes[position] != Self.comma,
            !FeedBuilder.isBlank(bytes[position])
        { position += 1 }
        let token = Array(bytes[start..<position])
        guard let value = Self.number(token) else {
            throw Refusal(
                "value of \(name)", token.prefix(41),
                accepted: "a number, a whole number with i or u, true, false or a text in quotes")
        }
        return value
    }

    private static func number(_ token: [UInt8]) -> Double? {
        guard let last = token.last, token.count <= 400 else { return nil }
        switch last {
        case UInt8(ascii: "i"):
            return Int64(String(decoding: token.dropLast(), as: UTF8.self)).map { Double($0) }
        case UInt8(ascii: "u"):
            return UInt64(String(decoding: token.dropLast(), as: UTF8.self)).map { Double($0) }
        default: break
        }
        switch String(decoding: token, as: UTF8.self) {
        case "t", "T", "true", "True", "TRUE": return 1
        case "f", "F", "false", "False", "FALSE": return 0
        default: return FeedNumber.read(token)
        }
    }
}

/// Some of the bytes below 64, looked up without a branch for each.
struct ByteSet {
    private let bits: UInt64

    init(_ text: StaticString) {
        bits = text.description.utf8.reduce(0) { bits, byte in
            precondition(byte < 64, "ByteSet: \(byte)")
            return bits | 1 << UInt64(byte)
        }
    }

    func contains(_ byte: UInt8) -> Bool { byte < 64 && bits >> UInt64(byte) & 1 == 1 }
}
