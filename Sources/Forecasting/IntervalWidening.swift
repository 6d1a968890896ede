internal import Foundation
package import Series

/// How much wider or narrower than at the fit intervals are issued, by how often those that were issued
/// before have missed: online conformal prediction.
///
/// For every range of steps and central probability p the factor is exp(γ·S). S sums, over all steps
/// whose truth has arrived, missed − (1 − p), a whole range of steps counting 1. As long as the factor
/// keeps within its bounds, the share of misses over T observations differs from 1 − p by at most
/// 2·log(bound)/(γT), whatever the series does. γ is smaller where the truth comes later: what is
/// forecast today cannot tell tomorrow that it was too narrow. Until its own truth has come, a range
/// takes over the factor of the range before it; that counts less and less, by exp(−γT).
///
/// - Source: Gibbs and Candès, "Adaptive Conformal Inference Under Distribution Shift", 2021; on the
///   width itself as the quantile tracking of Angelopoulos, Candès and Tibshirani, "Conformal PID
///   Control for Time Series Prediction", 2023, here on its logarithm. γ was chosen on validation rows,
///   see ops/decisions/0039.
package struct IntervalWidening: Hashable, Sendable {
    /// What became of the intervals of one central probability over one range of steps.
    package struct Outcome: Hashable, Sendable {
        package let range: HorizonRange
        /// The central probability that the intervals promise, between 0 and 1.
        package let nominal: Double
        /// Steps whose truth has arrived; a target of several runs counts for each.
        package var realised: Int
        /// Those of them whose truth lay outside.
        package var missed: Int

        package init(range: HorizonRange, nominal: Double, realised: Int, missed: Int) {
            precondition(0 <= missed && missed <= realised, "Outcome: \(missed) of \(realised)")
            self.range = range
            self.nominal = nominal
            self.realised = realised
            self.missed = missed
        }
    }

    /// Intervals as the fit made them.
    package static let none = IntervalWidening([])
    /// No interval becomes wider or narrower than by this factor.
    static let bound = 10.0
    private static let rateMaximum = 0.05

    private struct Key: Hashable {
        let range: HorizonRange
        /// In thousandths, so that 0.8 and 2 · 0.9 − 1 are one.
        let nominal: Int

        init(_ range: HorizonRange, _ nominal: Double) {
            self.range = range
            self.nominal = Int((nominal * 1000).rounded())
        }
    }

    private let factors: [Key: Double]

    /// - Parameter outcomes: Of one model and series; at most one for each range and probability.
    package init(_ outcomes: [Outcome]) {
        var factors: [Key: Double] = [:]
        for (_, outcomes) in Dictionary(
            grouping: outcomes, by: { Key($0.range, $0.nominal).nominal })
        {
            let known = Dictionary(
                outcomes.map { ($0.range, $0) }, uniquingKeysWith: { first, _ in first })
            var carried = 0.0
            for range in HorizonRange.all {
                carried = known[range].map { Self.logFactor($0, carried: carried) } ?? carried
                factors[Key(range, outcomes[0].nominal)] = exp(carried)
            }
        }
        self.factors = factors
    }

    /// By how much the interval of one step is wider; 1 where nothing is known.
    ///
    /// - Parameters:
    ///   - step: From 1.
    ///   - nominal: The central probability of the interval.
    /// - Returns: Above 0.
    package func factor(step: Int, nominal: Double) -> Double {
        factors[Key(HorizonRange.all[HorizonRange.index(of: step)], nominal)] ?? 1
    }

    var isNone: Bool { factors.isEmpty }

    /// - Parameters:
    ///   - outcome: Of a range.
    ///   - carried: The logarithm of the factor of the range before it.
    /// - Returns: The logarithm of its factor.
    private static func logFactor(_ outcome: Outcome, carried: Double) -> Double {
        let expected = (1 - outcome.nominal) * Double(outcome.realised)
        let sum = (Double(outcome.missed) - expected) / Double(outcome.range.count)
        let rate = min(rateMaximum, 1 / Double(outcome.range.last))
        let own = exp(-rate * Double(outcome.realised) / Double(outcome.range.count))
        let limit = log(bound)
        return min(max(rate * sum + own * carried, -limit), limit)
    }
}
