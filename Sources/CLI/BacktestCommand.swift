import ArgumentParser
import Charts
import Forecasting
import Foundation
import Series

/// `systole backtest`: errors over all test windows of a series.
struct BacktestCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backtest",
        abstract: "Measures errors over all test windows of a CSV column, or of a set of sensors.",
        discussion: """
            The Informer protocol: borders by file length (ETT: 12/4/4 months; else 70/10/20 %),
            z-scores by the training rows, errors in scaled units over every test window.
            Settings are chosen on validation rows; test rows are looked at once. `auto` is what
            would go live: the best of the other families on validation, or their combination.

            Example:
              systole backtest ETTh1.csv --target OT --lag 336 --horizon 96,192,336,720 \\
                  --families seasonal-naive,ets,ridge,spacetime,auto --seeds 0,1,2 --plot charts

            csp: hierarchical models read slow quantities from fast sensors, beside flat models of
            as many parameters. Subjects, trials or months are kept apart; the best epoch is chosen
            on validation, and test is looked at once. Errors are in units of the quantities; drift
            is what their sum comes to over a sequence.

            multivariate: all columns at once, as a group; look-back, borders and scaling as above, errors
            over every test window, column and step, and of every column. Families: ridge, ridge-mean (of
            two look-backs), tsm2, tsm2-calendar (told hour and weekday), tsm2-unmixed (along time
            alone), spacetime, ensemble (a combination if it gains, and what is better for single columns).

            Example:
              systole backtest ETTh1.csv --protocol multivariate --lag 336 --horizon 96,192,336,720 \\
                  --families ridge,ridge-mean,tsm2,tsm2-unmixed,ensemble --seeds 0,1,2

            Example:
              systole backtest --protocol csp --set bidmc --data bidmc --seeds 0,1,2 --json
            """)

    @Argument(help: "The CSV file.") var file: String?
    @Option(help: "The CSV file, in place of the argument; of csp, the folder.") var data: String?
    @Option(
        name: [.customLong("target"), .customLong("column")],
        help: "The column; not needed where there is only one.")
    var column: String?
    @Option(help: "informer, multivariate or csp.") var `protocol` = "informer"
    @Option(help: "Steps that a model looks back on.") var lag = 336
    @Option(help: "Steps to forecast; several as 96,192,336,720.") var horizon: String?
    @Option(help: "Steps of one season; found in the data unless given.") var season: Int?
    @Option(
        help: """
            Families, separated by commas: seasonal-naive, ets, ridge, spacetime, auto; all unless \
            given. Of multivariate ridge, ridge-mean, tsm2, tsm2-calendar, tsm2-unmixed, spacetime, \
            ensemble; all but tsm2-calendar and spacetime.
            """)
    var families: String?
    @Option(help: "Seeds, separated by commas; each trains a model of its own.") var seeds = "0"
    @Option(help: "Cores that training may use; the figures are the same with any number.")
    var threads = ProcessInfo.processInfo.activeProcessorCount
    @Flag(help: "Print JSON.") var json = false
    @Option(help: "A folder that gets one SVG per horizon; made if it is not there.")
    var plot: String?
    @OptionGroup var table: TableOptions
    @OptionGroup var sensors: SensorBacktestOptions

    func validate() throws {
        guard (1...256).contains(threads) else {
            throw ValidationError("--threads \(threads) is outside 1 to 256")
        }
        if self.protocol == "csp" {
            guard file == nil, data != nil, sensors.set != nil else {
                throw ValidationError("--protocol csp needs --set and --data FOLDER, and no file")
            }
            _ = try chosenSeeds()
            return
        }
        guard (file == nil) != (data == nil) else {
            throw ValidationError("give one CSV file: systole backtest FILE.csv")
        }
        switch self.protocol {
        case "informer": _ = try chosenFamilies()
        case "multivariate": _ = try jointRun()
        default:
            throw ValidationError(
                "--protocol \(self.protocol): accepted are informer, multivariate and csp")
        }
        _ = try (horizons(), chosenSeeds())
        guard (1...ForecastTask.lagMaximum).contains(lag) else {
            throw ValidationError("--lag \(lag) is outside 1 to \(ForecastTask.lagMaximum)")
        }
    }

    func run() throws {
        let path = file ?? data ?? ""
        guard self.protocol != "csp" else {
            return try sensors.run(
                folder: path, seeds: chosenSeeds(), threads: threads, json: json)
        }
        if self.protocol == "multivariate" {
            return try jointRun().run(file: path, options: table, json: json)
        }
        let series = try SensorFile(path: path, options: table).series(column: column)
        let season = season ?? min(Season.inferred(for: series), lag)
        var options = FitOptions()
        options.threads = threads
        options.codeVersion = Systole.build
        options.software = Systole.software
        let chosen = try chosenFamilies()
        let backtest = Backtest(
            lag: lag, season: season, horizons: try horizons(), families: chosen.families,
            seeds: try chosenSeeds(), judgesAuto: chosen.auto,
            split: Split.informer(rows: series.values.count), options: options)
        let line = ProgressLine()
        let report = try SensorFile.naming(path, series.channel) {
            try backtest.run(series) { line.show(FittingOptions.progress($0)) }
        }
        line.end()
        let charts = try plot.map { try draw(report, of: series.channel.name, into: $0) } ?? []
        if json { return try Terminal.json(report) }
        BacktestTable(report: report, lag: lag).show()
        for chart in charts { print("chart: \(chart)") }
    }

    private func draw(
        _ report: BacktestReport, of name: String, into folder: String
    ) throws -> [String] {
        try OutputFile.makeFolder(folder)
        return try report.examples.map { example in
            let path = folder + "/backtest-\(example.horizon).svg"
            let chart = BacktestChart(report: report, example: example, series: name, lag: lag)
            try OutputFile.write(chart.svg(), to: path)
            return path
        }
    }

    private func jointRun() throws -> JointBacktestRun {
        let asked = families ?? "ridge,ridge-mean,tsm2,tsm2-unmixed,ensemble"
        let names = asked.split(separator: ",").map { $0.filter { $0 != " " } }
        return JointBacktestRun(
            horizons: try horizons(), lag: lag, families: try JointBacktestRun.families(names),
            seeds: try chosenSeeds(), threads: threads)
    }

    private func horizons() throws -> [Int] {
        guard let horizon else {
            throw ValidationError("--horizon is missing: the steps to forecast")
        }
        return try list(horizon, "--horizon") { text in
            Int(text).flatMap { (1...ForecastTask.horizonMaximum).contains($0) ? $0 : nil }
        }
    }

    /// The families to fit, and whether the choice among them is judged; all of them for `auto` alone.
    private func chosenFamilies() throws -> (families: [Family], auto: Bool) {
        let asked = families ?? "seasonal-naive,ets,ridge,spacetime,auto"
        let names = try list(asked, "--families") { (name: String) -> String? in
            let isKnown = name == "auto" || Family.singles.contains { $0.rawValue == name }
            return isKnown ? name : nil
        }
        let families = names.compactMap(Family.init(rawValue:))
        return (families.isEmpty ? Family.singles : families, names.contains("auto"))
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

/// A backtest as text: one row for every family and horizon.
struct BacktestTable {
    let report: BacktestReport
    let lag: Int

    func show() {
        let split = report.split
        print(
            "rows: \(split.train) train, \(split.validation) validation, \(split.test) test, "
                + "\(report.rowsUnused) unused; look-back \(lag); errors in scaled units, mean ± "
                + "deviation over the seeds")
        Terminal.table(
            ["family", "horizon", "seeds", "mse", "±", "mae", "±", "windows", "train_seconds"],
            report.summary.map { row in
                [
                    row.family, String(row.horizon), String(row.seeds), Self.error(row.mse),
                    Self.error(row.mseDeviation), Self.error(row.mae), Self.error(row.maeDeviation),
                    String(row.windows), Terminal.number(row.trainSeconds, digits: 3),
                ]
            })
        for choice in report.choices {
            print("auto, horizon \(choice.horizon), seed \(choice.seed): \(choice.reason)")
        }
    }

    private static func error(_ value: Double) -> String {
        value.isFinite ? String(format: "%.4f", value) : "–"
    }
}
