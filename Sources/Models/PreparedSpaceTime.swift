package import Learning
internal import Synchronization
package import Tensors

/// A SpaceTime forecaster with fixed weights: everything that follows from them alone is made once.
///
/// Calls from several tasks take turns; a worker that forecasts in parallel holds one each.
package final class PreparedSpaceTime: Sendable {
    package let configuration: SpaceTimeConfiguration
    /// Steps of a forecast; any number, also other than the network was trained for.
    package let horizon: Int
    private let pass: Mutex<SpaceTimePass<Float>>

    /// - Parameters:
    ///   - network: Of one variate, or the call traps.
    ///   - parameters: Its weights.
    ///   - horizon: Steps of a forecast.
    ///   - batch: Windows that are computed at once; more are taken one batch after the other.
    ///   - threads: How many threads share a call's work.
    package init(
        _ network: SpaceTimeNetwork, _ parameters: Parameters<Float>, horizon: Int, batch: Int = 16,
        threads: Int = 1
    ) {
        precondition(network.configuration.variates == 1, "PreparedSpaceTime: one variate")
        configuration = network.configuration
        self.horizon = horizon
        let pass = SpaceTimePass<Float>(
            network, batch: batch, horizon: horizon, training: false, team: Team(threads: threads))
        pass.prepare(parameters)
        self.pass = Mutex(pass)
    }

    /// windows `[batch, lag]` → forecasts `[batch, horizon]`, both scaled as in training.
    package func forecast(windows: Tensor<Float>) -> Tensor<Float> {
        let lag = configuration.lag
        windows.expect([nil, lag])
        let count = windows.shape[0]
        return pass.withLock { pass in
            var forecasts: [Float] = []
            forecasts.reserveCapacity(count * horizon)
            for start in stride(from: 0, to: count, by: pass.batchMaximum) {
                let end = min(count, start + pass.batchMaximum)
                let starts = (start..<end).map { $0 * lag }
                pass.load(series: windows.values, starts: starts[...], futures: false)
                pass.forward()
                forecasts += pass.forecasts.values
            }
            return Tensor([count, horizon], forecasts)
        }
    }
}
