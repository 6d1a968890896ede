import Postgres
import Series

/// A recording that is fed in pieces, as its row says.
struct LiveState: Equatable {
    let id: Int64
    let key: String
    let startedAt: Timestamp?
    /// When its first piece came.
    let openedAt: Timestamp
    let channels: [PieceChannel]
    let rate: SamplingRate
    let form: WaveformPiece.Form
    /// Samples up to the newest, gaps included.
    var head: Int64
    var closed: LiveEnd?
    /// When the clock was compared last.
    let offsetTakenAt: Timestamp?
    /// Receive time less device time in its beginning, in microseconds; nil while nobody has compared.
    let firstOffset: Int64?

    var grid: ChunkGrid { ChunkGrid(rate: rate, staggeredBy: key) }

    /// Where a piece lies; nil where it lies before the start, or beyond all bounds.
    func first(of piece: WaveformPiece) -> Int64? {
        if let first = piece.first { return first >= 0 && first < 1 << 50 ? first : nil }
        guard let at = piece.at, let startedAt else { return nil }
        let index = TimeGrid(start: startedAt, rate: rate, count: 0).nearestIndex(to: at)
        return index >= 0 && index < 1 << 50 ? Int64(index) : nil
    }

    /// Receive time less device time at a sample, in microseconds; by our own clock's first piece
    /// where the device tells no time.
    func offset(at sample: Int64, receivedAt: Timestamp) -> Int64 {
        let start = startedAt ?? openedAt
        let instant = TimeGrid(start: start, rate: rate, count: 0).instant(at: Int(sample))
        return receivedAt.microseconds - instant.microseconds
    }
}

/// How a recording came to its end.
package enum LiveEnd: String, Sendable {
    /// Its last piece said so.
    case ended
    /// Nothing came any more.
    case silent
}

extension LiveState {
    /// The recordings among `keys` that are fed in pieces, locked until the transaction ends.
    ///
    /// - Returns: By key; keys of recordings that came whole, in a file, come second.
    static func lock(
        _ keys: [String], in db: borrowing Session
    ) throws -> (live: [String: LiveState], whole: Set<String>) {
        let rows = try db.runPrepared(
            """
            SELECT r.recording_id, r.key, systole.epoch_us(r.started_at) AS started_at,
                c.names, c.units, c.numerator, c.denominator,
                l.form, l.gains, l.baselines, systole.epoch_us(l.opened_at) AS opened_at
            FROM systole.recording AS r
            LEFT JOIN systole.live_recording AS l ON l.recording_id = r.recording_id
            CROSS JOIN LATERAL (
                SELECT array_agg(name ORDER BY channel) AS names,
                    array_agg(unit ORDER BY channel) AS units,
                    min(rate_numerator) AS numerator, min(rate_denominator) AS denominator
                FROM systole.recording_channel WHERE recording_id = r.recording_id
            ) AS c
            WHERE r.key = ANY (\(keys)::text[])
            """)
        var ids: [Int64] = []
        var whole: Set<String> = []
        for row in rows {
            if try row.isNull("form") {
                whole.insert(try row.text("key"))
            } else {
                ids.append(try row.int64("recording_id"))
            }
        }
        // In one order, so that two who append to the same recordings wait for each other in turn.
        let heads = try db.runPrepared(
            """
            SELECT recording_id, head, close_reason,
                offset_at_us[cardinality(offset_at_us)] AS offset_taken_at,
                coalesce(first_offset_us, offset_us[1]) AS first_offset
            FROM systole.live_recording WHERE recording_id = ANY (\(ids)::bigint[])
            ORDER BY recording_id FOR NO KEY UPDATE
            """)
        // What the lock was waited for may have changed the rows.
        let current = Dictionary(
            uniqueKeysWithValues: try heads.map { (try $0.int64("recording_id"), $0) })
        var live: [String: LiveState] = [:]
        for row in rows {
            guard let locked = current[try row.int64("recording_id")] else { continue }
            let state = try LiveState(row, locked: locked)
            live[state.key] = state
        }
        return (live, whole)
    }

    private init(_ row: Row, locked: Row) throws {
        id = try row.int64("recording_id")
        key = try row.text("key")
        startedAt = try row.optionalInt64("started_at").map { Timestamp(microseconds: $0) }
        openedAt = Timestamp(microseconds: try row.int64("opened_at"))
        rate = SamplingRate(try row.int64("numerator"), per: try row.int64("denominator"))
        form = try row.text("form") == "reals" ? .reals : .integers
        head = try locked.int64("head")
        closed = try locked.optionalText("close_reason").flatMap { LiveEnd(rawValue: $0) }
        offsetTakenAt = try locked.optionalInt64("offset_taken_at").map {
            Timestamp(microseconds: $0)
        }
        firstOffset = try locked.optionalInt64("first_offset")
        let (names, units) = (try row.texts("names"), try row.texts("units"))
        let (gains, baselines) = (try row.doubles("gains"), try row.doubles("baselines"))
        channels = names.indices.map { index in
            PieceChannel(
                channel: Channel(name: names[index], unit: PhysicalUnit(units[index])),
                gain: gains[index], baseline: baselines[index])
        }
    }

    /// Makes the recording of a piece, unless somebody else just does.
    static func create(
        for piece: WaveformPiece, receivedAt: Timestamp, source: Int64?, in db: borrowing Session
    ) throws {
        let start = piece.at.map { at in
            guard let first = piece.first else { return at }
            let grid = TimeGrid(start: at, rate: piece.rate, count: 0)
            return grid.instant(at: -Int(first))
        }
        let placeholder = Store.digest(of: Array("live\t\(piece.recording)".utf8))
        let rows = try db.run(
            """
            INSERT INTO systole.recording (key, started_at, content)
            VALUES (\(piece.recording), \(start), \(placeholder))
            ON CONFLICT ON CONSTRAINT recording_key_once DO NOTHING RETURNING recording_id
            """)
        guard let id = try rows.first?.int64("recording_id") else { return }
        try db.run(
            """
            INSERT INTO systole.recording_channel (recording_id, channel, name, unit,
                rate_numerator, rate_denominator, sample_count)
            SELECT \(id), place - 1, name, unit, \(piece.rate.numerator),
                \(piece.rate.denominator), 0
            FROM unnest(\(piece.channels.map(\.channel.name))::text[],
                \(piece.channels.map(\.channel.unit.symbol))::text[])
                WITH ORDINALITY AS c (name, unit, place)
            """)
        try db.run(
            """
            INSERT INTO systole.live_recording
                (recording_id, source_id, form, gains, baselines, opened_at, received_at)
            VALUES (\(id), \(source), \(piece.form.rawValue), \(piece.channels.map(\.gain)),
                \(piece.channels.map(\.baseline)), \(receivedAt), \(receivedAt))
            """)
    }
}
