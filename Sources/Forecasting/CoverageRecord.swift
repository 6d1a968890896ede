import Series

/// How often the truth lay inside an interval, beside how often it should have.
package struct CoverageRecord: Hashable, Sendable, Codable {
    /// The probability that the interval promises.
    package let nominal: Double
    /// The share of targets that lay inside, over all windows and steps; ends included.
    package let achieved: Double
    /// Windows that it was counted on.
    package let windows: Int

    /// Calibrates on the earlier windows and counts on the later ones, so that the figure is one
    /// that a user would have met.
    ///
    /// Windows that share targets with the earlier half are left out of the count where enough
    /// remain.
    ///
    /// - Parameters:
    ///   - residuals: `[horizon][windows]` in time order.
    ///   - method: As the calibrator will use.
    ///   - nominals: Central probabilities.
    /// - Returns: A record for each; none with fewer than four windows.
    static func heldOut(
        _ residuals: [[Double]], method: ConformalCalibrator.Method, nominals: [Double]
    ) -> [CoverageRecord] {
        let count = residuals.first?.count ?? 0
        guard count >= 4 else { return [] }
        let half = count / 2
        let start = half + residuals.count < count ? half + residuals.count : half
        let earlier = residuals.map { Array($0[..<half]) }
        return nominals.map { nominal in
            let levels = [(1 - nominal) / 2, (1 + nominal) / 2].map { QuantileLevel($0) }
            let calibrator = ConformalCalibrator(
                residuals: earlier, method: method, levels: levels)
            var inside = 0
            for (step, row) in residuals.enumerated() {
                let (low, high) = (calibrator.offsets[0][step], calibrator.offsets[1][step])
                inside += row[start...].count { low <= $0 && $0 <= high }
            }
            let total = (count - start) * residuals.count
            return CoverageRecord(
                nominal: nominal, achieved: Double(inside) / Double(total),
                windows: count - start)
        }
    }
}
