import Learning
import Tensors

extension SpaceTimePass {
    private var lag: Int { network.configuration.lag }

    /// Subtracts from every window what the configuration says, and remembers it.
    func transformWindows() {
        let variates = network.configuration.variates
        for variate in 0..<variates {
            for index in 0..<batch {
                let row = variate * batchMaximum + index
                let (window, input) = (memory.windows.row(row), memory.inputs.row(row))
                var (offset, scale) = (S(0), S(1))
                switch network.configuration.transform {
                case .mean, .standardise: offset = S(work.sum(window) / Double(lag))
                case .last: offset = work[window, 0, lag - 1]
                case .none: break
                }
                work.combine(1, window, 0, input, plus: -offset)
                if network.configuration.transform == .standardise {
                    let variance = work.dot(input, input) / Double(lag)
                    scale = S((variance + 1e-5).squareRoot())
                    work.combine(1 / scale, input, 0, input)
                }
                offsets[row] = offset
                scales[row] = scale
            }
        }
    }

    /// The state space of a later block: every channel has a kernel of its own.
    func runStateSpace(_ index: Int) {
        let (network, memory, work, batch, lag) = (network, memory, work, batch, lag)
        let (source, target) = (memory.blocks[index - 1].output, memory.blocks[index].scanned)
        team.run(network.configuration.width) { channel, member in
            network.blocks[index].ssm.forward(
                channel: channel, memory.channel(channel, of: source, batch: batch, lag: lag),
                into: memory.channel(channel, of: target, batch: batch, lag: lag),
                memory.blocks[index].kernels, memory.parameters,
                scratch: memory.members[member].convolution, work)
        }
    }

    /// The rest of a block, and all of the first one, window by window.
    func runBlock(_ index: Int) {
        let (network, memory, work, lag) = (network, memory, work, lag)
        let (dropout, stride) = (dropout.block(index), batchMaximum)
        let block = memory.blocks[index]
        let width = network.configuration.width
        team.run(batch) { window, member in
            let scratch = memory.members[member]
            let output = memory.window(window, of: block.output, lag: lag)
            let scanned: Panel
            let residual: Panel
            if index == 0 {
                scanned = block.scanned.rows(window * width..<(window + 1) * width)
                residual = scratch.preprocessed
                if let embedding = network.embedding {
                    network.scanEmbedded(
                        embedding, window, stride: stride, into: scanned, memory, scratch, work)
                } else {
                    network.scanInput(window, stride: stride, into: scanned, memory, scratch, work)
                }
            } else {
                scanned = memory.window(window, of: block.scanned, lag: lag)
                residual = memory.window(window, of: memory.blocks[index - 1].output, lag: lag)
            }
            network.blocks[index].mlp.forward(
                scanned, activated: scratch.activated, into: output,
                dropout.from(window * width * lag), memory.parameters, work)
            work.add(residual, to: output)
        }
    }

    /// The decoder in both modes, the head, and the transform undone.
    func runDecoder() {
        let (network, memory, work, batch, lag) = (network, memory, work, batch, lag)
        let (stride, horizon, auxiliary) = (batchMaximum, horizon, auxiliary)
        let (closedDropout, openDropout) = (dropout.closed, dropout.open)
        let encoded = memory.blocks[memory.blocks.count - 1].output
        let variates = network.configuration.variates
        let lanes = Lanes.count(stride)
        team.run(SpaceTimeMemory.sharesMaximum) { share, member in
            let sums = memory.shares[share]
            work.fill(sums.closed)
            for open in sums.open { work.fill(open.values) }
            work.fill(sums.squares)
            let scratch = memory.members[member]
            for head in SpaceTimeMemory.share(share, of: network.configuration.width) {
                let rows = head * stride..<head * stride + batch
                let (w, closed) = (memory.filtered[head], memory.closed.rows(rows))
                work.toLanes(
                    memory.channel(head, of: encoded, batch: batch, lag: lag), into: scratch.z)
                network.decoder.filter(head: head, scratch.z, into: w, memory.decoder, work)
                network.decoder.closedLoop(
                    head: head, w, state: memory.states.rows(head * lanes..<(head + 1) * lanes),
                    into: closed, memory.decoder, work)
                network.addHead(
                    head, closed,
                    (0..<variates).map { sums.closed.rows($0 * stride..<$0 * stride + batch) },
                    closedDropout.from(head * stride * horizon), memory, work)
                guard auxiliary else { continue }
                let (open, next) = (memory.open[head], memory.next[head])
                network.decoder.openLoop(
                    head: head, w, into: open, next: next, memory.decoder, work)
                network.addHead(
                    head, open.values, sums.open.map(\.values),
                    openDropout.from(head * lanes * lag),
                    memory, work)
                let range = network.nextInputRange
                work[sums.squares, 0, 0] += S(
                    work.squaredDistance(
                        next.values.rows(range),
                        scratch.z.values.rows(range.lowerBound + 1..<range.upperBound + 1)))
            }
        }
        finishForecasts()
        if auxiliary { finishOneStep() }
    }

