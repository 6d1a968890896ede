package import Postgres
package import Series
import Signals
package import Store

/// What a source brings of one series at a time.
package struct SeriesPiece: Sendable {
    /// The name of the series in the database.
    package let key: String
    /// `.unknown` where nobody said.
    package let unit: PhysicalUnit
    /// In any order.
    package private(set) var observations: [Observation]
    /// How many more had no value, or one that is no finite number.
    package private(set) var missing: Int

    package init(
        key: String, unit: PhysicalUnit = .unknown, observations: [Observation], missing: Int = 0
    ) {
        self.key = key
        self.unit = unit
        self.observations = observations
        self.missing = missing
    }

    /// The name in the database, and the unit.
    var channel: Channel { Channel(name: key, unit: unit) }

    /// Adds one value; nil for one that is missing.
    mutating func append(_ value: Double?, at time: Timestamp) {
        if let value {
            observations.append(Observation(at: time, value: value))
        } else {
            missing += 1
        }
    }

    /// Puts what another piece of the same series and unit brings behind this one.
    static func += (piece: inout SeriesPiece, more: SeriesPiece) {
        piece.observations += more.observations
        piece.missing += more.missing
    }
}

/// What became of pieces.
package struct FilingCounts: Equatable, Sendable {
    /// What became of the observations.
    package var appended = AppendCounts()
    /// Observations without a value.
    package var missing = 0
    /// Pieces that were left out, since their series is stored in another unit.
    package var refusals: [StoreError] = []
    /// How many observations were in them.
    package var refused = 0

    package init() {}
}

/// Stores pieces of series that a source brought, with all that belongs to it.
package enum SeriesFiling {
    /// Stores pieces: makes the series that are new, finds their steps, tells of what has grown, and
    /// keeps the source's figures.
    ///
    /// - Parameters:
    ///   - pieces: Each series once in each unit; of a new one, the first unit stands.
    ///   - rejected: What else of the source could not be used, how much by reason; for its figures.
    ///   - repeated: What it told twice before it came here, for its figures.
    ///   - bufferedBytes: What the source held in memory for this, in bytes; nil where nobody counts.
    ///   - source: Who brought them; its rule says what happens to values that differ.
    ///   - db: The transaction in which the source's cursor moves.
    /// - Returns: What became of them; pieces in another unit are refused, the others are stored.
    /// - Throws: `IngestError.sameSeries`.
    package static func store(
        _ pieces: [SeriesPiece], rejected: [String: Int] = [:],
        repeated: AppendCounts = AppendCounts(), bufferedBytes: Int? = nil, from source: Source,
        in db: borrowing Session
    ) throws -> FilingCounts {
        if let key = Self.repeated(pieces) { throw IngestError.sameSeries(key: key) }
        var counts = FilingCounts()
        var stored: [StoredSeries] = []
        var batches: [(SeriesID, [Observation])] = []
        var places: [SeriesID: Int] = [:]
        let found = try SeriesStore.ensure(pieces.map { ($0.key, $0.unit) }, in: db)
        for (piece, found) in zip(pieces, found) {
            switch found {
            case .success(let series):
                counts.missing += piece.missing
                // What came without a unit beside what came with the stored one.
                if let place = places[series.id] {
                    batches[place].1 += piece.observations
                    continue
                }
                places[series.id] = batches.count
                stored.append(series)
                batches.append((series.id, piece.observations))
            case .failure(let error):
                counts.refusals.append(error)
                counts.refused += piece.observations.count
            }
        }
        // What is parked is no news yet, and no end of the data.
        let limits = try ObservationLimits(in: db)
        let accepted = batches.map { ($0.0, limits.accepted($0.1)) }
        var gaps = try GapCount(before: accepted, of: stored, in: db)
        let appended = try SeriesStore.append(batches, onConflict: source.conflictRule, in: db)
        for (index, count) in appended.enumerated() {
            counts.appended += count
            guard count.changedAnything else { continue }
            try tell(stored[index], accepted[index].1, count, in: db)
            if stored[index].stepMicroseconds == nil,
                let step = try learnStep(of: stored[index], in: db)
            {
                gaps.add(accepted[index].1, of: stored[index].id, step: step)
            }
        }
        var figures = SourceFigures(counts.appended, rejected: rejected)
        figures.appended += repeated
        figures.missing = counts.missing
        figures.bufferedBytes = bufferedBytes
        if counts.refused > 0 { figures.rejected["unit", default: 0] += counts.refused }
        (figures.gaps, figures.gapSeconds) = (gaps.count, gaps.seconds)
        figures.dataUntil = accepted.lazy.flatMap { $0.1.lazy.map(\.at) }.max()
        try SourceFigures.add(figures, to: source.id, in: db)
        return counts
    }

    /// The first series that stands there twice in one unit; nil where there is none.
    private static func repeated(_ pieces: [SeriesPiece]) -> String? {
        var seen: Set<Channel> = []
        return pieces.first { !seen.insert($0.channel).inserted }?.key
    }

    /// Appends the event that a series has grown.
    private static func tell(
        _ series: StoredSeries, _ observations: [Observation], _ count: AppendCounts,
        in db: borrowing Session
    ) throws {
        let times = observations.lazy.map(\.at)
        guard let from = times.min(), let until = times.max() else { return }
        let data = """
            {"series_id": \(series.id), "from": "\(from)", "until": "\(until)", \
            "rows": \(count.inserted + count.revised)}
            """
        try Outbox.append(type: "series.extended", subject: series.key, data: data, in: db)
    }

    /// The most instants that the step of a series is found from.
    private static let instantsForStep = 1000

    /// Sets the step of a series once its newest observations show one.
    ///
    /// - Returns: The step, in microseconds; nil where they show none yet.
    private static func learnStep(
        of series: StoredSeries, in db: borrowing Session
    ) throws -> Int64? {
        let rows = try db.run(
            """
            SELECT systole.epoch_us(at) AS at FROM systole.observations
            WHERE series_id = \(series.id) ORDER BY at DESC LIMIT \(instantsForStep)
            """)
        let times = try rows.allInt64s("at").reversed().map { Timestamp(microseconds: $0) }
        guard let step = RegularStep.microseconds(between: times) else { return nil }
        _ = try SeriesStore.ensure(key: series.key, stepMicroseconds: step, in: db)
        return step
    }
}

