import ArgumentParser
import Forecasting
import Foundation
import Series

/// Which models are fitted to a file, and how.
struct FittingOptions: ParsableArguments {
    @Option(
        help: """
            \(Family.allCases.map(\.rawValue).joined(separator: ", ")), several of them separated by \
            commas, or auto for all; the best on held-back rows is taken.
            """)
    var family = "auto"

    @Option(help: "Steps that a model looks back on; chosen from the data unless given.")
    var lag: Int?

    @Option(help: "Steps of one season; found in the data unless given.")
    var season: Int?

    @Option(help: "Seed of training: the same seed gives the same model; 0 unless given.")
    var seed: UInt64?

    @Option(help: "Cores that training may use, from 1 to 256; all of them unless given.")
    var threads: Int?

    @Option(help: "Most epochs of a training that is no closed form.")
    var epochs: Int?

    func validate() throws {
        if let epochs, !(1...10_000).contains(epochs) {
            throw ValidationError("--epochs \(epochs) is outside 1 to 10000")
        }
        _ = try families()
        if let threads, !(1...256).contains(threads) {
            throw ValidationError("--threads \(threads) is outside 1 to 256")
        }
        if let lag, !(1...ForecastTask.lagMaximum).contains(lag) {
            throw ValidationError("--lag \(lag) is outside 1 to \(ForecastTask.lagMaximum)")
        }
        if let season, season < 1 {
            throw ValidationError("--season \(season) is below 1")
        }
    }

    /// The families to fit, quick ones first; for `auto` their combination is tried afterwards.
    func families() throws -> [Family] {
        if family == "auto" { return Family.singles }
        let chosen = try family.split(separator: ",").map { name in
            let name = name.filter { $0 != " " }
            guard let family = Family(rawValue: name) else {
                let names = Family.allCases.map(\.rawValue).joined(separator: ", ")
                throw ValidationError("--family \(name): accepted are auto, \(names)")
            }
            return family
        }
        guard !chosen.isEmpty else { throw ValidationError("--family is empty") }
        return Family.allCases.filter { chosen.contains($0) }
    }

    /// Lag, horizon and season for a series.
    func task(for series: TimeSeries, horizon: Int) throws -> ForecastTask {
        let suggested = try ForecastTask.suggested(for: series, horizon: horizon)
        guard lag != nil || season != nil else { return suggested }
        let lag = lag ?? suggested.lag
        return try ForecastTask(
            lag: lag, horizon: horizon, season: season ?? min(suggested.season, lag))
    }

    /// Options of a fit.
    var fitOptions: FitOptions {
        var options = FitOptions()
        options.seed = seed ?? 0
        options.threads = threads ?? ProcessInfo.processInfo.activeProcessorCount
        options.codeVersion = Systole.build
        options.software = Systole.software
        if let epochs { options.training.epochsMaximum = epochs }
        return options
    }

    /// A fitted pipeline and why it was taken.
    struct Fitted {
        let pipeline: FittedPipeline
        let reason: String
    }

    /// Fits every family and takes the best on validation.
    ///
    /// A family that was asked for alone is taken even where it loses to the baseline, and the reason
    /// says so.
    ///
    /// - Parameters:
    ///   - series: What is fitted to.
    ///   - horizon: Steps to forecast.
    ///   - dataDigest: SHA-256 of the file, for the record; empty where nobody will ask.
    /// - Returns: The best pipeline.
    /// - Throws: `ForecastError`, or `NoModel` where none may forecast.
    func fit(
        _ series: TimeSeries, horizon: Int, dataDigest: [UInt8] = []
    ) throws -> Fitted {
        var fitOptions = self.fitOptions
        fitOptions.dataDigest = dataDigest.map { String(format: "%02x", $0) }.joined()
        let task = try task(for: series, horizon: horizon)
        let split = Split.live(rows: series.values.count, task: task)
        let line = ProgressLine()
        defer { line.end() }
        func progress(_ step: FitProgress) { line.show(Self.progress(step)) }
        let families = try families()
        if families.count == 1, let only = families.first {
            let pipeline = try FittedPipeline.fit(
                only, series: series, task: task, split: split, options: fitOptions,
                progress: progress)
            let selection = ModelSelection([pipeline.report])
            let reason =
                selection.winner == nil ? selection.verdicts[0].reason : selection.reason
            return Fitted(pipeline: pipeline, reason: reason)
        }
        let fit = try AutoFit.fit(
            families, series: series, task: task, split: split, options: fitOptions,
            progress: progress)
        guard let winner = fit.winner else { throw NoModel(reason: fit.selection.reason) }
        return Fitted(pipeline: winner, reason: fit.selection.reason)
    }

    /// A line such as `spacetime 40 %, validation MSE 0.071`.
    static func progress(_ step: FitProgress) -> String {
        FitLine(
            note: "fitting \(step.family.rawValue)", fraction: step.fraction,
            epoch: step.epoch.map { Double($0) },
            epochsMaximum: step.epochsMaximum.map { Double($0) }, trainingLoss: step.trainLoss,
            validationError: step.validationLoss, secondsLeft: step.secondsLeft
        ).text
    }

    /// No model may forecast.
    struct NoModel: Error, CustomStringConvertible {
        let reason: String
        var description: String { reason }
    }
}
