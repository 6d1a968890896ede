import Learning
import TestSupport
import Tensors
import Testing

/// Laws of the layers of sequence models, at widths that fill registers and at those that do not.
@Suite struct SequenceLayerTests {
    private static func normals(_ count: Int, seed: UInt64) -> [Double] {
        var random = RandomStream(seed: seed)
        return (0..<count).map { _ in random.normal() }
    }

    private static func s4d(
        width: Int, states: Int
    ) -> (layer: S4D, layout: ParameterLayout, values: Parameters<Double>) {
        var layout = ParameterLayout()
        let layer = S4D(&layout, width: width, states: states)
        var values = Parameters<Double>(zeros: layout)
        var random = RandomStream(seed: 3)
        layer.begin(&values, .inverse, steps: 0.01...0.3, &random)
        return (layer, layout, values)
    }

    @Test(arguments: [(width: 3, length: 10), (19, 10), (37, 7), (64, 21), (20, 300)])
    func `the recurrence gives what the taps give, and so do its gradients`(
        width: Int, length: Int
    ) {
        check(width, length, Double.self, within: 1e-11)
        check(width, length, Float.self, within: 2e-4)
    }

    private func check<S: Scalar>(_ width: Int, _ length: Int, _: S.Type, within limit: Double) {
        let (layer, layout, values) = Self.s4d(width: width, states: 10)
        let count = 3 * length * width
        let u = Self.normals(count, seed: 4).map { S($0) }
        let dy = Self.normals(count, seed: 5).map { S($0) }
        let runs = [true, false].map {
            S4DRun<S>(layer, layout, pieces: 3, length: length, isShort: $0)
        }
        var found: [[[S]]] = []
        for run in runs {
            run.prepare(values.converted(to: S.self))
            found.append([run.forward(u), run.backward(dy), run.work.values(run.gradient)])
        }
        for (a, b) in zip(found[0], found[1]) {
            let scale = a.map { abs(Double($0)) }.max() ?? 0
            let worst = zip(a, b).map { abs(Double($0 - $1)) }.max() ?? .infinity
            #expect(worst <= limit * scale, "\(worst) of \(scale)")
        }
    }

    @Test(arguments: [3, 19, 64])
    func `the last rows alone are those of all, and so are their gradients`(width: Int) {
        let (layer, layout, values) = Self.s4d(width: width, states: 6)
        let run = S4DRun<Double>(layer, layout, pieces: 4, length: 10, isShort: true)
        run.prepare(values)
        let y = run.forward(Self.normals(40 * width, seed: 6))
        let last = run.forwardLast()
        let slope = Self.normals(4 * width, seed: 7)
        var spread = [Double](repeating: 0, count: 40 * width)
        for piece in 0..<4 {
            for i in 0..<width {
                let at = (10 * piece + 9) * width + i
                #expect(abs(last[piece * width + i] - y[at]) < 1e-12)
                spread[at] = slope[piece * width + i]
            }
        }
        let (du, own) = (run.backwardLast(slope), run.work.values(run.gradient))
        let (all, gradient) = (run.backward(spread), run.work.values(run.gradient))
        #expect(zip(du, all).allSatisfy { abs($0 - $1) < 1e-12 })
        #expect(zip(own, gradient).allSatisfy { abs($0 - $1) < 1e-9 })
    }

    @Test func `a block on every second row has the gradient of differences`() {
        let run = S4DBlockRun<Double>(shape: [2, 6, 5], states: 4, isResidual: true, every: 2)
        var values = Parameters<Double>(zeros: run.layout)
        var random = RandomStream(seed: 8)
        for i in values.values.indices { values.values[i] = random.normal() / 2 }
        let x = Self.normals(60, seed: 9)
        let weights = Self.normals(30, seed: 10)
        func loss(_ point: [Double]) -> Double {
            values.values = point
            run.prepare(values)
            return zip(run.forward(x), weights).map(*).reduce(0, +)
        }
        let point = values.values
        _ = loss(point)
        let dx = run.backward(weights)
        let gradient = run.work.values(run.gradient)
        #expect(gradientError(at: point, gradient: gradient, of: loss) < 1e-7)
        run.prepare(values)
        let error = gradientError(at: x, gradient: dx) {
            values.values = point
            run.prepare(values)
            return zip(run.forward($0), weights).map(*).reduce(0, +)
        }
        #expect(error < 1e-7)
    }

