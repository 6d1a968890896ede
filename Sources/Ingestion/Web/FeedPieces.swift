package import Series
import Signals
import Store

/// What an answer brought, as it is stored: each series under its name in the database.
struct FeedPieces: Sendable {
    let pieces: [SeriesPiece]
    /// How much was rejected, by reason.
    private(set) var rejected: [String: Int] = [:]
    /// The newest observation that is not ahead of its time; nil where there is none.
    private(set) var newest: Timestamp?

    /// An observation that is further ahead moves no cursor: its clock is wrong.
    static let aheadMaximum: Int64 = 300_000_000

    /// - Parameters:
    ///   - feed: What was read.
    ///   - settings: What the source says of its series.
    ///   - source: The source's name.
    ///   - now: The time on this machine's clock.
    ///   - newest: The newest observation of the source so far.
    /// - Throws: `IngestError` for a name that no series can have, or two of one name.
    init(
        _ feed: ParsedFeed, _ settings: FeedRules, source: String, now: Timestamp,
        newest: Timestamp?
    ) throws(IngestError) {
        let age = settings.ageSecondsMaximum.map { now.microseconds - Int64($0 * 1e6) }
        let late = settings.latenessSeconds.flatMap { seconds in
            newest.map { $0.microseconds - Int64(seconds * 1e6) }
        }
        var pieces: [SeriesPiece] = []
        var names: [String: String] = [:]
        var places: [Channel: Int] = [:]
        var rejected: [String: Int] = [:]
        var newest: Timestamp?
        for series in feed.series {
            let key = try SeriesKey.text(
                source: source, name: settings.renames[series.channel.name] ?? series.channel.name)
            // A name comes again where it has several units.
            let name = series.channel.name
            guard names[key, default: name] == name else { throw .sameSeries(key: key) }
            names[key] = name
            var kept: [Observation] = []
            kept.reserveCapacity(series.times.count)
            var missing = 0
            for (time, value) in zip(series.times, series.values) {
                if value.isNaN {
                    missing += 1
                } else if let age, time.microseconds < age {
                    rejected["age", default: 0] += 1
                } else if let late, time.microseconds < late {
                    rejected["late", default: 0] += 1
                } else {
                    kept.append(Observation(at: time, value: value))
                }
            }
            let limit = now.microseconds + Self.aheadMaximum
            for row in kept where row.at.microseconds <= limit {
                newest = max(newest ?? row.at, row.at)
            }
            let told = settings.units[name].map(PhysicalUnit.init(spelled:))
            let piece = SeriesPiece(
                key: key, unit: told ?? series.channel.unit, observations: kept, missing: missing)
            let place = places[piece.channel, default: pieces.count]
            if place < pieces.count { pieces[place] += piece } else { pieces.append(piece) }
            places[piece.channel] = place
        }
        if feed.badItems > 0 { rejected["row"] = feed.badItems }
        self.pieces = pieces
        self.rejected = rejected
        self.newest = newest
    }
}

/// What the settings of a source say of its series.
struct FeedRules: Sendable {
    /// Observations that are older than the newest by more are rejected; nil takes them all.
    var latenessSeconds: Double?
    /// Observations that are older than this are rejected; nil takes them all.
    var ageSecondsMaximum: Double?
    var renames: [String: String] = [:]
    /// Units by names in the feed, for all rows of that name.
    var units: [String: String] = [:]
}

/// Names of series in the database.
enum SeriesKey {
    /// `plant.oil_temp`: the source and what it calls the series.
    static func text(source: String, name: String) throws(IngestError) -> String {
        let key = "\(source).\(name)"
        let isUsable =
            key.unicodeScalars.count <= 400 && key.last?.isWhitespace == false
            && !key.unicodeScalars.contains { $0.properties.generalCategory == .control }
        guard isUsable else { throw .seriesKey(key) }
        return key
    }
}

/// What a pull would bring.
package struct PullPreview: Sendable {
    /// Of the answer, unpacked.
    package let bytes: Int
    /// Lines or list members that were read.
    package let items: Int
    package let badItems: Int
    package let reasons: [String]
    /// What is odd about what can be read.
    package let notes: [String]
    /// Each series with its unit, how many values it has, and the newest of them.
    package let series: [Series]
    /// Names of recordings.
    package let recordings: [String]
    /// Whether another page follows.
    package let hasMore: Bool
    /// Whether the last line has no end, so that it would be stored only at a later pull.
    package let waits: Bool

    /// One series of it.
    package struct Series: Sendable {
        package let key: String
        package let unit: PhysicalUnit
        package let values: Int
        package let missing: Int
        package let from: Timestamp?
        package let until: Timestamp?

        init(_ piece: SeriesPiece) {
            key = piece.key
            unit = piece.unit
            values = piece.observations.count
            missing = piece.missing
            from = piece.observations.lazy.map(\.at).min()
            until = piece.observations.lazy.map(\.at).max()
        }
    }

    init(
        bytes: Int = 0, items: Int, badItems: Int = 0, reasons: [String] = [], notes: [String] = [],
        series: [Series] = [], recordings: [String] = [], hasMore: Bool = false,
        waits: Bool = false
    ) {
        self.bytes = bytes
        self.items = items
        self.badItems = badItems
        self.reasons = reasons
        self.notes = notes
        self.series = series
        self.recordings = recordings
        self.hasMore = hasMore
        self.waits = waits
    }

    init(bytes: Int, _ content: PageContent) {
        let live = content.live?.pieces.map(\.recording) ?? []
        self.init(
            bytes: bytes, items: content.feed?.items ?? 0, badItems: content.feed?.badItems ?? 0,
            reasons: (content.feed?.reasons ?? [])
                + (content.nextFault.map { [$0.description] } ?? []),
            notes: content.notes,
            series: (content.pieces?.pieces ?? []).map { Series($0) },
            recordings: content.recordings.map(\.key) + Set(live).sorted(),
            hasMore: content.next != nil, waits: content.waiting != nil)
    }
}

extension IngestReport {
    /// Adds what became of the pieces of one answer.
    mutating func add(_ counts: FilingCounts, _ pieces: FeedPieces, of host: String) {
        stored += counts.appended.inserted
        duplicates += counts.appended.duplicate
        conflicts += counts.appended.conflicting
        revised += counts.appended.revised
        parked += counts.appended.parked
        missing += counts.missing
        badRows += counts.refused
        for refusal in counts.refusals { note(host, refusal.description) }
        let words = ["age": "older than the source accepts", "late": "later than it accepts"]
        for (reason, sentence) in words.sorted(by: { $0.key < $1.key }) {
            guard let count = pieces.rejected[reason] else { continue }
            badRows += count
            note(host, "\(count) observation\(count == 1 ? " is" : "s are") \(sentence)")
        }
    }

    /// Adds what reading one answer met.
    mutating func add(_ feed: ParsedFeed, of host: String) {
        rows += feed.items
        badRows += feed.badItems
        duplicates += feed.duplicates
        conflicts += feed.conflicts
        for reason in feed.reasons { note(host, reason) }
    }
}
