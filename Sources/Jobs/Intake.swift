/// When a worker turns to the queue, and for how much. Pure: it decides, its caller asks and waits.
///
/// A look at the queue completes what is done and claims what there is room for, so that each look
/// should carry much of both; but nothing may wait long for others.
struct Intake: Equatable, Sendable {
    /// What there is to do now.
    enum Action: Equatable, Sendable {
        /// Complete what is done, if anything, and claim so many.
        case look(claim: Int)
        /// Nothing, for so long at most.
        case wait(Duration)
    }

    /// How long a run that is done waits for others.
    static let patience = Duration.milliseconds(2)

    let slots: Int
    let claimMaximum: Int
    let pollInterval: Duration

    /// Whether more may be ready than the last look brought.
    private var mayFindMore = true
    private var lookedAt: ContinuousClock.Instant?

    /// - Parameters:
    ///   - slots: How many jobs run at once.
    ///   - claimMaximum: How many one look claims at most.
    ///   - pollInterval: How often the queue is looked at when nobody announces work.
    init(slots: Int, claimMaximum: Int, pollInterval: Duration) {
        self.slots = slots
        self.claimMaximum = claimMaximum
        self.pollInterval = pollInterval
    }

    /// Jobs may have become ready.
    mutating func heardNews() { mayFindMore = true }

    /// Decides.
    ///
    /// - Parameters:
    ///   - runs: How many runs have no last word yet, those that are done included.
    ///   - done: How many of them wait for their completion.
    ///   - doneSince: When the first of those was done.
    ///   - isDraining: Whether nothing is to be claimed any more.
    ///   - now: The instant.
    /// - Returns: What to do.
    func action(
        runs: Int, done: Int, doneSince: ContinuousClock.Instant?, isDraining: Bool = false,
        at now: ContinuousClock.Instant
    ) -> Action {
        let free = isDraining ? 0 : min(slots - (runs - done), claimMaximum)
        if done > 0 {
            // Others are likely to be done soon where most runs are still under way.
            let waited = doneSince.map { $0.duration(to: now) } ?? Self.patience
            if 2 * done < runs, waited < Self.patience { return .wait(Self.patience - waited) }
            return .look(claim: max(0, free))
        }
        guard free > 0 else { return .wait(pollInterval) }
        guard !mayFindMore, let lookedAt else { return .look(claim: free) }
        let rest = pollInterval - lookedAt.duration(to: now)
        return rest > .zero ? .wait(rest) : .look(claim: free)
    }

    /// Takes in what a look brought.
    ///
    /// - Parameters:
    ///   - claimed: How many new runs; 0 where it failed.
    ///   - asked: How many it asked for.
    ///   - now: The instant.
    mutating func looked(claimed: Int, of asked: Int, at now: ContinuousClock.Instant) {
        guard asked > 0 else { return }
        mayFindMore = claimed == asked
        lookedAt = now
    }
}
