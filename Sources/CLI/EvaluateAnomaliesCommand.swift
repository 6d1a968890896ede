import ArgumentParser
import Forecasting
import Foundation
import Signals
import Tensors

/// `systole evaluate anomalies`: how good the detectors are on labelled sets.
struct EvaluateAnomaliesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "anomalies",
        abstract: "Scores labelled series with several detectors, and judges the scores.",
        discussion: """
            nab: a folder with data/ and labels/combined_windows.json as numenta/NAB publishes them;
            published scores in published/per_file_scores.csv stand beside ours. The three profiles
            are the benchmark's own, 0 for silence and 100 for perfection, each at its best
            threshold.

            smap-msl: a folder with labeled_anomalies.csv, train/ and test/ (unpack the archive with
            tar xJf smap_msl.tar.xz first). The first column of an array is the telemetry; stackvae
            sees all columns that vary.

            VUS-PR and AUC-PR are means over the series with labels. Range precision and recall are
            taken at the threshold with the best range F1, which nobody knows beforehand: compare
            them between detectors, and with random. There is no point-adjusted F1: it is high for
            scores of chance.

            Example:
              systole evaluate anomalies --set nab --data nab --json
            """)

    /// The labelled sets known.
    enum LabelledSet: String, ExpressibleByArgument, CaseIterable {
        case nab
        case telemetry = "smap-msl"
    }

    @Option(help: "nab or smap-msl.") var set: LabelledSet
    @Option(help: "The folder of the set.") var data: String
    @Option(
        name: .customLong("detector"),
        help:
            "streaming, forecast-residual, stackvae, random or null; all unless given. Repeatable."
    )
    var detectors: [String] = []
    @Option(help: "Seed of chance and training.") var seed: UInt64 = 0
    @Option(help: "Updates of stackvae for each group.") var steps = 300
    @Option(help: "Judge only the first so many series, by name.") var limit: Int?
    @Option(
        name: .customLong("alerts-per-week"),
        help: "The alert budget of streaming; one in 2,000 rows unless given.")
    var alertsPerWeek: Double?
    @Option(help: "Cores to use.")
    var threads = ProcessInfo.processInfo.activeProcessorCount
    @Flag(help: "Print JSON.") var json = false

    func validate() throws {
        guard (1...256).contains(threads) else {
            throw ValidationError("--threads \(threads) is outside 1 to 256")
        }
        guard steps > 0 && steps <= 1_000_000 else {
            throw ValidationError("--steps \(steps) is outside 1 to 1000000")
        }
        if let limit, limit < 1 { throw ValidationError("--limit \(limit) is below 1") }
        if let alertsPerWeek, !(alertsPerWeek > 0 && alertsPerWeek <= 10_000) {
            throw ValidationError("--alerts-per-week \(alertsPerWeek) is outside 0 to 10000")
        }
        for name in detectors where BenchmarkDetector(rawValue: name) == nil {
            let known = BenchmarkDetector.allCases.map(\.rawValue).joined(separator: ", ")
            throw ValidationError("--detector \(name): accepted are \(known)")
        }
        if set == .nab, detectors.contains(BenchmarkDetector.stackvae.rawValue) {
            throw ValidationError(
                "--detector stackvae: the series of nab stand alone; it needs groups of channels")
        }
    }

    func run() throws {
        var isFolder = ObjCBool(false)
        guard unsafe FileManager.default.fileExists(atPath: data, isDirectory: &isFolder),
            isFolder.boolValue
        else { throw ValidationError("--data \(data): there is no such folder") }
        let line = ProgressLine()
        defer { line.end() }
        let results: [AnomalyResult]
        switch set {
        case .nab: results = try judgeNAB(line)
        case .telemetry: results = try judgeTelemetry(line)
        }
        line.end()
        if json { try Terminal.json(["results": results]) } else { Self.show(results) }
    }

    /// The detectors asked for, in their own order.
    private func chosen(_ suitable: [BenchmarkDetector]) -> [BenchmarkDetector] {
        guard !detectors.isEmpty else { return suitable }
        return suitable.filter { detectors.contains($0.rawValue) }
    }

    // MARK: NAB

    private func judgeNAB(_ line: ProgressLine) throws -> [AnomalyResult] {
        let all = try NABReader.read(folder: data)
        let series = Array(all.prefix(limit ?? all.count))
        let rows = series.map {
            LabelledRows(name: $0.name, count: $0.values.count, windows: $0.windows)
        }
        let corpus = NABCorpus(rows)
        let learned = corpus.series.map(\.probation)
        var results: [AnomalyResult] = []
        for detector in chosen([.streaming, .residual, .random, .null]) {
            line.show("\(detector.rawValue) on \(series.count) series")
            let begin = ContinuousClock.now
            let scores = ParallelMap.map(series.count, threads: threads) { index in
                self.scores(of: series[index], by: detector, learned: learned[index], index: index)
            }
            var result = AnomalyResult(detector: detector.rawValue)
            result.seconds = begin.duration(to: .now) / .seconds(1)
            AnomalyEvaluation.score(&result, scores, corpus)
            AnomalyEvaluation.rank(&result, scores, rows, learned: learned)
            AnomalyEvaluation.count(
                &result, scores, rows, learned: learned, stepSeconds: series.map(\.stepSeconds))
            results.append(result)
        }
        return results + (try published(series.map(\.name), corpus))
    }

    private func scores(
        of series: NABSeries, by detector: BenchmarkDetector, learned: Int, index: Int
    ) -> AnomalyEvaluation.Scores {
        switch detector {
        case .streaming:
            BenchmarkDetector.streamingScores(
                series.values, policy(stepSeconds: series.stepSeconds))
        case .residual:
            .init(
                ranking: BenchmarkDetector.residualScores(
                    series.values, learned: learned, stepSeconds: series.stepSeconds))
        case .random:
            .init(
                ranking: BenchmarkDetector.randomScores(
                    series.values.count, seed: seed &+ UInt64(index)))
        case .null, .stackvae:
            .init(ranking: [Double](repeating: 0, count: series.values.count))
        }
    }

    private func policy(stepSeconds: Double) -> DetectorPolicy {
        guard let alertsPerWeek else { return DetectorPolicy(stepSeconds: stepSeconds) }
        let rows = (604_800 / stepSeconds / alertsPerWeek).rounded()
        return DetectorPolicy(
            stepSeconds: stepSeconds, rowsPerAlert: Int(min(max(1, rows), 1e9)))
    }

    /// The published detectors that were run on all of these files.
    private func published(_ names: [String], _ corpus: NABCorpus) throws -> [AnomalyResult] {
        guard detectors.isEmpty else { return [] }
        let scores = try NABReader.published(folder: data)
        let results = scores.compactMap { detector, profiles -> AnomalyResult? in
            var result = AnomalyResult(detector: "\(detector) (published)")
            let sums = NABProfile.all.map { profile -> Double? in
                let found = names.compactMap { profiles[profile.name]?[$0] }
                guard found.count == names.count else { return nil }
                return corpus.normalised(found.reduce(0, +), profile: profile)
            }
            guard sums.allSatisfy({ $0 != nil }) else { return nil }
            (result.standard, result.rewardLowFP, result.rewardLowFN) = (sums[0], sums[1], sums[2])
            result.series = names.count
            return result
        }
        return results.sorted { ($0.standard ?? 0) > ($1.standard ?? 0) }
    }

    // MARK: SMAP and MSL

    private func judgeTelemetry(_ line: ProgressLine) throws -> [AnomalyResult] {
        let all = try TelemetryReader.read(folder: data)
        let series = Array(all.prefix(limit ?? all.count))
        let rows = series.map {
            LabelledRows(name: $0.name, count: $0.test[0].count, windows: $0.windows)
        }
        var results: [AnomalyResult] = []
        for detector in chosen([.stackvae, .residual, .streaming, .random, .null]) {
            line.show("\(detector.rawValue) on \(series.count) series")
            let begin = ContinuousClock.now
            let scores = ParallelMap.map(series.count, threads: threads) { index in
                self.scores(of: series[index], by: detector, index: index)
            }
            var result = AnomalyResult(detector: detector.rawValue)
            result.seconds = begin.duration(to: .now) / .seconds(1)
            AnomalyEvaluation.rank(
                &result, scores, rows, learned: [Int](repeating: 0, count: rows.count))
            results.append(result)
        }
        return results
    }

    private func scores(
        of series: TelemetrySeries, by detector: BenchmarkDetector, index: Int
    ) -> AnomalyEvaluation.Scores {
        let (known, rows) = (series.training[0].count, series.test[0].count)
        let values = series.training[0] + series.test[0]
        // The set does not say how far its rows are apart, and they follow no clock: a step of a day
        // leaves no time of day to compare.
        let stepSeconds = 86_400.0
        switch detector {
        case .streaming:
            let policy = DetectorPolicy(stepSeconds: stepSeconds)
            let scores = BenchmarkDetector.streamingScores(values, policy)
            return .init(
                ranking: Array(scores.ranking[known...]), alerts: Array(scores.alerts[known...]))
        case .residual:
            let scores = BenchmarkDetector.residualScores(
                values, learned: known, stepSeconds: stepSeconds)
            return .init(ranking: Array(scores[known...]))
        case .stackvae:
            let options = StackVAEOptions(seed: seed &+ UInt64(index), steps: steps)
            guard let model = StackVAEDetector.fit(series.training, options: options) else {
                return .init(ranking: [Double](repeating: 0, count: rows))
            }
            let parts = model.contributions(series.test, after: series.training)
            return .init(ranking: StackVAEDetector.scores(parts))
        case .random:
            return .init(
                ranking: BenchmarkDetector.randomScores(rows, seed: seed &+ UInt64(index)))
        case .null:
            return .init(ranking: [Double](repeating: 0, count: rows))
        }
    }

    // MARK: Table

    private static func show(_ results: [AnomalyResult]) {
        func cell(_ value: Double?, _ digits: Int) -> String {
            value.map { String(format: "%.\(digits)f", $0) } ?? "–"
        }
        Terminal.table(
            [
                "detector", "standard", "low-FP", "low-FN", "VUS-PR", "AUC-PR", "range-P",
                "range-R", "alerts/week", "seconds",
            ],
            results.map { one in
                [
                    one.detector, cell(one.standard, 2), cell(one.rewardLowFP, 2),
                    cell(one.rewardLowFN, 2), cell(one.volume, 3), cell(one.averagePrecision, 3),
                    cell(one.rangePrecision, 3), cell(one.rangeRecall, 3),
                    cell(one.alertsPerWeek, 2), cell(one.seconds, 1),
                ]
            })
    }
}
