import Foundation
import Series

/// Where in a JSON document times and values stand.
///
/// The wildcards of all paths are taken together one by one: the value at
/// `$.hourly.temperature[3]` has the time at `$.hourly.time[3]`, and
/// `$.result[1].values[2]` the name at `$.result[1].name`.
package struct JSONFeedPaths: Sendable, Equatable, Codable {
    /// No more wildcards than each of the values has.
    package var time: JSONPath
    /// One or more; without `name` each is a series that has the name of its last member.
    package var values: [JSONPath]
    /// The name of the series; with several values `name.member`.
    package var name: JSONPath?
    package var unit: JSONPath?
    /// How times are written; nil for RFC 3339 texts, and numbers of seconds, milliseconds,
    /// microseconds or nanoseconds since 1970 by their size.
    package var timeFormat: TimeFormat?

    package init(
        time: JSONPath, values: [JSONPath], name: JSONPath? = nil, unit: JSONPath? = nil,
        timeFormat: TimeFormat? = nil
    ) {
        self.time = time
        self.values = values
        self.name = name
        self.unit = unit
        self.timeFormat = timeFormat
    }

    /// What is wrong with the paths; nil where they can be used.
    package var flaw: String? {
        guard let first = values.first else { return "there is no path to a value" }
        for value in values {
            for other in [time, name ?? time, unit ?? time] where other.wildcards > value.wildcards
            {
                return "\(other.text) has more wildcards than \(value.text)"
            }
            if name == nil, value.lastName == nil {
                return "\(value.text) has no name for its series; say where one stands"
            }
        }
        if name == nil || values.count > 1 {
            guard Set(values.map(\.lastName)).count == values.count else {
                return "two values end with the name \(first.lastName ?? "")"
            }
        }
        return nil
    }
}

