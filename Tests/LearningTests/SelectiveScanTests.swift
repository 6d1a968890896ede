import Learning
import TestSupport
import Tensors
import Testing

/// One recording after the other through a scan, as `[time, channel]`.
private struct ScanRun<S: Scalar> {
    let length: Int
    let channels: Int
    let states: Int
    let work: Workspace<S>
    let (signals, slopes): (ScanSignals, ScanSignals)
    let (a, d, y, dy, da, dd): (Panel, Panel, Panel, Panel, Panel, Panel)
    let (state, dstate, kept, scratch): (Panel, Panel, Panel, Panel)

    init(length: Int, channels: Int, states: Int) {
        (self.length, self.channels, self.states) = (length, channels, states)
        var layout = WorkspaceLayout()
        let width = ScanExtent.width(channels: channels)
        func signals() -> ScanSignals {
            // Rows have gaps, as inside a block.
            let inner = layout.reserve(length, 2 * channels + 1)
            let projected = layout.reserve(length, 2 * states + 3)
            return ScanSignals(
                x: inner.columns(0..<channels),
                delta: inner.columns(channels + 1..<2 * channels + 1),
                b: projected.columns(1..<1 + states),
                c: projected.columns(states + 2..<2 * states + 2))
        }
        (self.signals, slopes) = (signals(), signals())
        (a, d) = (layout.reserve(channels, states), layout.reserve(1, channels))
        (da, dd) = (layout.reserve(channels, states), layout.reserve(1, channels))
        (y, dy) = (layout.reserve(length, channels), layout.reserve(length, channels))
        (state, dstate) = (layout.reserve(states, width), layout.reserve(states, width))
        kept = layout.reserve(ScanExtent.keptCount(length: length), states * width)
        scratch = layout.reserve(1, ScanExtent.scratch(channels: channels, states: states))
        work = Workspace(layout)
    }

    /// Fills a panel row by row, whose rows may have gaps.
    func load(_ panel: Panel, _ values: ArraySlice<S>) {
        for row in 0..<panel.rows {
            let start = values.startIndex + row * panel.columns
            work.load(panel.row(row), from: Array(values[start..<start + panel.columns]))
        }
    }

    func forward(from start: Int = 0, to end: Int? = nil, reversed: Bool = false) {
        let rows = start..<(end ?? length)
        work.scan(
            ScanSignals(
                x: signals.x.rows(rows), delta: signals.delta.rows(rows), b: signals.b.rows(rows),
                c: signals.c.rows(rows)), a: a, d: d, into: y.rows(rows), state: state,
            kept: rows.count == length ? kept : nil, scratch: scratch, reversed: reversed)
    }

    func backward(reversed: Bool = false) {
        work.scanBackward(
            signals, a: a, d: d, kept: kept, dy: dy, into: slopes, da: da, dd: dd, dstate: dstate,
            scratch: scratch, reversed: reversed)
    }

    /// `[channels, states]` of states.
    func transposedState(_ panel: Panel) -> [S] {
        Tensor([states, channels], work.values(panel.columns(0..<channels))).transposed().values
    }

    func drawAll(_ random: inout RandomStream) {
        for panel in [signals.x, signals.b, signals.c, d, dy] {
            load(panel, (0..<panel.count).map { _ in S(random.normal()) }[...])
        }
        load(signals.delta, (0..<length * channels).map { _ in S(0.6 * random.uniform()) }[...])
        load(a, (0..<channels * states).map { _ in S(-random.uniform() * 3) }[...])
    }
}

@Suite struct SelectiveScanTests {
    @Test(arguments: GoldenFile.cases("selective_scan"))
    func `the scan, its last states and every gradient agree with the reference`(
        path: String
    ) throws {
        try check(path, Double.self)
        try check(path, Float.self)
    }

