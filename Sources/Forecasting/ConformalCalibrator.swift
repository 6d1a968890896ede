package import Series

/// Turns point forecasts into quantiles by split-conformal prediction, for every step of the
/// horizon on its own.
///
/// Calibrated on the residuals r = y − ŷ of windows that the model was not fitted on. With n
/// exchangeable residuals at a step, the upper end at level q adds the ⌈(n+1)q⌉-th smallest
/// residual (or absolute residual), so that the central interval covers at least its nominal
/// probability.
///
/// Two limits are stated with every fit and never hidden. Neighbouring windows overlap, so that
/// their residuals are dependent and n overstates what is known: the guarantee is approximate, and
/// the coverage reached on held-out windows is recorded beside the nominal one. And where the rank
/// lies beyond the largest residual (n below q/(1−q)), the largest is taken, and `attainable` says
/// what it can promise.
///
/// - Source: Vovk, Gammerman, Shafer 2005; Lei et al. 2018, theorem 2.2.
package struct ConformalCalibrator: Hashable, Sendable {
    /// Which residuals are ranked.
    package enum Method: String, Sendable, Codable {
        /// Quantiles of |r|: intervals symmetric about the forecast.
        case absolute = "split-conformal-absolute"
        /// Quantiles of r: intervals that follow a lopsided or biased error.
        case signed = "split-conformal-signed"
    }

    package let method: Method
    /// Ascending.
    package let levels: [QuantileLevel]
    /// Residuals at each step.
    package let windows: Int
    /// `[levels.count][horizon]`, in scaled units: what the quantile adds to the forecast; ascending
    /// with the level at every step.
    package let offsets: [[Double]]

    /// Steps that were calibrated.
    package var horizon: Int { offsets.first?.count ?? 0 }

    /// - Parameters:
    ///   - residuals: `[horizon][windows]`, y − ŷ in scaled units, in any order; at least one window.
    ///   - method: Which residuals are ranked.
    ///   - levels: Ascending.
    package init(
        residuals: [[Double]], method: Method, levels: [QuantileLevel] = QuantileLevel.standard
    ) {
        precondition(
            residuals.allSatisfy { !$0.isEmpty && $0.count == residuals[0].count },
            "ConformalCalibrator: ragged or no residuals")
        precondition(levels == levels.sorted(), "ConformalCalibrator: levels out of order")
        self.method = method
        self.levels = levels
        windows = residuals.first?.count ?? 0
        var offsets = levels.map { _ in [Double]() }
        for step in residuals {
            let ranked = (method == .signed ? step : step.map { abs($0) }).sorted()
            for (row, level) in levels.enumerated() {
                offsets[row].append(Self.offset(ranked, level.probability, method))
            }
        }
        self.offsets = offsets
    }

    /// The state as it was stored; nil unless the shapes and the order are right.
    init?(method: Method, levels: [QuantileLevel], windows: Int, offsets: [[Double]]) {
        let horizon = offsets.first?.count ?? 0
        guard windows > 0, levels == levels.sorted(), offsets.count == levels.count, horizon > 0,
            offsets.allSatisfy({ $0.count == horizon && $0.allSatisfy(\.isFinite) }),
            zip(offsets, offsets.dropFirst()).allSatisfy({ zip($0, $1).allSatisfy { $0 <= $1 } })
        else { return nil }
        self.method = method
        self.levels = levels
        self.windows = windows
        self.offsets = offsets
    }

    /// The quantiles of a forecast.
    ///
    /// Steps beyond the calibrated horizon take the widest offset of any step, times the root of
    /// step/horizon as a random walk's error would grow: an extrapolation, without a guarantee.
    ///
    /// - Parameters:
    ///   - forecast: `[steps]`, in scaled units.
    ///   - widening: What became of intervals that were issued before.
    /// - Returns: `[levels.count][steps]`, in scaled units; never crossing.
    package func quantiles(
        of forecast: [Double], widening: IntervalWidening = .none
    ) -> [[Double]] {
        var rows = zip(levels, offsets).map { level, row in
            let widest = (level.probability < 0.5 ? row.min() : row.max()) ?? 0
            return forecast.indices.map { step in
                if step < row.count { return row[step] }
                return widest * (Double(step + 1) / Double(row.count)).squareRoot()
            }
        }
        if !widening.isNone { widen(&rows, by: widening) }
        return rows.map { zip(forecast, $0).map { $0 + $1 } }
    }

    /// Moves the ends of intervals about the middle of the innermost one; an inner interval that would
    /// become wider than an outer one widens that too.
    private func widen(_ rows: inout [[Double]], by widening: IntervalWidening) {
        guard let upper = levels.firstIndex(where: { $0.probability > 0.5 }), upper > 0 else {
            return
        }
        for step in rows[0].indices {
            let middle = (rows[upper - 1][step] + rows[upper][step]) / 2
            func moved(_ row: Int) -> Double {
                let nominal = abs(2 * levels[row].probability - 1)
                let factor = widening.factor(step: step + 1, nominal: nominal)
                return middle + factor * (rows[row][step] - middle)
            }
            for row in upper..<rows.count {
                rows[row][step] = max(moved(row), row > upper ? rows[row - 1][step] : middle)
            }
            for row in (0..<upper).reversed() {
                rows[row][step] = min(moved(row), row < upper - 1 ? rows[row + 1][step] : middle)
            }
        }
    }

    /// The coverage that this many residuals can promise for a central interval: the nominal one, or
    /// less where there are too few (n/(n+1) with absolute, (n−1)/(n+1) with signed residuals).
    package func attainable(_ nominal: Double) -> Double {
        let n = Double(windows)
        return min(nominal, (method == .absolute ? n : n - 1) / (n + 1))
    }

    /// The rank that the finite-sample correction asks for, kept within 1...count.
    static func rank(_ level: Double, count: Int) -> Int {
        // A level such as 0.9 with n + 1 = 20 must give 18, not 19: hence the small allowance.
        let exact = (Double(count + 1) * level - 1e-9).rounded(.up)
        return min(max(Int(exact), 1), count)
    }

    private static func offset(_ ranked: [Double], _ level: Double, _ method: Method) -> Double {
        switch method {
        case .absolute:
            let size = ranked[rank(abs(2 * level - 1), count: ranked.count) - 1]
            return level == 0.5 ? 0 : (level < 0.5 ? -size : size)
        case .signed:
            if level >= 0.5 { return ranked[rank(level, count: ranked.count) - 1] }
            // The mirror image of the upper rank: the ⌊(n+1)q⌋-th smallest.
            return ranked[ranked.count - rank(1 - level, count: ranked.count)]
        }
    }
}