/// Reads series out of JSON documents, one in a feed or one a line (NDJSON), by paths.
package struct JSONFeedReader: Sendable {
    package var paths: JSONFeedPaths
    /// Whether every line is a document.
    package var isByLine: Bool
    package var limits = FeedLimits()

    /// - Parameters:
    ///   - paths: Without a flaw, or the call traps.
    ///   - isByLine: Whether every line is a document.
    package init(paths: JSONFeedPaths, isByLine: Bool = false) {
        precondition(paths.flaw == nil, "JSONFeedReader: \(paths.flaw ?? "")")
        self.paths = paths
        self.isByLine = isByLine
    }

    static let accepted = "JSON such as {\"time\": \"2024-01-01T00:00:00Z\", \"value\": 1.5}"

    /// The feed in `bytes`, called `name` in errors.
    ///
    /// - Parameters:
    ///   - bytes: Anything at all.
    ///   - name: What errors call it.
    /// - Returns: The feed; values and lines that could not be read are counted in its report.
    /// - Throws: `FeedError` for what is no JSON at all, or beyond the limits.
    package func read(_ bytes: [UInt8], name: String) throws(FeedError) -> Feed {
        var builder = FeedBuilder(feed: name, limits: limits)
        try builder.check(bytes, accepted: Self.accepted)
        guard isByLine else {
            guard let root = JSONNode.parse(bytes) else {
                throw builder.error(.notJSON, at: .whole)
            }
            try read(root, into: &builder) { .item($0) }
            return builder.feed()
        }
        var (start, line) = (0, 0)
        while start < bytes.count {
            line += 1
            let stop = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
            let text = bytes[start..<stop]
            start = stop + 1
            if text.allSatisfy(FeedBuilder.isBlank) { continue }
            guard let root = JSONNode.parse(text) else {
                builder.report.items += 1
                try builder.count(bad: Refusal(.notJSON), at: .line(line))
                continue
            }
            try read(root, into: &builder) { [line] _ in .line(line) }
        }
        return builder.feed()
    }

    private func read(
        _ root: JSONNode, into builder: inout FeedBuilder, place: (Int) -> FeedError.Place
    ) throws(FeedError) {
        let times = try index(paths.time, in: root, builder)
        let names = try paths.name.map { path throws(FeedError) in
            try index(path, in: root, builder)
        }
        let units = try paths.unit.map { path throws(FeedError) in
            try index(path, in: root, builder)
        }
        var count = 0
        for path in paths.values {
            let matches = try matches(path, in: root, builder)
            if matches.isEmpty, path.wildcards == 0 {
                builder.report.items += 1
                count += 1
                try builder.count(
                    bad: Refusal("value at \(path.text)", [], accepted: FeedNumber.accepted),
                    at: place(count))
            }
            for match in matches {
                builder.report.items += 1
                count += 1
                do throws(Refusal) {
                    let time = try time(times[Array(match.turns.prefix(paths.time.wildcards))])
                    let name = try name(names, match, path)
                    let unit = units?[Array(match.turns.prefix(paths.unit?.wildcards ?? 0))]?.text
                    guard let value = try value(match.node, path, &builder) else { continue }
                    let index = try builder.place(
                        of: name, unit: unit.map(PhysicalUnit.init(spelled:)) ?? .unknown)
                    try builder.add(value, at: time, to: index)
                } catch {
                    try builder.count(bad: error, at: place(count))
                }
            }
        }
    }

    private func matches(
        _ path: JSONPath, in root: JSONNode, _ builder: FeedBuilder
    ) throws(FeedError) -> [JSONPath.Match] {
        guard let found = path.matches(in: root, limit: limits.valuesMaximum) else {
            throw builder.error(.tooManyValues(accepted: limits.valuesMaximum), at: .whole)
        }
        return found
    }

    /// What a path leads to, by the turns of its wildcards.
    private func index(
        _ path: JSONPath, in root: JSONNode, _ builder: FeedBuilder
    ) throws(FeedError) -> [[JSONPath.Turn]: JSONNode] {
        Dictionary(
            try matches(path, in: root, builder).map { ($0.turns, $0.node) },
            uniquingKeysWith: { first, _ in first })
    }

    private func time(_ node: JSONNode?) throws(Refusal) -> Timestamp {
        guard let node, let time = FeedTime.read(node, format: paths.timeFormat) else {
            let text = node.map { $0.text ?? $0.number.map { "\($0)" } ?? "no text" } ?? ""
            throw Refusal(
                "time", text.utf8.prefix(200),
                accepted: paths.timeFormat?.example ?? FeedTime.accepted)
        }
        return time
    }

    private func name(
        _ names: [[JSONPath.Turn]: JSONNode]?, _ match: JSONPath.Match, _ path: JSONPath
    ) throws(Refusal) -> String {
        guard let names, let place = paths.name else { return path.lastName ?? "" }
        let node = names[Array(match.turns.prefix(place.wildcards))]
        guard let node, let name = node.text ?? node.number.map(Self.short) else {
            throw Refusal("name at \(place.text)", [], accepted: "a text or a number")
        }
        return paths.values.count > 1 ? "\(name).\(path.lastName ?? "")" : name
    }

    /// `7` for 7.0, so that numbered sensors are called as they are written.
    private static func short(_ number: Double) -> String {
        Int64(exactly: number).map { "\($0)" } ?? "\(number)"
    }

    /// The value at a node, NaN where it is missing; nil for a text that is no number.
    private func value(
        _ node: JSONNode, _ path: JSONPath, _ builder: inout FeedBuilder
    ) throws(Refusal) -> Double? {
        if node.isNull { return .nan }
        if let number = node.number { return number }
        guard let text = node.text else {
            throw Refusal(
                "value at \(path.text)", "a list or an object".utf8, accepted: FeedNumber.accepted)
        }
        if text.isEmpty { return .nan }
        throw Refusal("value at \(path.text)", text.utf8.prefix(200), accepted: FeedNumber.accepted)
    }
}

/// Times as JSON writes them.
enum FeedTime {
    static let accepted =
        "a time such as 2016-12-31T23:59:00Z, or seconds, milliseconds, microseconds or "
        + "nanoseconds since 1970"

    static func read(_ node: JSONNode, format: TimeFormat?) -> Timestamp? {
        if let text = node.text { return read(text, format: format) }
        guard let number = node.value as? NSNumber else { return nil }
        guard let format else { return FeedNumber.instant(guessing: number.doubleValue) }
        guard let unit = format.unixUnit else { return nil }
        if let whole = Int64(exactly: number) { return FeedNumber.instant(whole, per: unit) }
        return FeedNumber.instant(
            number.doubleValue, unitMicroseconds: Double(unit.multiplier) / Double(unit.divisor))
    }

    private static func read(_ text: String, format: TimeFormat?) -> Timestamp? {
        let bytes = Array(text.utf8)
        guard bytes.count <= 64 else { return nil }
        if let format {
            var position = 0
            let scanner = TimeScanner(format: format, offsetSeconds: 0)
            guard let microseconds = scanner.scan(bytes.span, &position), position == bytes.count
            else { return nil }
            return Timestamp(microseconds: microseconds)
        }
        if let time = Timestamp(iso8601: text) { return time }
        return FeedNumber.read(bytes).flatMap { FeedNumber.instant(guessing: $0) }
    }
}
