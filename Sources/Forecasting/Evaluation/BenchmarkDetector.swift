import Series
import Tensors

/// The detectors that a labelled set is judged with, by the names of the command line.
package enum BenchmarkDetector: String, Sendable, CaseIterable {
    /// The detector without a model, `StreamingDetector`.
    case streaming
    /// The score of the service: tail probability of the one-step residual of a ridge forecaster.
    case residual = "forecast-residual"
    /// The auto-encoder over all channels of a group; for sets that have groups.
    case stackvae
    /// Uniform scores: what chance is worth.
    case random
    /// The same score everywhere: what silence is worth.
    case null

    /// Rows of a look-back, and of a horizon, that the residual needs.
    private static let lag = 24
    private static let horizon = 25

    /// Scores by the tail probability of one-step residuals of a model that is fitted on the first
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
        var scores = [Double](repeating: 0, count: values.count)
        let step = Int64((stepSeconds * 1e6).rounded())
        let grid = TimeGrid(
            start: Timestamp(microseconds: 0),
            rate: SamplingRate(stepMicroseconds: max(1, step)), count: values.count)
        let series = TimeSeries(channel: Channel(name: "value"), grid: grid, values: values)
        // No model is no score; there is nothing more to be done about it here.
        guard let task = try? ForecastTask(lag: lag, horizon: horizon, season: 1),
            let split = try? Split(
                rows: learned, train: learned * 7 / 10, validation: learned - learned * 7 / 10,
                test: 0),
            let pipeline = try? FittedPipeline.fit(
                .ridge, series: series.slice(0..<learned), task: task, split: split),
            let scored = try? AnomalyScorer(pipeline).score(
                history: series, range: learned..<values.count)
        else { return scores }
        for (row, one) in scored.enumerated() { scores[learned + row] = one.evidence?.score ?? 0 }
        return scores
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
