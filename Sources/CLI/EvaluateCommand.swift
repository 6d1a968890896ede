import ArgumentParser
import Forecasting
import Foundation
import Signals

/// `systole evaluate`: how good the models are on published sets of data.
struct EvaluateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "evaluate",
        abstract: "Measures how good the models are on published sets of data.",
        subcommands: [
            EvaluateForecastsCommand.self, EvaluateIntervalsCommand.self,
            EvaluateAnomaliesCommand.self, EvaluateGroupsCommand.self,
        ])
}

/// `systole evaluate forecasts`: MASE over the series of a Monash set, by method.
struct EvaluateForecastsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "forecasts",
        abstract: "Forecasts the newest horizon of every series of a set, by several methods.",
        discussion: """
            Reads every .tsf file of a folder (unpack .gz with gunzip -k first). The last horizon
            of every series is judged once; everything is chosen on the horizons before. MASE is
            scaled by the seasonal naive error of the known rows, and averaged over series. Where a
            file names no horizon, the archive's are taken: 48 hours, 30 days, 8 weeks, 12 months.

            Example:
              systole evaluate forecasts --set monash --data monash --json
            """)

    @Option(help: "monash.") var set = "monash"
    @Option(help: "The folder with the .tsf files, or one of them.") var data: String
    @Option(help: "Steps that a shared model looks back on; by frequency unless given.")
    var lag: Int?
    @Option(help: "Seed of training.") var seed: UInt64 = 0
    @Option(help: "Cores to use.")
    var threads = ProcessInfo.processInfo.activeProcessorCount
    @Flag(name: .customLong("no-networks"), help: "Train no networks: quicker, less accurate.")
    var skipsNetworks = false
    @Flag(help: "Print JSON.") var json = false

    func validate() throws {
        guard set == "monash" else {
            throw ValidationError("--set \(set): accepted is monash")
        }
        guard (1...256).contains(threads) else {
            throw ValidationError("--threads \(threads) is outside 1 to 256")
        }
        if let lag, !(1...ForecastTask.lagMaximum).contains(lag) {
            throw ValidationError("--lag \(lag) is outside 1 to \(ForecastTask.lagMaximum)")
        }
    }

    func run() throws {
        var evaluation = CollectionEvaluation()
        evaluation.seed = seed
        evaluation.threads = threads
        evaluation.trainsNetworks = !skipsNetworks
        let line = ProgressLine()
        defer { line.end() }
        var reports: [CollectionReport] = []
        for file in try files() {
            let read = try TSFReader.read(file: file)
            let (collection, short) = try Self.collection(read, lag: lag)
            var report = try evaluation.run(collection) { line.show($0) }
            report.shortSeries = short
            reports.append(report)
            if !json {
                line.end()
                Self.show(report)
            }
        }
        line.end()
        if json { try Terminal.json(["sets": reports]) }
    }

    /// The `.tsf` files, by name.
    private func files() throws -> [String] {
        var isFolder = ObjCBool(false)
        guard unsafe FileManager.default.fileExists(atPath: data, isDirectory: &isFolder) else {
            throw ValidationError("--data \(data): there is no such file or folder")
        }
        guard isFolder.boolValue else { return [data] }
        let all = try FileManager.default.contentsOfDirectory(atPath: data).sorted()
        let files = all.filter { $0.hasSuffix(".tsf") }
        guard files.isEmpty else { return files.map { "\(data)/\($0)" } }
        let packed = all.contains { $0.hasSuffix(".tsf.gz") }
        throw ValidationError(
            "\(data) holds no .tsf file"
                + (packed ? "; unpack them with: gunzip -k \(data)/*.tsf.gz" : ""))
    }

    /// The series that are long enough, and how many are not.
    static func collection(
        _ set: TSFSet, lag: Int?
    ) throws -> (SeriesCollection, short: Int) {
        guard let custom = Custom(set) else {
            throw ValidationError(
                "\(set.name): the frequency '\(set.frequency)' is unknown; accepted are hourly, "
                    + "daily, weekly, monthly, quarterly and yearly")
        }
        let horizon = set.horizon ?? custom.horizon
        let least = SeriesCollection.rowsMinimum(horizon: horizon, season: custom.season)
        let kept = set.series.filter { series in
            series.values.count >= least && series.values.allSatisfy(\.isFinite)
        }
        guard !kept.isEmpty else {
            throw ValidationError(
                "\(set.name): no series has the \(least) rows, none missing, that are needed")
        }
        let collection = SeriesCollection(
            name: set.name, horizon: horizon, season: custom.season, lag: lag ?? custom.lag,
            series: kept.map(\.values))
        return (collection, set.series.count - kept.count)
    }

    /// What is usual for a frequency.
    private struct Custom {
        let season: Int
        let horizon: Int
        let lag: Int

        init?(_ set: TSFSet) {
            let longest = set.series.map(\.values.count).max() ?? 0
            switch set.frequency {
            case "hourly": (season, horizon, lag) = (24, 48, 336)
            // A year, where there are several.
            case "daily": (season, horizon, lag) = (7, 30, longest > 2_000 ? 364 : 91)
            case "weekly": (season, horizon, lag) = (52, 8, 52)
            case "monthly": (season, horizon, lag) = (12, 12, 24)
            case "quarterly": (season, horizon, lag) = (4, 8, 8)
            case "yearly": (season, horizon, lag) = (1, 6, 6)
            default: return nil
            }
        }
    }

    private static func show(_ report: CollectionReport) {
        print(
            "\(report.name): \(report.series) series, \(report.shortSeries) too short, "
                + "\(report.constantSeries) constant; horizon \(report.horizon), season "
                + "\(report.season), look-back \(report.lag); chosen on "
                + "\(report.validationOrigins) forecasts; \(Int(report.seconds)) s")
        Terminal.table(
            ["method", "MASE", "held-back", "fallbacks"],
            report.scores.map { score in
                [
                    score.method, Terminal.number(score.mase),
                    Terminal.number(score.validationMASE),
                    String(score.fallbacks),
                ]
            })
        print("auto: \(report.reason)")
        if !report.notBeaten.isEmpty {
            print("auto does not beat \(report.notBeaten.joined(separator: ", ")) here")
        }
        print("")
    }
}
