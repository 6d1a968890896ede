import Postgres
import Series

/// Looks up what is stored at the instants of incoming observations, so that these can be compared
/// here: a batch that is sent again costs one read and no write.
enum StoredRows {
    /// The most incoming rows that one statement asks about.
    static let blockRows = 10_000

    /// A batch this small is looked up together with others, not in a statement of its own.
    private static let smallRows = 100

    /// Compares the batches that meet stored observations with them; the others are new.
    static func compare(
        _ pending: inout [PendingBatch], rule: ConflictRule, in db: borrowing Session
    ) throws {
        for index in pending.indices where !pending[index].overlaps {
            pending[index].acceptAll()
        }
        let overlapping = pending.indices.filter { pending[$0].overlaps }
        let small = overlapping.filter { pending[$0].rows.count <= smallRows }
        for group in small.blocks(of: blockRows / smallRows) {
            let points = group.flatMap { index in
                pending[index].rows.map { Point(series: pending[index].id, at: $0.at) }
            }
            let stored = Dictionary(grouping: try look(up: points, in: db), by: \.series)
            for index in group {
                let rows = stored[pending[index].id] ?? []
                pending[index].settle(against: rows.map(\.observation), rule: rule)
            }
        }
        for index in overlapping where pending[index].rows.count > smallRows {
            let stored = try stored(pending[index], in: db)
            pending[index].settle(against: stored, rule: rule)
        }
    }

    /// The stored observations at the instants of a large batch, and maybe some between them.
    private static func stored(
        _ batch: PendingBatch, in db: borrowing Session
    ) throws -> [Observation] {
        var stored: [Observation] = []
        for block in batch.rows.blocks(of: blockRows) {
            // A range is the quickest to read, unless the database holds far more than the batch.
            let limit = 2 * block.count
            let rows = try db.run(
                """
                SELECT at, value FROM systole.observation
                WHERE series_id = \(batch.id) AND at BETWEEN \(block[block.startIndex].at)
                    AND \(block[block.endIndex - 1].at)
                ORDER BY at LIMIT \(limit)
                """, format: .binary)
            if rows.count < limit {
                let instants = try rows.allEpochMicroseconds("at")
                for (instant, value) in zip(instants, try rows.allDoubles("value")) {
                    let at = Timestamp(microseconds: instant)
                    stored.append(Observation(at: at, value: value))
                }
            } else {
                let points = block.map { Point(series: batch.id, at: $0.at) }
                stored += try look(up: points, in: db).map(\.observation)
            }
        }
        return stored
    }

    private struct Point {
        let series: SeriesID
        let at: Timestamp
    }

    private struct StoredPoint {
        let series: SeriesID
        let observation: Observation
    }

    /// One probe of the primary key for each point; in the order of the points.
    private static func look(
        up points: [Point], in db: borrowing Session
    ) throws -> [StoredPoint] {
        // LIMIT keeps the planner from joining with the whole table.
        let rows = try db.run(
            """
            SELECT p.series_id, o.at, o.value
            FROM unnest(
                \(points.map(\.series.number))::bigint[], \(points.map(\.at.microseconds))::bigint[]
            ) WITH ORDINALITY AS p (series_id, at_us, place)
            CROSS JOIN LATERAL (
                SELECT s.at, s.value FROM systole.observation AS s
                WHERE s.series_id = p.series_id
                    AND s.at = systole.instant_at('1970-01-01 00:00:00+00', p.at_us, 1)
                LIMIT 1
            ) AS o
            ORDER BY p.place
            """, format: .binary)
        return try rows.map { row in
            StoredPoint(
                series: SeriesID(try row.int64("series_id")),
                observation: Observation(
                    at: try row.timestamp("at"), value: try row.double("value")))
        }
    }
}

extension RandomAccessCollection where Index == Int {
    /// The elements in runs of `count`; the last one may be shorter.
    func blocks(of count: Int) -> [SubSequence] {
        stride(from: startIndex, to: endIndex, by: count).map { start in
            self[start..<Swift.min(start + count, endIndex)]
        }
    }
}
