import Foundation
import Forecasting
import Series
import Store

/// What all workflows that fit models are told by the process they run in.
package struct FittingEnvironment: Sendable {
    /// Cores that one fit may use.
    package var threads: Int
    /// Seed of training.
    package var seed: UInt64
    /// The version of the executable, recorded with each model.
    package var codeVersion: String
    /// Versions of the libraries, by name; recorded with each model.
    package var software: [String: String] = [:]
    /// The least time between two states that a training keeps.
    package var checkpointInterval = Duration.seconds(20)

    package init(threads: Int, seed: UInt64, codeVersion: String) {
        precondition(threads > 0, "FittingEnvironment: \(threads) threads")
        self.threads = threads
        self.seed = seed
        self.codeVersion = codeVersion
    }
}

/// Models of several families, fitted on the same rows and judged on the same windows.
struct Fitting: Sendable {
    /// The newest rows that a fit looks at; older ones teach little and cost time.
    static let rowsMaximum = 20_000

    let pipelines: [FittedPipeline]
    let split: Split
    let selection: ModelSelection
    let data: TrainingData
    let naive: NaiveScale?
    /// Families that could not be fitted, with the reason.
    let refused: [(family: Family, reason: String)]

    /// The winner, where one may go live.
    var winner: FittedPipeline? { selection.winner.map { pipelines[$0] } }

    /// Fits `families` on a history, and combines them.
    ///
    /// - Parameters:
    ///   - families: In the order they are fitted; the quick ones first.
    ///   - history: At most `rowsMaximum` rows.
    ///   - steps: The horizon.
    ///   - environment: Seed, cores, version.
    ///   - checkpoints: Where trainings keep their states.
    ///   - progress: Told which family is how far; what it throws ends the fit.
    /// - Throws: `ForecastError` where no family can be fitted, or what `progress` throws.
    init(
        _ families: [Family], on history: TimeSeries, steps: Int,
        in environment: FittingEnvironment, checkpoints: TrainingCheckpoints? = nil,
        progress: (FitProgress) throws -> Void
    ) throws {
        let task = try ForecastTask.suggested(for: history, horizon: steps)
        let split = Split.live(rows: history.values.count, task: task)
        let digest = Store.digest(of: history.values.littleEndianBytes)
        var options = FitOptions()
        options.seed = environment.seed
        options.threads = environment.threads
        options.codeVersion = environment.codeVersion
        options.software = environment.software
        options.checkpoints = checkpoints
        options.dataDigest = digest.map { String(format: "%02x", $0) }.joined()
        let fit = try AutoFit.fit(
            families, series: history, task: task, split: split, options: options,
            progress: progress)
        pipelines = fit.pipelines
        refused = fit.refused
        selection = fit.selection
        self.split = split
        data = TrainingData(
            digest: digest, from: history.grid.start,
            until: history.grid.instant(at: history.values.count - 1))
        naive = NaiveScale(of: history.values, season: task.season)
    }
}

extension NaiveScale {
    /// The seasonal-naive errors over a history; nil where no two values lie a season apart.
    init?(of values: [Double], season: Int) {
        var absolute = 0.0
        var squared = 0.0
        var count = 0.0
        for (now, before) in zip(values.dropFirst(season), values) {
            let error = now - before
            guard error.isFinite else { continue }
            absolute += abs(error)
            squared += error * error
            count += 1
        }
        guard count > 0 else { return nil }
        self.init(
            seasonSteps: season, meanAbsoluteError: absolute / count,
            rootMeanSquareError: (squared / count).squareRoot())
    }
}

extension [Double] {
    /// The samples as bytes, for a digest that is the same on every machine.
    fileprivate var littleEndianBytes: [UInt8] {
        flatMap { value in
            let bits = value.bitPattern
            return (0..<8).map { UInt8(truncatingIfNeeded: bits >> (8 * $0)) }
        }
    }
}
