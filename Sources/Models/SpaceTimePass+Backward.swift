package import Learning
import Tensors

extension SpaceTimePass {
    private var lag: Int { network.configuration.lag }

    /// The three-term loss of the last pass, and its gradient.
    ///
    /// RMSE of the forecast, of the one-step predictions and of the predicted next inputs, weighted.
    /// A term whose range is empty is left out; an RMSE of exactly 0 has gradient 0.
    ///
    /// - Parameter gradient: Overwritten; of the network's layout.
    /// - Returns: The loss.
    package func loss(gradient: inout Parameters<S>) -> Double {
        precondition(horizon == network.configuration.horizon, "SpaceTimePass: another horizon")
        precondition(isTraining, "SpaceTimePass: made without memory for training")
        let terms = lossTerms()
        work.fill(memory.gradient)
        fillOutputGradients(terms)
        work.fill(memory.decoder.dgain)
        for panel in memory.decoder.dweights { work.fill(panel) }
        share(.decoderBackward(terms.nextInput))
        for index in network.blocks.indices.reversed() {
            share(.encoderBackward(index))
            if index > 0 {
                share(.stateSpaceBackward(index))
            } else {
                finishFirstKernels()
            }
            network.gatherEncoderGradients(index, memory, work)
        }
        network.gatherDecoderGradients(memory, work)
        work.store(memory.gradient, into: &gradient.values)
        return terms.total
    }

    /// The three terms of the loss, as far as the last pass computed them.
    func lossTerms() -> LossTerms {
        let c = network.configuration
        var terms = LossTerms()
        terms.forecast = LossTerm(
            weight: c.lossWeights.forecast, squares: squaredError(),
            count: batch * horizon * c.variates)
        guard auxiliary else { return terms }
        terms.oneStep = LossTerm(
            weight: c.lossWeights.oneStep, squares: oneStepSquares(),
            count: batch * network.oneStepRange.count * c.variates)
        let squares = memory.decoder.sums.reduce(0.0) { $0 + Double(work[$1.squares, 0, 0]) }
        terms.nextInput = LossTerm(
            weight: c.lossWeights.nextInput, squares: squares,
            count: batch * network.nextInputRange.count * c.width)
        return terms
    }

    private func oneStepSquares() -> Double {
        var total = 0.0
        eachOneStepPair { row, predicted, actual in
            total += work.squaredDistance(predicted, actual)
        }
        return total
    }

    /// Calls `body` with every part of the one-step predictions and what they predict: values of the
    /// window, and the first one after it.
    private func eachOneStepPair(_ body: (_ row: Int, _ predicted: Panel, _ actual: Panel) -> Void)
    {
        let range = network.oneStepRange
        guard !range.isEmpty else { return }
        for variate in 0..<network.configuration.variates {
            for row in variate * batchMaximum..<variate * batchMaximum + batch {
                let (predicted, window) = (memory.oneStep.row(row), memory.windows.row(row))
                body(
                    row, predicted.columns(range.lowerBound..<lag - 1),
                    window.columns(range.lowerBound + 1..<lag))
                body(
                    row, predicted.columns(lag - 1..<lag), memory.futures.row(row).columns(0..<1))
            }
        }
    }

    /// ∂L/∂ of the head's sums, in both modes, and of its bias.
    private func fillOutputGradients(_ terms: LossTerms) {
        work.fill(memory.doneStep)
        for variate in 0..<network.configuration.variates {
            for row in variate * batchMaximum..<variate * batchMaximum + batch {
                let d = memory.dforecasts.row(row)
                let slope = S(terms.forecast.slope) * scales[row]
                work.combine(slope, memory.forecasts.row(row), 0, d)
                work.combine(-slope, memory.futures.row(row), 1, d)
            }
        }
        if auxiliary {
            eachOneStepPair { row, predicted, actual in
                let start = predicted.offset - memory.oneStep.row(row).offset
                let d = memory.doneStep.row(row).columns(start..<start + predicted.columns)
                let slope = S(terms.oneStep.slope) * scales[row]
                work.combine(slope, predicted, 0, d)
                work.combine(-slope, actual, 1, d)
            }
        }
        for variate in 0..<network.configuration.variates {
            let rows = variate * batchMaximum..<variate * batchMaximum + batch
            for tile in 0..<memory.tiles.count {
                let steps = memory.tiles.steps(tile)
                work.copy(
                    memory.dforecasts.rows(rows).columns(steps),
                    to: memory.dclosedSums[variate].columns(memory.tiles.rows(tile, batch: batch))
                        .reshaped(batch, steps.count))
            }
        }
        guard let bias = network.head.bias?.panel(in: memory.gradient) else { return }
        for variate in 0..<network.configuration.variates {
            let rows = variate * batchMaximum..<variate * batchMaximum + batch
            work[bias, 0, variate] = S(
                work.sum(memory.dforecasts.rows(rows)) + work.sum(memory.doneStep.rows(rows)))
        }
    }

    /// Takes what the shares of the windows know of the first block's kernels back to their weights.
    private func finishFirstKernels() {
        let encoder = memory.encoders[0]
        let total = memory.members[0].encoderGradient
        for block in encoder.filters.indices {
            total.clear(work)
            for share in encoder.gradients { total.add(share.filters[block], work) }
            encoder.filter.finish(
                block, encoder.filters[block], total, memory.parameters, into: memory.gradient, work
            )
        }
    }
}

/// One weighted RMSE of the loss.
struct LossTerm: Sendable {
    var weight = 0.0
    var squares = 0.0
    var count = 0

    /// The root of the mean of squares; 0 over nothing.
    var rootMeanSquare: Double { count == 0 ? 0 : (squares / Double(count)).squareRoot() }

    var value: Double { weight * rootMeanSquare }

    /// What a difference is multiplied by in the gradient; 0 where all differences are 0.
    var slope: Double {
        let root = rootMeanSquare
        return root == 0 ? 0 : weight / (Double(count) * root)
    }
}

/// The three terms of the loss; those that were not computed are empty.
struct LossTerms {
    var forecast = LossTerm()
    var oneStep = LossTerm()
    var nextInput = LossTerm()

    var total: Double { forecast.value + oneStep.value + nextInput.value }
}
