import ArgumentParser
import Forecasting
import Foundation
import Series

/// `systole backtest`: errors over all test windows of a series.
struct BacktestCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backtest",
        abstract: "Measures forecast errors over all test windows of a CSV column.",
        discussion: """
            The Informer protocol: borders by file length (ETT: 12/4/4 months; else 70/10/20 %),
            z-scores by the training rows, errors in scaled units over every test window.
            Settings are chosen on validation rows; test rows are looked at once.

            Example:
              systole backtest --data ETTh1.csv --column OT --protocol informer --lag 336 \\
                  --horizon 168 --families seasonal-naive,ridge,spacetime --json
            """)

    @Option(help: "The CSV file.") var data: String
    @Option(help: "The column.") var column: String?
    @Option(help: "informer.") var `protocol` = "informer"
    @Option(help: "Steps that a model looks back on.") var lag = 336
    @Option(help: "Steps to forecast; several as 96,192,336,720.") var horizon: String
    @Option(help: "Steps of one season; found in the data unless given.") var season: Int?
    @Option(help: "Families, separated by commas.") var families = "seasonal-naive,ridge,spacetime"
    @Option(help: "Seeds, separated by commas; each trains a model of its own.") var seeds = "0"
    @Option(help: "Cores that training may use.")
    var threads = ProcessInfo.processInfo.activeProcessorCount
    @Flag(help: "Print JSON.") var json = false
    @OptionGroup var table: TableOptions

    func validate() throws {
        guard self.protocol == "informer" else {
            throw ValidationError("--protocol \(self.protocol): accepted is informer")
        }
        _ = try (horizons(), chosenFamilies(), chosenSeeds())
        guard (1...ForecastTask.lagMaximum).contains(lag) else {
            throw ValidationError("--lag \(lag) is outside 1 to \(ForecastTask.lagMaximum)")
        }
    }

    func run() throws {
        let series = try SensorFile(path: data, options: table).series(column: column)
        let season = season ?? min(Season.inferred(for: series), lag)
        var options = FitOptions()
        options.threads = threads
        options.codeVersion = Systole.build
        options.software = Systole.software
        let backtest = Backtest(
            lag: lag, season: season, horizons: try horizons(), families: try chosenFamilies(),
            seeds: try chosenSeeds(), split: Split.informer(rows: series.values.count),
            options: options)
        let line = ProgressLine()
        let report = try SensorFile.naming(data, series.channel) {
            try backtest.run(series) { line.show(FittingOptions.progress($0)) }
        }
        line.end()
        if json { return try Terminal.json(report) }
        show(report)
    }

    private func show(_ report: BacktestReport) {
        let split = report.split
        print(
            "rows: \(split.train) train, \(split.validation) validation, \(split.test) test, "
                + "\(report.rowsUnused) unused; look-back \(lag); errors in scaled units")
        Terminal.table(
            ["family", "horizon", "seed", "mse", "mae", "windows", "train_seconds"],
            report.results.map { row in
                [
                    row.family, String(row.horizon), String(row.seed), Terminal.number(row.mse),
                    Terminal.number(row.mae), String(row.windows),
                    Terminal.number(row.trainSeconds, digits: 3),
                ]
            })
    }

    private func horizons() throws -> [Int] {
        try list(horizon, "--horizon") { text in
            Int(text).flatMap { (1...ForecastTask.horizonMaximum).contains($0) ? $0 : nil }
        }
    }

    private func chosenFamilies() throws -> [Family] {
        try list(families, "--families", Family.init(rawValue:))
    }

    private func chosenSeeds() throws -> [UInt64] {
        try list(seeds, "--seeds") { UInt64($0) }
    }

    private func list<T>(_ text: String, _ flag: String, _ parse: (String) -> T?) throws -> [T] {
        let parts = text.split(separator: ",").map { $0.filter { $0 != " " } }
        guard !parts.isEmpty else { throw ValidationError("\(flag) is empty") }
        return try parts.map { part in
            guard let value = parse(part) else {
                throw ValidationError("\(flag) \(text): '\(part)' is not accepted")
            }
            return value
        }
    }
}