    private func check<S: Scalar>(_ path: String, _: S.Type) throws {
        let golden = try GoldenFile(path)
        let (length, channels) = (golden.integer("time"), golden.integer("channels"))
        let (batch, states) = (golden.integer("batch"), golden.integer("n"))
        var results: [String: [S]] = [:]
        let run = ScanRun<S>(length: length, channels: channels, states: states)
        run.load(run.a, try golden.tensor("in/A").values[...])
        run.load(run.d, try golden.tensor("in/D").values[...])
        func part(_ name: String, _ record: Int) throws -> ArraySlice<S> {
            let values: [S] = try golden.tensor(name).values
            let size = values.count / batch
            return values[record * size..<(record + 1) * size]
        }
        for record in 0..<batch {
            run.load(run.signals.x, try part("in/x", record))
            run.load(run.signals.delta, try part("in/delta", record))
            run.load(run.signals.b, try part("in/B", record))
            run.load(run.signals.c, try part("in/C", record))
            run.load(run.dy, try part("up/y", record))
            let last = Tensor([channels, states], Array(try part("up/last_state", record)))
            run.load(run.dstate.columns(0..<channels), last.transposed().values[...])
            run.work.fill(run.state)
            run.forward()
            run.backward()
            let found = [
                "out/y": run.y, "grad/in/x": run.slopes.x, "grad/in/delta": run.slopes.delta,
                "grad/in/B": run.slopes.b, "grad/in/C": run.slopes.c,
            ]
            for (name, panel) in found { results[name, default: []] += run.work.values(panel) }
            results["out/last_state", default: []] += run.transposedState(run.state)
        }
        results["alt/sequential"] = results["out/y"]
        results["grad/in/A"] = run.work.values(run.da)
        results["grad/in/D"] = run.work.values(run.dd)
        for (name, values) in results {
            let shape = try golden.tensor(name, of: S.self).shape
            #expect(try golden.excess(of: Tensor(shape, values), over: name) <= 1, "\(name)")
        }
    }

    @Test(arguments: [1, 7, 16, 40])
    func `pieces in sequence give the bits of one pass`(piece: Int) {
        let (whole, parts) = (
            ScanRun<Float>(length: 67, channels: 37, states: 11),
            ScanRun<Float>(length: 67, channels: 37, states: 11)
        )
        for run in [whole, parts] {
            var random = RandomStream(seed: 8)
            run.drawAll(&random)
        }
        whole.forward()
        for start in stride(from: 0, to: 67, by: piece) {
            parts.forward(from: start, to: min(67, start + piece))
        }
        #expect(whole.work.values(whole.y) == parts.work.values(parts.y))
        #expect(whole.work.values(whole.state) == parts.work.values(parts.state))
    }

    @Test func `backwards in time is forwards on reversed signals, its adjoint too`() {
        let (straight, flipped) = (
            ScanRun<Double>(length: 35, channels: 5, states: 3),
            ScanRun<Double>(length: 35, channels: 5, states: 3)
        )
        var random = RandomStream(seed: 2)
        straight.drawAll(&random)
        func signals(_ run: ScanRun<Double>) -> [Panel] {
            [run.signals.x, run.signals.delta, run.signals.b, run.signals.c, run.dy]
        }
        for (from, to) in zip(signals(straight), signals(flipped)) {
            for t in 0..<35 {
                flipped.work.load(to.row(34 - t), from: straight.work.values(from.row(t)))
            }
        }
        for (from, to) in [(straight.a, flipped.a), (straight.d, flipped.d)] {
            flipped.load(to, straight.work.values(from)[...])
        }
        straight.forward()
        straight.backward()
        flipped.forward(reversed: true)
        flipped.backward(reversed: true)
        for (one, other) in [
            (straight.y, flipped.y), (straight.slopes.x, flipped.slopes.x),
            (straight.slopes.b, flipped.slopes.b),
        ] {
            for t in 0..<35 {
                #expect(
                    straight.work.values(one.row(t)) == flipped.work.values(other.row(34 - t)))
            }
        }
        #expect(straight.work.values(straight.da) == flipped.work.values(flipped.da))
    }

    @Test func `steps of width zero leave the states alone, to the bit`() {
        let run = ScanRun<Float>(length: 20, channels: 18, states: 5)
        var random = RandomStream(seed: 4)
        run.drawAll(&random)
        let before = (0..<run.state.count).map { _ in Float(random.normal()) }
        run.work.load(run.state, from: before)
        run.work.fill(run.signals.delta)
        run.forward()
        for n in 0..<5 {
            let row = run.work.values(run.state.row(n).columns(0..<18))
            #expect(row == Array(before[n * run.state.columns..<n * run.state.columns + 18]))
        }
    }
}
