internal import Learning
internal import Tensors

/// Random convolutions and one logistic regression a class on them.
struct RocketModel: Sendable {
    let kernels: RocketKernels
    /// `[classes, features]`
    let weights: Tensor<Float>
    /// `[classes]`
    let offsets: [Float]

    /// The logits of a recording, `[classes]`.
    func logits(_ recording: PreparedECG) -> [Double] {
        let features = Tensor<Float>([kernels.plan.featureCount, 1], kernels.features(recording))
        let sums = matmul(weights, features).values
        return offsets.indices.map { Double(sums[$0]) + Double(offsets[$0]) }
    }

    /// Adds its tensors to a checkpoint.
    func write(to checkpoint: inout Checkpoint, _ prefix: String) {
        let plan = kernels.plan
        checkpoint.set(
            prefix + "bounds",
            Tensor<Float>(
                [plan.groups.count, RocketKernels.patternCount, plan.bounds], kernels.bounds))
        checkpoint.set(prefix + "weights", weights)
        checkpoint.set(prefix + "offsets", Tensor<Float>([offsets.count], offsets))
    }

    init(kernels: RocketKernels, weights: Tensor<Float>, offsets: [Float]) {
        weights.expect([offsets.count, kernels.plan.featureCount])
        self.kernels = kernels
        self.weights = weights
        self.offsets = offsets
    }

    /// Reads what `write` wrote.
    init(
        _ plan: RocketKernels.Plan, classes: Int, preparation: ECGPreparation,
        _ checkpoint: Checkpoint, _ prefix: String
    ) throws(ClassifierDecodingError) {
        let isSound =
            (1...1000).contains(plan.groups.count) && (1...16).contains(plan.bounds)
            && plan.groups.allSatisfy { group in
                (1...preparation.sampleCount).contains(group.dilation)
                    && group.weights.count == preparation.leads.count
                    && group.weights.allSatisfy(\.isFinite)
            }
        guard isSound else { throw .description }
        let bounds = try checkpoint.finite(
            prefix + "bounds", [plan.groups.count, RocketKernels.patternCount, plan.bounds],
            of: Float.self)
        kernels = RocketKernels(plan: plan, bounds: bounds.values)
        weights = try checkpoint.finite(
            prefix + "weights", [classes, plan.featureCount], of: Float.self)
        offsets = try checkpoint.finite(prefix + "offsets", [classes], of: Float.self).values
    }
}
