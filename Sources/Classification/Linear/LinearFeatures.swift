/// Which numbers describe a recording to a linear model.
enum FeatureKind: String, Hashable, Sendable, Codable {
    /// Random convolutions.
    case kernels
    /// Rhythm and the usual beat.
    case beats
    /// Both.
    case all
}

/// The numbers that describe a recording to a linear model, in blocks that count alike.
struct LinearFeatures: Sendable {
    let kernels: RocketKernels?
    let beats: BeatFeatures?

    /// How many features stand together.
    var blocks: [Int] {
        (kernels.map { [$0.plan.featureCount] } ?? [])
            + (beats.map { [$0.measureCount, $0.shapeCount] } ?? [])
    }

    var count: Int { blocks.reduce(0, +) }

    /// The features of a recording, `[count]`.
    func features(_ recording: PreparedECG) -> [Float] {
        var result = kernels?.features(recording) ?? []
        if let beats {
            let found = beats.features(recording)
            result += found.measures
            result += found.shape
        }
        return result
    }
}
