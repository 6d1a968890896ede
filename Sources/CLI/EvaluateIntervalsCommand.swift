import ArgumentParser
import Forecasting
import Foundation
import Series

/// `systole evaluate intervals`: how often the truth lies inside the intervals of a model.
struct EvaluateIntervalsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "intervals",
        abstract:
            "Measures the coverage of prediction intervals over all test windows of a column.",
        discussion: """
            Borders and scales are those of systole backtest. `split` are the intervals of the fit,
            calibrated on validation rows; `adaptive` become wider or narrower by what became of
            those that were issued before, as in the service. With --shift the level of the series
            moves by so many standard deviations in the middle of the test rows; then coverage over
            the 200 rows after it is told, and after how many rows it is within two points again.

            Example:
              systole evaluate intervals ETTh1.csv --column OT --horizon 24,96 --shift 2
            """)

    @Argument(help: "The CSV file.") var file: String
    @Option(
        name: [.customLong("column"), .customLong("target")],
        help: "The column; not needed where there is only one.")
    var column: String?
    @Option(help: "Steps that a model looks back on.") var lag = 336
    @Option(help: "Steps to forecast; several as 24,96.") var horizon = "96"
    @Option(help: "Steps of one season; found in the data unless given.") var season: Int?
    @Option(help: "Families, separated by commas: seasonal-naive, ets, ridge, spacetime.")
    var families = "seasonal-naive,ridge"
    @Option(help: "A shift of the level, in standard deviations of the training rows.")
    var shift: Double?
    @Option(help: "Seed of training.") var seed: UInt64 = 0
    @Option(help: "Cores to use.")
    var threads = ProcessInfo.processInfo.activeProcessorCount
    @Flag(help: "Print JSON.") var json = false
    @OptionGroup var table: TableOptions

    func validate() throws {
        _ = try (horizons(), chosenFamilies())
        guard (1...ForecastTask.lagMaximum).contains(lag) else {
            throw ValidationError("--lag \(lag) is outside 1 to \(ForecastTask.lagMaximum)")
        }
        guard (1...256).contains(threads) else {
            throw ValidationError("--threads \(threads) is outside 1 to 256")
        }
        if let shift, !shift.isFinite {
            throw ValidationError("--shift \(shift) is not a number")
        }
    }

    func run() throws {
        let series = try SensorFile(path: file, options: table).series(column: column)
        let season = season ?? min(Season.inferred(for: series), lag)
        let split = Split.informer(rows: series.values.count)
        var options = FitOptions()
        options.seed = seed
        options.threads = threads
        options.codeVersion = Systole.build
        options.software = Systole.software
        let line = ProgressLine()
        defer { line.end() }
        var rows: [IntervalTrial.Row] = []
        for horizon in try horizons() {
            for family in try chosenFamilies() {
                rows += try SensorFile.naming(file, series.channel) {
                    let task = try ForecastTask(lag: lag, horizon: horizon, season: season)
                    let pipeline = try FittedPipeline.fit(
                        family, series: series, task: task, split: split, options: options
                    ) { line.show(FittingOptions.progress($0)) }
                    return try IntervalTrial(
                        series, pipeline, split: split, shift: shift.map { .init(size: $0) }
                    ).rows()
                }
            }
        }
        line.end()
        json ? try Terminal.json(["results": rows]) : show(rows)
    }

    private func show(_ rows: [IntervalTrial.Row]) {
        let header = ["family", "horizon", "intervals", "nominal", "coverage", "width", "windows"]
        Terminal.table(
            header + (shift == nil ? [] : ["after shift", "recovery"]),
            rows.map { row in
                let plain = [
                    row.family, String(row.horizon), row.intervals, share(row.nominal),
                    share(row.coverage), share(row.width), String(row.windows),
                ]
                guard shift != nil else { return plain }
                return plain + [
                    row.coverageAfterShift.map(share) ?? "–",
                    row.recoveryRows.map { String($0) } ?? "–",
                ]
            })
    }

    private func share(_ value: Double) -> String { String(format: "%.3f", value) }

    private func horizons() throws -> [Int] {
        try horizon.split(separator: ",").map { part in
            guard let steps = Int(part), (1...ForecastTask.horizonMaximum).contains(steps) else {
                throw ValidationError("--horizon \(horizon): '\(part)' is not accepted")
            }
            return steps
        }
    }

    private func chosenFamilies() throws -> [Family] {
        try families.split(separator: ",").map { part in
            guard let family = Family.singles.first(where: { $0.rawValue == part }) else {
                throw ValidationError("--families \(families): '\(part)' is not accepted")
            }
            return family
        }
    }
}
