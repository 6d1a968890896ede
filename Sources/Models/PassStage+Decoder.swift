import Learning
import Tensors

/// The decoder and its head, block by block of channels.
extension PassStage {
    /// One block in both modes: adds up what it gives to the outputs.
    func runDecoder(_ block: Int, _ member: Int) {
        clearSums(block)
        runOpenLoop(block)
        if isTraining {
            runClosedLoop(block, member)
        } else {
            continueWindows(block, member)
        }
    }

    /// Sets the sums of one block to 0.
    private func clearSums(_ block: Int) {
        let sums = memory.decoder.sums[block]
        for panel in sums.closed { work.fill(panel) }
        for panel in sums.open { work.fill(panel) }
        work.fill(sums.squares)
    }

    /// One block of the decoder over the windows.
    private func runOpenLoop(_ block: Int) {
        let (decoder, encoded) = (memory.decoder, memory.encoders[memory.encoders.count - 1].output)
        let filters = decoder.filters[block]
        let range = network.nextInputRange
        var squares = 0.0
        for item in 0..<SpaceTimeMemory.items(batch) {
            let windows = SpaceTimeMemory.item(item, of: batch)
            let z = encoded.block(block, windows: windows)
            let w = decoder.filtered.block(block, windows: windows)
            decoder.filter.filter(z, into: w, length: lag, filters, work)
            guard auxiliary else { continue }
            let open = decoder.open.block(block, windows: windows)
            let next = decoder.next.block(block, windows: windows)
            decoder.filter.read(w, into: open, next, length: lag, filters, work)
            let positions = windows.lowerBound * lag..<windows.upperBound * lag
            let element = (block * batchMaximum + windows.lowerBound) * lag * Blocks.channels
            for variate in decoder.weights.indices {
                work.head(
                    open, gain: decoder.gain.row(block),
                    weight: decoder.weights[variate].row(block),
                    sums: decoder.sums[block].open[variate].columns(positions),
                    dropout.open.from(element))
            }
            for start in stride(from: 0, to: z.rows, by: lag) {
                squares += work.squaredDistance(
                    next.rows(start + range.lowerBound..<start + range.upperBound),
                    z.rows(start + range.lowerBound + 1..<start + range.upperBound + 1))
            }
        }
        work[decoder.sums[block].squares, 0, 0] = S(squares)
    }

    /// One block of the decoder after the windows, by the forecast operator.
    private func runClosedLoop(_ block: Int, _ member: Int) {
        let (decoder, scratch) = (memory.decoder, memory.members[member])
        let filters = decoder.filters[block]
        let states = decoder.states[block].rows(0..<batch * filters.step)
        decoder.filter.states(
            decoder.filtered.block(block, windows: 0..<batch), into: states, length: lag, filters,
            work)
        let closed = decoder.closed.block(block, windows: 0..<batch)
        network.decoder.forecast(states, into: closed, filters, scratch.forecast, work) { tile, y in
            addHead(block, y, memory.tiles.rows(tile, batch: batch))
        }
    }

    /// The same without memory for training: by continuing the filtered signals.
    private func continueWindows(_ block: Int, _ member: Int) {
        let (decoder, scratch) = (memory.decoder, memory.members[member])
        let total = network.decoder.continuedLength(horizon: horizon)
        for item in 0..<SpaceTimeMemory.items(batch) {
            let windows = SpaceTimeMemory.item(item, of: batch)
            let y = scratch.closed.rows(0..<windows.count * horizon)
            network.decoder.continued(
                decoder.filtered.block(block, windows: windows),
                scratch.continued.rows(0..<windows.count * total), into: y, length: lag,
                horizon: horizon, decoder.filters[block], work)
            addHead(block, y, windows.lowerBound * horizon..<windows.upperBound * horizon)
        }
    }

    /// Adds one block's channels to the sums of the forecasts at `positions`.
    private func addHead(_ block: Int, _ y: Panel, _ positions: Range<Int>) {
        let decoder = memory.decoder
        for variate in decoder.weights.indices {
            work.head(
                y, gain: decoder.gain.row(block), weight: decoder.weights[variate].row(block),
                sums: decoder.sums[block].closed[variate].columns(positions),
                dropout.closed.from(closedElement(block, positions.lowerBound)))
        }
    }

    /// Number of a forecast among all, for its dropout.
    private func closedElement(_ block: Int, _ position: Int) -> Int {
        (block * batchMaximum * horizon + position) * Blocks.channels
    }
}

