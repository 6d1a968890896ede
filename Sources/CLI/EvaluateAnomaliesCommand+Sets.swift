import Forecasting
import Foundation
import Series
import Signals
import Tensors

/// What is computed on each of the sets.
extension EvaluateAnomaliesCommand {
    // MARK: NAB

    func judgeNAB(_ line: ProgressLine) throws -> [AnomalyResult] {
        let all = try NABReader.read(folder: data)
        let series = Array(all.prefix(limit ?? all.count))
        let rows = series.map {
            LabelledRows(name: $0.name, count: $0.values.count, windows: $0.windows)
        }
        let corpus = NABCorpus(rows)
        let learned = corpus.series.map(\.probation)
        var results: [AnomalyResult] = []
        for detector in chosen {
            line.show("\(detector.rawValue) on \(series.count) series")
            let begin = ContinuousClock.now
            var (runs, quiet) = ([AnomalyFigures](), [QuietAlerts]?.none)
            for run in 0..<(detector == .random ? seeds : 1) {
                let scores = ParallelMap.map(series.count, threads: threads) { index in
                    self.scores(
                        of: series[index], by: detector, learned: learned[index],
                        seed: seed(run: run, series: index))
                }
                var figures = AnomalyFigures()
                AnomalyEvaluation.score(&figures, scores, corpus)
                AnomalyEvaluation.rank(&figures, scores, rows, learned: learned)
                quiet = AnomalyEvaluation.quietAlerts(
                    scores, rows, learned: learned, stepSeconds: series.map(\.stepSeconds))
                figures.alertsPerWeek = quiet.flatMap(QuietAlerts.perWeek)
                runs.append(figures)
            }
            var result = result(detector.rawValue, runs, series: series.count, since: begin)
            result.seeds = detector == .random ? seeds : nil
            result.quietAlerts = quiet
            results.append(result)
        }
        return results + (try published(series.map(\.name), corpus))
    }

    private func scores(
        of series: NABSeries, by detector: BenchmarkDetector, learned: Int, seed: UInt64
    ) -> AnomalyEvaluation.Scores {
        switch detector {
        case .streaming:
            BenchmarkDetector.streamingScores(
                series.values, policy(stepSeconds: series.stepSeconds))
        case .residual:
            .init(
                ranking: BenchmarkDetector.residualScores(
                    series.values, learned: learned, stepSeconds: series.stepSeconds))
        case .incidents:
            BenchmarkDetector.incidentScores(
                series.values, learned: learned, stepSeconds: series.stepSeconds,
                budget: AlertBudget(alertsPerWeek: alertsPerWeek ?? 2))
        case .random:
            .init(
                ranking: BenchmarkDetector.randomScores(series.values.count, seed: seed))
        case .null, .stackvae, .stackvaeTelemetry:
            .init(ranking: [Double](repeating: 0, count: series.values.count))
        }
    }

    private func policy(stepSeconds: Double) -> DetectorPolicy {
        guard let alertsPerWeek else { return DetectorPolicy(stepSeconds: stepSeconds) }
        return DetectorPolicy(
            budget: AlertBudget(alertsPerWeek: alertsPerWeek),
            rate: SamplingRate(stepMicroseconds: Int64((stepSeconds * 1e6).rounded())))
    }

    /// The published detectors that were run on all of these files.
    private func published(_ names: [String], _ corpus: NABCorpus) throws -> [AnomalyResult] {
        guard detectors.isEmpty else { return [] }
        let scores = try NABReader.published(folder: data)
        let results = scores.compactMap { detector, profiles -> AnomalyResult? in
            var figures = AnomalyFigures()
            let sums = NABProfile.all.map { profile -> Double? in
                let found = names.compactMap { profiles[profile.name]?[$0] }
                guard found.count == names.count else { return nil }
                return corpus.normalised(found.reduce(0, +), profile: profile)
            }
            guard sums.allSatisfy({ $0 != nil }) else { return nil }
            (figures.standard, figures.rewardLowFP, figures.rewardLowFN) = (
                sums[0], sums[1], sums[2]
            )
            return AnomalyResult(
                detector: "\(detector) (published)", figures: figures, series: names.count)
        }
        return results.sorted { ($0.figures.standard ?? 0) > ($1.figures.standard ?? 0) }
    }

