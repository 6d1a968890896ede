internal import Models
internal import Tensors

/// Trains classifiers on labelled recordings, judges them on those left out, and makes the model that
/// learnt from all.
package struct ClassifierTraining: Sendable {
    /// How to train, and what to record.
    package struct Options: Sendable {
        package var family = ClassifierFamily.ensemble
        /// What an ensemble is made of.
        package var parts: [ClassifierFamily] = [.rocket, .linear, .kernel, .resnet, .mamba]
        /// Parts of the recordings of which each is left out once; at least 3.
        package var folds = 5
        package var seed: UInt64 = 0
        package var threads = 1
        /// Sets drawn for an interval.
        package var draws = 1000
        /// Networks that one part of a family is the mean of.
        package var networksPerPart = 2
        var network = NetworkTrainingOptions()
        /// What ECG Mamba tells its findings from; see ops/decisions/0026.
        var pooling = ECGMambaConfiguration.Pooling.mean
        package var title = ""
        package var licence = ""
        /// Sentences about what the model is not good for.
        package var limits: [String] = []
        package var dataDigest = ""
        package var codeVersion = ""
        package var software: [String: String] = [:]

        package init() {}
    }

    /// How far a training is.
    package struct Progress: Hashable, Sendable {
        /// In words.
        package let step: String
        /// 0…1
        package let fraction: Double
    }

    /// Why there is nothing to train on.
    package struct TooFew: Error, Hashable, Sendable, CustomStringConvertible {
        package let description: String
    }

    package let classes: [DiagnosisClass]
    package let preparation: ECGPreparation
    package let options: Options

    package init(
        classes: [DiagnosisClass], preparation: ECGPreparation, options: Options
    ) {
        precondition(
            options.folds > 2 && options.threads > 0 && options.draws > 0,
            "ClassifierTraining: \(options)")
        precondition(
            !options.parts.isEmpty && !options.parts.contains(.ensemble),
            "ClassifierTraining: parts \(options.parts)")
        self.classes = classes
        self.preparation = preparation
        self.options = options
    }

    /// Trains on all recordings, after as many trainings as there are folds to judge by.
    ///
    /// The same recordings, classes and seed give the same bytes, with any number of threads.
    ///
    /// - Parameters:
    ///   - recordings: One label a class.
    ///   - unlabelled: More recordings, which networks learn to measure.
    ///   - refused: Recordings of each source that the preparation refused, for the record.
    ///   - progress: Called before every step; what it throws ends the training.
    /// - Returns: The classifier, whose card tells how it did on recordings left out.
    /// - Throws: `TooFew`; what `progress` throws.
    package func train(
        _ recordings: [LabelledECG], unlabelled: [PreparedECG] = [],
        refused: [String: Int] = [:], progress: (Progress) throws -> Void
    ) throws -> FittedClassifier {
        try check(recordings)
        let folds = PatientFolds(recordings, count: options.folds)
        let labels = recordings.map(\.labels)
        let parts = options.family == .ensemble ? options.parts : [options.family]
        let outcomes = try parts.enumerated().map { number, kind in
            try member(kind, recordings, unlabelled, folds) { step, fraction in
                try progress(
                    Progress(
                        step: "\(kind.rawValue): \(step)",
                        fraction: (Double(number) + fraction) / Double(parts.count)))
            }
        }
        let scores = outcomes.map { HeldOutScores(logits: $0.logits, labels: labels) }
        let blend = MemberBlend(scores, folds)
        let evaluation = HeldOutEvaluation(
            classes, recordings, folds, logits: blend.heldOut, draws: options.draws,
            seed: options.seed, threads: options.threads)
        let tuning = ClassifierTuning(
            classes, HeldOutScores(logits: blend.combined, labels: labels))
        let unseen =
            parts.contains(.kernel) ? unseenSources(recordings, folds, evaluation) : [:]
        var card = card(evaluation, refused: refused, unseen: unseen)
        card.settings["recordings.unlabelled"] = "\(unlabelled.count)"
        for outcome in outcomes {
            card.settings.merge(outcome.settings) { $1 }
            guard outcomes.count > 1 else { continue }
            let alone = HeldOutEvaluation(
                classes, recordings, folds, logits: outcome.logits, draws: options.draws,
                seed: options.seed, threads: options.threads)
            let name = outcome.kind.rawValue + " alone"
            card.summaries += alone.rankings(of: name)
            card.summaries += evaluation.differences(from: alone, named: name)
        }
        var members: [ClassifierMember] = []
        for (number, outcome) in outcomes.enumerated() where blend.weights[number] > 0 {
            card.settings[outcome.kind.rawValue + ".weight"] = "\(blend.weights[number])"
            for model in outcome.models {
                members.append(
                    ClassifierMember(
                        weight: blend.weights[number] / Double(outcome.models.count),
                        calibration: blend.calibrations[number], model: model))
            }
        }
        return FittedClassifier(
            family: options.family, classes: classes, preparation: preparation,
            thresholds: tuning.thresholds, calibration: tuning.calibration, card: card,
            members: ClassifierMember.joined(members))
    }

    /// One part of a family: its logits on recordings left out, and its models, fitted on all.
    private struct MemberOutcome {
        let kind: ClassifierFamily
        /// `[recordings][classes]`
        let logits: [[Double]]
        /// Several that count alike, or one.
        let models: [ClassifierMember.Model]
        let settings: [String: String]
    }

    private func member(
        _ kind: ClassifierFamily, _ recordings: [LabelledECG], _ unlabelled: [PreparedECG],
        _ folds: PatientFolds, _ progress: (String, Double) throws -> Void
    ) throws -> MemberOutcome {
        let sets = (0..<folds.count).map { folds.outside($0) } + [Array(recordings.indices)]
        let fits: [Fit]
        if let network = network(kind) {
            fits = try networks(kind, network, recordings, unlabelled, sets, progress)
        } else {
            fits = try sets.enumerated().map { number, training in
                try progress(
                    number < folds.count
                        ? "learning without part \(number + 1) of \(folds.count)"
                        : "learning from all", Double(number) / Double(sets.count))
                return linear(kind, recordings, folds, training)
            }
        }
        let plain = classes.map { _ in ClassCalibration.none }
        var logits = [[Double]](repeating: [], count: recordings.count)
        for fold in 0..<folds.count {
            let (judged, models) = (folds.inside(fold), fits[fold].models)
            for model in models {
                let member = ClassifierMember(
                    weight: 1 / Double(models.count), calibration: plain, model: model)
                let rows = member.logits(
                    judged.map { recordings[$0].prepared }, threads: options.threads)
                for (index, row) in zip(judged, rows) {
                    let sum = logits[index].isEmpty ? row.map { _ in 0 } : logits[index]
                    logits[index] = zip(sum, row).map { $0 + member.weight * $1 }
                }
            }
        }
        let whole = fits[folds.count]
        return MemberOutcome(
            kind: kind, logits: logits, models: whole.models, settings: whole.settings)
    }

    private func check(_ recordings: [LabelledECG]) throws {
        let patients = Set(recordings.map(\.patient)).count
        guard patients >= 2 * options.folds else {
            throw TooFew(
                description:
                    "\(patients) patients are too few for \(options.folds) parts; at least "
                    + "\(2 * options.folds) are needed.")
        }
        precondition(
            recordings.allSatisfy { $0.labels.count == classes.count },
            "ClassifierTraining: labels for other classes")
    }

    /// What holds of any classifier that is trained on a thousand recordings.
    private static let limits = [
        "Rare classes were learnt from a few dozen recordings; their intervals say how little is known.",
        "A class that is not listed is not found, and a recording without a finding need not be normal.",
        "Where age, device, filter or population differ from the sources above, calibration and "
            + "thresholds need not hold.",
    ]

    private func card(
        _ evaluation: HeldOutEvaluation, refused: [String: Int], unseen: [String: Estimate]
    ) -> ClassifierCard {
        var card = ClassifierCard()
        card.title = options.title
        card.licence = options.licence
        card.limits = Self.limits + options.limits
        card.protocolText =
            "Every figure is on recordings that the judged model did not see: \(options.folds) parts, "
            + "each left out once, all recordings of a patient in one part; penalties, calibration "
            + "and thresholds come from the other parts. In brackets 95 % intervals, from "
            + "\(options.draws) draws of patients with replacement."
        card.sources = evaluation.sources(refused: refused, unseen: unseen)
        card.classes = evaluation.classRecords
        card.summaries = evaluation.summaries
        card.settings = ["folds": "\(options.folds)"]
        card.seed = options.seed
        card.dataDigest = options.dataDigest
        card.codeVersion = options.codeVersion
        card.software = options.software
        return card
    }
}
