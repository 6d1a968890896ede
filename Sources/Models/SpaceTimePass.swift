package import Learning
package import Tensors

/// The memory of one pass over a batch of windows, forward and back, and the pass itself.
///
/// Between the layers the axes are `[channel, batch, time]`: the state-space layers work channel by
/// channel on a whole batch, the linear ones on all channels of a window, and neither has to
/// transpose. The encoder's work is shared out by windows, the decoder's by channels.
///
/// - Important: One call at a time; the threads of `team` are inside.
package final class SpaceTimePass<S: Scalar> {
    package let network: SpaceTimeNetwork
    /// The most windows of one pass.
    package let batchMaximum: Int
    /// Steps that this pass forecasts; a training needs the configuration's own.
    package let horizon: Int
    let team: Team
    let memory: SpaceTimeMemory
    let work: Workspace<S>
    /// Windows of the current pass.
    var batch = 0
    /// Whether the current pass runs the decoder open-loop as well.
    var auxiliary = false
    /// Whether the third term of the loss takes the decoder's next inputs as given, and sends no
    /// gradient into them.
    package var isTargetDetached = false
    var dropout = PassDropouts.none
    /// Offset and scale of every window and variate, `[variates·batchMaximum]`.
    var offsets: [S]
    var scales: [S]

    /// - Parameters:
    ///   - network: What is computed.
    ///   - batch: The most windows of one pass.
    ///   - horizon: Steps to forecast; the configuration's own where nil.
    ///   - training: Whether memory for the backward pass is needed.
    ///   - team: The threads that share the work.
    package init(
        _ network: SpaceTimeNetwork, batch: Int, horizon: Int? = nil, training: Bool, team: Team
    ) {
        self.network = network
        self.team = team
        batchMaximum = batch
        self.horizon = horizon ?? network.configuration.horizon
        var layout = WorkspaceLayout()
        memory = SpaceTimeMemory(
            &layout, network, batch: batch, horizon: self.horizon, training: training,
            threads: team.threads,
            convolution: Workspace<S>.convolutionScratch(length: network.configuration.lag))
        work = Workspace(layout)
        work.fill(memory.ones, with: 1)
        offsets = [S](repeating: 0, count: network.configuration.variates * batch)
        scales = offsets
    }

    // MARK: In

    /// Takes the weights, and makes the kernels and forecast operators that follow from them alone.
    package func prepare(_ parameters: Parameters<S>) {
        precondition(parameters.layout == network.layout, "SpaceTimePass: another model's weights")
        work.load(memory.parameters, from: parameters.values)
        let (network, memory, work) = (network, memory, work)
        let heads = network.configuration.width
        let kernels = network.blocks.map(\.ssm.kernels)
        team.run(heads + kernels.reduce(0, +)) { item, member in
            if item < heads {
                network.decoder.prepare(
                    head: item, memory.decoder, memory.members[member].decoder,
                    memory.parameters, work)
                return
            }
            var g = item - heads
            for (index, count) in kernels.enumerated() {
                if g < count {
                    network.blocks[index].ssm.makeKernel(
                        g, memory.blocks[index].kernels, memory.parameters, work)
                    return
                }
                g -= count
            }
        }
    }

    /// Copies windows from a series of one variate: inputs from `starts` on, and what follows them
    /// as the values to forecast where `futures` asks for them.
    package func load(series: [S], starts: ArraySlice<Int>, futures: Bool) {
        precondition(network.configuration.variates == 1, "SpaceTimePass: one variate")
        precondition(starts.count <= batchMaximum, "SpaceTimePass: \(starts.count) windows")
        batch = starts.count
        let lag = network.configuration.lag
        for (index, start) in starts.enumerated() {
            work.load(memory.windows.row(index), from: series, at: start)
            if futures { work.load(memory.futures.row(index), from: series, at: start + lag) }
        }
    }

    /// Copies windows `[batch, lag, variates]` and, where there are any, futures
    /// `[batch, horizon, variates]`.
    package func load(windows: Tensor<S>, futures: Tensor<S>? = nil) {
        let (lag, variates) = (network.configuration.lag, network.configuration.variates)
        windows.expect([nil, lag, variates])
        precondition(windows.shape[0] <= batchMaximum, "SpaceTimePass: \(windows.shape) windows")
        batch = windows.shape[0]
        futures?.expect([batch, horizon, variates])
        for variate in 0..<variates {
            for index in 0..<batch {
                let row = variate * batchMaximum + index
                work.load(memory.windows.row(row), from: windows.series(index, variate))
                if let futures {
                    work.load(memory.futures.row(row), from: futures.series(index, variate))
                }
            }
        }
    }

    // MARK: Forward

    /// Runs the network on what was loaded.
    ///
    /// - Parameters:
    ///   - auxiliary: Whether the decoder runs open-loop too, for which the pass needs the memory of a
    ///     training.
    ///   - dropoutKey: A key of this step's own; nil switches dropout off.
    package func forward(auxiliary: Bool = false, dropoutKey: UInt64? = nil) {
        self.auxiliary = auxiliary
        setDropouts(dropoutKey)
        transformWindows()
        for index in network.blocks.indices {
            if index > 0 { runStateSpace(index) }
            runBlock(index)
        }
        runDecoder()
    }

    /// The forecasts of the last pass, `[batch, horizon, variates]`.
    package var forecasts: Tensor<S> { gathered(memory.forecasts, horizon) }

    /// The one-step predictions of the last auxiliary pass, `[batch, lag, variates]`.
    package var oneStep: Tensor<S> { gathered(memory.oneStep, network.configuration.lag) }

    /// The decoder's inputs, `[batch, lag, width]`; for tests.
    package var encoded: Tensor<S> {
        let output = memory.blocks[memory.blocks.count - 1].output
        let lag = network.configuration.lag
        return gatheredChannels { channel in
            work.values(memory.channel(channel, of: output, batch: batch, lag: lag))
        }
    }

    /// The decoder's predictions of its next inputs, `[batch, lag, width]`; for tests.
    package var encodedNext: Tensor<S> {
        let rows = memory.members[0].dz.rows(0..<batch)
        return gatheredChannels { channel in
            work.fromLanes(memory.next[channel], into: rows)
            return work.values(rows)
        }
    }

    /// The sum of squared errors of the last pass's forecasts against the futures that were loaded.
    package func squaredError() -> Double {
        var total = 0.0
        for variate in 0..<network.configuration.variates {
            let rows = variate * batchMaximum..<variate * batchMaximum + batch
            total += work.squaredDistance(memory.forecasts.rows(rows), memory.futures.rows(rows))
        }
        return total
    }

    private func gathered(_ panel: Panel, _ steps: Int) -> Tensor<S> {
        let variates = network.configuration.variates
        var result = Tensor<S>(zeros: [batch, steps, variates])
        for variate in 0..<variates {
            for index in 0..<batch {
                let row = work.values(panel.row(variate * batchMaximum + index))
                for t in 0..<steps {
                    result.values[(index * steps + t) * variates + variate] = row[t]
                }
            }
        }
        return result
    }

    /// `[batch, lag, width]` of `[batch·lag]` for every channel.
    private func gatheredChannels(_ values: (_ channel: Int) -> [S]) -> Tensor<S> {
        let (lag, width) = (network.configuration.lag, network.configuration.width)
        var result = Tensor<S>(zeros: [batch, lag, width])
        for channel in 0..<width {
            for (position, value) in values(channel).enumerated() {
                result.values[position * width + channel] = value
            }
        }
        return result
    }

    private func setDropouts(_ key: UInt64?) {
        let probability = network.configuration.dropout
        guard let key, probability > 0 else {
            dropout = .none
            return
        }
        var random = RandomStream(seed: key)
        dropout = PassDropouts(
            blocks: network.blocks.map { _ in Dropout(key: random.next(), probability: probability)
            },
            closed: Dropout(key: random.next(), probability: probability),
            open: Dropout(key: random.next(), probability: probability))
    }
}

extension Tensor {
    /// One variate of one window, `[time]`, of a tensor `[batch, time, variates]`.
    fileprivate func series(_ index: Int, _ variate: Int) -> [S] {
        let (steps, variates) = (shape[1], shape[2])
        let start = index * steps * variates + variate
        return stride(from: start, to: start + steps * variates, by: variates).map { values[$0] }
    }
}

/// The dropouts of one pass: one per block, and one for the head in either mode.
struct PassDropouts {
    var blocks: [Dropout]
    var closed: Dropout
    var open: Dropout

    static let none = PassDropouts(blocks: [], closed: .none, open: .none)

    func block(_ index: Int) -> Dropout { blocks.isEmpty ? .none : blocks[index] }
}
