package import Models

extension FittedPipeline {
    /// What the weights of a SpaceTime model say about its series, periods in steps; of an ensemble
    /// its first SpaceTime member's, and nil where there is none.
    package var reading: SpaceTimeReading? { forecaster.reading }
}

extension Forecaster {
    fileprivate var reading: SpaceTimeReading? {
        switch self {
        case .spacetime(let spacetime):
            spacetime.trained.network.reading(spacetime.trained.parameters)
        case .ensemble(let ensemble): ensemble.members.lazy.compactMap(\.reading).first
        case .seasonalNaive, .ets, .ridge: nil
        }
    }
}