    // MARK: SMAP and MSL

    func judgeTelemetry(_ line: ProgressLine) throws -> [AnomalyResult] {
        let all = try TelemetryReader.read(folder: data)
        let series = Array(all.prefix(limit ?? all.count))
        let rows = series.map {
            LabelledRows(name: $0.name, count: $0.test[0].count, windows: $0.windows)
        }
        let learned = [Int](repeating: 0, count: rows.count)
        var results: [AnomalyResult] = []
        for detectors in Self.together(chosen) {
            let begin = ContinuousClock.now
            let drawsLots =
                detectors[0] != .residual && detectors[0] != .streaming
                && detectors[0] != .null
            var runs = [[AnomalyFigures]](repeating: [], count: detectors.count)
            for run in 0..<(drawsLots ? seeds : 1) {
                line.show("\(detectors[0].rawValue) on \(series.count) series, seed \(run + 1)")
                let scores = ParallelMap.map(series.count, threads: threads) { index in
                    self.scores(
                        of: series[index], by: detectors, seed: seed(run: run, series: index))
                }
                for place in detectors.indices {
                    var figures = AnomalyFigures()
                    AnomalyEvaluation.rank(
                        &figures, scores.map { $0[place] }, rows, learned: learned)
                    runs[place].append(figures)
                }
            }
            for (detector, runs) in zip(detectors, runs) {
                var result = result(detector.rawValue, runs, series: series.count, since: begin)
                result.seeds = drawsLots ? seeds : nil
                results.append(result)
            }
        }
        return results
    }

    /// The two readings of one auto-encoder are trained once.
    private static func together(_ detectors: [BenchmarkDetector]) -> [[BenchmarkDetector]] {
        let encoders = detectors.filter { $0 == .stackvae || $0 == .stackvaeTelemetry }
        let others = detectors.filter { !encoders.contains($0) }.map { [$0] }
        return (encoders.isEmpty ? [] : [encoders]) + others
    }

    /// One for each of the detectors.
    private func scores(
        of series: TelemetrySeries, by detectors: [BenchmarkDetector], seed: UInt64
    ) -> [AnomalyEvaluation.Scores] {
        let (known, rows) = (series.training[0].count, series.test[0].count)
        let values = series.training[0] + series.test[0]
        // The set does not say how far its rows are apart, and they follow no clock: a step of a day
        // leaves no time of day to compare.
        let stepSeconds = 86_400.0
        let silence = AnomalyEvaluation.Scores(ranking: [Double](repeating: 0, count: rows))
        switch detectors[0] {
        case .streaming:
            let policy = DetectorPolicy(stepSeconds: stepSeconds)
            let scores = BenchmarkDetector.streamingScores(values, policy)
            return [
                .init(
                    ranking: Array(scores.ranking[known...]), alerts: Array(scores.alerts[known...])
                )
            ]
        case .residual, .incidents:
            let scores = BenchmarkDetector.residualScores(
                values, learned: known, stepSeconds: stepSeconds)
            return [.init(ranking: Array(scores[known...]))]
        case .stackvae, .stackvaeTelemetry:
            let options = StackVAEOptions(seed: seed, steps: steps)
            guard let model = StackVAEDetector.fit(series.training, options: options) else {
                return detectors.map { _ in silence }
            }
            let parts = model.contributions(series.test, after: series.training)
            return detectors.map {
                .init(ranking: $0 == .stackvae ? StackVAEDetector.scores(parts) : parts[0])
            }
        case .random:
            return [.init(ranking: BenchmarkDetector.randomScores(rows, seed: seed))]
        case .null: return [silence]
        }
    }
}
