package import Series
import Foundation

/// How many alerts a series may raise, and the score that keeps to it.
package struct AlertBudget: Hashable, Sendable, Codable {
    /// Above zero.
    package let alertsPerWeek: Double

    /// Traps unless `alertsPerWeek` is above zero and finite.
    package init(alertsPerWeek: Double) {
        precondition(alertsPerWeek > 0 && alertsPerWeek.isFinite, "AlertBudget: \(alertsPerWeek)")
        self.alertsPerWeek = alertsPerWeek
    }

    static let secondsPerWeek = 604_800.0
    /// An observation that one in a hundred would beat is no anomaly, whatever the budget.
    private static let probabilityMaximum = 0.01

    /// The fire score that the budget implies if probabilities are calibrated and observations
    /// independent: an alert begins with a hit that has n − 1 further ones among the m − 1
    /// observations before it.
    ///
    /// Real residuals come in runs, so that n of m happens more often than this; where there is a
    /// stretch of history to try, `fireScore(tuning:…)` counts instead.
    ///
    /// - Parameters:
    ///   - rate: Of the series.
    ///   - hits: n.
    ///   - window: m.
    /// - Returns: A score, −log10 of the probability of one hit.
    package func fireScore(rate: SamplingRate, hits: Int, window: Int) -> Double {
        precondition(hits >= 1 && hits <= window, "AlertBudget: \(hits) of \(window)")
        let wanted = alertsPerWeek * rate.stepSeconds / Self.secondsPerWeek
        var (low, high) = (1e-12, Self.probabilityMaximum)
        guard Self.alertRate(high, hits, window) > wanted else { return -log10(high) }
        // The rate of alerts rises with the probability of a hit: halve the interval, in decades.
        for _ in 0..<60 {
            let middle = (low * high).squareRoot()
            if Self.alertRate(middle, hits, window) > wanted { high = middle } else { low = middle }
        }
        return -log10(low)
    }

    /// The least fire score that keeps to the budget on a stretch of history that is taken to be
    /// clean, but no less than the independent one.
    ///
    /// - Parameters:
    ///   - policy: Everything but the scores.
    ///   - scored: Every row of that stretch, such as the validation rows.
    ///   - rate: Of the series.
    /// - Returns: A score; rounded up to a tenth.
    package func fireScore(
        tuning policy: IncidentPolicy, on scored: [ScoredObservation], rate: SamplingRate
    ) -> Double {
        let independent = fireScore(rate: rate, hits: policy.hits, window: policy.window)
        let weeks = Double(scored.count) * rate.stepSeconds / Self.secondsPerWeek
        let allowed = Int(alertsPerWeek * weeks)
        // In tenths of a decade, from the independent score up to where nothing fires any more.
        var (low, high) = (Int((independent * 10).rounded(.up)), 200)
        while low < high {
            let middle = (low + high) / 2
            let fire = Double(middle) / 10
            var machine = IncidentMachine(policy: policy.firing(at: fire))
            let opened = machine.advance(through: scored).count { $0.opensIncident }
            if opened > allowed { low = middle + 1 } else { high = middle }
        }
        return Double(low) / 10
    }

    /// The policy of a watch: begins with the score that keeps to the budget on a stretch of history,
    /// and aims at it from then on.
    ///
    /// - Parameters:
    ///   - hits: n.
    ///   - among: m.
    ///   - minimumEffect: In the unit of the series.
    ///   - scored: Every row of that stretch, such as the validation rows; however few.
    ///   - rate: Of the series.
    /// - Returns: The policy.
    package func policy(
        hits: Int = 2, among: Int = 3, minimumEffect: Double = 0, on scored: [ScoredObservation],
        rate: SamplingRate
    ) -> IncidentPolicy {
        let rows = Self.secondsPerWeek / rate.stepSeconds / alertsPerWeek
        let plain = IncidentPolicy(
            fireScore: fireScore(rate: rate, hits: hits, window: among), hits: hits, window: among,
            minimumEffect: minimumEffect)
        return IncidentPolicy(
            fireScore: fireScore(tuning: plain, on: scored, rate: rate), hits: hits, window: among,
            minimumEffect: minimumEffect, rowsPerAlert: Int(min(max(1, rows.rounded()), 1e9)))
    }

    /// Alerts per observation when each is a hit with probability p.
    private static func alertRate(_ p: Double, _ hits: Int, _ window: Int) -> Double {
        let others = window - 1
        var tail = 0.0
        for k in (hits - 1)..<window {
            tail += binomial(others, k) * pow(p, Double(k)) * pow(1 - p, Double(others - k))
        }
        return p * tail
    }

    private static func binomial(_ n: Int, _ k: Int) -> Double {
        (0..<k).reduce(1.0) { $0 * Double(n - $1) / Double($1 + 1) }
    }
}

extension IncidentPolicy {
    /// The same policy with other scores; the clear score keeps its proportion.
    package func firing(at fireScore: Double) -> IncidentPolicy {
        IncidentPolicy(
            fireScore: fireScore, clearScore: fireScore * clearScore / self.fireScore, hits: hits,
            window: window, keep: keep, minimumEffect: minimumEffect,
            silenceMaximum: silenceMaximum, rowsPerAlert: rowsPerAlert)
    }
}
