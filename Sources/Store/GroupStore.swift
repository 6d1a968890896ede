package import Postgres
package import Series

/// The number a group has in the database.
package struct GroupID: Hashable, Sendable, CustomStringConvertible, SQLValue {
    package let number: Int64

    package init(_ number: Int64) { self.number = number }

    package var description: String { String(number) }
    package var sqlParameter: SQLParameter { number.sqlParameter }
}

/// A group of series, its members in the order of their numbers.
package struct StoredGroup: Hashable, Sendable {
    package let id: GroupID
    /// What users call it; unique.
    package let name: String
    package let grid: GroupGrid
    package let members: [SeriesID]
    /// Keys of members whose step is no longer that of the group.
    package let strangers: [String]

    /// The same group as it was with these members.
    package func with(members: [SeriesID]) -> StoredGroup {
        StoredGroup(id: id, name: name, grid: grid, members: members, strangers: [])
    }
}

/// Groups of series, and what their members showed.
package enum GroupStore {
    /// A group; nil where there is none.
    package static func find(_ id: GroupID, in db: borrowing Session) throws -> StoredGroup? {
        let rows = try db.run(
            """
            SELECT g.name, g.step_us, g.phase_us,
                array_agg(s.series_id ORDER BY s.series_id) FILTER (WHERE s.series_id IS NOT NULL)
                    AS members,
                array_agg(s.key ORDER BY s.key) FILTER (WHERE s.step_us IS DISTINCT FROM g.step_us
                    AND s.series_id IS NOT NULL) AS strangers
            FROM systole.series_group AS g
            LEFT JOIN systole.series_group_member AS m USING (group_id)
            LEFT JOIN systole.series AS s USING (series_id)
            WHERE g.group_id = \(id) GROUP BY g.group_id
            """)
        return try rows.first.map { row in
            StoredGroup(
                id: id, name: try row.text("name"),
                grid: GroupGrid(
                    stepMicroseconds: try row.int64("step_us"),
                    phaseMicroseconds: try row.int64("phase_us")),
                members: (try row.optionalInt64s("members") ?? []).map { SeriesID($0) },
                strangers: try row.optionalTexts("strangers") ?? [])
        }
    }

    /// The newest observation of every member, in their order; nil where there is none.
    package static func newest(
        _ group: StoredGroup, in db: borrowing Session
    ) throws -> [Timestamp?] {
        try db.run(
            """
            SELECT (SELECT max(o.at) FROM systole.observation AS o WHERE o.series_id = m.series_id)
                AS at
            FROM unnest(\(group.members.map(\.number))::bigint[]) WITH ORDINALITY
                AS m (series_id, place)
            ORDER BY m.place
            """
        ).map { row in try row.optionalTimestamp("at") }
    }

    /// What the members showed.
    ///
    /// - Parameters:
    ///   - group: Which group.
    ///   - numbers: The rows, by their numbers on the grid of the group.
    ///   - forTraining: Whether stretches that are not to be trained on are missing.
    ///   - db: The transaction.
    /// - Returns: All these rows, NaN where missing; of two observations on one row the nearer counts.
    /// - Throws: `StoreError.tooManySamples`.
    package static func rows(
        _ group: StoredGroup, _ numbers: ClosedRange<Int64>, forTraining: Bool = false,
        in db: borrowing Session
    ) throws -> GroupRows {
        let grid = group.grid
        let count = Int(numbers.upperBound - numbers.lowerBound) + 1
        let (limit, wanted) = (SeriesStore.samplesMaximum, count * group.members.count)
        guard wanted <= limit else {
            throw StoreError.tooManySamples(key: group.name, limit: limit)
        }
        // Half a step more at either end, for what lies beside its row.
        let half = grid.stepMicroseconds / 2 + 1
        let from = Timestamp(
            microseconds: grid.instant(of: numbers.lowerBound).microseconds - half)
        let through = Timestamp(
            microseconds: grid.instant(of: numbers.upperBound).microseconds + half)
        let found = try db.run(
            """
            SELECT m.place, o.instants, o.samples
            FROM unnest(\(group.members.map(\.number))::bigint[]) WITH ORDINALITY
                AS m (series_id, place)
            CROSS JOIN LATERAL (
                -- As a double, which is exact to the microsecond until 2242.
                SELECT array_agg((date_part('epoch', l.at) * 1000000)::bigint) AS instants,
                    array_agg(l.value) AS samples
                FROM systole.observation AS l
                WHERE l.series_id = m.series_id AND l.at BETWEEN \(from) AND \(through)) AS o
            WHERE o.instants IS NOT NULL
            """, format: .binary)
        var values = [[Double]](
            repeating: [Double](repeating: .nan, count: count), count: group.members.count)
        for row in found {
            place(
                try row.int64s("instants"), try row.doubles("samples"), on: grid, numbers,
                into: &values[try row.int("place") - 1])
        }
        if forTraining { try mask(&values, of: group, numbers, in: db) }
        return GroupRows(grid: grid, first: numbers.lowerBound, values: values)
    }

    private static func place(
        _ instants: [Int64], _ samples: [Double], on grid: GroupGrid,
        _ numbers: ClosedRange<Int64>, into values: inout [Double]
    ) {
        var distances = [Int64](repeating: .max, count: values.count)
        for (instant, sample) in zip(instants, samples) {
            let number = grid.number(of: Timestamp(microseconds: instant))
            guard numbers.contains(number) else { continue }
            let distance = abs(instant - grid.instant(of: number).microseconds)
            let index = Int(number - numbers.lowerBound)
            guard distance < distances[index] else { continue }
            distances[index] = distance
            values[index] = sample
        }
    }

    /// As `SeriesStore.loadForTraining` masks one series.
    private static func mask(
        _ values: inout [[Double]], of group: StoredGroup, _ numbers: ClosedRange<Int64>,
        in db: borrowing Session
    ) throws {
        let grid = group.grid
        let begin = grid.instant(of: numbers.lowerBound)
        let masks = try db.run(
            """
            SELECT m.place, k.from_at, nullif(k.until_at, 'infinity') AS until_at
            FROM unnest(\(group.members.map(\.number))::bigint[]) WITH ORDINALITY
                AS m (series_id, place)
            CROSS JOIN LATERAL systole.training_masks(m.series_id) AS k
            WHERE k.until_at >= \(begin)
            """)
        for mask in masks {
            let end = grid.instant(of: numbers.upperBound)
            let from = max(begin, try mask.timestamp("from_at"))
            let until = min(end, try mask.optionalTimestamp("until_at") ?? end)
            guard from <= until else { continue }
            let place = try mask.int("place") - 1
            let range = grid.number(of: from)...max(grid.number(of: from), grid.number(of: until))
            for number in range.clamped(to: numbers)
            where (from...until).contains(grid.instant(of: number)) {
                values[place][Int(number - numbers.lowerBound)] = .nan
            }
        }
    }
}
