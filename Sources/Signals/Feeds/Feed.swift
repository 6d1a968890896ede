package import Series

/// What a feed told about series, in the order of their first appearance.
package struct Feed: Sendable, Equatable {
    /// What was told about one series.
    package struct Series: Sendable, Equatable {
        package let channel: Channel
        /// In the order of the feed.
        package fileprivate(set) var times: [Timestamp]
        /// `[times.count]`; NaN where missing, never infinite.
        package fileprivate(set) var values: [Double]
    }

    /// Each by its name and its unit.
    package let series: [Series]
    package let report: FeedReport

    /// The newest instant that was told; nil where there is none.
    package var newest: Timestamp? { series.lazy.compactMap { $0.times.max() }.max() }
}

/// What reading a feed met besides good values.
package struct FeedReport: Sendable, Equatable {
    /// The most bad items of which the reason is kept.
    package static let reasonsMaximum = 20

    /// Lines or list members that were read.
    package var items = 0
    /// Those of them that could not be read; what stood before the fault may have been taken.
    package var badItems = 0
    /// Why, for the first of them.
    package var reasons: [FeedError] = []
    /// Values that are missing, NaN and infinite ones among them.
    package var missing = 0
    package var infinite = 0
    /// Values that are no numbers, such as texts, and were passed over.
    package var ignored = 0
    /// Whether something without a time of its own has that of the answer: the same answer later then
    /// tells something new.
    package var usesReceiveTime = false

    package init() {}
}

/// What reading one feed may take.
package struct FeedLimits: Sendable, Equatable {
    /// The longest feed that is read, in bytes.
    package var bytesMaximum = 256 << 20
    package var seriesMaximum = 100_000
    package var valuesMaximum = 20_000_000

    package init() {}
}

/// Gathers what a feed tells, series by series.
struct FeedBuilder {
    private let name: String
    private let limits: FeedLimits
    private var series: [Feed.Series] = []
    /// Where the first series of a name stands, and those of its other units.
    private var indices: [String: Int] = [:]
    private var otherUnits: [Channel: Int] = [:]
    private var valueCount = 0
    var report = FeedReport()

    init(feed name: String, limits: FeedLimits) {
        self.name = name
        self.limits = limits
    }

    /// Refuses what is no feed at all before anything of it is read.
    func check(_ bytes: [UInt8], accepted: String) throws(FeedError) {
        guard bytes.count <= limits.bytesMaximum else {
            throw error(
                .tooLarge(bytes: bytes.count, accepted: limits.bytesMaximum), at: .whole)
        }
        let first = bytes.first { !Self.isBlank($0) }
        if first == UInt8(ascii: "<") { throw error(.markup(accepted: accepted), at: .whole) }
        // UTF-16, by its mark.
        if bytes.count >= 2, bytes[0] ^ bytes[1] == 1, bytes[0] | 1 == 0xFF {
            throw error(.notText, at: .whole)
        }
    }

    func error(_ reason: FeedError.Reason, at place: FeedError.Place) -> FeedError {
        FeedError(feed: name, place: place, reason: reason)
    }

    /// Counts an item that is left out.
    ///
    /// - Parameters:
    ///   - refusal: What is wrong with it.
    ///   - place: Where it stands.
    /// - Throws: What ends the feed as a whole: its limits, or two series that are one.
    mutating func count(bad refusal: Refusal, at place: FeedError.Place) throws(FeedError) {
        switch refusal.reason {
        case .tooManySeries, .tooManyValues, .seriesTwice: throw error(refusal.reason, at: place)
        default: break
        }
        report.badItems += 1
        if report.reasons.count < FeedReport.reasonsMaximum {
            report.reasons.append(error(refusal.reason, at: place))
        }
    }

