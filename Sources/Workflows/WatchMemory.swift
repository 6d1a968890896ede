import Forecasting

/// What a watch remembers between two runs.
struct WatchMemory: Codable, Sendable {
    /// The model that the state below belongs to.
    var model: Int64
    var machine: IncidentMachine
    var scoring: ScoringState
    /// What follows once the open incident, which ends by the policy that opened it, is over.
    var next: IncidentPolicy?
    /// Of the series, where its model was fitted on another; nil where the model has the scale.
    var scale: Standardiser?

    /// Takes the next observation; nil where nothing is to be told.
    mutating func advance(_ score: ScoredObservation) -> IncidentChange? {
        let threshold = machine.fireScore
        let transition = machine.advance(score)
        if let next, machine.incident == nil {
            machine = IncidentMachine(policy: next)
            self.next = nil
        }
        return transition.map {
            IncidentChange(transition: $0, at: score.at, threshold: threshold)
        }
    }
}
