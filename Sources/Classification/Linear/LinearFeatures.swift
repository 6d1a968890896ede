internal import Foundation

/// Which numbers describe a recording to a linear model.
enum FeatureKind: String, Hashable, Sendable, Codable {
    /// Random convolutions.
    case kernels
    /// Rhythm and the usual beat.
    case beats
    /// Both.
    case all
}

/// Features that stand together, and how much they count.
struct FeatureBlock: Hashable, Sendable {
    let count: Int
    /// Of all blocks together 1.
    let share: Double
}

/// The numbers that describe a recording to a linear model.
///
/// The shares of the blocks were chosen by cross-validation, see ops/decisions/0021.
struct LinearFeatures: Sendable {
    let kernels: RocketKernels?
    let beats: BeatFeatures?
    /// Bounds the measures of beats, of which some have outliers without end.
    let squash: FeatureSquash?

    init(kernels: RocketKernels?, beats: BeatFeatures?, squash: FeatureSquash?) {
        precondition(squash?.centres.count == beats?.measureCount, "LinearFeatures: squash")
        self.kernels = kernels
        self.beats = beats
        self.squash = squash
    }

    /// Which features stand together, in order.
    var blocks: [FeatureBlock] {
        let half = kernels == nil || beats == nil ? 1 : 0.5
        var blocks: [FeatureBlock] = []
        if let kernels {
            blocks.append(FeatureBlock(count: kernels.plan.featureCount, share: half))
        }
        if let beats {
            blocks.append(FeatureBlock(count: beats.rhythmCount, share: 0.4 * half))
            blocks.append(FeatureBlock(count: beats.waveCount, share: 0.4 * half))
            blocks.append(FeatureBlock(count: beats.shapeCount, share: 0.2 * half))
        }
        return blocks
    }

    var count: Int { blocks.reduce(0) { $0 + $1.count } }

    /// - Parameters:
    ///   - recording: As the preparation makes it.
    ///   - description: What is known of its beats already; they are looked for where it is nil.
    /// - Returns: The features of the recording, `[count]`.
    func features(
        _ recording: PreparedECG, beats description: BeatFeatures.Description? = nil
    ) -> [Float] {
        var result = kernels?.features(recording) ?? []
        if let beats, let squash {
            let found = description ?? beats.features(recording)
            result += squash.apply(found.measures)
            result += found.shape
        }
        return result
    }
}

/// Keeps each of some numbers within ±1 around what is usual: `tanh((x − median) / 3 quartile
/// distances)`.
struct FeatureSquash: Sendable, Hashable {
    /// The medians.
    let centres: [Float]
    /// Three times the distance between the quartiles, above 0.
    let widths: [Float]

    /// - Parameter rows: `[recordings][numbers]`, at least one row.
    init(fitting rows: [[Float]]) {
        let columns = rows[0].indices.map { i in rows.map { $0[i] }.sorted() }
        func quantile(_ sorted: [Float], _ share: Double) -> Float {
            sorted[Int((share * Double(sorted.count - 1)).rounded())]
        }
        centres = columns.map { quantile($0, 0.5) }
        widths = columns.map { 3 * (quantile($0, 0.75) - quantile($0, 0.25)) + 1e-5 }
    }

    init(centres: [Float], widths: [Float]) {
        self.centres = centres
        self.widths = widths
    }

    /// `[numbers]`, each within ±1.
    func apply(_ row: [Float]) -> [Float] {
        row.indices.map { tanh((row[$0] - centres[$0]) / widths[$0]) }
    }
}