extension PassStage {
    /// The adjoint of one block, in both modes.
    func runDecoderBackward(_ block: Int, _ member: Int, _ nextInput: LossTerm) {
        let (decoder, scratch) = (memory.decoder, memory.members[member])
        scratch.gradient.clear(work)
        runClosedLoopBackward(block, scratch)
        runOpenLoopBackward(block, scratch, nextInput)
        decoder.filter.finish(
            block, decoder.filters[block], scratch.gradient, memory.parameters,
            into: memory.gradient, work)
    }

    /// The forecasts of one block: fills the scratch `dstates`.
    private func runClosedLoopBackward(_ block: Int, _ scratch: SpaceTimeScratch) {
        let decoder = memory.decoder
        let filters = decoder.filters[block]
        let rows = 0..<batch * filters.step
        let closed = decoder.closed.block(block, windows: 0..<batch)
        network.decoder.forecastBackward(
            decoder.states[block].rows(rows), into: scratch.dstates.rows(rows), filters,
            scratch.forecast, scratch.gradient, work
        ) { tile in
            let rows = memory.tiles.rows(tile, batch: batch)
            let dy = scratch.closed.rows(0..<rows.count)
            headBackward(
                block, closed.rows(rows), memory.dclosedSums, rows, into: dy, scratch,
                dropout.closed.from(closedElement(block, rows.lowerBound)))
            return dy
        }
    }

    /// Everything of one block over the windows. The inputs have served at the end; their place takes
    /// the gradient.
    private func runOpenLoopBackward(
        _ block: Int, _ scratch: SpaceTimeScratch, _ nextInput: LossTerm
    ) {
        let (decoder, encoded) = (memory.decoder, memory.encoders[memory.encoders.count - 1].output)
        let filters = decoder.filters[block]
        let (lag, range) = (lag, network.nextInputRange)
        for item in 0..<SpaceTimeMemory.items(batch) {
            let windows = SpaceTimeMemory.item(item, of: batch)
            let z = encoded.block(block, windows: windows)
            let w = decoder.filtered.block(block, windows: windows)
            let dstates = scratch.dstates.rows(
                windows.lowerBound * filters.step..<windows.upperBound * filters.step)
            guard auxiliary else {
                decoder.filter.backward(
                    w: w, first: nil, dstates: dstates, into: z, length: lag, filters,
                    scratch.gradient, work)
                continue
            }
            let open = decoder.open.block(block, windows: windows)
            let next = decoder.next.block(block, windows: windows)
            let dopen = scratch.closed.rows(0..<open.rows)
            let positions = windows.lowerBound * lag..<windows.upperBound * lag
            headBackward(
                block, open, memory.doneStepRows, positions, into: dopen, scratch,
                dropout.open.from(
                    (block * batchMaximum + windows.lowerBound) * lag * Blocks.channels))
            for start in stride(from: 0, to: z.rows, by: lag) {
                nextInputBackward(
                    nextInput, z.rows(start..<start + lag), next.rows(start..<start + lag))
            }
            decoder.filter.backward(
                w: w, first: dopen, second: next, dstates: dstates, into: z, length: lag, filters,
                scratch.gradient, work)
            for start in stride(from: 0, to: z.rows, by: lag) where !isTargetDetached {
                work.add(
                    next.rows(start + range.lowerBound..<start + range.upperBound),
                    to: z.rows(start + range.lowerBound + 1..<start + range.upperBound + 1),
                    times: -1)
            }
        }
    }

    /// The adjoint of the head for one block at `positions`: fills dy with ∂L/∂y before the gain.
    private func headBackward(
        _ block: Int, _ y: Panel, _ dsums: [Panel], _ positions: Range<Int>, into dy: Panel,
        _ scratch: SpaceTimeScratch, _ dropout: Dropout
    ) {
        let decoder = memory.decoder
        for variate in decoder.weights.indices {
            let received = variate == 0 ? dy : scratch.spare.rows(0..<dy.rows)
            work.headBackward(
                y, gain: decoder.gain.row(block), weight: decoder.weights[variate].row(block),
                dsums: dsums[variate].columns(positions), into: received,
                (decoder.dweights[variate].row(block), decoder.dgain.row(block)), dropout)
            if variate > 0 { work.add(received, to: dy) }
        }
    }

    /// The gradient of the third term for one window: takes the place of the predictions `next`. What
    /// they predict receives its negative, one step later.
    private func nextInputBackward(_ term: LossTerm, _ z: Panel, _ next: Panel) {
        let range = network.nextInputRange
        let d = next.rows(range)
        work.combine(
            S(-term.slope), z.rows(range.lowerBound + 1..<range.upperBound + 1), S(term.slope), d)
        work.fill(next.rows(0..<range.lowerBound))
        work.fill(next.rows(range.upperBound..<lag))
    }
}
