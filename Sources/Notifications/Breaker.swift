/// What a row of failures means for an endpoint as a whole. Pure.
///
/// While an endpoint is paused its deliveries wait and spend none of their attempts.
package enum Breaker {
    /// From so many failures in a row the endpoint is left alone between probes.
    package static let failuresMaximum = 20
    /// The pause before the first probe; it doubles with every probe that fails.
    package static let pauseMinimum = Duration.seconds(60)
    package static let pauseMaximum = Duration.seconds(3600)
    /// After failing for so long without one success the endpoint is disabled.
    package static let failingMaximum = Duration.seconds(5 * 24 * 3600)

    /// The rest of an endpoint that says it is overloaded and names no time.
    package static let overloadPause = Duration.seconds(5)
    /// The parts of `failingMaximum` after which a notice goes out, in percent.
    package static let noticesAt = [50, 70, 90]

    /// How many notices an endpoint that has failed for so long must have brought.
    package static func notices(lasting: Duration) -> Int {
        noticesAt.count { lasting * 100 >= failingMaximum * $0 }
    }

    /// What to do with the endpoint.
    package enum Verdict: Equatable, Sendable {
        case carryOn
        case pause(Duration)
        case disable
    }

    /// Judges an endpoint after a failure.
    ///
    /// - Parameters:
    ///   - consecutive: Failures without a success in between, the newest included.
    ///   - lasting: The time since the first of them.
    ///   - outcome: The newest; a receiver that says it is overloaded (429, 502, 503, 504) gets the
    ///     pause that it asks for, or a short one, for all its deliveries.
    /// - Returns: What to do.
    package static func judge(
        consecutive: Int, lasting: Duration, after outcome: Delivery.Outcome
    ) -> Verdict {
        guard lasting < failingMaximum else { return .disable }
        var pause = Duration.zero
        if consecutive >= failuresMaximum {
            let doublings = min(consecutive - failuresMaximum, 16)
            pause = min(pauseMinimum * (1 << doublings), pauseMaximum)
        }
        if case .answered(let status, let retryAfter) = outcome,
            [429, 502, 503, 504].contains(status)
        {
            let asked = min(retryAfter ?? overloadPause, Delivery.retryAfterMaximum)
            pause = max(pause, asked)
        }
        return pause > .zero ? .pause(pause) : .carryOn
    }
}
