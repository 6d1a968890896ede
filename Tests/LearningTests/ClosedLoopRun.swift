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
    private let states: Panel  // [heads·lanes, d]
    private let (rows, drows): (Panel, Panel)  // [horizon, d], of the predicted inputs
    private let dstate: Panel  // [batch, d]
    private let dcolumns: Panel  // [4, d]
    private let (krylov, dkrylov): (Panel, Panel)  // [time, d]
    private let (signal, filtered): (Lanes, [Lanes])
    private let (first, second): (Lanes, Lanes)

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
        operators = ClosedLoopMemory(&memory.plan, heads: heads, d: d, horizon: horizon)
        scratch = ClosedLoopScratch(
            &memory.plan, d: d, length: time, horizon: horizon, batch: batch)
        states = memory.plan.reserve(heads * Lanes.count(batch), d)
        (rows, drows) = (memory.plan.reserve(horizon, d), memory.plan.reserve(horizon, d))
        dstate = memory.plan.reserve(batch, d)
        dcolumns = memory.plan.reserve(4, d)
        (krylov, dkrylov) = (memory.plan.reserve(time, d), memory.plan.reserve(time, d))
        func lanes() -> Lanes {
            Lanes(&memory.plan, windows: batch, length: time, before: d, behind: d)
        }
        (signal, first, second) = (lanes(), lanes(), lanes())
        filtered = (0..<heads).map { _ in lanes() }
        memory.work.load(p, from: try Parameters<S>(layout, from: golden.checkpoint).values)
        for (panel, name) in [
            (z, "in/z"), (dclosed, "up/closed"), (dopen, "up/open"), (dnext, "up/next_input"),
            (dpredicted, "up/predicted_inputs"),
        ] { memory.load(panel, channelsLast: try golden.tensor(name)) }
    }

    /// The state after the window of one head, `[lanes, d]`.
    private func state(_ h: Int) -> Panel {
        states.rows(h * Lanes.count(batch)..<(h + 1) * Lanes.count(batch))
    }

    /// The last states, `[batch, heads, d]`.
    var lastStates: Tensor<S> {
        Tensor(
            [batch, heads, d],
            (0..<batch).flatMap { b in
                (0..<heads).flatMap { memory.work.values(state($0).row(b)) }
            })
    }

    func forward() {
        let work = memory.work
        for h in 0..<heads {
            decoder.prepare(head: h, operators, scratch, p, work)
            work.toLanes(z.channel(h, batch, time), into: signal)
            decoder.filter(head: h, signal, into: filtered[h], operators, work)
            decoder.closedLoop(
                head: h, filtered[h], state: state(h), into: closed.channel(h, batch, horizon),
                operators, work)
            decoder.openLoop(head: h, filtered[h], into: first, next: second, operators, work)
            work.fromLanes(first, into: open.channel(h, batch, time))
            work.fromLanes(second, into: next.channel(h, batch, time))
            let (a, b, _, k) = operators.columns(of: h)
            work.forecastRows(a: a, b: b, c: k, k: k, into: rows)
            work.multiply(
                state(h).rows(0..<batch), rows, into: predicted.channel(h, batch, horizon),
                transposeB: true)
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
            work.toLanes(dopen.channel(h, batch, time), into: first)
            work.toLanes(dnext.channel(h, batch, time), into: second)
            let received = decoder.backward(
                head: h, w: filtered[h], state: state(h),
                dclosed: dclosed.channel(h, batch, horizon), dopen: (first, second), operators,
                scratch, p, gradient: gradient, work)
            work.fromLanes(received, into: dz.channel(h, batch, time))
            predictedBackward(h)
        }
    }

    /// By the definition of the state, with Krylov vectors as long as the window: another path than
    /// the decoder's own.
    private func predictedBackward(_ h: Int) {
        let work = memory.work
        let (a, b, _, k) = operators.columns(of: h)
        let (zh, dzh) = (z.channel(h, batch, time), dz.channel(h, batch, time))
        let dy = dpredicted.channel(h, batch, horizon)
        let (da, db, dk) = (dcolumns.row(0), dcolumns.row(1), dcolumns.row(2))
        work.fill(dcolumns)
        work.krylov(a: a, b: b, into: krylov, reversed: true)
        work.forecastRows(a: a, b: b, c: k, k: k, into: rows)
        work.multiply(dy, rows, into: dstate)
        work.multiply(dy, state(h).rows(0..<batch), into: drows, transposeA: true)
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