    /// The place of a series among the others; made where it is new.
    ///
    /// - Parameters:
    ///   - name: Its name.
    ///   - unit: Its unit, `.unknown` where nobody said.
    /// - Returns: Its place.
    /// - Throws: What is wrong with its name, or `tooManySeries`.
    mutating func place(
        of name: String, unit: PhysicalUnit = .unknown
    ) throws(Refusal) -> Int {
        guard let first = indices[name] else {
            guard Self.isUsable(name) else { throw Refusal(.seriesName(found: name)) }
            indices[name] = try open(Channel(name: name, unit: unit))
            return series.count - 1
        }
        if series[first].channel.unit == unit { return first }
        let channel = Channel(name: name, unit: unit)
        if let other = otherUnits[channel] { return other }
        otherUnits[channel] = try open(channel)
        return series.count - 1
    }

    /// Adds a series without values.
    private mutating func open(_ channel: Channel) throws(Refusal) -> Int {
        guard series.count < limits.seriesMaximum else {
            throw Refusal(.tooManySeries(accepted: limits.seriesMaximum))
        }
        series.append(Feed.Series(channel: channel, times: [], values: []))
        return series.count - 1
    }

    /// Adds one value to the series at `index`; what is not finite is missing.
    mutating func add(_ value: Double, at time: Timestamp, to index: Int) throws(Refusal) {
        guard valueCount < limits.valuesMaximum else {
            throw Refusal(.tooManyValues(accepted: limits.valuesMaximum))
        }
        valueCount += 1
        if !value.isFinite {
            report.missing += 1
            if value.isInfinite { report.infinite += 1 }
        }
        series[index].times.append(time)
        series[index].values.append(value.isFinite ? value : .nan)
    }

    /// The feed as gathered; a series without a single value is left out.
    consuming func feed() -> Feed {
        Feed(series: series.filter { !$0.times.isEmpty }, report: report)
    }

    /// What a series may be called, before its source's name is put in front.
    private static func isUsable(_ name: String) -> Bool {
        guard let first = name.unicodeScalars.first, let last = name.unicodeScalars.last else {
            return false
        }
        return name.unicodeScalars.count <= 400
            && !first.properties.isWhitespace && !last.properties.isWhitespace
            && !name.unicodeScalars.contains { $0.properties.generalCategory == .control }
    }

    static func isBlank(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D
    }
}

/// What is wrong with one item; its reader adds where.
struct Refusal: Error, Equatable {
    let reason: FeedError.Reason

    init(_ reason: FeedError.Reason) { self.reason = reason }

    init(_ field: String, _ found: some Sequence<UInt8>, accepted: String) {
        reason = .field(
            field, found: String(decoding: Array(found), as: UTF8.self), accepted: accepted)
    }
}

/// Names of series that are told apart by labels, as Prometheus writes them.
enum LabelledName {
    /// `name{code="200",method="get"}`, labels in the order of their names.
    static func text(_ name: String, _ labels: [(name: String, value: String)]) -> String {
        name + suffix(labels)
    }

    /// What stands behind the name; nothing where there are no labels.
    static func suffix(_ labels: [(name: String, value: String)]) -> String {
        guard !labels.isEmpty else { return "" }
        let isSorted = zip(labels, labels.dropFirst()).allSatisfy { $0.name < $1.name }
        var text = "{"
        for label in isSorted ? labels : labels.sorted(by: { $0.name < $1.name }) {
            if text.utf8.count > 1 { text += "," }
            text += label.name
            text += "=\""
            text += escaped(label.value)
            text += "\""
        }
        return text + "}"
    }

    private static func escaped(_ value: String) -> String {
        let needsIt = value.utf8.contains { $0 == 0x5C || $0 == 0x22 || $0 == 0x0A }
        guard needsIt else { return value }
        return value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
            .replacing("\n", with: "\\n")
    }
}

extension Feed.Series {
    /// The rows of one column of a table.
    package init(_ column: CSVTable.Column) {
        self.init(channel: column.channel, times: column.times, values: column.values)
    }
}
