package import Learning
package import Tensors

/// The memory of one pass over a batch of windows, forward and back, and the pass itself.
///
/// Between the layers signals lie as `Blocks`, sixteen channels side by side: state spaces take a lane
/// for each channel, and linear maps broadcast one of them at a time; neither has to transpose. The
/// encoder's work is shared out by windows, the decoder's by blocks of channels.
///
/// - Important: One call at a time; the threads of `team` are inside.
package final class SpaceTimePass<S: Scalar> {
    package let network: SpaceTimeNetwork
    /// The most windows of one pass.
    package let batchMaximum: Int
    /// Steps that this pass forecasts; a training needs the configuration's own.
    package let horizon: Int
    let team: Team
    /// Whether there is memory for the backward pass.
    let isTraining: Bool
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
        isTraining = training
        batchMaximum = batch
        self.horizon = horizon ?? network.configuration.horizon
        var layout = WorkspaceLayout()
        memory = SpaceTimeMemory(
            &layout, network, batch: batch, horizon: self.horizon, training: training,
            threads: team.threads)
        work = Workspace(layout)
        let variates = network.configuration.variates
        work.fill(memory.inputs.rows(variates * batch..<memory.inputs.rows), with: 1)
        offsets = [S](repeating: 0, count: network.configuration.variates * batch)
        scales = offsets
    }

    // MARK: In

    /// Takes the weights, and makes what follows from them alone.
    package func prepare(_ parameters: Parameters<S>) {
        precondition(parameters.layout == network.layout, "SpaceTimePass: another model's weights")
        work.load(memory.parameters, from: parameters.values)
        share(.preparation)
        network.spreadDecoderWeights(memory, work)
        for index in network.blocks.indices {
            let encoder = memory.encoders[index]
            for block in encoder.filters.indices {
                encoder.filter.prepare(block, encoder.filters[block], memory.parameters, work)
            }
            network.spreadEncoderWeights(index, encoder, memory.parameters, work)
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
        precondition(isTraining || !auxiliary, "SpaceTimePass: made without memory for training")
        self.auxiliary = auxiliary
        setDropouts(dropoutKey)
        transformWindows()
        share(.firstEncoder)
        for index in network.blocks.indices.dropFirst() {
            share(.stateSpace(index))
            share(.mixing(index))
        }
        share(.decoder)
        finishForecasts()
        if auxiliary { finishOneStep() }
    }

    /// The forecasts of the last pass, `[batch, horizon, variates]`.
    package var forecasts: Tensor<S> { gathered(memory.forecasts, horizon) }

    /// The one-step predictions of the last auxiliary pass, `[batch, lag, variates]`.
    package var oneStep: Tensor<S> { gathered(memory.oneStep, network.configuration.lag) }

    /// The decoder's inputs, `[batch, lag, width]`; for tests.
    package var encoded: Tensor<S> { gathered(memory.encoders[memory.encoders.count - 1].output) }

    /// The decoder's predictions of its next inputs, `[batch, lag, width]`; for tests.
    package var encodedNext: Tensor<S> { gathered(memory.decoder.next) }

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

    /// `[batch, length, width]` of blocks.
    private func gathered(_ blocks: Blocks) -> Tensor<S> {
        let (length, width) = (blocks.length, network.configuration.width)
        var result = Tensor<S>(zeros: [batch, length, width])
        for index in 0..<blocks.count {
            let values = work.values(blocks.block(index, windows: 0..<batch))
            let first = index * Blocks.channels
            for position in 0..<batch * length {
                for channel in first..<min(width, first + Blocks.channels) {
                    result.values[position * width + channel] =
                        values[position * Blocks.channels + channel - first]
                }
            }
        }
        return result
    }

    /// Runs one loop of the pass on the team.
    func share(_ kind: PassStage<S>.Kind) {
        let stage = PassStage(
            kind: kind, network: network, memory: memory, work: work, batch: batch,
            batchMaximum: batchMaximum, horizon: horizon, isTraining: isTraining,
            auxiliary: auxiliary, isTargetDetached: isTargetDetached, dropout: dropout)
        team.run(stage.items, stage)
    }

    private func setDropouts(_ key: UInt64?) {
        let probability = network.configuration.dropout
        guard let key, probability > 0 else {
            dropout = .none
            return
        }
        var random = RandomStream(seed: key)
        dropout.encoder = Dropout(key: random.next(), probability: probability)
        dropout.closed = Dropout(key: random.next(), probability: probability)
        dropout.open = Dropout(key: random.next(), probability: probability)
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

/// The dropouts of one pass: of all encoder blocks, and of the head in either mode.
struct PassDropouts {
    var encoder: Dropout
    var closed: Dropout
    var open: Dropout

    static let none = PassDropouts(encoder: .none, closed: .none, open: .none)
}
