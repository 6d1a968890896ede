import Postgres

/// The answer of a query, shown as a table or as JSON.
enum QueryReport {
    /// Runs `query` and prints its rows.
    ///
    /// - Parameters:
    ///   - query: A SELECT; its column names become the header, or the keys.
    ///   - pool: Where it runs.
    ///   - json: An array of objects instead of a table.
    ///   - nothing: The sentence for a result without rows.
    /// - Throws: `PostgresError`.
    static func show(_ query: SQL, on pool: Pool, json: Bool, nothing: String) async throws {
        if json { return try await showJSON(query, on: pool) }
        let rows = try await pool.run(query)
        guard !rows.isEmpty else {
            Terminal.complain(nothing)
            return
        }
        let cells = try rows.map { row in
            try rows.columnNames.map { try row.optionalText($0) ?? "–" }
        }
        Terminal.table(rows.columnNames, cells)
    }

    /// Runs `query` and prints its one row, a line a field: for rows too wide for a terminal.
    ///
    /// - Parameters:
    ///   - query: A SELECT of one row; its column names become the names, or the keys.
    ///   - pool: Where it runs.
    ///   - json: An array of one object instead.
    /// - Throws: `PostgresError`.
    static func fields(_ query: SQL, on pool: Pool, json: Bool) async throws {
        if json { return try await showJSON(query, on: pool) }
        let rows = try await pool.run(query)
        let row = try rows.only()
        let cells = try rows.columnNames.map { [$0, try row.optionalText($0) ?? "–"] }
        Terminal.table(["field", "value"], cells)
    }

    private static func showJSON(_ query: SQL, on pool: Pool) async throws {
        let rows = try await pool.run(
            """
            SELECT jsonb_pretty(coalesce(jsonb_agg(to_jsonb(q)), '[]')) AS answer
            FROM (\(query)) AS q
            """)
        print(try rows.only().text("answer"))
    }
}
