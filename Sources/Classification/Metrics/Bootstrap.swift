internal import Tensors

/// A figure with its 95 % interval.
package struct Estimate: Hashable, Sendable, Codable {
    package let value: Double
    package let low: Double
    package let high: Double

    package init(value: Double, low: Double, high: Double) {
        self.value = value
        self.low = low
        self.high = high
    }
}

/// Percentile intervals by drawing patients with replacement.
///
/// - Source: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, §13; whole patients are
///   drawn because recordings of one patient are alike.
package struct Bootstrap: Sendable {
    /// How often each recording is in each drawn set, `[draws][recordings]`.
    package let counts: [[Int]]

    /// - Parameters:
    ///   - groups: The patient of each recording, by any number.
    ///   - draws: How many sets are drawn.
    ///   - seed: The same seed draws the same sets.
    package init(groups: [Int], draws: Int = 1000, seed: UInt64) {
        var members: [Int: [Int]] = [:]
        for (index, group) in groups.enumerated() { members[group, default: []].append(index) }
        let patients = members.keys.sorted().map { members[$0] ?? [] }
        var random = RandomStream(seed: seed)
        counts = (0..<draws).map { _ in
            var count = [Int](repeating: 0, count: groups.count)
            for _ in patients.indices {
                for index in patients[random.integer(below: patients.count)] { count[index] += 1 }
            }
            return count
        }
    }

    /// The interval of a statistic.
    ///
    /// - Parameters:
    ///   - value: The statistic of the recordings as they are.
    ///   - threads: How many draws are computed at once.
    ///   - statistic: Of a drawn set; NaN where it is not defined, which is then left out.
    /// - Returns: The value with the 2.5th and the 97.5th percentile; NaN bounds where nothing is
    ///   defined.
    package func estimate(
        _ value: Double, threads: Int, _ statistic: @Sendable ([Int]) -> Double
    ) -> Estimate {
        let drawn = ParallelMap.map(counts.count, threads: threads) { statistic(counts[$0]) }
        let sorted = drawn.filter { !$0.isNaN }.sorted()
        guard !sorted.isEmpty else { return Estimate(value: value, low: .nan, high: .nan) }
        func percentile(_ share: Double) -> Double {
            let place = share * Double(sorted.count - 1)
            let (low, high) = (Int(place.rounded(.down)), Int(place.rounded(.up)))
            return sorted[low] + (place - Double(low)) * (sorted[high] - sorted[low])
        }
        return Estimate(value: value, low: percentile(0.025), high: percentile(0.975))
    }
}
