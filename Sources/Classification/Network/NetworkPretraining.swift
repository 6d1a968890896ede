internal import Learning
internal import Models
internal import Tensors

/// Lets a network learn to measure before it learns to diagnose: its body is trained on what a program
/// measures of the rhythm and the waves of any recording, so that recordings without a label teach too.
///
/// A measure lies between 0 and 1 by its squash, and is a target like any finding. Silent leads make
/// the network say what their waves must be by the others.
///
/// - Source: the idea of Caruana, "Multitask Learning", Machine Learning 28, 1997, one task after the
///   other.
struct NetworkPretraining: Sendable {
    let preparation: ECGPreparation
    /// Of which the number of epochs is another one, and the mixtures are left out.
    let options: NetworkTrainingOptions
    var seed: UInt64 = 0
    var threads = 1

    /// Trains on recordings without labels.
    ///
    /// - Parameters:
    ///   - configuration: The network; its classes do not matter.
    ///   - recordings: At least one.
    ///   - progress: Called after every epoch with its number from 1.
    /// - Returns: A network of the same body; nil where no beat is found in any recording.
    /// - Throws: What `progress` throws.
    func fit(
        _ configuration: NetworkConfiguration, _ recordings: [PreparedECG],
        progress: (Int) throws -> Void
    ) rethrows -> NetworkModel? {
        guard options.pretrainingEpochs > 0, let targets = targets(recordings) else { return nil }
        var options = options
        options.epochs = options.pretrainingEpochs
        options.mixedShare = 0
        options.augmentation.gain = 0.05
        options.augmentation.leadLoss = 0.15
        let trainer = NetworkTrainer(
            configuration: configuration.telling(targets[0].count), options: options,
            seed: seed &+ 77, threads: threads)
        return try trainer.fit(recordings, targets, on: Array(recordings.indices)) { epoch, _ in
            try progress(epoch)
        }
    }

    /// The measures of every recording between 0 and 1; nil of those without beats.
    private func targets(_ recordings: [PreparedECG]) -> NetworkExamples.Targets? {
        guard let beats = BeatFeatures(preparation) else { return nil }
        let rows = ParallelMap.map(recordings.count, threads: threads) {
            beats.features(recordings[$0]).measures
        }
        let found = rows.filter { row in row.contains { $0 != 0 } }
        guard !found.isEmpty else { return nil }
        let squash = FeatureSquash(fitting: found)
        return rows.map { row in
            row.contains { $0 != 0 }
                ? squash.apply(row).map { (1 + $0) / 2 } : row.map { _ in nil }
        }
    }
}
