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
        precondition(memory.gradient.rows == 1, "SpaceTimePass: made without memory for training")
        let terms = lossTerms()
        work.fill(memory.gradient)
        work.fill(memory.shareGradients)
        for panel in memory.shareKernelGradients { work.fill(panel) }
        fillOutputGradients(terms)
        runDecoderBackward(terms.nextInput)
        for index in network.blocks.indices.reversed() {
            runBlockBackward(index)
            if index > 0 { runStateSpaceBackward(index) }
        }
        runFirstKernelsBackward()
        for share in 0..<SpaceTimeMemory.sharesMaximum {
            work.add(memory.shareGradients.row(share), to: memory.gradient)
        }
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
        let squares = memory.shares.reduce(0.0) { $0 + Double(work[$1.squares, 0, 0]) }
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
        for variate in 0..<network.configuration.variates where auxiliary {
            let rows = variate * batchMaximum..<variate * batchMaximum + batch
            work.toLanes(memory.doneStep.rows(rows), into: memory.doneStepLanes[variate])
        }
        guard let bias = network.head.bias?.panel(in: memory.gradient) else { return }
        for variate in 0..<network.configuration.variates {
            let rows = variate * batchMaximum..<variate * batchMaximum + batch
            work[bias, 0, variate] = S(
                work.sum(memory.dforecasts.rows(rows)) + work.sum(memory.doneStep.rows(rows)))
        }
    }

    private func runDecoderBackward(_ nextInput: LossTerm) {
        let (network, memory, work, batch, lag) = (network, memory, work, batch, lag)
        let (stride, horizon, auxiliary) = (batchMaximum, horizon, auxiliary)
        let (closedDropout, openDropout) = (dropout.closed, dropout.open)
        let isTargetDetached = isTargetDetached
        let encoded = memory.blocks[memory.blocks.count - 1].output
        let lanes = Lanes.count(stride)
        let dclosedSums = (0..<network.configuration.variates).map {
            memory.dforecasts.rows($0 * stride..<$0 * stride + batch)
        }
        team.run(SpaceTimeMemory.sharesMaximum) { share, member in
            let scratch = memory.members[member]
            for head in SpaceTimeMemory.share(share, of: network.configuration.width) {
                let z = memory.channel(head, of: encoded, batch: batch, lag: lag)
                let dclosed = scratch.dclosed.rows(0..<batch)
                network.headBackward(
                    head, memory.closed.rows(head * stride..<head * stride + batch), dclosedSums,
                    into: dclosed, spare: scratch.dclosed.rows(batch..<2 * batch),
                    closedDropout.from(head * stride * horizon), memory, work)
                if auxiliary {
                    network.headBackward(
                        head, memory.open[head].values, memory.doneStepLanes.map(\.values),
                        into: scratch.dopen.values, spare: scratch.spare.values,
                        openDropout.from(head * lanes * lag), memory, work)
                    work.toLanes(z, into: scratch.z)
                    network.nextInputBackward(
                        nextInput, memory.next[head], scratch.z, into: scratch.dnext, work)
                }
                let dz = network.decoder.backward(
                    head: head, w: memory.filtered[head],
                    state: memory.states.rows(head * lanes..<(head + 1) * lanes),
                    dclosed: dclosed, dopen: auxiliary ? (scratch.dopen, scratch.dnext) : nil,
                    memory.decoder, scratch.decoder, memory.parameters, gradient: memory.gradient,
                    work)
                if auxiliary, !isTargetDetached {
                    let range = network.nextInputRange
                    work.add(
                        scratch.dnext.values.rows(range),
                        to: dz.values.rows(range.lowerBound + 1..<range.upperBound + 1), times: -1)
                }
                // The inputs have served; their place takes the gradient.
                work.fromLanes(dz, into: z)
            }
        }
    }

    /// The MLP of a block, and all of the first block but its kernels.
    ///
    /// The gradient of the output lies in the output's place. What the state space receives goes to
    /// the place of `scanned`; the residual stays behind for `runStateSpaceBackward`.
    private func runBlockBackward(_ index: Int) {
        let (network, memory, work, batch, lag) = (network, memory, work, batch, lag)
        let (dropout, stride) = (dropout.block(index), batchMaximum)
        let block = memory.blocks[index]
        let width = network.configuration.width
        team.run(SpaceTimeMemory.sharesMaximum) { share, member in
            let scratch = memory.members[member]
            let gradient = memory.shareGradients.row(share)
            for window in SpaceTimeMemory.share(share, of: batch) {
                let scanned =
                    index == 0
                    ? block.scanned.rows(window * width..<(window + 1) * width)
                    : memory.window(window, of: block.scanned, lag: lag)
                network.blocks[index].mlp.backward(
                    memory.window(window, of: block.output, lag: lag), s: scanned,
                    activated: scratch.activated, into: scratch.slopes,
                    dropout.from(window * width * lag), memory.parameters, gradient: gradient, work)
                if index == 0, let embedding = network.embedding {
                    network.scanEmbeddedBackward(
                        embedding, window, stride: stride, scratch.slopes,
                        doutput: memory.window(window, of: block.output, lag: lag), memory, scratch,
                        gradient: gradient, dkernels: memory.shareKernelGradients[share], work)
                } else if index == 0 {
                    network.scanInputBackward(
                        window, stride: stride, scratch.slopes, memory, scratch,
                        gradient: gradient, dkernels: memory.shareKernelGradients[share], work)
                } else {
                    work.copy(scratch.slopes, to: scanned)
                }
            }
        }
    }

    /// The state space of a later block; the gradient of its input replaces that input.
    private func runStateSpaceBackward(_ index: Int) {
        let (network, memory, work, batch, lag) = (network, memory, work, batch, lag)
        let block = memory.blocks[index]
        work.fill(block.kernels.gradient)
        team.run(network.configuration.width) { channel, member in
            let scratch = memory.members[member]
            let ssm = network.blocks[index].ssm
            let input = memory.channel(
                channel, of: memory.blocks[index - 1].output, batch: batch, lag: lag)
            let dz = scratch.dz.rows(0..<batch)
            work.copy(memory.channel(channel, of: block.output, batch: batch, lag: lag), to: dz)
            ssm.backward(
                channel: channel,
                dy: memory.channel(channel, of: block.scanned, batch: batch, lag: lag), u: input,
                into: dz, block.kernels, memory.parameters, gradient: memory.gradient,
                scratch: scratch.convolution, work)
            work.copy(dz, to: input)
            ssm.kernelBackward(
                channel, block.kernels, memory.parameters, gradient: memory.gradient, work)
        }
    }

    private func runFirstKernelsBackward() {
        let (network, memory, work) = (network, memory, work)
        let kernels = memory.blocks[0].kernels
        work.fill(kernels.gradient)
        for share in memory.shareKernelGradients { work.add(share, to: kernels.gradient) }
        team.run(network.configuration.groups) { g, _ in
            network.blocks[0].ssm.kernelBackward(
                g, kernels, memory.parameters, gradient: memory.gradient, work)
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

extension SpaceTimeNetwork {
    /// The adjoint of the head for one channel: fills dy with ∂L/∂y before the gain.
    func headBackward<S>(
        _ channel: Int, _ y: Panel, _ dsums: [Panel], into dy: Panel, spare: Panel,
        _ dropout: Dropout, _ memory: SpaceTimeMemory, _ work: Workspace<S>
    ) {
        let gain = work[decoder.gain.panel(in: memory.parameters), 0, channel]
        let weights = head.weight.panel(in: memory.parameters)
        let dweights = head.weight.panel(in: memory.gradient)
        let dgain = decoder.gain.panel(in: memory.gradient)
        for (variate, dsum) in dsums.enumerated() {
            let received = work.headBackward(
                y, gain: gain, weight: work[weights, variate, channel], dsum: dsum,
                into: variate == 0 ? dy : spare, dropout)
            work[dweights, variate, channel] += S(received.weight)
            work[dgain, 0, channel] += S(received.gain)
            if variate > 0 { work.add(spare, to: dy) }
        }
    }

    /// The gradient of the third term with respect to the predictions; what they predict receives
    /// its negative, one step later.
    func nextInputBackward<S>(
        _ term: LossTerm, _ next: Lanes, _ z: Lanes, into dnext: Lanes, _ work: Workspace<S>
    ) {
        work.fill(dnext.values)
        let range = nextInputRange
        guard !range.isEmpty else { return }
        let d = dnext.values.rows(range)
        work.combine(S(term.slope), next.values.rows(range), 0, d)
        work.combine(
            S(-term.slope), z.values.rows(range.lowerBound + 1..<range.upperBound + 1), 1, d)
    }

    /// The adjoint of `scanInput`: adds to the gradient of the skip and of the kernels. Nothing
    /// before it is trained.
    func scanInputBackward<S>(
        _ window: Int, stride: Int, _ dtarget: Panel, _ memory: SpaceTimeMemory,
        _ scratch: SpaceTimeMemory.Member, gradient: Panel, dkernels: Panel, _ work: Workspace<S>
    ) {
        preprocessInput(window, stride: stride, memory, scratch, work)
        let skip = blocks[0].ssm.skip.panel(in: gradient)
        for channel in 0..<configuration.width {
            work[skip, 0, channel] += S(
                work.dot(dtarget.row(channel), scratch.preprocessed.row(channel)))
        }
        let groups = configuration.groups
        let kernels = memory.blocks[0].kernels.kernel
        for variate in 0..<configuration.variates {
            for g in 0..<groups {
                preprocess.backward(
                    group: g, channels(of: g, variate, in: dtarget),
                    into: scratch.convolved.row(variate * groups + g), scratch: scratch.sums, work)
            }
            let input = memory.inputs.row(variate * stride + window)
            for g in Swift.stride(from: 0, to: groups, by: 2) {
                let pair = g + 1 < groups
                let first = variate * groups + g
                work.convolveBackward(
                    input, kernels: (kernels.row(g), pair ? kernels.row(g + 1) : nil),
                    dy: (
                        scratch.convolved.row(first), pair ? scratch.convolved.row(first + 1) : nil
                    ), into: nil,
                    dkernels: (dkernels.row(g), pair ? dkernels.row(g + 1) : nil),
                    scratch: scratch.convolution)
            }
        }
    }
}
