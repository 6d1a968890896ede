import Learning
import TestSupport
import Tensors

/// One golden case of the decoder. The case also takes the loop's predictions of its own inputs as
/// an output, which the network never does: they are its forecast with c replaced by k.
final class ClosedLoopRun<S: Scalar> {
    let memory = LayerMemory<S>()
    let (batch, time, horizon, heads, d): (Int, Int, Int, Int, Int)
    let layout: ParameterLayout
    let decoder: ClosedLoopSSM
    let filter: CompanionFilter
    private let filters: [FilterMemory]
    private let scratch: ForecastScratch
    private let sums: FilterGradient
    let (p, gradient): (Panel, Panel)
    let (z, dz, open, dopen, next, dnext): (Panel, Panel, Panel, Panel, Panel, Panel)
    let (closed, dclosed, predicted, dpredicted): (Panel, Panel, Panel, Panel)
    private let states: [Panel]  // of every block, [batch·step, 16]
    private let dstates: Panel  // [batch·step, 16]
    private let (rows, drows): (Panel, Panel)  // [horizon, d], of the predicted inputs
    private let operators: Panel  // [heads·horizon, d]
    private let (state, dstate): (Panel, Panel)  // [batch, d]
    private let columns: Panel  // [3, d]: a, b and k, normalised
    private let dcolumns: Panel  // [4, d]
    private let (krylov, dkrylov): (Panel, Panel)  // [time, d]
    private let filtered: Blocks
    private let (signal, first, second): (Panel, Panel, Panel)  // [batch·time, 16]
    private let forecast: Panel  // [batch·horizon, 16], tile by tile

    init(_ golden: GoldenFile) throws {
        (batch, time) = (golden.integer("batch"), golden.integer("time"))
        (horizon, heads, d) = (
            golden.integer("horizon"), golden.integer("heads"), golden.integer("d")
        )
        var layout = ParameterLayout()
        decoder = ClosedLoopSSM(&layout, heads: heads, d: d)
        self.layout = layout
        let memory = memory
        let (batch, time, horizon, heads, d) = (batch, time, horizon, heads, d)
        func signals(_ steps: Int) -> Panel {
            memory.reserve(channels: heads, batch: batch, time: steps)
        }
        p = memory.plan.reserve(1, layout.count)
        gradient = memory.plan.reserve(1, layout.count)
        (z, dz, open, dopen, next, dnext) = (
            signals(time), signals(time), signals(time), signals(time), signals(time),
            signals(time)
        )
        (closed, dclosed, predicted, dpredicted) = (
            signals(horizon), signals(horizon), signals(horizon), signals(horizon)
        )
        let filter = decoder.filter
        self.filter = filter
        filters = (0..<filter.blocks).map { _ in FilterMemory(&memory.plan, filter) }
        scratch = ForecastScratch(&memory.plan, d: d, horizon: horizon, training: true)
        sums = FilterGradient(&memory.plan, filter)
        states = filters.map { memory.plan.reserve(batch * $0.step, Blocks.channels) }
        dstates = memory.plan.reserve(batch * filters[0].step, Blocks.channels)
        (rows, drows) = (memory.plan.reserve(horizon, d), memory.plan.reserve(horizon, d))
        operators = memory.plan.reserve(heads * horizon, d)
        (state, dstate) = (memory.plan.reserve(batch, d), memory.plan.reserve(batch, d))
        columns = memory.plan.reserve(3, d)
        dcolumns = memory.plan.reserve(4, d)
        (krylov, dkrylov) = (memory.plan.reserve(time, d), memory.plan.reserve(time, d))
        filtered = Blocks(&memory.plan, channels: heads, windows: batch, length: time)
        func block(_ steps: Int) -> Panel { memory.plan.reserve(batch * steps, Blocks.channels) }
        (signal, first, second) = (block(time), block(time), block(time))
        forecast = block(horizon)
        memory.work.load(p, from: try Parameters<S>(layout, from: golden.checkpoint).values)
        for (panel, name) in [
            (z, "in/z"), (dclosed, "up/closed"), (dopen, "up/open"), (dnext, "up/next_input"),
            (dpredicted, "up/predicted_inputs"),
        ] { memory.load(panel, channelsLast: try golden.tensor(name)) }
    }

    /// The last states, `[batch, heads, d]`.
    var lastStates: Tensor<S> {
        Tensor(
            [batch, heads, d],
            (0..<batch).flatMap { b in
                (0..<heads).flatMap { h in
                    loadState(h)
                    return memory.work.values(state.row(b))
                }
            })
    }

    /// The forecast operator of every head, `[heads, horizon, d]`.
    var forecastRows: Tensor<S> { Tensor([heads, horizon, d], memory.work.values(operators)) }

    /// The heads of one block.
    private func heads(_ block: Int) -> Range<Int> {
        block * Blocks.channels..<min(heads, (block + 1) * Blocks.channels)
    }

    /// Copies the state of one head out of its block.
    private func loadState(_ h: Int) {
        let (block, channel) = (h / Blocks.channels, h % Blocks.channels)
        let step = filters[block].step
        for b in 0..<batch {
            for i in 0..<d {
                memory.work[state, b, i] = memory.work[states[block], b * step + i, channel]
            }
        }
    }

