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
        runDecoderBackward(terms.nextInput)
        for index in network.blocks.indices.reversed() {
            runEncoderBackward(index)
            if index > 0 {
                runStateSpaceBackward(index)
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

    private func runDecoderBackward(_ nextInput: LossTerm) {
        work.fill(memory.decoder.dgain)
        for panel in memory.decoder.dweights { work.fill(panel) }
        let pass = decoderPass
        team.run(memory.decoder.filters.count) { block, member in
            pass.runBackward(block, member, nextInput)
        }
    }

    /// The MLP of a block, and all of the first block but its kernels.
    ///
    /// The gradient of the output lies in the output's place. What the state space receives goes to
    /// the place of `scanned`; the residual stays behind for `runStateSpaceBackward`.
    private func runEncoderBackward(_ index: Int) {
        let (network, memory, work, batch) = (network, memory, work, batch)
        let (stride, lag) = (batchMaximum, lag)
        let first = network.element(index * batchMaximum, length: lag)
        let dropout = dropout.encoder
        team.run(SpaceTimeMemory.sharesMaximum) { share, member in
            let (encoder, scratch) = (memory.encoders[index], memory.members[member])
            let gradient = encoder.gradients[share]
            gradient.clear(work)
            let windows = SpaceTimeMemory.share(share, of: batch)
            for window in windows {
                network.mixBackward(
                    window, encoder, scratch, gradient,
                    dropout.from(first + network.element(window, length: lag)), work)
                if index == 0 {
                    network.preprocessInput(window, stride: stride, memory, scratch, work)
                    network.scanInputBackward(
                        window, stride: stride, memory, scratch, gradient, work)
                } else {
                    let scanned = encoder.scanned.window(window)
                    for block in 0..<scanned.count {
                        work.copy(scratch.slopes.block(block), to: scanned.block(block))
                    }
                }
            }
            if index == 0 {
                network.filterInputsBackward(
                    windows, stride: stride, encoder, scratch, gradient, work)
            }
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

    /// The state space of a later block; the gradient of its input replaces that input.
    private func runStateSpaceBackward(_ index: Int) {
        let (memory, work, batch, lag) = (memory, work, batch, lag)
        team.run(memory.encoders[index].filters.count) { block, member in
            let (encoder, scratch) = (memory.encoders[index], memory.members[member])
            let (filters, gradient) = (encoder.filters[block], scratch.encoderGradient)
            gradient.clear(work)
            for item in 0..<SpaceTimeMemory.items(batch) {
                let windows = SpaceTimeMemory.item(item, of: batch)
                let z = memory.encoders[index - 1].output.block(block, windows: windows)
                let dscanned = encoder.scanned.block(block, windows: windows)
                work.addSums(dscanned, times: z, to: encoder.gradients[0].skip.row(block))
                encoder.filter.backward(
                    w: encoder.filtered.block(block, windows: windows), first: dscanned, into: z,
                    length: lag, filters, gradient, work)
                work.add(dscanned, toBlock: z, times: encoder.skip.row(block))
                work.add(encoder.output.block(block, windows: windows), to: z)
            }
            encoder.filter.finish(
                block, filters, gradient, memory.parameters, into: memory.gradient, work)
        }
    }
}

/// One weighted RMSE of the loss.
struct LossTerm {
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
