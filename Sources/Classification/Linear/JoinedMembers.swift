internal import Tensors

extension ClassifierMember {
    /// The same sum of logits with fewer members: a linear model on convolutions is part of one that has
    /// the same convolutions and more, so that these are computed once.
    ///
    /// - Parameter members: Of one classifier.
    /// - Returns: Members whose weighted logits add up to those of `members`, but for rounding.
    static func joined(_ members: [ClassifierMember]) -> [ClassifierMember] {
        var result = members
        var place = 0
        while place < result.count {
            let part = result[place]
            let host = result.indices.first { $0 != place && result[$0].has(part) }
            if let host, let sum = result[host].adding(part) {
                result[host] = sum
                result.remove(at: place)
            } else {
                place += 1
            }
        }
        return result
    }

    /// Whether this model's features begin with all of another's.
    private func has(_ other: ClassifierMember) -> Bool {
        guard case .linear(let mine) = model, case .linear(let part) = other.model,
            let kernels = part.features.kernels, part.features.beats == nil
        else { return false }
        return mine.features.kernels?.plan == kernels.plan
            && mine.features.kernels?.bounds == kernels.bounds && mine.features.beats != nil
    }

    /// This model and one of its part, with what brings them to a common scale, as one.
    private func adding(_ other: ClassifierMember) -> ClassifierMember? {
        guard case .linear(let mine) = model, case .linear(let part) = other.model else {
            return nil
        }
        let (width, narrow) = (mine.features.count, part.features.count)
        var weights = mine.weights
        var offsets = mine.offsets
        for k in offsets.indices {
            let own = weight * calibration[k].slope
            let added = other.weight * other.calibration[k].slope
            for i in 0..<width {
                let more = i < narrow ? added * Double(part.weights[k, i]) : 0
                weights[k, i] = Float(own * Double(mine.weights[k, i]) + more)
            }
            offsets[k] = Float(
                own * Double(mine.offsets[k]) + weight * calibration[k].offset
                    + added * Double(part.offsets[k]) + other.weight * other.calibration[k].offset)
        }
        return ClassifierMember(
            weight: 1, calibration: calibration.map { _ in .none },
            model: .linear(
                LinearModel(features: mine.features, weights: weights, offsets: offsets)))
    }
}
