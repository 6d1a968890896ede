internal import Tensors

/// Fits regressions on nearness, with a penalty that is chosen by cross-validation.
struct KernelTrainer: Sendable {
    let preparation: ECGPreparation
    /// The most components of rhythm, waves and shape; see ops/decisions/0026.
    var components = [48, 64, 32]
    /// Tried in this order; of two that are as good the first is taken.
    var penalties = [0.03, 0.1, 0.3]
    var threads = 1

    /// A fitted model, and the penalty that was chosen.
    struct Outcome: Sendable {
        let model: KernelModel
        let penalty: Double
    }

    /// Fits on some recordings.
    ///
    /// - Parameters:
    ///   - recordings: All there are.
    ///   - folds: Of all recordings; the penalty is chosen by leaving out one of them after another.
    ///   - training: Numbers of the recordings to learn from, ascending.
    /// - Returns: The model, fitted once more on all of `training`; nil where the rate is one at
    ///   which no beats can be found.
    func fit(_ recordings: [LabelledECG], _ folds: PatientFolds, on training: [Int]) -> Outcome? {
        guard let beats = BeatFeatures(preparation) else { return nil }
        let found = ParallelMap.map(training.count, threads: threads) {
            beats.features(recordings[training[$0]].prepared)
        }
        let squash = FeatureSquash(fitting: found.map(\.measures))
        let features = LinearFeatures(kernels: nil, beats: beats, squash: squash)
        let rows = found.map { squash.apply($0.measures) + $0.shape }
        let blocks = features.blocks
        var start = 0
        let components = zip(blocks, components).map { block, count in
            defer { start += block.count }
            return BlockComponents(
                fitting: rows.map { Array($0[start..<start + block.count]) }, count: count)
        }
        let points = rows.map { KernelModel.components(of: $0, components, blocks) }
        let references = Tensor([points.count, points[0].count], points.flatMap { $0 })
        let gram = ParallelMap.map(points.count, threads: threads) {
            KernelModel.nearness(points[$0], references, components, blocks)
        }
        let labels = training.map { recordings[$0].labels }
        let penalty = penalty(gram, labels, training.map { folds.fold[$0] })
        let fit = GramRegression(Self.square(gram, Array(gram.indices)))
            .fit(labels, penalty: penalty)
        return Outcome(
            model: KernelModel(
                features: features, components: components, references: references,
                weights: fit.weights.converted(to: Float.self),
                offsets: fit.offsets.map { Float($0) }), penalty: penalty)
    }

    /// The penalty that ranks best on parts left out.
    private func penalty(_ gram: [[Double]], _ labels: [[Bool?]], _ fold: [Int]) -> Double {
        let numbers = Set(fold).sorted()
        let held = ParallelMap.map(numbers.count, threads: threads) { number in
            let inside = fold.indices.filter { fold[$0] == numbers[number] }
            let outside = fold.indices.filter { fold[$0] != numbers[number] }
            let regression = GramRegression(Self.square(gram, outside))
            let known = outside.map { labels[$0] }
            return penalties.map { penalty in
                let fit = regression.fit(known, penalty: penalty)
                return inside.map { row in
                    fit.offsets.indices.map { k in
                        outside.indices.reduce(fit.offsets[k]) {
                            $0 + gram[row][outside[$1]] * fit.weights[$1, k]
                        }
                    }
                }
            }
        }
        let worth = penalties.indices.map { penalty in
            var logits = [[Double]](repeating: [], count: fold.count)
            for (number, rows) in zip(numbers, held) {
                let inside = fold.indices.filter { fold[$0] == number }
                for (place, row) in zip(inside, rows[penalty]) { logits[place] = row }
            }
            return HeldOutScores(logits: logits, labels: labels).macroAUROC
        }
        var best = 0
        for index in worth.indices where worth[index] > worth[best] { best = index }
        return penalties[best]
    }

    private static func square(_ gram: [[Double]], _ chosen: [Int]) -> Tensor<Double> {
        Tensor(
            [chosen.count, chosen.count], chosen.flatMap { row in chosen.map { gram[row][$0] } })
    }
}
