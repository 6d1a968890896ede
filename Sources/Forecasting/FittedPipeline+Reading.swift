package import Models

extension FittedPipeline {
    /// What the weights of a SpaceTime model say about its series, periods in steps; nil for the
    /// other families.
    package var reading: SpaceTimeReading? {
        guard case .spacetime(let spacetime) = forecaster else { return nil }
        return spacetime.trained.network.reading(spacetime.trained.parameters)
    }
}
