internal import Tensors

/// Trains classifiers on labelled recordings, judges them on those left out, and makes the model that
/// learnt from all.
package struct ClassifierTraining: Sendable {
    /// How to train, and what to record.
    package struct Options: Sendable {
        package var family = ClassifierFamily.rocket
        /// Parts of the recordings of which each is left out once.
        package var folds = 5
        package var seed: UInt64 = 0
        package var threads = 1
        /// Sets drawn for an interval.
        package var draws = 1000
        package var title = ""
        package var licence = ""
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
            options.folds > 1 && options.threads > 0 && options.draws > 0,
            "ClassifierTraining: \(options)")
        self.classes = classes
        self.preparation = preparation
        self.options = options
    }

    /// Trains on all recordings, after as many trainings as there are folds to judge by.
    ///
    /// - Parameters:
    ///   - recordings: One label a class.
    ///   - refused: Recordings of each source that the preparation refused, for the record.
    ///   - clock: Measures the seconds of the record.
    ///   - progress: Called before every step; what it throws ends the training.
    /// - Returns: The classifier, whose card tells how it did on recordings left out.
    /// - Throws: `TooFew`; what `progress` throws.
    package func train(
        _ recordings: [LabelledECG], refused: [String: Int] = [:],
        clock: any Clock<Duration> = ContinuousClock(), progress: (Progress) throws -> Void
    ) throws -> FittedClassifier {
        try check(recordings)
        let stopwatch = Stopwatch(clock)
        let folds = PatientFolds(recordings, count: options.folds)
        let steps = Double(options.folds + 1)
        var logits = [[Double]](repeating: [], count: recordings.count)
        for fold in 0..<folds.count {
            try progress(
                Progress(
                    step: "learning without part \(fold + 1) of \(folds.count)",
                    fraction: Double(fold) / steps))
            let member = fit(recordings, folds, on: folds.outside(fold)).member
            let judged = folds.inside(fold)
            let rows = member.logits(
                judged.map { recordings[$0].prepared }, threads: options.threads)
            for (index, row) in zip(judged, rows) { logits[index] = row }
        }
        try progress(
            Progress(step: "learning from all", fraction: Double(folds.count) / steps))
        let outcome = fit(recordings, folds, on: Array(recordings.indices))
        let evaluation = HeldOutEvaluation(
            classes, recordings, folds, logits: logits, draws: options.draws, seed: options.seed,
            threads: options.threads)
        let tuning = ClassifierTuning(classes, evaluation.scores)
        var card = card(evaluation, refused: refused)
        card.settings.merge(outcome.settings) { $1 }
        card.trainSeconds = stopwatch.seconds
        return FittedClassifier(
            family: options.family, classes: classes, preparation: preparation,
            thresholds: tuning.thresholds, calibration: tuning.calibration, card: card,
            members: [outcome.member])
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

    /// One member, fitted, and its settings by name.
    private func fit(
        _ recordings: [LabelledECG], _ folds: PatientFolds, on training: [Int]
    ) -> (member: ClassifierMember, settings: [String: String]) {
        let trainer = RocketTrainer(seed: options.seed, threads: options.threads)
        let outcome = trainer.fit(recordings, folds, on: training)
        return (
            ClassifierMember(weight: 1, model: .rocket(outcome.model)),
            [
                "penalty": "\(outcome.penalty)",
                "features": "\(outcome.model.kernels.plan.featureCount)",
            ]
        )
    }

    private func card(
        _ evaluation: HeldOutEvaluation, refused: [String: Int]
    ) -> ClassifierCard {
        var card = ClassifierCard()
        card.title = options.title
        card.licence = options.licence
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
        card.threads = options.threads
        card.dataDigest = options.dataDigest
        card.codeVersion = options.codeVersion
        card.software = options.software
        return card
    }
}

/// Seconds since it was made.
struct Stopwatch {
    private let elapsed: () -> Duration

    init(_ clock: any Clock<Duration>) { elapsed = Self.start(clock) }

    private static func start<C: Clock<Duration>>(_ clock: C) -> () -> Duration {
        let start = clock.now
        return { start.duration(to: clock.now) }
    }

    var seconds: Double {
        let parts = elapsed().components
        return Double(parts.seconds) + Double(parts.attoseconds) * 1e-18
    }
}
