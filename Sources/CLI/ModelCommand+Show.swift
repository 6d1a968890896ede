import ArgumentParser
import Forecasting
import Foundation
import Learning
import Models
import Postgres
import Store

extension ModelCommand {
    /// `systole model show`
    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "show",
            abstract: "One model: its place and why, how to fit it again, and what it has learnt.",
            discussion: """
                A SpaceTime model is read as the filters that it is. What its forecasts are made of
                comes as periods and half-lives, in steps of the series: an oscillation of so many
                steps, of which half is left after so many. The encoder's kernels come as
                autoregressive terms, the largest first. --json has all coefficients and poles.

                Example:
                  systole model show 42
                  systole model show --file ot.safetensors --json
                """)

        @Argument(help: "The model's number, as `systole model list` shows it.") var model: Int64?
        @Option(help: "A model file instead, as `systole train --out` writes it.")
        var file: String?
        @Option(help: "How many components and kernels are shown, from 1.") var rows = 8
        @OptionGroup var database: DatabaseOptions
        @Flag(help: "Print JSON.") var json = false

        func validate() throws {
            guard (model == nil) != (file == nil) else {
                throw ValidationError("give either a model's number or --file FILE")
            }
            guard rows >= 1 else { throw ValidationError("--rows \(rows) is below 1") }
        }

        func run() async throws {
            if let file {
                let bytes = [UInt8](try Data(contentsOf: URL(filePath: file)))
                try show(try FittedPipeline(decoding: bytes), stored: nil)
            } else if let model {
                try await database.withPool { pool in
                    let stored = try await pool.transaction { db in
                        try ModelStore.find(ModelID(model), in: db)
                    }
                    try show(try FittedPipeline(decoding: stored.weights), stored: stored)
                }
            }
        }

        private func show(_ pipeline: FittedPipeline, stored: StoredModel?) throws {
            let report = ModelReport(pipeline, stored)
            if json { return try Terminal.json(report) }
            for line in report.summary { print(line) }
            guard let reading = report.reading else { return }
            print("\nforecasts are made of (steps)")
            Terminal.table(
                ["period", "half-life", "share", "channels"],
                reading.components.prefix(rows).map { component in
                    [
                        component.period.map { Terminal.number($0) } ?? "none",
                        component.halfLife.map { Terminal.number($0, digits: 3) } ?? "endless",
                        "\(Terminal.number(100 * component.share, digits: 2)) %",
                        "\(component.heads)",
                    ]
                })
            print("\nkernels of the encoder, y of the kernel and u its input")
            Terminal.table(
                ["block", "kernel", "AR terms", "MA terms"],
                reading.encoder.prefix(rows).map { kernel in
                    [
                        "\(kernel.block)", "\(kernel.kernel)",
                        Self.terms(kernel.filter.autoregressive, "y", firstLag: 1),
                        Self.terms(kernel.filter.movingAverage, "u", firstLag: 0),
                    ]
                })
            let rest = reading.encoder.count - rows
            if rest > 0 { print("and \(rest) more; --rows or --json shows them") }
        }

        /// The three largest terms, as `0.41·y[t−24] − 0.2·y[t−1]`.
        private static func terms(_ values: [Double], _ name: String, firstLag: Int) -> String {
            let largest = values.enumerated().sorted { abs($0.element) > abs($1.element) }.prefix(3)
                .filter { abs($0.element) > 0 }
            var text = ""
            for (index, value) in largest {
                let lag = index + firstLag
                let sign = value < 0 ? "−" : "+"
                text += text.isEmpty ? (value < 0 ? "−" : "") : " \(sign) "
                text +=
                    "\(Terminal.number(abs(value), digits: 3))·\(name)[t\(lag > 0 ? "−\(lag)" : "")]"
            }
            return text.isEmpty ? "–" : text
        }
    }
}

/// What `systole model show` tells about a model.
private struct ModelReport: Encodable {
    /// Nil for a file.
    let filing: FilingDescription?
    let report: FitReport
    let components: [SpaceTimeReading.Component]?
    let reading: SpaceTimeReading?

    init(_ pipeline: FittedPipeline, _ stored: StoredModel?) {
        filing = stored.map { FilingDescription($0) }
        report = pipeline.report
        reading = pipeline.reading
        components = reading?.components
    }

    /// Lines for people.
    var summary: [String] {
        let family = report.family.rawValue
        let file = ["model: \(family)", "data: SHA-256 \(report.dataDigest)"]
        return (filing?.lines(family: family) ?? file)
            + FitDescription(report).lines
    }
}
