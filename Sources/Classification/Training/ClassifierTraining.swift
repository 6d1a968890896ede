internal import Learning
internal import Models
internal import Tensors

/// Trains classifiers on labelled recordings, judges them on those left out, and makes the model that
/// learnt from all.
package struct ClassifierTraining: Sendable {
    /// How to train, and what to record.
    package struct Options: Sendable {
        package var family = ClassifierFamily.ensemble
        /// What an ensemble is made of.
        package var parts: [ClassifierFamily] = [.rocket, .linear, .resnet]
        /// Parts of the recordings of which each is left out once; at least 3.
        package var folds = 5
        package var seed: UInt64 = 0
        package var threads = 1
        /// Sets drawn for an interval.
        package var draws = 1000
        /// Networks that one part of a family is the mean of.
        package var networksPerPart = 1
        var network = NetworkTrainingOptions()
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
    ///   - refused: Recordings of each source that the preparation refused, for the record.
    ///   - progress: Called before every step; what it throws ends the training.
    /// - Returns: The classifier, whose card tells how it did on recordings left out.
    /// - Throws: `TooFew`; what `progress` throws.
    package func train(
        _ recordings: [LabelledECG], refused: [String: Int] = [:],
        progress: (Progress) throws -> Void
    ) throws -> FittedClassifier {
        try check(recordings)
        let folds = PatientFolds(recordings, count: options.folds)
        let labels = recordings.map(\.labels)
        let parts = options.family == .ensemble ? options.parts : [options.family]
        let outcomes = try parts.enumerated().map { number, kind in
            try member(kind, recordings, folds) { step, fraction in
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
        var card = card(evaluation, refused: refused)
        for outcome in outcomes {
            card.settings.merge(outcome.settings) { $1 }
            guard outcomes.count > 1 else { continue }
            let alone = HeldOutEvaluation(
                classes, recordings, folds, logits: outcome.logits, draws: options.draws,
                seed: options.seed, threads: options.threads)
            card.summaries += alone.rankings(of: outcome.kind.rawValue + " alone")
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
            members: members)
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
        _ kind: ClassifierFamily, _ recordings: [LabelledECG], _ folds: PatientFolds,
        _ progress: (String, Double) throws -> Void
    ) throws -> MemberOutcome {
        let steps = Double(folds.count + 1)
        let plain = classes.map { _ in ClassCalibration.none }
        var logits = [[Double]](repeating: [], count: recordings.count)
        for fold in 0..<folds.count {
            try progress(
                "learning without part \(fold + 1) of \(folds.count)", Double(fold) / steps)
            let models = try fit(kind, recordings, folds, on: folds.outside(fold)) { fraction in
                try progress(
                    "learning without part \(fold + 1) of \(folds.count)",
                    (Double(fold) + fraction) / steps)
            }.models
            let judged = folds.inside(fold)
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
        try progress("learning from all", Double(folds.count) / steps)
        let outcome = try fit(kind, recordings, folds, on: Array(recordings.indices)) { fraction in
            try progress("learning from all", (Double(folds.count) + fraction) / steps)
        }
        return MemberOutcome(
            kind: kind, logits: logits, models: outcome.models, settings: outcome.settings)
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

    /// The models of one part, and its settings by name.
    private func fit(
        _ kind: ClassifierFamily, _ recordings: [LabelledECG], _ folds: PatientFolds,
        on training: [Int], _ progress: (Double) throws -> Void
    ) throws -> (models: [ClassifierMember.Model], settings: [String: String]) {
        switch kind {
        case .rocket: linear(kind, .kernels, recordings, folds, training)
        case .beats: linear(kind, .beats, recordings, folds, training)
        case .linear, .ensemble: linear(kind, .all, recordings, folds, training)
        case .kernel: kernel(kind, recordings, folds, training)
        case .mamba:
            try networks(
                kind,
                .mamba(.tiny(classes: classes.count, leads: preparation.leads.count)),
                recordings, training, progress)
        case .resnet:
            try networks(
                kind,
                .resnet(.tiny(classes: classes.count, leads: preparation.leads.count)),
                recordings, training, progress)
        }
    }

    private func linear(
        _ kind: ClassifierFamily, _ features: FeatureKind, _ recordings: [LabelledECG],
        _ folds: PatientFolds, _ training: [Int]
    ) -> (models: [ClassifierMember.Model], settings: [String: String]) {
        let trainer = LinearTrainer(
            kind: features, preparation: preparation, seed: options.seed, threads: options.threads)
        let outcome = trainer.fit(recordings, folds, on: training)
        return (
            [.linear(outcome.model)],
            [
                kind.rawValue + ".penalty": "\(outcome.penalty)",
                kind.rawValue + ".features": "\(outcome.model.features.count)",
            ]
        )
    }

    private func kernel(
        _ kind: ClassifierFamily, _ recordings: [LabelledECG], _ folds: PatientFolds,
        _ training: [Int]
    ) -> (models: [ClassifierMember.Model], settings: [String: String]) {
        let trainer = KernelTrainer(preparation: preparation, threads: options.threads)
        guard let outcome = trainer.fit(recordings, folds, on: training) else {
            preconditionFailure("ClassifierTraining: no beats at \(preparation.rate)")
        }
        let plan = outcome.model.plan
        return (
            [.kernel(outcome.model)],
            [
                kind.rawValue + ".penalty": "\(outcome.penalty)",
                kind.rawValue + ".components": "\(plan.components.reduce(0, +))",
            ]
        )
    }

    /// Several networks that differ in where they began and in what they saw when.
    private func networks(
        _ kind: ClassifierFamily, _ configuration: NetworkConfiguration,
        _ recordings: [LabelledECG], _ training: [Int], _ progress: (Double) throws -> Void
    ) throws -> (models: [ClassifierMember.Model], settings: [String: String]) {
        let seeds = options.networksPerPart
        let epochs = options.network.epochs
        let (prepared, targets) = (
            recordings.map(\.prepared), NetworkExamples.targets(recordings)
        )
        var models: [ClassifierMember.Model] = []
        for number in 0..<seeds {
            let trainer = NetworkTrainer(
                configuration: configuration, options: options.network,
                seed: options.seed &+ 7919 &* UInt64(number), threads: options.threads)
            let model = try trainer.fit(prepared, targets, on: training) { epoch, _ in
                try progress(Double(number * epochs + epoch) / Double(seeds * epochs))
            }
            models.append(.network(model))
        }
        return (
            models,
            [
                kind.rawValue + ".networks": "\(seeds)", kind.rawValue + ".epochs": "\(epochs)",
                kind.rawValue + ".rate": "\(options.network.rate)",
                kind.rawValue + ".parameters": "\(configuration.network.layout.count)",
            ]
        )
    }

    /// What holds of any classifier that is trained on a thousand recordings.
    private static let limits = [
        "Rare classes were learnt from a few dozen recordings; their intervals say how little is known.",
        "A class that is not listed is not found, and a recording without a finding need not be normal.",
        "Where age, device, filter or population differ from the sources above, calibration and "
            + "thresholds need not hold.",
    ]

    private func card(
        _ evaluation: HeldOutEvaluation, refused: [String: Int]
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
        card.sources = evaluation.sources(refused: refused)
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
