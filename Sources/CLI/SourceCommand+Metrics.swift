import ArgumentParser
import Postgres

extension SourceCommand {
    /// `systole source metrics`
    struct Metrics: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "metrics",
            abstract: "The figures of all sources in the OpenMetrics text format.",
            discussion: """
                For whatever collects metrics from files, such as Prometheus' node exporter:
                  systole source metrics > /var/lib/node_exporter/systole.prom
                """)

        @OptionGroup var database: DatabaseOptions

        func run() async throws {
            try await database.withPool { pool in
                let rows = try await pool.run(
                    """
                    SELECT name, kind, stored, samples, duplicates, conflicts, revised, parked,
                        missing, gaps, gap_seconds, buffered_bytes, pulls, pull_seconds,
                        extract(epoch FROM lag)::double precision AS lag_seconds,
                        (state = 'troubled')::integer AS troubled,
                        (state = 'paused')::integer AS paused
                    FROM systole.sources ORDER BY name
                    """)
                var text = ""
                for family in MetricFamily.all {
                    try text += family.lines(rows)
                }
                let rejections = try await pool.run(
                    "SELECT name, reason, count FROM systole.source_rejections ORDER BY 1, 2")
                text += "# TYPE systole_source_rejected counter\n"
                for row in rejections {
                    let labels = try MetricFamily.labels([
                        ("source", row.text("name")), ("reason", row.text("reason")),
                    ])
                    text += "systole_source_rejected_total\(labels) \(try row.int64("count"))\n"
                }
                print(text + "# EOF")
            }
        }
    }
}

/// One metric of all sources, as OpenMetrics 1.0 writes it.
private struct MetricFamily {
    enum Kind: String { case counter, gauge }

    let name: String
    let kind: Kind
    /// In the view of sources.
    let column: String
    let help: String

    static let all = [
        MetricFamily(
            name: "observations", kind: .counter, column: "stored", help: "New observations."),
        MetricFamily(
            name: "samples", kind: .counter, column: "samples", help: "Samples of waveforms."),
        MetricFamily(
            name: "duplicates", kind: .counter, column: "duplicates", help: "There already."),
        MetricFamily(
            name: "conflicts", kind: .counter, column: "conflicts",
            help: "Unlike what is stored, which stays."),
        MetricFamily(
            name: "revised", kind: .counter, column: "revised", help: "Replaced what was stored."),
        MetricFamily(
            name: "parked", kind: .counter, column: "parked", help: "Too early or late; put aside."),
        MetricFamily(name: "missing", kind: .counter, column: "missing", help: "Without a value."),
        MetricFamily(name: "gaps", kind: .counter, column: "gaps", help: "Stretches left out."),
        MetricFamily(
            name: "gap_seconds", kind: .counter, column: "gap_seconds", help: "Time left out."),
        MetricFamily(name: "pulls", kind: .counter, column: "pulls", help: "Pulls that ended."),
        MetricFamily(
            name: "pull_seconds", kind: .gauge, column: "pull_seconds",
            help: "Time of the newest pull."),
        MetricFamily(
            name: "buffered_bytes", kind: .gauge, column: "buffered_bytes",
            help: "In memory and not stored."),
        MetricFamily(
            name: "lag_seconds", kind: .gauge, column: "lag_seconds",
            help: "Age of the newest observation."),
        MetricFamily(
            name: "troubled", kind: .gauge, column: "troubled", help: "Whether a pull failed."),
        MetricFamily(name: "paused", kind: .gauge, column: "paused", help: "Whether it is paused."),
    ]

    /// The lines of this metric, a source each; sources that have no value have no line.
    func lines(_ rows: Rows) throws -> String {
        let full = "systole_source_\(name)"
        var text = "# TYPE \(full) \(kind)\n# HELP \(full) \(help)\n"
        for row in rows {
            guard let value = try row.optionalText(column) else { continue }
            let labels = try Self.labels([
                ("source", row.text("name")), ("kind", row.text("kind")),
            ])
            text += "\(full)\(kind == .counter ? "_total" : "")\(labels) \(value)\n"
        }
        return text
    }

    static func labels(_ pairs: [(name: String, value: String)]) -> String {
        let parts = pairs.map { name, value in
            let escaped = value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
                .replacing("\n", with: "\\n")
            return "\(name)=\"\(escaped)\""
        }
        return "{" + parts.joined(separator: ",") + "}"
    }
}
