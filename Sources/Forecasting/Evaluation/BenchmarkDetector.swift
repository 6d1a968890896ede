import Series
import Tensors

/// The detectors that a labelled set is judged with, by the names of the command line.
package enum BenchmarkDetector: String, Sendable, CaseIterable {
    /// The detector without a model, `StreamingDetector`.
    case streaming
    /// The score of the service: tail probability of the residuals of a ridge forecaster, one row and 24
    /// rows ahead.
    case residual = "forecast-residual"
    /// What the service would alert with: the same scores through the incident machine, with the
    /// threshold that a watch chooses.
    case incidents
    /// The auto-encoder over all channels of a group; for sets that have groups.
    case stackvae
    /// The same auto-encoder, and of its score the part of the first channel alone.
    case stackvaeTelemetry = "stackvae-telemetry"
    /// Uniform scores: what chance is worth.
    case random
    /// The same score everywhere: what silence is worth.
    case null

    /// Rows of a look-back, and of a horizon, that the residual needs.
    private static let lag = 24
    private static let horizon = 25

    /// Scores by the tail probability of the residuals of a model that is fitted on the first
    /// rows and then fixed.
    ///
    /// - Parameters:
    ///   - values: Finite.
    ///   - learned: Rows at the beginning that the model is fitted on.
    ///   - stepSeconds: Between two rows.
    /// - Returns: `[rows]`, −log10 p; 0 for the first rows, and everywhere where no model could be
    ///   fitted, as on rows that never vary.
    package static func residualScores(
        _ values: [Double], learned: Int, stepSeconds: Double
    ) -> [Double] {
        let series = series(values, stepSeconds: stepSeconds)
        guard let pipeline = pipeline(series, learned: learned),
            let scored = score(series, learned..<values.count, pipeline)
        else { return [Double](repeating: 0, count: values.count) }
        return [Double](repeating: 0, count: learned) + scored.map { $0.evidence?.score ?? 0 }
    }

    /// What a watch makes of the same scores: the budget and the rows that the model was calibrated
    /// on choose the threshold, and the incident machine opens an alert.
    ///
    /// - Parameters:
    ///   - values: Finite.
    ///   - learned: Rows at the beginning that the model is fitted on.
    ///   - stepSeconds: Between two rows.
    ///   - budget: Of the watch.
    /// - Returns: The scores of the residual, and the peak of every incident where it opens.
    package static func incidentScores(
        _ values: [Double], learned: Int, stepSeconds: Double, budget: AlertBudget
    ) -> AnomalyEvaluation.Scores {
        var ranking = [Double](repeating: 0, count: values.count)
        var alerts = ranking
        let series = series(values, stepSeconds: stepSeconds)
        let rate = series.grid.rate
        guard let pipeline = pipeline(series, learned: learned),
            let known = score(
                series, (learned - pipeline.report.split.validation)..<learned, pipeline),
            let scored = score(series, learned..<values.count, pipeline)
        else { return .init(ranking: ranking, alerts: alerts) }
        var machine = IncidentMachine(policy: budget.policy(on: known, rate: rate))
        for (place, one) in scored.enumerated() {
            ranking[learned + place] = one.evidence?.score ?? 0
            switch machine.advance(one) {
            case .opened(let incident), .shifted(let incident):
                alerts[learned + place] = incident.peak.score
            case .updated, .resolved, nil: break
            }
        }
        return .init(ranking: ranking, alerts: alerts)
    }

    private static func series(_ values: [Double], stepSeconds: Double) -> TimeSeries {
        let step = Int64((stepSeconds * 1e6).rounded())
        let grid = TimeGrid(
            start: Timestamp(microseconds: 0),
            rate: SamplingRate(stepMicroseconds: max(1, step)), count: values.count)
        return TimeSeries(channel: Channel(name: "value"), grid: grid, values: values)
    }

    /// No model is no score; there is nothing more to be done about it here.
    private static func pipeline(_ series: TimeSeries, learned: Int) -> FittedPipeline? {
        guard let task = try? ForecastTask(lag: lag, horizon: horizon, season: 1),
            let split = try? Split(
                rows: learned, train: learned * 7 / 10, validation: learned - learned * 7 / 10,
                test: 0)
        else { return nil }
        return try? FittedPipeline.fit(
            .ridge, series: series.slice(0..<learned), task: task, split: split)
    }

    private static func score(
        _ series: TimeSeries, _ range: Range<Int>, _ pipeline: FittedPipeline
    ) -> [ScoredObservation]? {
        // Fails for another step alone, and this is the series of the fit.
        try? AnomalyScorer(pipeline).score(history: series, range: range)
    }

    /// Scores of chance.
    ///
    /// - Parameters:
    ///   - count: Rows.
    ///   - seed: Another one for another series.
    /// - Returns: In 0..<1.
    package static func randomScores(_ count: Int, seed: UInt64) -> [Double] {
        var random = RandomStream(seed: seed)
        return (0..<count).map { _ in random.uniform() }
    }

    /// What the streaming detector says of a series.
    ///
    /// - Parameters:
    ///   - values: NaN where missing.
    ///   - policy: One for all series, but for the length of a day.
    /// - Returns: The surprise of every row, and the alerts.
    package static func streamingScores(
        _ values: [Double], _ policy: DetectorPolicy
    ) -> AnomalyEvaluation.Scores {
        var detector = StreamingDetector(policy)
        var (ranking, alerts) = ([Double](), [Double]())
        for value in values {
            let judgement = detector.next(value)
            ranking.append(judgement?.surprise ?? 0)
            alerts.append(
                judgement.map { $0.opensAlert ? $0.surprise - $0.raised : 0 } ?? 0)
        }
        return AnomalyEvaluation.Scores(ranking: ranking, alerts: alerts)
    }
}
