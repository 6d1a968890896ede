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
    let operators: ClosedLoopMemory
    let scratch: ClosedLoopScratch
    let (p, gradient): (Panel, Panel)
    let (z, dz, open, dopen, next, dnext): (Panel, Panel, Panel, Panel, Panel, Panel)
    let (closed, dclosed, predicted, dpredicted): (Panel, Panel, Panel, Panel)
    private let states: Panel  // [heads·batch, d]
    private let (rows, drows): (Panel, Panel)  // [horizon, d], of the predicted inputs
    private let (state, dstate): (Panel, Panel)  // [batch, d]
    private let dcolumns: Panel  // [4, d]
    private let krylov: Panel  // [time, d]

    init(_ golden: GoldenFile) throws {
        (batch, time) = (golden.integer("batch"), golden.integer("time"))
        (horizon, heads, d) = (
            golden.integer("horizon"), golden.integer("heads"), golden.integer("d")
        )
        var layout = ParameterLayout()
        decoder = ClosedLoopSSM(&layout, heads: heads, d: d)
        self.layout = layout
        let (memory, sizes) = (memory, (heads: heads, batch: batch))
        func signal(_ steps: Int) -> Panel {
            memory.reserve(channels: sizes.heads, batch: sizes.batch, time: steps)
        }
        p = memory.plan.reserve(1, layout.count)
        gradient = memory.plan.reserve(1, layout.count)
        (z, dz, open, dopen, next, dnext) = (
            signal(time), signal(time), signal(time), signal(time), signal(time), signal(time)
        )
        (closed, dclosed, predicted, dpredicted) = (
            signal(horizon), signal(horizon), signal(horizon), signal(horizon)
        )
        operators = ClosedLoopMemory(
            &memory.plan, heads: heads, d: d, length: time, horizon: horizon)
        scratch = ClosedLoopScratch(
            &memory.plan, d: d, length: time, horizon: horizon, batch: batch,
            convolution: Workspace<S>.convolutionScratch(length: time))
        states = memory.plan.reserve(heads * batch, d)
        (rows, drows) = (memory.plan.reserve(horizon, d), memory.plan.reserve(horizon, d))
        (state, dstate) = (memory.plan.reserve(batch, d), memory.plan.reserve(batch, d))
        dcolumns = memory.plan.reserve(4, d)
        krylov = memory.plan.reserve(time, d)
        memory.work.load(p, from: try Parameters<S>(layout, from: golden.checkpoint).values)
        for (panel, name) in [
            (z, "in/z"), (dclosed, "up/closed"), (dopen, "up/open"), (dnext, "up/next_input"),
            (dpredicted, "up/predicted_inputs"),
        ] { memory.load(panel, channelsLast: try golden.tensor(name)) }
    }

    func forward() {
        let work = memory.work
        for h in 0..<heads {
            decoder.prepare(head: h, operators, openLoop: true, scratch, p, work)
            let zh = z.channel(h, batch, time)
            decoder.closedLoop(
                head: h, zh, state: states.rows(h * batch..<(h + 1) * batch),
                into: closed.channel(h, batch, horizon), operators, work)
            decoder.openLoop(
                head: h, zh, into: open.channel(h, batch, time),
                next: next.channel(h, batch, time), operators, scratch, work)
            let (a, b, _, k) = operators.columns(of: h)
            work.forecastRows(a: a, b: b, c: k, k: k, into: rows)
            work.multiply(
                states.rows(h * batch..<(h + 1) * batch), rows,
                into: predicted.channel(h, batch, horizon), transposeB: true)
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
            decoder.backward(
                head: h, z: z.channel(h, batch, time),
                state: states.rows(h * batch..<(h + 1) * batch),
                dclosed: dclosed.channel(h, batch, horizon),
                dopen: (dopen.channel(h, batch, time), dnext.channel(h, batch, time)),
                into: dz.channel(h, batch, time), operators, scratch, p, gradient: gradient, work)
            predictedBackward(h)
        }
    }

    private func predictedBackward(_ h: Int) {
        let work = memory.work
        let (a, b, _, k) = operators.columns(of: h)
        let (zh, dzh) = (z.channel(h, batch, time), dz.channel(h, batch, time))
        let x = states.rows(h * batch..<(h + 1) * batch)
        let dy = dpredicted.channel(h, batch, horizon)
        let (da, db, dk) = (dcolumns.row(0), dcolumns.row(1), dcolumns.row(2))
        work.fill(dcolumns)
        work.forecastRows(a: a, b: b, c: k, k: k, into: rows)
        work.multiply(dy, rows, into: dstate)
        work.multiply(dy, x, into: drows, transposeA: true)
        work.forecastRowsBackward(a: a, b: b, k: k, r: rows, dr: drows, into: (da, db, dk, dk))
        work.multiply(dstate, operators.states(of: h), into: dzh, transposeB: true, beta: 1)
        work.multiply(zh, dstate, into: krylov, transposeA: true)
        work.krylovBackward(
            a: a, x: operators.states(of: h), dx: krylov, da: da, db: db, reversed: true)
        for (slot, column, dcolumn) in [(decoder.a, a, da), (decoder.b, b, db), (decoder.k, k, dk)]
        {
            work.normaliseBackward(
                slot.panel(in: p).row(h), column, dcolumn, into: slot.panel(in: gradient).row(h))
        }
    }
}
