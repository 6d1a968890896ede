/// Whether this process leads. Pure: it decides, its caller asks the database and acts.
package struct Leadership: Equatable, Sendable {
    /// What there is to do now.
    package enum Action: Equatable, Sendable {
        /// Ask for the lead, or for more of it.
        case ask
        /// Act as the leader.
        case act
        /// Somebody else leads.
        case rest
    }

    /// How long the lead lasts without being renewed.
    package static let timeToLive = Duration.seconds(15)
    /// How often it is asked for and renewed.
    package static let askInterval = Duration.seconds(5)
    /// How long before its end it is no longer used.
    package static let margin = Duration.seconds(1)

    /// Grows with every change of the leader; nil while another leads.
    package private(set) var term: Int64?
    private var askedAt: ContinuousClock.Instant?

    package init() {}

    /// What there is to do at an instant.
    package func action(at now: ContinuousClock.Instant) -> Action {
        guard let askedAt, askedAt.duration(to: now) < Self.askInterval else { return .ask }
        return leads(at: now) ? .act : .rest
    }

    /// Whether the lead still lasts.
    package func leads(at now: ContinuousClock.Instant) -> Bool {
        guard term != nil, let askedAt else { return false }
        return askedAt.duration(to: now) < Self.timeToLive - Self.margin
    }

    /// Takes in the database's answer.
    ///
    /// - Parameters:
    ///   - term: The term that was granted, or nil.
    ///   - instant: When it was asked for, before the question was sent.
    package mutating func answered(term: Int64?, askedAt instant: ContinuousClock.Instant) {
        self.term = term
        askedAt = instant
    }
}
