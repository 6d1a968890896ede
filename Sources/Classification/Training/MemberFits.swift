internal import Learning
internal import Models
internal import Tensors

extension ClassifierTraining {
    /// The models of one part of a family that learnt from the same recordings, and its settings by
    /// name.
    typealias Fit = (models: [ClassifierMember.Model], settings: [String: String])

    /// The network of a family; nil of those that are none.
    func network(_ kind: ClassifierFamily) -> NetworkConfiguration? {
        let leads = preparation.leads.count
        switch kind {
        case .mamba:
            var mamba = ECGMambaConfiguration.tiny(classes: classes.count, leads: leads)
            mamba.pooling = options.pooling
            return .mamba(mamba)
        case .resnet: return .resnet(.tiny(classes: classes.count, leads: leads))
        case .rocket, .beats, .linear, .kernel, .ensemble: return nil
        }
    }

    /// A family that is no network, fitted on some recordings.
    func linear(
        _ kind: ClassifierFamily, _ recordings: [LabelledECG], _ folds: PatientFolds,
        _ training: [Int]
    ) -> Fit {
        if kind == .kernel { return kernel(recordings, folds, training) }
        let features: FeatureKind =
            switch kind {
            case .rocket: .kernels
            case .beats: .beats
            default: .all
            }
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
        _ recordings: [LabelledECG], _ folds: PatientFolds, _ training: [Int]
    ) -> Fit {
        let trainer = KernelTrainer(preparation: preparation, threads: options.threads)
        guard let outcome = trainer.fit(recordings, folds, on: training) else {
            preconditionFailure("ClassifierTraining: no beats at \(preparation.rate)")
        }
        let name = ClassifierFamily.kernel.rawValue
        return (
            [.kernel(outcome.model)],
            [
                name + ".penalty": "\(outcome.penalty)",
                name + ".components": "\(outcome.model.plan.components.reduce(0, +))",
            ]
        )
    }

    /// Networks of several sets of recordings, several at once: a network a thread is faster than a
    /// network on all of them.
    func networks(
        _ kind: ClassifierFamily, _ configuration: NetworkConfiguration,
        _ recordings: [LabelledECG], _ unlabelled: [PreparedECG], _ sets: [[Int]],
        _ progress: (String, Double) throws -> Void
    ) throws -> [Fit] {
        let (prepared, targets) = (
            recordings.map(\.prepared), NetworkExamples.targets(recordings)
        )
        let (network, seeds) = (options.network, options.networksPerPart)
        let count = sets.count * seeds
        let whole = Double(count + 1)
        let pretraining = NetworkPretraining(
            preparation: preparation, options: network, seed: options.seed,
            threads: options.threads)
        try progress("learning to measure", 0)
        let start = try pretraining.fit(configuration, prepared + unlabelled) { epoch in
            try progress(
                "learning to measure", Double(epoch) / Double(network.pretrainingEpochs) / whole)
        }
        var models: [NetworkModel] = []
        while models.count < count {
            let numbers = models.count..<min(count, models.count + options.threads)
            try progress(
                "networks \(numbers.lowerBound + 1) to \(numbers.upperBound) of \(count)",
                Double(numbers.lowerBound + 1) / whole)
            models += ParallelMap.map(numbers.count, threads: options.threads) { place in
                let number = numbers.lowerBound + place
                let trainer = NetworkTrainer(
                    configuration: configuration, options: network,
                    seed: options.seed &+ 7919 &* UInt64(number % seeds))
                return trainer.fit(prepared, targets, on: sets[number / seeds], from: start) {
                    _, _ in
                }
            }
        }
        let settings = [
            kind.rawValue + ".networks": "\(seeds)", kind.rawValue + ".epochs": "\(network.epochs)",
            kind.rawValue + ".epochs.measures": "\(network.pretrainingEpochs)",
            kind.rawValue + ".rate": "\(network.rate)",
            kind.rawValue + ".parameters": "\(configuration.network.layout.count)",
        ]
        return sets.indices.map { set in
            (models[set * seeds..<(set + 1) * seeds].map { .network($0) }, settings)
        }
    }

    /// How well the recordings of each source are told by a regression on nearness that learnt from
    /// the other sources alone.
    func unseenSources(
        _ recordings: [LabelledECG], _ folds: PatientFolds, _ evaluation: HeldOutEvaluation
    ) -> [String: Estimate] {
        var result: [String: Estimate] = [:]
        for source in Set(recordings.map(\.source)) {
            let inside = recordings.indices.filter { recordings[$0].source == source }
            let training = recordings.indices.filter { recordings[$0].source != source }
            let told = classes.indices.filter { k in
                training.count { recordings[$0].labels[k] == true }
                    >= ClassifierCard.positivesMinimum
            }
            let folded = Set(training.map { folds.fold[$0] }).count > 1
            guard folded, evaluation.hasMeanOf(inside, told),
                case .kernel(let model) = kernel(recordings, folds, training).models[0]
            else { continue }
            let logits = ParallelMap.map(inside.count, threads: options.threads) {
                model.logits(recordings[inside[$0]].prepared)
            }
            result[source] = evaluation.auroc(of: inside, told, logits)
        }
        return result
    }
}