/// Where series that are being appended to leave out instants of their grids.
private struct GapCount {
    /// How many stretches.
    var count = 0
    /// Their length together.
    var seconds = 0.0
    /// The newest of each series that has one, before anything is appended.
    private let newest: [SeriesID: Timestamp]

    /// - Parameters:
    ///   - batches: What is about to be appended.
    ///   - series: Whose they are, in the same order; of those without a known step nothing is counted yet.
    ///   - db: The transaction, before anything is appended in it.
    /// - Throws: `PostgresError`.
    init(
        before batches: [(SeriesID, [Observation])], of series: [StoredSeries],
        in db: borrowing Session
    ) throws {
        newest = try SeriesStore.newest(of: series.map(\.id), in: db)
        for (batch, series) in zip(batches, series) {
            guard let step = series.stepMicroseconds else { continue }
            add(batch.1, of: series.id, step: step)
        }
    }

    /// Counts what a batch of one series leaves out.
    ///
    /// - Parameters:
    ///   - batch: Its observations, in any order.
    ///   - series: Which it is.
    ///   - step: Between two of them, in microseconds.
    mutating func add(_ batch: [Observation], of series: SeriesID, step: Int64) {
        let instants = batch.map(\.at.microseconds).sorted()
        guard var last = newest[series]?.microseconds ?? instants.first else { return }
        // What comes late fills a gap that was counted, and makes none.
        for instant in instants where instant > last {
            if instant - last > step + step / 2 {
                count += 1
                seconds += Double(instant - last - step) / 1e6
            }
            last = instant
        }
    }
}
