/// Weights of several models, chosen on recordings that none of them was trained on.
///
/// Each model's logits are brought to one scale first: their mean to 0, and their slope to the one that
/// calibrates them. A class that a model cannot tell so counts for little of that model.
struct MemberBlend: Sendable {
    /// Of each model, from 0, together 1; chosen on all recordings.
    let weights: [Double]
    /// `[models][classes]`, fitted on all recordings.
    let calibrations: [[ClassCalibration]]
    /// The logits of the blend as it is, `[recordings][classes]`.
    let combined: [[Double]]
    /// The logits of blends that were chosen on the other parts, `[recordings][classes]`.
    let heldOut: [[Double]]
    /// Weights are multiples of one over this.
    private static let steps = 10

    /// - Parameters:
    ///   - scores: Of each model, on the same recordings.
    ///   - folds: Of the recordings.
    init(_ scores: [HeldOutScores], _ folds: PatientFolds) {
        let everything = Array(folds.fold.indices)
        let whole = Self.choose(scores, everything)
        weights = whole.weights
        calibrations = whole.calibrations
        combined = Self.blend(scores, everything, whole.weights, whole.calibrations)
        var heldOut = combined
        for fold in 0..<folds.count {
            let chosen = Self.choose(scores, folds.outside(fold))
            let inside = folds.inside(fold)
            let rows = Self.blend(scores, inside, chosen.weights, chosen.calibrations)
            for (index, row) in zip(inside, rows) { heldOut[index] = row }
        }
        self.heldOut = heldOut
    }

    private static func choose(
        _ scores: [HeldOutScores], _ recordings: [Int]
    ) -> (weights: [Double], calibrations: [[ClassCalibration]]) {
        let calibrations = scores.map { score in
            let part = score.part(recordings)
            return (0..<part.classCount).map { index in
                let known = part.known(index)
                let slope = ClassCalibration(fitting: known.logits, known.labels).slope
                let mean = part.logits.reduce(0) { $0 + $1[index] } / Double(part.logits.count)
                return ClassCalibration(slope: slope, offset: -slope * mean)
            }
        }
        guard scores.count > 1 else {
            return ([1], [calibrations[0].map { _ in ClassCalibration.none }])
        }
        let labels = recordings.map { scores[0].labels[$0] }
        var best = (worth: -Double.infinity, weights: [Double]())
        for weights in simplex(scores.count, steps) {
            let blended = blend(scores, recordings, weights, calibrations)
            let worth = HeldOutScores(logits: blended, labels: labels).macroAUROC
            if worth > best.worth { best = (worth, weights) }
        }
        return (best.weights, calibrations)
    }

    private static func blend(
        _ scores: [HeldOutScores], _ recordings: [Int], _ weights: [Double],
        _ calibrations: [[ClassCalibration]]
    ) -> [[Double]] {
        recordings.map { recording in
            var sum = [Double](repeating: 0, count: calibrations[0].count)
            for (model, weight) in weights.enumerated() where weight > 0 {
                let row = scores[model].logits[recording]
                for k in sum.indices { sum[k] += weight * calibrations[model][k].logit(row[k]) }
            }
            return sum
        }
    }

    /// All weights that are multiples of one over `steps` and add up to 1.
    private static func simplex(_ count: Int, _ steps: Int) -> [[Double]] {
        func compositions(_ count: Int, _ rest: Int) -> [[Int]] {
            guard count > 1 else { return [[rest]] }
            return (0...rest).flatMap { first in
                compositions(count - 1, rest - first).map { [first] + $0 }
            }
        }
        return compositions(count, steps).map { $0.map { Double($0) / Double(steps) } }
    }
}
