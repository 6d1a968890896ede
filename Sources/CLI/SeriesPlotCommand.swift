import ArgumentParser
import Charts
import Postgres
import Series
import Store

extension SeriesCommand {
    /// `systole series plot`
    struct Plot: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "plot",
            abstract: "Draws the newest observations of a series with its anomalies.",
            discussion: """
                Example:
                  systole series plot plant.oil_temp --last 240 --out anomaly.svg
                """)

        @Argument(help: "The series.") var series: String
        @Option(help: "How many steps, from 2 to 100000.") var last = 336
        @Option(help: "The SVG file.") var out: String
        @OptionGroup var database: DatabaseOptions

        func validate() throws {
            guard (2...100_000).contains(last) else {
                throw ValidationError("--last \(last) is outside 2 to 100000")
            }
        }

        func run() async throws {
            try await database.withPool { pool in
                let (history, anomalies) = try await pool.transaction { [series, last] db in
                    let stored = try SeriesStore.find(key: series, in: db)
                    guard
                        let history = try SeriesStore.loadLatest(stored.id, count: last, in: db)
                    else { throw NoObservation(series: series) }
                    return (history, try Self.anomalies(of: series, since: history, in: db))
                }
                let chart = LineChart(
                    title: series,
                    subtitle: "\(history.values.count) steps until "
                        + "\(history.grid.instant(at: history.values.count - 1))",
                    history: history, anomalies: anomalies)
                try OutputFile.write(chart.svg(), to: out)
                print("chart: \(out)")
            }
        }

        /// Every scored observation inside an incident that reached its threshold.
        private static func anomalies(
            of series: String, since history: TimeSeries, in db: borrowing Session
        ) throws -> [Observation] {
            try db.run(
                """
                SELECT s.at, s.observed
                FROM systole.anomaly_score(\(series), since => \(history.grid.start)) AS s
                JOIN systole.anomalies AS a ON a.series = \(series) AND s.score >= a.threshold
                    AND s.at BETWEEN a.opened_at AND coalesce(a.resolved_at, 'infinity')
                ORDER BY s.at
                """
            ).map { row in
                Observation(
                    at: Timestamp(microseconds: try row.epochMicroseconds("at")),
                    value: try row.double("observed"))
            }
        }
    }

    /// A series that is still empty.
    struct NoObservation: Error, CustomStringConvertible {
        let series: String
        var description: String { "\(series) has no observation yet" }
    }
}
