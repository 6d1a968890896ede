import Forecasting
import Series
import Store

/// The live model of a series as a rival: its error on the windows that others were judged on.
struct LiveModel: Equatable, Sendable {
    let id: ModelID
    let family: String
    /// In the scaled units of the others; nil where it could not be measured.
    let validationMSE: Double?

    init(id: ModelID, family: String, validationMSE: Double?) {
        self.id = id
        self.family = family
        self.validationMSE = validationMSE
    }

    /// Measures a stored model on the validation windows of a fit.
    init(_ model: StoredModel, on history: TimeSeries, like fitting: Fitting) {
        id = model.record.id
        family = model.record.family
        // Whatever keeps it from being measured, of another program or for another step, is said.
        var pipeline = try? FittedPipeline(decoding: model.weights)
        if model.record.sharedFrom != nil {
            let scale = try? Standardiser(fitting: history.values)
            pipeline = scale.flatMap { pipeline?.rescaled(to: $0) }
        }
        validationMSE = fitting.pipelines.first.flatMap { first in
            try? pipeline?.validationMSE(on: history, task: first.task, split: fitting.split)
        }
    }
}

/// Which model of a fit goes live, if any, and the reason that each is stored with. Pure.
struct Promotion: Equatable, Sendable {
    /// The family that goes live; nil where the live model stays.
    let promoted: Family?
    /// By family, one to three sentences.
    let reasons: [Family: String]
    /// The rival.
    let live: LiveModel?

    /// Takes the best of a fit if it is better than the live model.
    init(_ fitting: Fitting, against live: LiveModel?) {
        self.init(
            fitting.selection, fitting.pipelines.map(\.report), refused: fitting.refused,
            against: live)
    }

    /// - Parameters:
    ///   - selection: The best of the fitted models, and a verdict on each.
    ///   - reports: Theirs, in the same order.
    ///   - refused: Families that could not be fitted.
    ///   - live: The live model; nil where there is none.
    init(
        _ selection: ModelSelection, _ reports: [FitReport],
        refused: [(family: Family, reason: String)], against live: LiveModel?
    ) {
        self.live = live
        var reasons: [Family: String] = [:]
        for verdict in selection.verdicts { reasons[verdict.family] = verdict.reason }
        guard let index = selection.winner else {
            promoted = nil
            self.reasons = reasons
            return
        }
        let winner = reports[index]
        let comparison = Self.comparison(winner, live)
        promoted = comparison.isBetter ? winner.family : nil
        let failures = refused.map { family, reason in
            family == .ensemble
                ? " No ensemble: \(reason)" : " \(family.rawValue) could not be fitted: \(reason)."
        }
        reasons[winner.family] =
            [selection.reason, comparison.sentence].compactMap { $0 }.joined(separator: " ")
            + failures.joined()
        for verdict in selection.verdicts where verdict.isEligible {
            guard verdict.family != winner.family else { continue }
            reasons[verdict.family] =
                verdict.reason + " \(winner.family.rawValue) goes before it:"
                + " \(winner.validationMSE.short)."
        }
        self.reasons = reasons
    }

    /// The same model, measured twice, differs by less: rounding is no improvement.
    private static let rounding = 1e-5

    private static func comparison(
        _ winner: FitReport, _ live: LiveModel?
    ) -> (isBetter: Bool, sentence: String?) {
        guard let live else { return (true, nil) }
        let name = "the live model \(live.id) (\(live.family))"
        guard let error = live.validationMSE else {
            return (true, "It replaces \(name), which cannot forecast the validation windows.")
        }
        let numbers =
            "MSE \(winner.validationMSE.short) against \(error.short)"
        return winner.validationMSE < error * (1 - Self.rounding)
            ? (true, "It beats \(name) on the same windows: \(numbers).")
            : (false, "It does not beat \(name) on the same windows, which stays: \(numbers).")
    }
}
