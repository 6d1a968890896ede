import Foundation
package import Series

/// The life of incidents on one series: ok → pending → firing → recovering → ok. Pure: it decides,
/// its caller acts.
///
/// The whole state is `Codable`, so that it can rest in the database between batches: one batch
/// gives the same transitions as many small ones. Missing and unscored observations are no hits and
/// no recovery.
package struct IncidentMachine: Hashable, Sendable, Codable {
    /// Where a series stands.
    package enum Phase: String, Sendable, Codable { case ok, pending, firing, recovering }

    /// Rise of the peak score, in decades of probability, that is worth an update.
    private static let updateRise = 1.0
    /// What an alert adds to the logarithm of the scores' factor, where the policy has a budget; it
    /// wears off in the rows of one alert, and goes on to sink where none comes.
    private static let lift = 0.3
    private static let lifts = -0.5...4.0
    /// An observation that one in a hundred would beat is no anomaly, whatever the budget.
    private static let fireScoreMinimum = 2.0

    package let policy: IncidentPolicy
    package private(set) var phase = Phase.ok
    /// The open incident, while firing or recovering.
    package private(set) var incident: Incident?
    /// The last scored observations; at most `policy.window`, nil for one that was no hit.
    private var recent: [Incident.Extreme?] = []
    private var clearInRow = 0
    private var missingInRow = 0
    private var toldScore = 0.0
    /// The logarithm of the factor of the scores; nil before this was kept.
    private var lifted: Double?

    package init(policy: IncidentPolicy) { self.policy = policy }

    /// The score that is a hit now.
    package var fireScore: Double {
        guard policy.rowsPerAlert != nil else { return policy.fireScore }
        return max(
            min(policy.fireScore, Self.fireScoreMinimum), policy.fireScore * exp(lifted ?? 0))
    }

    /// The score below which a firing incident recovers now.
    private var clearScore: Double { policy.clearScore / policy.fireScore * fireScore }

    /// Takes the observations in time order, and says what happened.
    package mutating func advance(
        through observations: some Sequence<ScoredObservation>
    ) -> [IncidentTransition] {
        observations.compactMap { advance($0) }
    }

    /// Takes the next observation; nil where nothing is to be told.
    package mutating func advance(_ observation: ScoredObservation) -> IncidentTransition? {
        let transition = step(observation)
        if let rows = policy.rowsPerAlert {
            // What is open is judged to its end by the scores that opened it.
            let worn = incident == nil ? Self.lift / Double(rows) : 0
            let raised = transition?.opensIncident == true ? Self.lift : 0
            lifted =
                min(
                    max((lifted ?? 0) - worn, Self.lifts.lowerBound), Self.lifts.upperBound)
                + raised
        }
        return transition
    }

    private mutating func step(_ observation: ScoredObservation) -> IncidentTransition? {
        guard let observed = observation.observed, let (score, expected) = observation.evidence
        else { return pass(observation.at) }
        missingInRow = 0
        let extreme = Incident.Extreme(
            at: observation.at, score: score, observed: observed, expected: expected)
        let matters = abs(observed - expected) >= policy.minimumEffect
        let isHit = matters && score >= fireScore
        guard let open = incident else {
            return observation.isShift && matters ? shift(extreme) : watch(isHit ? extreme : nil)
        }
        if observation.isShift { return resolve(open.hit(extreme, counts: isHit), .rebased) }
        if isHit {
            phase = .firing
            clearInRow = 0
            return grow(open.hit(extreme, counts: true))
        }
        if matters && score >= clearScore {
            phase = .firing
            clearInRow = 0
            return nil
        }
        phase = .recovering
        clearInRow += 1
        return clearInRow >= policy.keep ? resolve(open, .recovered) : nil
    }

    /// Nothing is open: counts hits until they are enough.
    private mutating func watch(_ hit: Incident.Extreme?) -> IncidentTransition? {
        recent.append(hit)
        if recent.count > policy.window { recent.removeFirst() }
        let hits = recent.compactMap { $0 }
        guard hits.count >= policy.hits, let first = hits.first, let last = hits.last else {
            phase = hits.isEmpty ? .ok : .pending
            return nil
        }
        let peak = hits.dropFirst().reduce(first) { $1.score > $0.score ? $1 : $0 }
        let opened = Incident(
            startedAt: first.at, openedAt: last.at, lastHitAt: last.at, hits: hits.count, peak: peak
        )
        incident = opened
        phase = .firing
        clearInRow = 0
        toldScore = peak.score
        return .opened(opened)
    }

    /// The level has changed for good, by steps none of which was enough to open an incident.
    private mutating func shift(_ extreme: Incident.Extreme) -> IncidentTransition {
        recent = []
        phase = .ok
        return .shifted(
            Incident(
                startedAt: extreme.at, openedAt: extreme.at, lastHitAt: extreme.at, hits: 0,
                peak: extreme))
    }

    private mutating func grow(_ grown: Incident) -> IncidentTransition? {
        incident = grown
        guard grown.peak.score >= toldScore + Self.updateRise else { return nil }
        toldScore = grown.peak.score
        return .updated(grown)
    }

    /// A missing observation.
    private mutating func pass(_ at: Timestamp) -> IncidentTransition? {
        missingInRow = min(missingInRow + 1, policy.silenceMaximum)
        guard let open = incident, missingInRow >= policy.silenceMaximum else { return nil }
        return resolve(open, .silence)
    }

    private mutating func resolve(
        _ open: Incident, _ reason: IncidentTransition.Reason
    ) -> IncidentTransition {
        incident = nil
        phase = .ok
        recent = []
        clearInRow = 0
        return .resolved(open, reason)
    }
}

/// A stretch of time in which a series was not as expected.
package struct Incident: Hashable, Sendable, Codable {
    /// The observation that stood out.
    package struct Extreme: Hashable, Sendable, Codable {
        package let at: Timestamp
        package let score: Double
        /// In the unit of the series.
        package let observed: Double
        /// In the unit of the series.
        package let expected: Double

        package init(at: Timestamp, score: Double, observed: Double, expected: Double) {
            self.at = at
            self.score = score
            self.observed = observed
            self.expected = expected
        }
    }

    /// The first hit.
    package let startedAt: Timestamp
    /// The hit that made them enough.
    package let openedAt: Timestamp
    package let lastHitAt: Timestamp
    package let hits: Int
    package let peak: Extreme

    /// The same incident one observation later.
    func hit(_ extreme: Extreme, counts: Bool) -> Incident {
        guard counts else { return self }
        return Incident(
            startedAt: startedAt, openedAt: openedAt, lastHitAt: extreme.at, hits: hits + 1,
            peak: extreme.score > peak.score ? extreme : peak)
    }
}

/// What became of an incident; each is one event for whoever is told.
package enum IncidentTransition: Hashable, Sendable {
    /// Why an incident is over.
    package enum Reason: String, Sendable, Codable {
        /// The series is as expected again.
        case recovered
        /// It stayed at another level for so long that this is the new normal.
        case rebased
        /// The data stopped.
        case silence
    }

    case opened(Incident)
    /// The peak rose by a decade of probability or more.
    case updated(Incident)
    case resolved(Incident, Reason)
    /// The level changed for good while nothing was open: an incident that is over at once.
    case shifted(Incident)

    /// Whether somebody is woken by it.
    package var opensIncident: Bool {
        switch self {
        case .opened, .shifted: true
        case .updated, .resolved: false
        }
    }
}
