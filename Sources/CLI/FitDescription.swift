import Forecasting
import Foundation
import Series
import Store

/// The record of a fit in words.
struct FitDescription {
    let lines: [String]

    init(_ report: FitReport) {
        let split = report.split
        func number(_ value: Double) -> String { Terminal.number(value) }
        var lines = [
            "task: look back \(report.task.lag) steps, forecast \(report.task.horizon), season "
                + "\(report.task.season), \(number(report.stepSeconds)) s a step",
            "rows: \(split.rows): \(split.train) to learn from, \(split.validation) to choose and "
                + "calibrate by, \(split.test) to test",
            "windows: \(report.trainWindows), \(report.validationWindows), "
                + "\(report.testWindows ?? 0); \(report.excludedWindows) left out for missing values",
            "scale: mean \(number(report.standardiser.mean)), deviation "
                + number(report.standardiser.deviation),
            "validation: MSE \(number(report.validationMSE)), MAE \(number(report.validationMAE)); "
                + "seasonal-naive MSE \(number(report.seasonalNaiveMSE)), repeat-last MSE "
                + number(report.repeatLastMSE),
            "fit: \(report.parameterCount) parameters, \(number(report.trainSeconds)) s, "
                + "\(report.threads) threads, seed \(report.seed)",
        ]
        if !report.settings.isEmpty {
            let settings = report.settings.sorted { $0.key < $1.key }
            lines.append("settings: " + settings.map { "\($0) \($1)" }.joined(separator: ", "))
        }
        for training in report.trainings ?? [] { lines += Self.lines(training) }
        lines += report.notes.map { "note: \($0)" }
        let software = (report.software ?? [:]).sorted { $0.key < $1.key }
        lines += software.map { "\($0): \($1)" }
        if software.isEmpty { lines.append("systole: \(report.codeVersion)") }
        self.lines = lines
    }

    private static func lines(_ training: NetworkTraining) -> [String] {
        let best = training.record.bestEpoch
        var lines = ["epochs: \(training.record.epochs.count), the best is \(best)"]
        for (index, epoch) in training.record.epochs.enumerated() {
            lines.append(
                "  \(index + 1)\(index + 1 == best ? "*" : " ") training loss "
                    + "\(Terminal.number(epoch.trainLoss)), validation MSE "
                    + "\(Terminal.number(epoch.validationError)), "
                    + FitLine.duration(epoch.seconds))
        }
        return lines
    }
}

/// What the database knows about a stored model beside its fit.
struct FilingDescription: Encodable {
    let model: Int64
    let version: Int64
    let stage: String
    let reason: String
    let dataFrom: String
    let dataUntil: String
    let dataSHA256: String
    let weightsSHA256: String
    let weightBytes: Int
    /// Of the numbers alone: equal for equal fits.
    let tensorsSHA256: String?
    /// The model that was live when this one was judged, and its error on the same windows.
    let liveModel: Int64?
    let liveValidationMSE: Double?

    init(_ stored: StoredModel) {
        let record = stored.record
        let filed = try? JSONDecoder().decode(Filed.self, from: Data(record.metrics.utf8))
        model = record.id.number
        version = record.version
        stage = record.stage.rawValue
        reason = record.reason
        dataFrom = record.data.from.description
        dataUntil = record.data.until.description
        dataSHA256 = Self.hexadecimal(record.data.digest)
        weightsSHA256 = Self.hexadecimal(digest(of: stored.weights))
        weightBytes = stored.weights.count
        tensorsSHA256 = filed?.tensorsSHA256
        liveModel = filed?.liveModel
        liveValidationMSE = filed?.liveValidationMSE
    }

    /// What the filing added to the record; absent in models of older programs.
    private struct Filed: Decodable {
        let tensorsSHA256: String?
        let liveModel: Int64?
        let liveValidationMSE: Double?
    }

    private static func hexadecimal(_ bytes: [UInt8]) -> String {
        bytes.map { String(format: "%02x", $0) }.joined()
    }

    /// Lines for people.
    func lines(family: String) -> [String] {
        var lines = ["model \(model): \(family) version \(version), \(stage)"]
        if !reason.isEmpty { lines.append("reason: \(reason)") }
        lines += [
            "data: \(dataFrom) to \(dataUntil), SHA-256 \(dataSHA256)",
            "weights: \(weightBytes) bytes, SHA-256 \(weightsSHA256)",
        ]
        if let tensorsSHA256 { lines.append("numbers: SHA-256 \(tensorsSHA256)") }
        return lines
    }
}
