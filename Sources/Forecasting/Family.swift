/// The kinds of forecaster, by the names that users see in SQL, JSON and on the command line.
package enum Family: String, Sendable, Codable, CaseIterable {
    /// The value one season ago; needs no training.
    case seasonalNaive = "seasonal-naive"
    /// Closed-form linear map from the window to the horizon.
    case ridge
    /// The companion-matrix state-space network, trained by gradient descent.
    case spacetime
}