    private func finishForecasts() {
        for variate in 0..<network.configuration.variates {
            for row in variate * batchMaximum..<variate * batchMaximum + batch {
                let output = memory.forecasts.row(row)
                work.copy(memory.shares[0].closed.row(row), to: output)
                for share in memory.shares.dropFirst() {
                    work.add(share.closed.row(row), to: output)
                }
                undoTransform(row, variate, output)
            }
        }
    }

    private func finishOneStep() {
        for variate in 0..<network.configuration.variates {
            let sum = memory.shares[0].open[variate]
            for share in memory.shares.dropFirst() {
                work.add(share.open[variate].values, to: sum.values)
            }
            let rows = variate * batchMaximum..<variate * batchMaximum + batch
            work.fromLanes(sum, into: memory.oneStep.rows(rows))
            for row in rows { undoTransform(row, variate, memory.oneStep.row(row)) }
        }
    }

    /// Adds the head's bias, and undoes the transform of one window.
    private func undoTransform(_ row: Int, _ variate: Int, _ output: Panel) {
        let constant = network.head.bias.map { work[$0.panel(in: memory.parameters), 0, variate] }
        work.combine(
            scales[row], output, 0, output, plus: (constant ?? 0) * scales[row] + offsets[row])
    }
}

extension SpaceTimeNetwork {
    /// The first block's state space on one window, by exchanging two convolutions that commute: the
    /// input is convolved with every kernel, and the results are preprocessed, which takes an eighth
    /// of the work of convolving every preprocessed channel.
    ///
    /// Fills `target` `[width, lag]` and the scratch `preprocessed`.
    func scanInput<S>(
        _ window: Int, stride: Int, into target: Panel, _ memory: SpaceTimeMemory,
        _ scratch: SpaceTimeMemory.Member, _ work: Workspace<S>
    ) {
        preprocessInput(window, stride: stride, memory, scratch, work)
        let (groups, variates) = (configuration.groups, configuration.variates)
        let kernels = memory.blocks[0].kernels.kernel
        for variate in 0..<variates {
            let input = memory.inputs.row(variate * stride + window)
            for g in Swift.stride(from: 0, to: groups, by: 2) {
                let first = scratch.convolved.row(variate * groups + g)
                let pair = g + 1 < groups
                work.convolve(
                    input, kernels: (kernels.row(g), pair ? kernels.row(g + 1) : nil),
                    into: (first, pair ? scratch.convolved.row(variate * groups + g + 1) : nil),
                    scratch: scratch.convolution)
            }
            for g in 0..<groups {
                preprocess.forward(
                    group: g, scratch.convolved.row(variate * groups + g),
                    into: channels(of: g, variate, in: target), scratch: scratch.sums, work)
            }
        }
        let skip = blocks[0].ssm.skip.panel(in: memory.parameters)
        for channel in 0..<configuration.width {
            work.add(
                scratch.preprocessed.row(channel), to: target.row(channel),
                times: work[skip, 0, channel])
        }
    }

    /// Fills the scratch `preprocessed`, `[width, lag]`, from one window.
    func preprocessInput<S>(
        _ window: Int, stride: Int, _ memory: SpaceTimeMemory, _ scratch: SpaceTimeMemory.Member,
        _ work: Workspace<S>
    ) {
        for variate in 0..<configuration.variates {
            for g in 0..<configuration.groups {
                preprocess.forward(
                    group: g, memory.inputs.row(variate * stride + window),
                    into: channels(of: g, variate, in: scratch.preprocessed),
                    scratch: scratch.sums, work)
            }
        }
    }

    /// The eight channels of a group and a variate, `[8, lag]`: channel = (group·8 + kernel)·variates
    /// + variate.
    func channels(of group: Int, _ variate: Int, in panel: Panel) -> Panel {
        let kernels = Preprocess.kernelsPerGroup
        return panel.rows(every: configuration.variates, from: variate)
            .rows(group * kernels..<(group + 1) * kernels)
    }

    /// Adds one channel's share to the outputs of all variates.
    func addHead<S>(
        _ channel: Int, _ y: Panel, _ sums: [Panel], _ dropout: Dropout,
        _ memory: SpaceTimeMemory, _ work: Workspace<S>
    ) {
        let gain = work[decoder.gain.panel(in: memory.parameters), 0, channel]
        let weights = head.weight.panel(in: memory.parameters)
        for (variate, sum) in sums.enumerated() {
            work.head(y, gain: gain, weight: work[weights, variate, channel], sum: sum, dropout)
        }
    }
}
