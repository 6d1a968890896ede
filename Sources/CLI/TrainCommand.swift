import ArgumentParser
import Forecasting
import Foundation
import Postgres
import Series
import Signals
import Store

/// `systole train`: a series unless `ecg` is said.
struct TrainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "train",
        abstract: "Fits a model to a series, or a classifier to labelled recordings.",
        discussion: """
            Example:
              systole train ETTh1.csv --column OT --horizon 168 --out ot.safetensors
              systole train ecg --data ecg12 --out ecg.safetensors
            """,
        subcommands: [TrainSeriesCommand.self, TrainECGCommand.self],
        defaultSubcommand: TrainSeriesCommand.self)
}

/// `systole train`: fits a model to a CSV column and keeps it as a file, or to a stored series.
struct TrainSeriesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "series",
        abstract: "Fits a model to a column of a CSV file, or to a stored series.",
        discussion: """
            From a file, the best family on held-back rows is written to --out as safetensors,
            for `systole forecast --model`. For a stored series a worker trains, and the winner
            on validation goes live if it beats the live model on the same rows. Ctrl-C stops
            watching, not the training: `systole job watch` looks again.

            Example:
              systole train ETTh1.csv --column OT --horizon 168 --out ot.safetensors
              systole train --series plant.oil_temp --family spacetime --seed 1
            """)

    @Argument(help: "The CSV file.") var file: String?
    @Option(help: "The column; not needed where there is only one.") var column: String?
    @Option(help: "A stored series instead of a file.") var series: String?
    @Option(parsing: .unconditional, help: "Steps to forecast, from 1 to 10000.")
    var horizon: Int?
    @OptionGroup var fitting: FittingOptions
    @Option(help: "The file that gets the model, from a CSV file.") var out: String?
    @Flag(help: "Print JSON.") var json = false
    @OptionGroup var table: TableOptions
    @OptionGroup var database: DatabaseOptions

    func validate() throws {
        guard (file == nil) != (series == nil) else {
            throw ValidationError("give either a CSV file or --series KEY")
        }
        if file != nil, horizon == nil || out == nil {
            throw ValidationError("a CSV file needs --horizon STEPS and --out FILE")
        }
        if series != nil {
            if fitting.lag != nil || fitting.season != nil || fitting.epochs != nil {
                throw ValidationError(
                    "--lag, --season and --epochs are for a CSV file; a worker finds them itself")
            }
            if out != nil { throw ValidationError("--out is for a CSV file") }
            if let seed = fitting.seed, seed > UInt64(Int64.max) {
                throw ValidationError("--seed \(seed) is above \(Int64.max)")
            }
        }
        if let horizon, !(1...ForecastTask.horizonMaximum).contains(horizon) {
            throw ValidationError(
                "--horizon \(horizon) is outside 1 to \(ForecastTask.horizonMaximum)")
        }
    }

    func run() async throws {
        if let file {
            try trainOnFile(file)
        } else if let series {
            try await database.withPool { pool in try await trainOnStored(series, on: pool) }
        }
    }

    private func trainOnFile(_ file: String) throws {
        let past = try SensorFile(path: file, options: table).series(column: column)
        let bytes = try Data(contentsOf: URL(filePath: file), options: .mappedIfSafe)
        let fitted = try SensorFile.naming(file, past.channel) {
            try fitting.fit(past, horizon: horizon ?? 0, dataDigest: digest(of: [UInt8](bytes)))
        }
        try OutputFile.write(fitted.pipeline.encoded(), to: out ?? "")
        if json { return try Terminal.json(fitted.pipeline.report) }
        print("\(fitted.reason)\nmodel: \(out ?? "")")
    }

    private func trainOnStored(_ key: String, on pool: Pool) async throws {
        let job = try await pool.run(
            """
            SELECT systole.train(\(key), family => \(fitting.family), horizon => (
                SELECT \(horizon)::integer * step FROM systole.series_list
                WHERE series = \(key)), seed => \(fitting.seed)::bigint,
                threads => \(fitting.threads)::integer) AS job
            """
        ).only().int64("job")
        try await JobWatch.follow(job, on: pool)
        try await QueryReport.show(
            """
            SELECT \(ModelCommand.columns) FROM systole.models WHERE job_id = \(job)
            ORDER BY model_id
            """, on: pool, json: json,
            nothing: "job \(job) stored no model: the live one stays")
    }
}