    /// Forecasts tile by tile → `[window, step]` per head, or back.
    private func tiled(_ panel: Panel, _ block: Int, _ copy: (_ row: Panel, _ group: Panel) -> Void)
    {
        let tiles = HorizonTiles(horizon: horizon)
        for tile in 0..<tiles.count {
            let (steps, places) = (tiles.steps(tile), tiles.rows(tile, batch: batch))
            for b in 0..<batch {
                let first = places.lowerBound + b * steps.count
                copy(
                    panel.rows(heads(block))
                        .columns(b * horizon + steps.lowerBound..<b * horizon + steps.upperBound),
                    forecast.rows(first..<first + steps.count))
            }
        }
    }

    func forward() {
        let work = memory.work
        for block in 0..<filter.blocks {
            let heads = heads(block)
            filter.prepare(block, filters[block], p, work)
            let w = filtered.block(block)
            work.toBlock(z.rows(heads), into: signal)
            filter.filter(signal, into: w, length: time, filters[block], work)
            filter.read(w, into: first, second, length: time, filters[block], work)
            work.fromBlock(first, into: open.rows(heads))
            work.fromBlock(second, into: next.rows(heads))
            filter.states(w, into: states[block], length: time, filters[block], work)
            decoder.forecast(states[block], into: forecast, filters[block], scratch, work) { _, _ in
            }
            tiled(closed, block) { work.fromBlock($1, into: $0) }
        }
        for h in 0..<heads {
            loadState(h)
            normalise(h)
            let (a, b, k) = (columns.row(0), columns.row(1), columns.row(2))
            work.normalise(decoder.c.panel(in: p).row(h), into: dcolumns.row(0))
            work.forecastRows(
                a: a, b: b, c: dcolumns.row(0), k: k,
                into: operators.rows(h * horizon..<(h + 1) * horizon))
            work.forecastRows(a: a, b: b, c: k, k: k, into: rows)
            work.multiply(
                state, rows, into: predicted.channel(h, batch, horizon), transposeB: true)
        }
    }

    private func normalise(_ h: Int) {
        for (index, slot) in [decoder.a, decoder.b, decoder.k].enumerated() {
            memory.work.normalise(slot.panel(in: p).row(h), into: columns.row(index))
        }
    }

    func backward() {
        let work = memory.work
        for h in 0..<heads {
            let gain = work[decoder.gain.panel(in: p), 0, h]
            let (y, yo) = (closed.row(h), open.row(h))
            let (dy, dyo) = (dclosed.row(h), dopen.row(h))
            work[decoder.gain.panel(in: gradient), 0, h] = S(work.dot(y, dy) + work.dot(yo, dyo))
            for panel in [y, yo, dy, dyo] { work.combine(gain, panel, 0, panel) }
        }
        for block in 0..<filter.blocks {
            let heads = heads(block)
            sums.clear(work)
            tiled(dclosed, block) { work.toBlock($0, into: $1) }
            decoder.forecastBackward(
                states[block], into: dstates, filters[block], scratch, sums, work
            ) { forecast.rows(HorizonTiles(horizon: horizon).rows($0, batch: batch)) }
            work.toBlock(dopen.rows(heads), into: first)
            work.toBlock(dnext.rows(heads), into: second)
            filter.backward(
                w: filtered.block(block), first: first, second: second, dstates: dstates,
                into: signal, length: time, filters[block], sums, work)
            filter.finish(block, filters[block], sums, p, into: gradient, work)
            work.fromBlock(signal, into: dz.rows(heads))
        }
        for h in 0..<heads { predictedBackward(h) }
    }

    /// By the definition of the state, with Krylov vectors as long as the window: another path than
    /// the decoder's own.
    private func predictedBackward(_ h: Int) {
        let work = memory.work
        normalise(h)
        loadState(h)
        let (a, b, k) = (columns.row(0), columns.row(1), columns.row(2))
        let (zh, dzh) = (z.channel(h, batch, time), dz.channel(h, batch, time))
        let dy = dpredicted.channel(h, batch, horizon)
        let (da, db, dk) = (dcolumns.row(0), dcolumns.row(1), dcolumns.row(2))
        work.fill(dcolumns)
        work.krylov(a: a, b: b, into: krylov, reversed: true)
        work.forecastRows(a: a, b: b, c: k, k: k, into: rows)
        work.multiply(dy, rows, into: dstate)
        work.multiply(dy, state, into: drows, transposeA: true)
        work.forecastRowsBackward(a: a, b: b, k: k, r: rows, dr: drows, into: (da, db, dk, dk))
        work.multiply(dstate, krylov, into: dzh, transposeB: true, beta: 1)
        work.multiply(zh, dstate, into: dkrylov, transposeA: true)
        work.krylovBackward(a: a, x: krylov, dx: dkrylov, da: da, db: db, reversed: true)
        for (slot, column, dcolumn) in [(decoder.a, a, da), (decoder.b, b, db), (decoder.k, k, dk)]
        {
            work.normaliseBackward(
                slot.panel(in: p).row(h), column, dcolumn, into: slot.panel(in: gradient).row(h))
        }
    }
}
