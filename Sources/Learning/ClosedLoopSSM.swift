package import Tensors

/// The decoder: a companion SSM per channel that also predicts its own next input.
///
/// Open loop over the window: `y = gain·(c·A^j·b) ∗ z` and `ẑ = (k·A^j·b) ∗ z`. Closed loop after it:
/// `y_h = gain·c·M^h·x` with `M = A + b·kᵀ` and x the state at the end of the window. All four
/// vectors are L1-normalised; the gain multiplies outputs only, never what is fed back.
///
/// - Source: Zhang, Saab, Poli, Dao, Goel, Ré, ICLR 2023 (SpaceTime); the forecasts of a batch are one
///   product with the rows `c·M^h`.
package struct ClosedLoopSSM: Sendable {
    package let a: Slot  // [heads, d]
    package let b: Slot  // [heads, d]
    package let c: Slot  // [heads, d]
    package let k: Slot  // [heads, d]
    package let gain: Slot  // [heads]

    package var heads: Int { a.shape[0] }
    package var d: Int { a.shape[1] }

    package init(_ layout: inout ParameterLayout, heads: Int, d: Int) {
        a = layout.add("a", heads, d, decayed: false)
        b = layout.add("b", heads, d, decayed: false)
        c = layout.add("c", heads, d, decayed: false)
        k = layout.add("k", heads, d, decayed: false)
        gain = layout.add("gain", heads, decayed: false)
    }

    /// a, b, c and k from N(0, 1), gain 1.
    package func begin<S>(_ p: inout Parameters<S>, _ random: inout RandomStream) {
        for slot in [a, b, c, k] { p.drawNormal(slot, &random) }
        p.fill(gain, with: 1)
    }

    /// Its open loop, with the readouts c and k, without the gain.
    package var filter: CompanionFilter {
        CompanionFilter(
            a: .init(slot: a, isNormalised: true), b: .init(slot: b, isNormalised: true),
            readouts: [
                .init(slot: c, isNormalised: true), .init(slot: k, isNormalised: true),
            ])
    }
}

/// How a horizon is walked through: some steps at a time, whose part of the forecast operator stays in
/// the nearer caches.
///
/// Forecasts of one block lie tile by tile, `[window, step, 16]` in each.
package struct HorizonTiles: Sendable {
    package let horizon: Int
    /// Steps of a tile but the last one.
    private let longest: Int
    /// How many tiles there are.
    package var count: Int { (horizon + longest - 1) / longest }

    package init(horizon: Int, longest: Int = 24) {
        self.horizon = horizon
        self.longest = longest
    }

    /// Steps of one tile.
    package func steps(_ tile: Int) -> Range<Int> {
        tile * longest..<min(horizon, (tile + 1) * longest)
    }

    /// Where one tile's rows are among those of all, of `batch` windows.
    package func rows(_ tile: Int, batch: Int) -> Range<Int> {
        let steps = steps(tile)
        return batch * steps.lowerBound..<batch * steps.upperBound
    }

    /// The most steps of a tile.
    package var stepsMaximum: Int { min(horizon, longest) }
}

/// Scratch of one thread for forecasts and their adjoint.
package struct ForecastScratch: Sendable {
    let rows: Panel  // [steps·step, 16]: r_h = c·M^h from group h·step on
    let drows: Panel  // [tile·step, 16]
    let mu: Panel  // [d, 16]
    let tiles: HorizonTiles

    /// - Parameters:
    ///   - layout: Where the scratch is planned.
    ///   - d: Length of a state.
    ///   - horizon: Steps of a forecast.
    ///   - training: Whether the adjoint is needed, which keeps the operator of all steps.
    package init(_ layout: inout WorkspaceLayout, d: Int, horizon: Int, training: Bool) {
        tiles = HorizonTiles(horizon: horizon)
        // One row more: the first of the next tile follows from the last of this one.
        let kept = training ? horizon : tiles.stepsMaximum
        rows = layout.reserve((kept + 1) * (d | 1), Blocks.channels)
        drows = layout.reserve(training ? tiles.stepsMaximum * (d | 1) : 0, Blocks.channels)
        mu = layout.reserve(training ? d : 0, Blocks.channels)
    }
}

