import ArgumentParser
import Forecasting
import Foundation
import Postgres

extension ModelCommand {
    /// `systole model show`
    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "show",
            abstract:
                "One model: where it stands and why, and all that its fit can be repeated by.",
            discussion: """
                Example:
                  systole model show 42
                """)

        @Argument(help: "The model's number, as `systole model list` shows it.") var model: Int64
        @OptionGroup var database: DatabaseOptions
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            try await database.withPool { pool in
                let rows = try await pool.run(
                    """
                    SELECT m.*, jsonb_pretty(to_jsonb(m)) AS answer, m.data_from::text AS data_begin,
                        m.data_until::text AS data_end
                    FROM systole.models AS m WHERE model_id = \(model)
                    """)
                guard let row = rows.first else { throw Unknown(model: model) }
                if json { return print(try row.text("answer")) }
                let title = "model \(model): \(try row.text("family")) \(try row.int64("version"))"
                print("\(title) of \(try row.text("series")), \(try row.text("stage"))")
                print("why: \(try row.text("reason"))")
                print("data: \(try row.text("data_begin")) to \(try row.text("data_end"))")
                print("data SHA-256: \(try row.text("data_sha256"))")
                let bytes = "\(try row.int("weight_bytes")) bytes"
                print("weights: \(bytes), SHA-256 \(try row.text("weights_sha256"))")
                let record = Data(try row.text("metrics").utf8)
                // A model that another program stored has a record of its own kind; --json shows it.
                guard let report = try? JSONDecoder().decode(FitReport.self, from: record)
                else { return }
                for line in FitDescription(report).lines { print(line) }
            }
        }

        /// There is no such model.
        struct Unknown: Error, CustomStringConvertible {
            let model: Int64
            var description: String { "there is no model \(model); `systole model list` shows all" }
        }
    }
}

/// The record of a fit in words.
struct FitDescription {
    let lines: [String]

    init(_ report: FitReport) {
        let split = report.split
        func number(_ value: Double) -> String { Terminal.number(value) }
        var lines = [
            "task: look back \(report.task.lag) steps, forecast \(report.task.horizon), season "
                + "\(report.task.season), \(number(report.stepSeconds)) s a step",
            "rows: \(split.rows): \(split.train) to learn from, \(split.validation) to choose and "
                + "calibrate by, \(split.test) to test",
            "windows: \(report.trainWindows), \(report.validationWindows), "
                + "\(report.testWindows ?? 0); \(report.excludedWindows) left out for missing values",
            "scale: mean \(number(report.standardiser.mean)), deviation "
                + number(report.standardiser.deviation),
            "validation: MSE \(number(report.validationMSE)), MAE \(number(report.validationMAE)); "
                + "seasonal-naive MSE \(number(report.seasonalNaiveMSE)), repeat-last MSE "
                + number(report.repeatLastMSE),
            "fit: \(report.parameterCount) parameters, \(number(report.trainSeconds)) s, "
                + "\(report.threads) threads, seed \(report.seed)",
        ]
        if !report.settings.isEmpty {
            let settings = report.settings.sorted { $0.key < $1.key }
            lines.append("settings: " + settings.map { "\($0) \($1)" }.joined(separator: ", "))
        }
        for training in report.trainings ?? [] { lines += Self.lines(training) }
        lines += report.notes.map { "note: \($0)" }
        let software = (report.software ?? [:]).sorted { $0.key < $1.key }
        lines += software.map { "\($0): \($1)" }
        if software.isEmpty { lines.append("systole: \(report.codeVersion)") }
        self.lines = lines
    }

    private static func lines(_ training: NetworkTraining) -> [String] {
        let best = training.record.bestEpoch
        var lines = ["epochs: \(training.record.epochs.count), the best is \(best)"]
        for (index, epoch) in training.record.epochs.enumerated() {
            lines.append(
                "  \(index + 1)\(index + 1 == best ? "*" : " ") training loss "
                    + "\(Terminal.number(epoch.trainLoss)), validation MSE "
                    + "\(Terminal.number(epoch.validationError)), "
                    + FitLine.duration(epoch.seconds))
        }
        return lines
    }
}
