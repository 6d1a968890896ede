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
                if offset != 0, network.configuration.transform != .last {
                    // What rounding left of the mean would be summed up by every slow pole.
                    let rest = S(work.sum(input) / Double(lag))
                    work.combine(1, input, 0, input, plus: -rest)
                    offset += rest
                }
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

    /// The first encoder block, some windows at a time.
    func runFirstEncoder() {
        let (network, memory, work, batch) = (network, memory, work, batch)
        let (dropout, stride) = (dropout.encoder, batchMaximum)
        team.run(SpaceTimeMemory.items(batch)) { item, member in
            let (encoder, scratch) = (memory.encoders[0], memory.members[member])
            let windows = SpaceTimeMemory.item(item, of: batch)
            network.filterInputs(windows, stride: stride, memory, scratch, work)
            for window in windows {
                network.preprocessInput(window, stride: stride, memory, scratch, work)
                network.scanInput(window, stride: stride, memory, scratch, work)
                network.mix(
                    0, window, residual: scratch.preprocessed, encoder, scratch,
                    dropout.from(network.element(window, length: encoder.output.length)), work)
            }
        }
    }

    /// A later encoder block: its state space channel by channel, then its MLP window by window.
    func runLaterEncoder(_ index: Int) {
        let (network, memory, work, batch, lag) = (network, memory, work, batch, lag)
        let (encoder, source) = (memory.encoders[index], memory.encoders[index - 1].output)
        team.run(encoder.filters.count) { block, _ in
            let windows = 0..<batch
            let z = source.block(block, windows: windows)
            let w = encoder.filtered.block(block, windows: windows)
            let scanned = encoder.scanned.block(block, windows: windows)
            encoder.filter.filter(z, into: w, length: lag, encoder.filters[block], work)
            encoder.filter.read(w, into: scanned, length: lag, encoder.filters[block], work)
            work.add(z, toBlock: scanned, times: encoder.skip.row(block))
        }
        let dropout = dropout.encoder
        let first = network.element(index * batchMaximum, length: lag)
        team.run(batch) { window, member in
            network.mix(
                index, window, residual: source.window(window), encoder, memory.members[member],
                dropout.from(first + network.element(window, length: lag)), work)
        }
    }

    /// The decoder in both modes, the head, and the transform undone.
    func runDecoder() {
        let (pass, training) = (decoderPass, isTraining)
        team.run(memory.decoder.filters.count) { block, member in
            pass.clearSums(block)
            pass.runOpenLoop(block)
            if training {
                pass.runClosedLoop(block, member)
            } else {
                pass.continueWindows(block, member)
            }
        }
        finishForecasts()
        if auxiliary { finishOneStep() }
    }

    private func finishForecasts() {
        let sums = memory.decoder.sums
        for variate in 0..<network.configuration.variates {
            let total = sums[0].closed[variate]
            for index in 1..<sums.count { work.add(sums[index].closed[variate], to: total) }
            let rows = variate * batchMaximum..<variate * batchMaximum + batch
            for tile in 0..<memory.tiles.count {
                let (steps, batch) = (memory.tiles.steps(tile), batch)
                let part = total.columns(memory.tiles.rows(tile, batch: batch))
                work.copy(
                    part.reshaped(batch, steps.count),
                    to: memory.forecasts.rows(rows).columns(steps))
            }
            for row in rows { undoTransform(row, variate, memory.forecasts.row(row)) }
        }
    }

    private func finishOneStep() {
        let sums = memory.decoder.sums
        for variate in 0..<network.configuration.variates {
            let total = sums[0].open[variate]
            for index in 1..<sums.count { work.add(sums[index].open[variate], to: total) }
            let rows = variate * batchMaximum..<variate * batchMaximum + batch
            work.copy(
                total.columns(0..<batch * lag).reshaped(batch, lag),
                to: memory.oneStep.rows(rows))
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
