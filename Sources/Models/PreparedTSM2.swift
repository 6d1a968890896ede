package import Learning
package import Tensors

/// A trained TSM2 network as it is used: weights are prepared once and serve any number of windows.
///
/// - Important: One call at a time.
package final class PreparedTSM2<S: Scalar> {
    package let network: TSM2Network
    package let variates: Int
    private let pass: TSM2Pass<S>

    /// - Parameters:
    ///   - network: Whose weights.
    ///   - parameters: The weights.
    ///   - variates: Of the group.
    ///   - batch: Windows that are worked on at a time.
    ///   - threads: How many share the work.
    package init(
        _ network: TSM2Network, _ parameters: Parameters<S>, variates: Int, batch: Int = 32,
        threads: Int = 1
    ) {
        self.network = network
        self.variates = variates
        pass = TSM2Pass(
            network, batch: batch, variates: variates, training: false,
            team: Team(threads: threads))
        pass.prepare(parameters)
    }

    /// Forecasts of some windows.
    ///
    /// - Parameters:
    ///   - series: The group, in the units of the training.
    ///   - starts: The windows' first rows; the rows that are forecast need not be there.
    /// - Returns: `[starts.count, variates, horizon]`, in the same units.
    package func forecast(_ series: TSM2Series<S>, starts: [Int]) -> Tensor<S> {
        forecast(series, starts: starts, hidden: nil)
    }

    private func forecast(_ series: TSM2Series<S>, starts: [Int], hidden: Int?) -> Tensor<S> {
        precondition(series.variates == variates, "PreparedTSM2: \(series.variates) variates")
        var values: [S] = []
        values.reserveCapacity(starts.count * variates * network.configuration.horizon)
        for first in stride(from: 0, to: starts.count, by: pass.batchMaximum) {
            let part = Array(starts[first..<min(first + pass.batchMaximum, starts.count)])
            pass.load(series, starts: part, variates: Array(0..<variates), hidden: hidden)
            pass.forward()
            values += pass.outputs.values
        }
        return Tensor([starts.count, variates, network.configuration.horizon], values)
    }

    /// How much each variate's forecast rests on the past of each, itself included: the root mean square,
    /// over windows and steps, by which a forecast changes where that past lies at its mean throughout, in
    /// units of the series.
    ///
    /// - Parameters:
    ///   - series: The group, in the units of the training.
    ///   - starts: The windows' first rows; at least one.
    /// - Returns: `[variates forecast, variates known]`.
    package func influences(_ series: TSM2Series<S>, starts: [Int]) -> Tensor<Double> {
        precondition(!starts.isEmpty, "PreparedTSM2: no windows")
        var result = Tensor<Double>(zeros: [variates, variates])
        let horizon = network.configuration.horizon
        let whole = forecast(series, starts: starts)
        for hidden in 0..<variates {
            let others = forecast(series, starts: starts, hidden: hidden)
            for variate in 0..<variates {
                var squares = 0.0
                for window in starts.indices {
                    for step in 0..<horizon {
                        let change =
                            Double(others[window, variate, step])
                            - Double(whole[window, variate, step])
                        squares += change * change
                    }
                }
                result[variate, hidden] = (squares / Double(starts.count * horizon)).squareRoot()
            }
        }
        return result
    }
}
