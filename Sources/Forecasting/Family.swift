/// The kinds of forecaster, by the names that users see in SQL, JSON and on the command line.
package enum Family: String, Sendable, Codable, CaseIterable {
    /// The value one season ago; needs no training.
    case seasonalNaive = "seasonal-naive"
    /// Exponential smoothing in state-space form, its form chosen by AICc.
    case ets
    /// Closed-form linear map from the window to the horizon.
    case ridge
    /// The companion-matrix state-space network, trained by gradient descent.
    case spacetime
    /// A convex combination of the others, with weights fitted on validation.
    case ensemble

    /// The families that are models of their own, quick ones first; an ensemble is made of them.
    package static let singles: [Family] = [.seasonalNaive, .ets, .ridge, .spacetime]

    /// The singles that are fitted within seconds, so that a first forecast need not wait.
    package static let quick: [Family] = [.seasonalNaive, .ets, .ridge]

    /// Whether two fits with different seeds differ.
    var isRandom: Bool { self == .spacetime || self == .ensemble }
}