    @Test func `two masks around GELU are one, of their joint probability and scale`() {
        let dropouts = S4DBlock.Dropouts(key: 5, probability: 0.2, from: 0)
        #expect(abs(S4DBlock.Dropouts.factor(0.2) - 1.25) < 1e-15)
        var layout = ParameterLayout()
        let block = S4DBlock(&layout, width: 2, states: 2)
        // A filter of 1, a map that lets GELU through and opens every gate by half.
        let count = 50_000
        var p = Parameters<Double>(zeros: layout)
        for slot in layout.slots where slot.name == "ssm.D" { p.fill(slot, with: 1) }
        for slot in layout.slots where slot.name == "mix.weight" {
            p.values[slot.offset] = 2
            p.values[slot.offset + 3] = 2
        }
        var plan = WorkspaceLayout()
        let (flat, u, r, out) = (
            plan.reserve(1, layout.count), plan.reserve(count, 2), plan.reserve(count, 2),
            plan.reserve(count, 2)
        )
        let weights = S4DBlockWeights(&plan, block, length: 1)
        let signals = S4DBlockSignals(&plan, block, rows: count, length: 1, every: 1)
        let scratch = S4DBlockScratch(&plan, block, rows: count, training: false)
        let work = Workspace<Double>(plan)
        work.load(flat, from: p.values)
        work.fill(u, with: 3)
        block.prepare(weights, dropout: 0.2, flat, work)
        block.forward(
            u, of: 1, every: 1, to: r, into: out, dropouts, signals, scratch, weights, flat, work)
        let values = work.values(out)
        // 3 · 1.25 through GELU, twice scaled on its way out.
        let kept = 3.75 * 0.99991158 * 1.25 * 1.25
        let share = Double(values.filter { $0 != 0 }.count) / Double(values.count)
        #expect(values.allSatisfy { $0 == 0 || abs($0 - kept) < 1e-5 })
        #expect(abs(share - 0.8 * 0.8 * 0.8) < 0.005)
    }

    @Test(arguments: [(width: 4, every: 1), (4, 3), (17, 6)])
    func `a long short-term memory has the gradient of differences, in pieces and whole`(
        width: Int, every: Int
    ) {
        for (pieces, length) in [(1, 12), (2, 6), (7, 6)] where length % every == 0 {
            let run = LSTMRun(inputs: 3, width: width, pieces: pieces, length: length, every: every)
            var random = RandomStream(seed: 11)
            var values = Parameters<Double>(zeros: run.layout)
            run.layer.begin(&values, &random)
            let x = Self.normals(pieces * length * 3, seed: 12)
            let weights = Self.normals(pieces * length / every * width, seed: 13)
            func loss(_ point: [Double]) -> Double {
                zip(run.forward(x, point), weights).map(*).reduce(0, +)
            }
            _ = loss(values.values)
            let (dx, gradient) = run.backward(weights)
            #expect(gradientError(at: values.values, gradient: gradient, of: loss) < 1e-7)
            let error = gradientError(at: x, gradient: dx) {
                zip(run.forward($0, values.values), weights).map(*).reduce(0, +)
            }
            #expect(error < 1e-7)
            let last = run.steps(Array(x.prefix(length * 3)), values.values)
            let whole = run.forward(x, values.values).prefix(length / every * width).suffix(width)
            #expect(zip(last, whole).allSatisfy { abs($0 - $1) < 1e-12 })
        }
    }
}

/// A layer of long short-term memory on some pieces.
private final class LSTMRun {
    let layout: ParameterLayout
    let layer: LSTM
    private let work: Workspace<Double>
    private let (length, every): (Int, Int)
    private let (parameters, gradient, x, dx, dy): (Panel, Panel, Panel, Panel, Panel)
    private let (gates, cell, output): (Panel, Panel, Panel)
    private let weights: LSTMWeights
    private let signals: LSTMSignals
    private let scratch: LSTMScratch

    init(inputs: Int, width: Int, pieces: Int, length: Int, every: Int) {
        var layout = ParameterLayout()
        layer = LSTM(&layout, inputs: inputs, width: width)
        self.layout = layout
        (self.length, self.every) = (length, every)
        let rows = pieces * length
        var plan = WorkspaceLayout()
        parameters = plan.reserve(1, layout.count)
        gradient = plan.reserve(1, layout.count)
        (x, dx) = (plan.reserve(rows, inputs), plan.reserve(rows, inputs))
        dy = plan.reserve(rows / every, width)
        (gates, cell, output) = (
            plan.reserve(1, 4 * width), plan.reserve(1, width), plan.reserve(1, width)
        )
        weights = LSTMWeights(&plan, layer)
        signals = LSTMSignals(&plan, layer, rows: rows)
        scratch = LSTMScratch(&plan, layer, rows: rows, pieces: pieces)
        work = Workspace(plan)
    }

    func forward(_ input: [Double], _ point: [Double]) -> [Double] {
        work.load(parameters, from: point)
        work.load(x, from: input)
        layer.prepare(weights, parameters, work)
        layer.forward(x, of: length, signals, weights, parameters, work)
        return work.values(signals.outputs.rows(every: every, from: every - 1))
    }

    func backward(_ slope: [Double]) -> (dx: [Double], gradient: [Double]) {
        work.load(dy, from: slope)
        work.fill(gradient)
        layer.backward(
            dy, x: x, of: length, every: every, into: dx, signals, scratch, parameters,
            gradient: gradient, work)
        return (work.values(dx), work.values(gradient))
    }

    /// Point by point through one piece; the last output.
    func steps(_ input: [Double], _ point: [Double]) -> [Double] {
        _ = forward(input + work.values(x).dropFirst(input.count), point)
        for t in 0..<length {
            layer.step(
                x.row(t), gates: gates, cell: cell, output: output, weights, parameters, work)
        }
        return work.values(output)
    }
}
