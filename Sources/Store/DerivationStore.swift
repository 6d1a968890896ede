package import Postgres
package import Series

/// Which stored model a derivation is made by.
package enum DerivationModel: Hashable, Sendable, CustomStringConvertible {
    /// A version of a sensor model.
    case sensor(Int64)
    /// A SpaceTime forecaster of the series itself.
    case forecaster(ModelID)

    package var description: String {
        switch self {
        case .sensor(let id): "sensor model \(id)"
        case .forecaster(let id): "model \(id)"
        }
    }
}

/// A series, or several, that a model makes from others, and how far that has got.
package struct StoredDerivation: Sendable {
    package let id: Int64
    package let output: String
    /// The series it reads, in the order of the channels of the model.
    package let inputs: [SeriesID]
    /// The series it makes, in the order of a prediction.
    package let outputs: [SeriesID]
    /// Microseconds between two rows of the inputs.
    package let stepMicroseconds: Int64
    /// Rows of the inputs that one sample of the model is the mean of.
    package let merged: Int
    /// Samples for each prediction.
    package let ratio: Int
    /// How long a channel is waited for while others are ahead.
    package let latenessMicroseconds: Int64
    /// Nothing before this instant is read; nil for everything.
    package let since: Timestamp?
    /// nil until the first observation came.
    package let phaseMicroseconds: Int64?
    /// The end of what was taken in; nil until the first observation came.
    package let derivedUntil: Timestamp?
    /// What is kept of the past, as `stateModel` left it; nil where there is none.
    package let state: [UInt8]?
    /// The description of the model that the state belongs to.
    package let stateModel: String?
    /// What to go on with; nil where there is no such model any more.
    package let model: DerivationModel?

    init(_ row: Row) throws {
        id = try row.int64("derivation_id")
        output = try row.text("output")
        inputs = try row.int64s("inputs").map { SeriesID($0) }
        outputs = try row.int64s("outputs").map { SeriesID($0) }
        stepMicroseconds = try row.int64("step_us")
        merged = try row.int("merged")
        ratio = try row.int("ratio")
        latenessMicroseconds = try row.int64("lateness_us")
        since = try row.optionalTimestamp("since")
        phaseMicroseconds = try row.optionalInt64("phase_us")
        derivedUntil = try row.optionalTimestamp("derived_until")
        state = try row.optionalBytes("state")
        stateModel = try row.optionalText("state_model")
        if let sensor = try row.optionalInt64("sensor_model_id") {
            model = .sensor(sensor)
        } else {
            model = try row.optionalInt64("model_id").map { .forecaster(ModelID($0)) }
        }
    }
}

/// Something that readers of derived values should know.
package struct DerivationNote: Hashable, Sendable {
    /// What it is about.
    package enum Kind: String, Sendable {
        case began, lapsed, late, model, state
    }

    package let derivation: Int64
    package let kind: Kind
    /// A time of the data.
    package let at: Timestamp
    /// One sentence without sample values.
    package let detail: String

    package init(derivation: Int64, kind: Kind, at: Timestamp, detail: String) {
        self.derivation = derivation
        self.kind = kind
        self.at = at
        self.detail = detail
    }
}

/// How far a derivation has got.
package struct DerivationAdvance: Sendable {
    package let derivation: Int64
    package let phaseMicroseconds: Int64
    package let derivedUntil: Timestamp
    package let state: [UInt8]
    package let stateModel: String

    package init(
        derivation: Int64, phaseMicroseconds: Int64, derivedUntil: Timestamp, state: [UInt8],
        stateModel: String
    ) {
        self.derivation = derivation
        self.phaseMicroseconds = phaseMicroseconds
        self.derivedUntil = derivedUntil
        self.state = state
        self.stateModel = stateModel
    }
}

