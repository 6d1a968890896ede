internal import Foundation
internal import Learning
internal import Tensors

/// One logistic regression a class on how near a recording is to those that were learnt from.
///
/// Nearness is a weighted sum over blocks of features, `Σ shareᵦ·exp(−‖x − y‖ᵦ)`, so that recordings
/// can be alike in rhythm and differ in shape. Distances are taken in the principal components.
///
/// - Source: Schölkopf and Smola, "Learning with Kernels", 2002; the Laplacian is positive definite,
///   and so are sums.
struct KernelModel: Sendable {
    let features: LinearFeatures
    /// One a block of the features.
    let components: [BlockComponents]
    /// Of the recordings that were learnt from, `[references, components of all blocks]`.
    let references: Tensor<Float>
    /// `[references, classes]`
    let weights: Tensor<Float>
    /// `[classes]`
    let offsets: [Float]

    init(
        features: LinearFeatures, components: [BlockComponents], references: Tensor<Float>,
        weights: Tensor<Float>, offsets: [Float]
    ) {
        references.expect([nil, components.reduce(0) { $0 + $1.count }])
        weights.expect([references.shape[0], offsets.count])
        self.features = features
        self.components = components
        self.references = references
        self.weights = weights
        self.offsets = offsets
    }

    /// - Parameters:
    ///   - recording: As the preparation makes it.
    ///   - beats: What is known of its beats already.
    /// - Returns: The logits of the recording, `[classes]`.
    func logits(_ recording: PreparedECG, beats: BeatFeatures.Description? = nil) -> [Double] {
        let row = Self.components(
            of: features.features(recording, beats: beats), components, features.blocks)
        let nearness = Self.nearness(row, references, components, features.blocks)
        let classes = offsets.count
        var result = offsets.map { Double($0) }
        for (reference, value) in nearness.enumerated() {
            for k in 0..<classes {
                result[k] += value * Double(weights.values[reference * classes + k])
            }
        }
        return result
    }

    /// Features → components of all blocks, one after the other.
    static func components(
        of row: [Float], _ components: [BlockComponents], _ blocks: [FeatureBlock]
    ) -> [Float] {
        var start = 0
        return zip(components, blocks).flatMap { component, block in
            defer { start += block.count }
            return component.apply(row[start..<start + block.count])
        }
    }

    /// How near a recording is to each reference, above 0 and at most 1.
    static func nearness(
        _ row: [Float], _ references: Tensor<Float>, _ components: [BlockComponents],
        _ blocks: [FeatureBlock]
    ) -> [Double] {
        let width = row.count
        return (0..<references.shape[0]).map { reference in
            var (start, sum) = (0, 0.0)
            for (component, block) in zip(components, blocks) {
                var square: Float = 0
                for i in start..<start + component.count {
                    let difference = row[i] - references.values[reference * width + i]
                    square += difference * difference
                }
                sum += block.share * exp(-Double(square.squareRoot()))
                start += component.count
            }
            return sum
        }
    }
}

extension KernelModel {
    /// What is needed beside the tensors to read one.
    struct Plan: Hashable, Sendable, Codable {
        /// Components of each block.
        var components: [Int]
        /// Recordings that were learnt from.
        var references: Int
    }

    var plan: Plan { Plan(components: components.map(\.count), references: references.shape[0]) }

    /// Adds its tensors to a checkpoint.
    func write(to checkpoint: inout Checkpoint, _ prefix: String) {
        if let squash = features.squash {
            let count = squash.centres.count
            checkpoint.set(prefix + "centres", Tensor<Float>([count], squash.centres))
            checkpoint.set(prefix + "widths", Tensor<Float>([count], squash.widths))
        }
        for (number, block) in components.enumerated() {
            let name = prefix + "block.\(number)."
            checkpoint.set(name + "means", Tensor<Float>([block.means.count], block.means))
            checkpoint.set(name + "directions", block.directions)
        }
        checkpoint.set(prefix + "references", references)
        checkpoint.set(prefix + "weights", weights)
        checkpoint.set(prefix + "offsets", Tensor<Float>([offsets.count], offsets))
    }

    /// Reads what `write` wrote.
    init(
        _ plan: Plan, classes: Int, preparation: ECGPreparation, _ checkpoint: Checkpoint,
        _ prefix: String
    ) throws(ClassifierDecodingError) {
        guard let beats = BeatFeatures(preparation) else { throw .description }
        let count = beats.measureCount
        let squash = FeatureSquash(
            centres: try checkpoint.finite(prefix + "centres", [count], of: Float.self).values,
            widths: try checkpoint.finite(prefix + "widths", [count], of: Float.self).values)
        guard squash.widths.allSatisfy({ $0 > 0 }) else { throw .tensor(prefix + "widths") }
        let features = LinearFeatures(kernels: nil, beats: beats, squash: squash)
        let blocks = features.blocks
        guard plan.components.count == blocks.count, (1...1_000_000).contains(plan.references),
            zip(plan.components, blocks).allSatisfy({ (1...$1.count).contains($0) })
        else { throw .description }
        var components: [BlockComponents] = []
        for (number, block) in blocks.enumerated() {
            let name = prefix + "block.\(number)."
            components.append(
                BlockComponents(
                    means: try checkpoint.finite(name + "means", [block.count], of: Float.self)
                        .values,
                    directions: try checkpoint.finite(
                        name + "directions", [plan.components[number], block.count],
                        of: Float.self)))
        }
        self.init(
            features: features, components: components,
            references: try checkpoint.finite(
                prefix + "references", [plan.references, plan.components.reduce(0, +)],
                of: Float.self),
            weights: try checkpoint.finite(
                prefix + "weights", [plan.references, classes], of: Float.self),
            offsets: try checkpoint.finite(prefix + "offsets", [classes], of: Float.self).values)
    }
}