extension ClosedLoopSSM {
    /// The closed-loop forecast of one block by continuing its filtered signal, without its gain.
    ///
    /// With every next input predicted from w itself, w is a recurrence of d taps after the window
    /// too, and the forecast a filter of it: twice the products of `forecast`, and none of its memory,
    /// which for few windows takes longer to read than to compute with.
    ///
    /// - Parameters:
    ///   - w: What `CompanionFilter.filter` made, `[windows·length, 16]`.
    ///   - continued: Scratch, `[windows·continuedLength, 16]`.
    ///   - y: Filled with the forecast, `[windows·horizon, 16]`.
    ///   - length: Points in time of a window.
    ///   - horizon: Steps to forecast.
    ///   - memory: Of the block.
    ///   - work: The memory of all panels.
    package func continued<S>(
        _ w: Panel, _ continued: Panel, into y: Panel, length: Int, horizon: Int,
        _ memory: FilterMemory, _ work: Workspace<S>
    ) {
        let known = min(d, length)
        let total = continuedLength(horizon: horizon)
        for window in 0..<w.rows / length {
            let target = continued.rows(window * total..<window * total + d)
            work.fill(target.rows(0..<d - known))
            work.copy(
                w.rows((window + 1) * length - known..<(window + 1) * length),
                to: target.rows(d - known..<d))
        }
        work.continue(continued, memory.closed, from: d, length: total)
        work.filter(memory.readouts[0], nil, continued, into: y, length: total, from: d - 1)
    }

    /// Points in time of a window in the scratch of `continued`: the last d known ones, and those up to
    /// the last step but one.
    package func continuedLength(horizon: Int) -> Int { d + horizon - 1 }

    /// The closed-loop forecast of one block from the states after the windows, without its gain.
    ///
    /// - Parameters:
    ///   - states: `[batch·step, 16]`, as `CompanionFilter.states` makes them.
    ///   - y: Filled with the forecast, `[batch·horizon, 16]` tile by tile.
    ///   - memory: Of the block.
    ///   - scratch: Of the calling thread.
    ///   - work: The memory of all panels.
    ///   - done: Called for every tile when it has been filled.
    package func forecast<S>(
        _ states: Panel, into y: Panel, _ memory: FilterMemory, _ scratch: ForecastScratch,
        _ work: Workspace<S>, done: (_ tile: Int, _ y: Panel) -> Void
    ) {
        let columns = memory.columns
        let x = memory.states(states)
        work.copy(columns[2].used, to: scratch.rows.rows(0..<d))
        for tile in 0..<scratch.tiles.count {
            let steps = scratch.tiles.steps(tile).count
            work.forecastRows(
                a: columns[0].used, b: columns[1].used, k: columns[3].used, from: scratch.rows,
                count: steps + 1, step: memory.step)
            let target = y.rows(scratch.tiles.rows(tile, batch: x.rows))
            work.multiply(
                x, memory.operators(scratch.rows, steps).transposed,
                into: GroupMatrix(target, rows: x.rows, columns: steps, steps: (steps, 1)))
            done(tile, target)
            let next = steps * memory.step
            work.copy(
                scratch.rows.rows(next..<next + d), to: scratch.rows.rows(0..<d))
        }
    }

    /// The adjoint of `forecast`: adds to the gradient's vectors.
    ///
    /// - Parameters:
    ///   - states: What `forecast` was given.
    ///   - dstates: Filled with ∂L/∂ of the states.
    ///   - memory: Of the block.
    ///   - scratch: Of the calling thread.
    ///   - gradient: What this adds to.
    ///   - work: The memory of all panels.
    ///   - dy: Called for every tile, the last one first, for ∂L/∂y before the gain, `[batch·steps, 16]`.
    package func forecastBackward<S>(
        _ states: Panel, into dstates: Panel, _ memory: FilterMemory, _ scratch: ForecastScratch,
        _ gradient: FilterGradient, _ work: Workspace<S>, dy: (_ tile: Int) -> Panel
    ) {
        let (a, b, k) = (
            memory.columns[0].used, memory.columns[1].used, memory.columns[3].used
        )
        let (x, dx) = (memory.states(states), memory.states(dstates))
        let (step, tiles) = (memory.step, scratch.tiles)
        work.copy(memory.columns[2].used, to: scratch.rows.rows(0..<d))
        work.forecastRows(
            a: a, b: b, k: k, from: scratch.rows, count: tiles.horizon, step: step)
        work.fill(scratch.mu)
        work.fill(dstates)
        for tile in (0..<tiles.count).reversed() {
            let steps = tiles.steps(tile)
            let rows = scratch.rows.rows(steps.lowerBound * step..<steps.upperBound * step)
            let received = GroupMatrix(
                dy(tile), rows: x.rows, columns: steps.count, steps: (steps.count, 1))
            work.multiply(received, memory.operators(rows, steps.count), into: dx, adding: true)
            work.multiply(
                received.transposed, x, into: memory.operators(scratch.drows, steps.count))
            work.forecastRowsBackward(
                a: a, b: b, k: k, rows: rows, drows: scratch.drows, count: steps.count, step: step,
                mu: scratch.mu,
                into: (gradient.columns[0], gradient.columns[1], gradient.columns[3]))
        }
        work.add(scratch.mu, to: gradient.columns[2])
    }
}

extension FilterMemory {
    /// Some rows of the forecast operator, `[steps, d]` of groups.
    fileprivate func operators(_ rows: Panel, _ steps: Int) -> GroupMatrix {
        GroupMatrix(rows, rows: steps, columns: d, steps: (step, 1))
    }
}