/// What a series showed, in the order of time.
package struct ObservedStretch: Sendable {
    /// Microseconds since 1970, ascending.
    package fileprivate(set) var instants: [Int64] = []
    /// `[instants]`, in the unit of the series.
    package fileprivate(set) var values: [Double] = []
    /// Whether more was stored than was to be read.
    package fileprivate(set) var isCut = false
    /// The instant of the newest observation, of those that were not read as well; nil where nothing was.
    package fileprivate(set) var newest: Int64?
}

/// Series that are derived from others.
package enum DerivationStore {
    /// The derivations with these numbers that are neither paused nor dropped, in no order.
    package static func find(
        _ ids: [Int64], in db: borrowing Session
    ) throws -> [StoredDerivation] {
        try db.run(
            """
            SELECT d.derivation_id, d.output, i.inputs, d.outputs, d.step_us, d.merged, d.ratio,
                d.lateness_us, nullif(d.since, '-infinity') AS since, d.phase_us, d.derived_until,
                d.state, d.state_model, s.sensor_model_id, m.model_id
            FROM systole.derivation AS d
            CROSS JOIN LATERAL (
                SELECT array_agg(n.series_id ORDER BY n.place) AS inputs
                FROM systole.derivation_input AS n WHERE n.derivation_id = d.derivation_id) AS i
            LEFT JOIN systole.sensor_model AS s ON s.name = d.model AND s.stage = 'live'
            LEFT JOIN LATERAL (
                SELECT f.model_id FROM systole.model AS f
                WHERE d.model = 'spacetime' AND f.series_id = i.inputs[1]
                    AND f.family = 'spacetime'
                ORDER BY f.stage = 'live' DESC, f.model_id DESC LIMIT 1) AS m ON true
            WHERE d.derivation_id = ANY (\(ids)::bigint[])
                AND num_nonnulls(d.paused_at, d.dropped_at) = 0
            """, format: .binary
        ).map { row in try StoredDerivation(row) }
    }

    /// What some series showed from an instant each.
    ///
    /// - Parameters:
    ///   - wanted: Series, and the first instant to look at.
    ///   - limit: The most observations of each.
    ///   - db: The transaction.
    /// - Returns: In the same order.
    /// - Throws: `PostgresError`.
    package static func observed(
        _ wanted: [(series: SeriesID, from: Timestamp)], limit: Int, in db: borrowing Session
    ) throws -> [ObservedStretch] {
        var found = [ObservedStretch](repeating: ObservedStretch(), count: wanted.count)
        let rows = try db.run(
            """
            SELECT u.place, o.instants, o.samples
            FROM unnest(\(wanted.map(\.series.number))::bigint[],
                \(wanted.map(\.from.microseconds))::bigint[])
                WITH ORDINALITY AS u (series_id, first, place)
            CROSS JOIN LATERAL (
                -- As a double, which is exact to the microsecond until 2242 and takes half the time.
                SELECT array_agg((date_part('epoch', l.at) * 1000000)::bigint) AS instants,
                    array_agg(l.value) AS samples
                FROM (
                    SELECT l.at, l.value FROM systole.observation AS l
                    WHERE l.series_id = u.series_id
                        AND l.at >= systole.instant_at('1970-01-01 00:00:00+00', u.first, 1)
                    ORDER BY l.at LIMIT \(limit)) AS l) AS o
            WHERE o.instants IS NOT NULL
            """, format: .binary)
        for row in rows {
            let place = try row.int("place") - 1
            found[place].instants = try row.int64s("instants")
            found[place].values = try row.doubles("samples")
            found[place].newest = found[place].instants.last
            found[place].isCut = found[place].instants.count >= limit
        }
        let cut = found.indices.filter { found[$0].isCut }
        guard !cut.isEmpty else { return found }
        let newest = try db.run(
            """
            SELECT systole.epoch_us((SELECT max(o.at) FROM systole.observation AS o
                WHERE o.series_id = u.series_id)) AS at
            FROM unnest(\(cut.map { wanted[$0].series.number })::bigint[])
                WITH ORDINALITY AS u (series_id, place)
            ORDER BY u.place
            """
        ).allInt64s("at")
        for (place, instant) in zip(cut, newest) { found[place].newest = instant }
        return found
    }

    /// Locks derivations and tells how far they are; those that are paused or dropped are left out.
    ///
    /// - Parameters:
    ///   - ids: Their numbers.
    ///   - db: A transaction, in which they stay as they are until it ends.
    /// - Returns: The end of what was taken in; nil for none of it.
    /// - Throws: `PostgresError`.
    package static func lock(
        _ ids: [Int64], in db: borrowing Session
    ) throws -> [Int64: Timestamp?] {
        let rows = try db.run(
            """
            SELECT derivation_id, derived_until FROM systole.derivation
            WHERE derivation_id = ANY (\(ids)::bigint[])
                AND num_nonnulls(paused_at, dropped_at) = 0
            ORDER BY derivation_id FOR UPDATE
            """)
        var found: [Int64: Timestamp?] = [:]
        for row in rows {
            found.updateValue(
                try row.optionalTimestamp("derived_until"), forKey: try row.int64("derivation_id"))
        }
        return found
    }

    /// Moves derivations on, in the transaction that stores what was derived.
    package static func advance(
        _ steps: [DerivationAdvance], in db: borrowing Session
    ) throws {
        precondition(db.isInTransaction(), "DerivationStore.advance outside a transaction")
        guard !steps.isEmpty else { return }
        // One run of bytes and where each state lies in it: an array of bytea would travel as text.
        var places: [Int] = []
        var all: [UInt8] = []
        for step in steps {
            places.append(all.count + 1)
            all += step.state
        }
        try db.run(
            """
            UPDATE systole.derivation AS d
            SET phase_us = u.phase_us, state_model = u.state_model, trouble = NULL,
                derived_until = systole.instant_at('1970-01-01 00:00:00+00', u.until, 1),
                state = substring(\(all)::bytea FROM u.place FOR u.length)
            FROM unnest(\(steps.map(\.derivation))::bigint[],
                \(steps.map(\.phaseMicroseconds))::bigint[],
                \(steps.map(\.derivedUntil.microseconds))::bigint[],
                \(steps.map(\.stateModel))::text[], \(places)::integer[],
                \(steps.map(\.state.count))::integer[])
                AS u (derivation_id, phase_us, until, state_model, place, length)
            WHERE d.derivation_id = u.derivation_id
            """)
    }

    /// Writes what readers of derived values should know.
    package static func note(_ notes: [DerivationNote], in db: borrowing Session) throws {
        guard !notes.isEmpty else { return }
        try db.run(
            """
            SELECT systole.note_derivations(\(notes.map(\.derivation))::bigint[],
                \(notes.map(\.kind.rawValue))::text[],
                (SELECT array_agg(systole.instant_at('1970-01-01 00:00:00+00', u.at, 1)
                    ORDER BY u.place)
                FROM unnest(\(notes.map(\.at.microseconds))::bigint[])
                    WITH ORDINALITY AS u (at, place)),
                \(notes.map(\.detail))::text[])
            """)
        let late = notes.filter { $0.kind == .late }.map(\.derivation)
        guard !late.isEmpty else { return }
        try db.run(
            """
            UPDATE systole.derivation SET late = late + 1
            WHERE derivation_id = ANY (\(late)::bigint[])
            """)
    }

    /// Says why nothing is derived.
    ///
    /// - Parameters:
    ///   - troubles: Derivations and one sentence each, without sample values.
    ///   - db: A transaction.
    /// - Throws: `PostgresError`.
    package static func trouble(
        _ troubles: [(derivation: Int64, reason: String)], in db: borrowing Session
    ) throws {
        guard !troubles.isEmpty else { return }
        try db.run(
            """
            UPDATE systole.derivation AS d SET trouble = left(u.reason, 1000)
            FROM unnest(\(troubles.map(\.derivation))::bigint[],
                \(troubles.map(\.reason))::text[]) AS u (derivation_id, reason)
            WHERE d.derivation_id = u.derivation_id AND d.trouble IS DISTINCT FROM u.reason
            """)
    }
}
