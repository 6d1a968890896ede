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

            What draws lots, random and stackvae, is run with several seeds: the figure is the mean,
            behind ± stands the standard deviation. streaming and incidents decide by themselves;
            their alerts outside of all labelled windows are counted by step.

            Examples:
              systole evaluate anomalies --set nab --data nab --json
              systole evaluate anomalies --set nab --data nab --alerts-per-week 2
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
            "streaming, forecast-residual, incidents, stackvae, stackvae-telemetry, random or null; all unless given. Repeatable."
    )
    var detectors: [String] = []
    @Option(help: "First seed of chance and training.") var seed: UInt64 = 0
    @Option(help: "How many seeds what draws lots is run with.") var seeds = 3
    @Option(help: "Updates of stackvae for each group.") var steps = 300
    @Option(help: "Judge only the first so many series, by name.") var limit: Int?
    @Option(
        name: .customLong("alerts-per-week"),
        help: "The alert budget; for streaming one in 2,000 rows, for incidents 2 unless given.")
    var alertsPerWeek: Double?
    @Option(help: "Cores to use.")
    var threads = ProcessInfo.processInfo.activeProcessorCount
    @Flag(help: "Print JSON.") var json = false

    func validate() throws {
        guard (1...256).contains(threads) else {
            throw ValidationError("--threads \(threads) is outside 1 to 256")
        }
        guard (1...100).contains(seeds) else {
            throw ValidationError("--seeds \(seeds) is outside 1 to 100")
        }
        guard steps > 0 && steps <= 1_000_000 else {
            throw ValidationError("--steps \(steps) is outside 1 to 1000000")
        }
        if let limit, limit < 1 { throw ValidationError("--limit \(limit) is below 1") }
        if let alertsPerWeek, !(alertsPerWeek > 0 && alertsPerWeek <= 10_000) {
            throw ValidationError("--alerts-per-week \(alertsPerWeek) is outside 0 to 10000")
        }
        let suitable = set.detectors.map(\.rawValue)
        for name in detectors where !suitable.contains(name) {
            throw ValidationError(
                "--detector \(name): accepted for \(set.rawValue) are "
                    + suitable.joined(separator: ", "))
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

    /// The detectors asked for, in the order of the set.
    var chosen: [BenchmarkDetector] {
        self.set.detectors.filter { detectors.isEmpty || detectors.contains($0.rawValue) }
    }

    /// The seed of one series in one run.
    func seed(run: Int, series: Int) -> UInt64 {
        seed &+ UInt64(run) &* 1_000 &+ UInt64(series)
    }

    /// The result of one detector.
    ///
    /// - Parameters:
    ///   - name: Of the detector.
    ///   - runs: Its figures with each seed.
    ///   - series: How many series were judged.
    ///   - begin: When it was begun.
    /// - Returns: Means and spreads, and what it took until now.
    func result(
        _ name: String, _ runs: [AnomalyFigures], series: Int, since begin: ContinuousClock.Instant
    ) -> AnomalyResult {
        let (mean, spread) = AnomalyFigures.summary(of: runs)
        var result = AnomalyResult(detector: name, figures: mean, series: series)
        result.spread = spread
        result.seconds = begin.duration(to: .now) / .seconds(1)
        return result
    }

    // MARK: Table

    private static func show(_ results: [AnomalyResult]) {
        let figures: [(String, KeyPath<AnomalyFigures, Double?>, Int)] = [
            ("standard", \.standard, 2), ("low-FP", \.rewardLowFP, 2),
            ("low-FN", \.rewardLowFN, 2), ("VUS-PR", \.volume, 3),
            ("AUC-PR", \.averagePrecision, 3), ("range-P", \.rangePrecision, 3),
            ("range-R", \.rangeRecall, 3), ("alerts/week", \.alertsPerWeek, 2),
        ]
        func number(_ value: Double?, _ digits: Int) -> String? {
            value.map { String(format: "%.\(digits)f", $0) }
        }
        Terminal.table(
            ["detector"] + figures.map(\.0) + ["seconds"],
            results.map { one in
                [one.detector]
                    + figures.map { _, figure, digits in
                        let spread = number(one.spread?[keyPath: figure], digits)
                        return [number(one.figures[keyPath: figure], digits), spread]
                            .compactMap { $0 }.joined(separator: " ± ").orDash
                    } + [number(one.seconds, 1) ?? "–"]
            })
        let quiet = results.flatMap { one in
            (one.quietAlerts ?? []).map { (one.detector, $0) }
        }
        guard !quiet.isEmpty else { return }
        print("\nAlerts outside of labelled windows:")
        Terminal.table(
            ["detector", "step", "series", "weeks", "alerts", "a week"],
            quiet.map { name, one in
                [
                    name, "\(Terminal.number(one.stepSeconds)) s", "\(one.series)",
                    number(one.weeks, 1) ?? "–", "\(one.alerts)", number(one.perWeek, 2) ?? "–",
                ]
            })
    }
}

extension EvaluateAnomaliesCommand.LabelledSet {
    /// What can be judged on the set, in the order of the table.
    var detectors: [BenchmarkDetector] {
        switch self {
        case .nab: [.streaming, .residual, .incidents, .random, .null]
        case .telemetry: [.stackvae, .stackvaeTelemetry, .residual, .streaming, .random, .null]
        }
    }
}

extension String {
    fileprivate var orDash: String { isEmpty ? "–" : self }
}
