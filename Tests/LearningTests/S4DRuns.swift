import Learning
import Tensors

/// Diagonal state spaces on some pieces, forward and back.
final class S4DRun<S: Scalar> {
    let work: Workspace<S>
    let (parameters, gradient): (Panel, Panel)
    private let s4d: S4D
    private let length: Int
    private let (u, y, dy, du, state, last): (Panel, Panel, Panel, Panel, Panel, Panel)
    private let weights: S4DWeights
    private let slopes: S4DSlopes

    init(_ s4d: S4D, _ layout: ParameterLayout, pieces: Int, length: Int, isShort: Bool) {
        self.s4d = s4d
        self.length = length
        var plan = WorkspaceLayout()
        parameters = plan.reserve(1, layout.count)
        gradient = plan.reserve(1, layout.count)
        let (rows, width) = (pieces * length, s4d.width)
        (u, y, dy, du) = (
            plan.reserve(rows, width), plan.reserve(rows, width), plan.reserve(rows, width),
            plan.reserve(rows, width)
        )
        state = plan.reserve(s4d.states, width)
        last = plan.reserve(pieces, width)
        weights = S4DWeights(&plan, s4d, taps: isShort ? length : nil)
        slopes = S4DSlopes(&plan, s4d, like: weights)
        work = Workspace(plan)
    }

    func prepare(_ values: Parameters<S>) {
        work.load(parameters, from: values.values)
        s4d.prepare(weights, parameters, work)
    }

    func forward(_ values: [S]) -> [S] {
        work.load(u, from: values)
        s4d.forward(u, of: length, into: y, state: state, weights, work)
        return work.values(y)
    }

    func forwardLast() -> [S] {
        s4d.forwardLast(u, of: length, into: last, weights, work)
        return work.values(last)
    }

    func backward(_ values: [S]) -> [S] {
        work.load(dy, from: values)
        work.fill(gradient)
        slopes.clear(work)
        s4d.backward(
            dy, u: u, of: length, into: du, state: state, weights, slopes: slopes, work)
        s4d.finish(slopes, parameters, gradient: gradient, work)
        return work.values(du)
    }

    /// Of the last rows alone.
    func backwardLast(_ values: [S]) -> [S] {
        work.load(last, from: values)
        work.fill(gradient)
        slopes.clear(work)
        s4d.backwardLast(last, u: u, of: length, into: du, weights, slopes: slopes, work)
        s4d.finish(slopes, parameters, gradient: gradient, work)
        return work.values(du)
    }
}

/// A block with a norm before it and a residual around it, or by itself.
final class S4DBlockRun<S: Scalar> {
    let layout: ParameterLayout
    let work: Workspace<S>
    let (parameters, gradient): (Panel, Panel)
    private let norm: LayerNorm?
    private let block: S4DBlock
    private let (length, every): (Int, Int)
    private let (x, u, out, dout, dx): (Panel, Panel, Panel, Panel, Panel)
    private let (zeros, statistics): (Panel, Panel)
    private let weights: S4DBlockWeights
    private let slopes: S4DSlopes
    private let signals: S4DBlockSignals
    private let scratch: S4DBlockScratch

    init(shape: [Int], states: Int, isResidual: Bool, every: Int) {
        var layout = ParameterLayout()
        let (rows, width) = (shape[0] * shape[1], shape[2])
        (length, self.every) = (shape[1], every)
        norm = isResidual ? layout.scoped("norm") { LayerNorm(&$0, width: width) } : nil
        let make = { (layout: inout ParameterLayout) in
            S4DBlock(&layout, width: width, states: states)
        }
        block = isResidual ? layout.scoped("block", make) : make(&layout)
        self.layout = layout
        var plan = WorkspaceLayout()
        parameters = plan.reserve(1, layout.count)
        gradient = plan.reserve(1, layout.count)
        (x, u, dx) = (
            plan.reserve(rows, width), plan.reserve(rows, width), plan.reserve(rows, width)
        )
        (out, dout) = (plan.reserve(rows / every, width), plan.reserve(rows / every, width))
        (zeros, statistics) = (plan.reserve(rows / every, width), plan.reserve(rows, 2))
        weights = S4DBlockWeights(&plan, block, length: shape[1])
        slopes = S4DSlopes(&plan, block.s4d, like: weights.s4d)
        signals = S4DBlockSignals(&plan, block, rows: rows, length: shape[1], every: every)
        scratch = S4DBlockScratch(&plan, block, rows: rows, training: true)
        work = Workspace(plan)
    }

    func prepare(_ values: Parameters<S>) {
        work.load(parameters, from: values.values)
        block.prepare(weights, parameters, work)
    }

    func forward(_ values: [S]) -> [S] {
        work.load(x, from: values)
        var residual = zeros
        if let norm {
            norm.forward(rows: x, into: u, statistics: statistics, parameters, work)
            residual = x.rows(every: every, from: every - 1)
        } else {
            work.copy(x, to: u)
        }
        block.forward(
            u, of: length, every: every, to: residual, into: out, .none, signals, scratch,
            weights, parameters, work)
        return work.values(out)
    }

    func backward(_ values: [S]) -> [S] {
        work.load(dout, from: values)
        work.fill(gradient)
        slopes.clear(work)
        block.backward(
            dout, u: u, of: length, every: every, into: dx, .none, signals, scratch, weights,
            slopes: slopes, parameters, gradient: gradient, work)
        block.finish(slopes, parameters, gradient: gradient, work)
        guard let norm else { return work.values(dx) }
        norm.backward(
            dx, rows: x, statistics: statistics, into: dx, adding: false, parameters,
            gradient: gradient, work)
        work.add(dout, to: dx.rows(every: every, from: every - 1))
        return work.values(dx)
    }
}
