internal import Learning
internal import Tensors

/// One logistic regression a class on the features of a recording.
struct LinearModel: Sendable {
    let features: LinearFeatures
    /// `[classes, features]`
    let weights: Tensor<Float>
    /// `[classes]`
    let offsets: [Float]

    init(features: LinearFeatures, weights: Tensor<Float>, offsets: [Float]) {
        weights.expect([offsets.count, features.count])
        self.features = features
        self.weights = weights
        self.offsets = offsets
    }

    /// - Parameters:
    ///   - recording: As the preparation makes it.
    ///   - beats: What is known of its beats already.
    /// - Returns: The logits of the recording, `[classes]`.
    func logits(_ recording: PreparedECG, beats: BeatFeatures.Description? = nil) -> [Double] {
        let row = features.features(recording, beats: beats)
        let column = Tensor<Float>([features.count, 1], row)
        let sums = matmul(weights, column).values
        return offsets.indices.map { Double(sums[$0]) + Double(offsets[$0]) }
    }
}

extension LinearModel {
    /// What is needed beside the tensors to read one.
    struct Plan: Hashable, Sendable, Codable {
        var kernels: RocketKernels.Plan?
        var usesBeats: Bool
    }

    var plan: Plan { Plan(kernels: features.kernels?.plan, usesBeats: features.beats != nil) }

    /// Adds its tensors to a checkpoint.
    func write(to checkpoint: inout Checkpoint, _ prefix: String) {
        if let kernels = features.kernels {
            let plan = kernels.plan
            checkpoint.set(
                prefix + "bounds",
                Tensor<Float>(
                    [plan.groups.count, RocketKernels.patternCount, plan.bounds], kernels.bounds))
        }
        if let squash = features.squash {
            let count = squash.centres.count
            checkpoint.set(prefix + "centres", Tensor<Float>([count], squash.centres))
            checkpoint.set(prefix + "widths", Tensor<Float>([count], squash.widths))
        }
        checkpoint.set(prefix + "weights", weights)
        checkpoint.set(prefix + "offsets", Tensor<Float>([offsets.count], offsets))
    }

    /// Reads what `write` wrote.
    init(
        _ plan: Plan, classes: Int, preparation: ECGPreparation, _ checkpoint: Checkpoint,
        _ prefix: String
    ) throws(ClassifierDecodingError) {
        var kernels: RocketKernels?
        if let plan = plan.kernels {
            guard plan.isSound(for: preparation) else { throw .description }
            let bounds = try checkpoint.finite(
                prefix + "bounds", [plan.groups.count, RocketKernels.patternCount, plan.bounds],
                of: Float.self)
            kernels = RocketKernels(plan: plan, bounds: bounds.values)
        }
        let beats = plan.usesBeats ? BeatFeatures(preparation) : nil
        guard kernels != nil || beats != nil else { throw .description }
        var squash: FeatureSquash?
        if let beats {
            let count = beats.measureCount
            squash = FeatureSquash(
                centres: try checkpoint.finite(prefix + "centres", [count], of: Float.self).values,
                widths: try checkpoint.finite(prefix + "widths", [count], of: Float.self).values)
            guard squash?.widths.allSatisfy({ $0 > 0 }) == true else {
                throw .tensor(prefix + "widths")
            }
        }
        features = LinearFeatures(kernels: kernels, beats: beats, squash: squash)
        weights = try checkpoint.finite(
            prefix + "weights", [classes, features.count], of: Float.self)
        offsets = try checkpoint.finite(prefix + "offsets", [classes], of: Float.self).values
    }
}

extension RocketKernels.Plan {
    /// Whether a plan that was read from a file can be carried out on such recordings.
    fileprivate func isSound(for preparation: ECGPreparation) -> Bool {
        (1...1000).contains(groups.count) && (1...16).contains(bounds)
            && groups.allSatisfy { group in
                (1...preparation.sampleCount).contains(group.dilation)
                    && group.weights.count == preparation.leads.count
                    && group.weights.allSatisfy(\.isFinite)
            }
    }
}
