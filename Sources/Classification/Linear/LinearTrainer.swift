internal import Tensors

/// Fits logistic regressions on features, with a penalty that is chosen by cross-validation.
struct LinearTrainer: Sendable {
    let kind: FeatureKind
    let preparation: ECGPreparation
    var sizes = RocketKernels.Sizes()
    /// Tried in this order; of two that are as good the first is taken.
    var penalties = [0.1, 0.3, 1]
    var seed: UInt64 = 0
    var threads = 1

    /// A fitted model, and the penalty that was chosen.
    struct Outcome: Sendable {
        let model: LinearModel
        let penalty: Double
    }

    /// Fits on some recordings.
    ///
    /// - Parameters:
    ///   - recordings: All there are.
    ///   - folds: Of all recordings; the penalty is chosen by leaving out one of them after another.
    ///   - training: Numbers of the recordings to learn from, ascending.
    /// - Returns: The model, fitted once more on all of `training`.
    func fit(_ recordings: [LabelledECG], _ folds: PatientFolds, on training: [Int]) -> Outcome {
        let features = features(training.map { recordings[$0].prepared })
        let rows = ParallelMap.map(training.count, threads: threads) { place in
            features.features(recordings[training[place]].prepared)
        }
        let labels = training.map { recordings[$0].labels }
        let numbers = Set(training.map { folds.fold[$0] }).sorted()
        let held = ParallelMap.map(numbers.count, threads: threads) { number in
            let fold = numbers[number]
            let inside = training.indices.filter { folds.fold[training[$0]] == fold }
            let outside = training.indices.filter { folds.fold[training[$0]] != fold }
            let regression = LogisticRegression(
                Self.matrix(rows, outside), blocks: features.blocks)
            let judged = Self.matrix(rows, inside)
            let known = outside.map { labels[$0] }
            return (
                inside,
                penalties.map { penalty in
                    let fit = regression.fit(known, penalty: penalty)
                    return Self.logits(judged, fit)
                }
            )
        }
        var scores = penalties.map { _ in
            [[Double]](repeating: [], count: training.count)
        }
        for (inside, logits) in held {
            for (penalty, rows) in logits.enumerated() {
                for (place, row) in zip(inside, rows) { scores[penalty][place] = row }
            }
        }
        let worth = scores.map { HeldOutScores(logits: $0, labels: labels).macroAUROC }
        var best = 0
        for index in worth.indices where worth[index] > worth[best] { best = index }
        let all = LogisticRegression(
            Self.matrix(rows, Array(rows.indices)), blocks: features.blocks)
        let fit = all.fit(labels, penalty: penalties[best])
        return Outcome(
            model: LinearModel(features: features, weights: fit.weights, offsets: fit.offsets),
            penalty: penalties[best])
    }

    /// Kernels are drawn, and take their bounds from these recordings.
    private func features(_ recordings: [PreparedECG]) -> LinearFeatures {
        var random = RandomStream(seed: seed).stream(1)
        let kernels =
            kind == .beats
            ? nil
            : RocketKernels(drawing: sizes, from: recordings, threads: threads, &random)
        guard kind != .kernels, let beats = BeatFeatures(preparation) else {
            return LinearFeatures(kernels: kernels, beats: nil, squash: nil)
        }
        let rows = ParallelMap.map(recordings.count, threads: threads) {
            beats.features(recordings[$0]).measures
        }
        return LinearFeatures(
            kernels: kernels, beats: beats, squash: FeatureSquash(fitting: rows))
    }

    private static func matrix(_ rows: [[Float]], _ chosen: [Int]) -> Tensor<Float> {
        Tensor([chosen.count, rows[0].count], chosen.flatMap { rows[$0] })
    }

    private static func logits(
        _ features: Tensor<Float>, _ fit: LogisticRegression.Fit
    ) -> [[Double]] {
        let product = matmul(features, fit.weights, transposeB: true)
        let classes = fit.offsets.count
        return (0..<features.shape[0]).map { row in
            (0..<classes).map {
                Double(product.values[row * classes + $0]) + Double(fit.offsets[$0])
            }
        }
    }
}
