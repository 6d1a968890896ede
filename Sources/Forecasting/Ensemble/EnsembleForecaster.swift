/// A convex combination of fitted forecasters.
struct EnsembleForecaster: Sendable {
    /// Members of weight zero are not among them, nor are ensembles.
    let members: [Forecaster]
    /// `[members.count]`, above zero, 1 in sum.
    let weights: [Double]

    /// Traps unless there is a weight for every member.
    init(members: [Forecaster], weights: [Double]) {
        precondition(
            members.count == weights.count && !members.isEmpty,
            "Ensemble: \(members.count) members, \(weights.count) weights")
        self.members = members
        self.weights = weights
    }

    /// Sums over the members, `[…]`; `forecast` gives each one's.
    func combined(_ forecast: (Forecaster) -> [Float]) -> [Float] {
        var sum: [Float] = []
        for (member, weight) in zip(members, weights) {
            let part = forecast(member)
            if sum.isEmpty { sum = [Float](repeating: 0, count: part.count) }
            for index in part.indices { sum[index] += Float(weight) * part[index] }
        }
        return sum
    }

    /// Such as `0.62 spacetime + 0.38 ridge`, the heaviest first.
    var recipe: String {
        zip(members, weights).sorted { $0.1 > $1.1 }.map { member, weight in
            "\((weight * 100).rounded() / 100) \(member.family.rawValue)"
        }.joined(separator: " + ")
    }
}
