/// The life of one webhook delivery. Pure: it decides, its caller acts.
package struct Delivery: Equatable, Sendable {
    /// What an attempt brought.
    package enum Outcome: Equatable, Sendable {
        /// The receiver answered; `retryAfter` is what it asked for, if it did.
        case answered(status: Int, retryAfter: Duration? = nil)
        case unreachable
        /// We could not even try: no attempt is spent.
        case notAttempted
    }

    /// What to do next.
    package enum Action: Equatable, Sendable {
        case finish
        case retry(after: Duration)
        case giveUp
        /// Give up, and never call this endpoint again: it says that it is gone.
        case giveUpAndDisable
    }

    /// The wait before each attempt: the example of Standard Webhooks, 75 h 35 min in all.
    package static let waits: [Duration] = [
        .zero, .seconds(5), .seconds(5 * 60), .seconds(30 * 60), .seconds(2 * 3600),
        .seconds(5 * 3600), .seconds(10 * 3600), .seconds(14 * 3600), .seconds(20 * 3600),
        .seconds(24 * 3600),
    ]
    package static let attemptsMaximum = waits.count
    /// How far chance may move a wait, as a part of it.
    package static let jitterMaximum = 0.2
    /// The longest wait that a receiver may ask for.
    package static let retryAfterMaximum = Duration.seconds(24 * 3600)

    /// Attempts that have ended.
    package private(set) var attempts: Int

    package init(attempts: Int = 0) {
        precondition(
            (0..<Self.attemptsMaximum).contains(attempts), "a delivery after \(attempts) attempts")
        self.attempts = attempts
    }

    /// Takes the outcome of an attempt.
    ///
    /// Traps after the last attempt.
    ///
    /// - Parameters:
    ///   - outcome: What the attempt brought.
    ///   - chance: From -1 to 1, so that many deliveries that failed together do not return
    ///     together.
    /// - Returns: What to do next.
    package mutating func record(_ outcome: Outcome, chance: Double) -> Action {
        precondition(attempts < Self.attemptsMaximum, "a delivery that was given up is recorded")
        precondition((-1...1).contains(chance), "chance \(chance)")
        precondition(outcome != .notAttempted, "what was not attempted is recorded")
        attempts += 1
        var asked = Duration.zero
        switch outcome {
        case .answered(200..<300, _): return .finish
        case .answered(410, _): return .giveUpAndDisable
        case .answered(_, let retryAfter):
            asked = min(max(retryAfter ?? .zero, .zero), Self.retryAfterMaximum)
        case .unreachable, .notAttempted: break
        }
        guard attempts < Self.attemptsMaximum else { return .giveUp }
        return .retry(
            after: max(Self.waits[attempts] * (1 + Self.jitterMaximum * chance), asked))
    }
}
