import ArgumentParser
import Charts
import Forecasting
import Foundation
import Postgres
import Series
import Signals
import Store

/// `systole forecast`: a column of a CSV file without any database, or a stored series.
struct ForecastCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "forecast",
        abstract: "Forecasts a column of a CSV file, or a stored series, with intervals.",
        discussion: """
            A file is read, models are fitted, and the one with the least error on held-back
            rows forecasts; no database is needed. A stored series is forecast by its live
            model; without --horizon its newest stored forecast is shown.

            Example:
              systole forecast ETTh1.csv --column OT --horizon 168 --plot out.svg
              systole forecast --series plant.oil_temp --horizon 168
            """)

    @Argument(help: "The CSV file.") var file: String?
    @Option(help: "The column to forecast; not needed where there is only one.") var column: String?
    @Option(help: "A stored series instead of a file.") var series: String?
    @Option(parsing: .unconditional, help: "Steps to forecast, from 1 to 10000.")
    var horizon: Int?
    @OptionGroup var fitting: FittingOptions
    @Option(help: "A model that `systole train` wrote, instead of fitting one.") var model: String?
    @Option(help: "Write a chart to this SVG file.") var plot: String?
    @Option(help: "Steps of history in the chart.") var history: Int?
    @Flag(help: "Print JSON.") var json = false
    @OptionGroup var table: TableOptions
    @OptionGroup var database: DatabaseOptions

    func validate() throws {
        guard (file == nil) != (series == nil) else {
            throw ValidationError("give either a CSV file or --series KEY")
        }
        if file != nil, horizon == nil {
            throw ValidationError("--horizon is missing: how many steps to forecast")
        }
        if let horizon {
            guard (1...ForecastTask.horizonMaximum).contains(horizon) else {
                throw ValidationError(
                    "--horizon \(horizon) is outside 1 to \(ForecastTask.horizonMaximum)")
            }
        }
        if let history, !(1...100_000).contains(history) {
            throw ValidationError("--history \(history) is outside 1 to 100000")
        }
    }

    func run() async throws {
        if let file {
            try forecastFile(file)
        } else if let series {
            try await database.withPool { pool in try await forecastStored(series, on: pool) }
        }
    }

    // MARK: - A file

    private func forecastFile(_ file: String) throws {
        let past = try SensorFile(path: file, options: table).series(column: column)
        let (fitted, forecast) = try SensorFile.naming(file, past.channel) {
            let fitted = try model.map(Self.load) ?? fitting.fit(past, horizon: horizon ?? 0)
            return (fitted, try fitted.pipeline.forecast(history: past, steps: horizon ?? 0))
        }
        try show(
            forecast, after: past, actual: nil, anomalies: [],
            family: fitted.pipeline.family.rawValue, reason: fitted.reason)
    }

    /// A model that `systole train` wrote.
    private static func load(_ path: String) throws -> FittingOptions.Fitted {
        let bytes = try Data(contentsOf: URL(filePath: path))
        do {
            return FittingOptions.Fitted(
                pipeline: try FittedPipeline(decoding: Array(bytes)), reason: "model \(path)")
        } catch {
            throw UnusableModel(path: path)
        }
    }

    /// A file that is no model of ours.
    struct UnusableModel: Error, CustomStringConvertible {
        let path: String
        var description: String { "\(path) is no model that `systole train` wrote" }
    }

    // MARK: - A stored series

    private func forecastStored(_ key: String, on pool: Pool) async throws {
        if let horizon {
            try await StoredForecast.request(key, steps: horizon, on: pool)
        }
        let stored = try await StoredForecast.newest(of: key, on: pool, history: history)
        try show(
            stored.run.forecast, after: stored.past, actual: stored.actual,
            anomalies: stored.anomalies, family: stored.run.family,
            reason: "issued \(stored.run.issuedAt) by model \(stored.run.model)",
            restsOn: stored.restsOn)
    }

    // MARK: - Showing it

    private func show(
        _ forecast: Forecast, after past: TimeSeries, actual: TimeSeries?,
        anomalies: [Observation], family: String, reason: String, restsOn: String? = nil
    ) throws {
        let others = restsOn.map { "; rests on \($0)" } ?? ""
        let answer = ForecastAnswer(
            forecast, of: past.channel, family: family, reason: reason)
        if let plot {
            let shown = min(past.values.count, history ?? max(48, 2 * forecast.grid.count))
            let chart = LineChart(
                title: past.channel.name,
                subtitle: "\(family), data until \(forecast.dataUntil)\(others)",
                history: past.slice((past.values.count - shown)..<past.values.count),
                forecast: forecast, actual: actual, anomalies: anomalies)
            try OutputFile.write(chart.svg(), to: plot)
        }
        if json {
            try Terminal.json(answer)
        } else {
            print("\(past.channel.name) by \(family): \(reason)\(others)")
            answer.printTable()
            if let plot { print("chart: \(plot)") }
        }
    }
}

/// A CSV file, read by the options of a command.
struct SensorFile {
    private let table: CSVTable

    init(path: String, options: TableOptions) throws {
        table = try CSVReader(options: try options.options()).read(file: path)
        let report = table.report
        if report.badRows > 0 {
            Terminal.complain("\(report.badRows) rows could not be read and were left out")
        }
        if report.outOfOrder > 0 {
            Terminal.complain("\(report.outOfOrder) rows were out of order and were sorted")
        }
    }

    /// Runs `body`, and names file and column where the series does not suffice.
    static func naming<T>(
        _ file: String, _ channel: Channel, _ body: () throws -> T
    ) throws -> T {
        do {
            return try body()
        } catch let error as ForecastError {
            throw Insufficient(file: file, channel: channel.name, error: error)
        }
    }

    /// A column that cannot be forecast.
    struct Insufficient: Error, CustomStringConvertible {
        let file: String
        let channel: String
        let error: ForecastError
        var description: String { "\(file), column \(channel): \(error)" }
    }

    /// The column of that name, or the only one there is.
    func series(column: String?) throws -> TimeSeries {
        if let column { return try table.series(named: column) }
        guard table.columns.count == 1, let only = table.columns.first else {
            let names = table.columns.map(\.channel.name).joined(separator: ", ")
            throw ValidationError("--column is missing: which of \(names)")
        }
        return try table.series(named: only.channel.name)
    }
}

/// Files that commands write: whole or not at all.
enum OutputFile {
    /// Writes beside the target and renames, so that nothing half-written stays.
    static func write(_ text: String, to path: String) throws {
        try write(Array(text.utf8), to: path)
    }

    /// As `write(_:to:)`, for bytes.
    static func write(_ bytes: [UInt8], to path: String) throws {
        do {
            try Data(bytes).write(to: URL(filePath: path), options: .atomic)
        } catch {
            throw OutputFailure(path: path)
        }
    }

    /// Makes a folder, and those above it, where it is not there.
    static func makeFolder(_ path: String) throws {
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true)
        } catch {
            throw OutputFailure(path: path)
        }
    }

    /// A file that could not be written.
    struct OutputFailure: Error, CustomStringConvertible {
        let path: String
        var description: String {
            "\(path) cannot be written; is its folder there, and may you write to it?"
        }
    }
}
