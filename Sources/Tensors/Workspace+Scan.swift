/// What a selective scan works on, or the gradients of it: signals `[time, channels]` and
/// `[time, states]`.
package struct ScanSignals: Sendable {
    package let x: Panel  // [time, channels]
    package let delta: Panel  // [time, channels]
    package let b: Panel  // [time, states]
    package let c: Panel  // [time, states]

    package init(x: Panel, delta: Panel, b: Panel, c: Panel) {
        (self.x, self.delta, self.b, self.c) = (x, delta, b, c)
    }

    fileprivate func expect(_ length: Int, _ channels: Int, _ states: Int) {
        for panel in [x, delta] { panel.expect(length, channels) }
        for panel in [b, c] { panel.expect(length, states) }
    }
}

/// The weights of one direction of a Mamba block, as `Workspace.direction` takes them.
package struct DirectionMaps: Sendable {
    package let taps: Panel  // [taps, channels]
    package let bias: Panel  // [1, channels]
    package let weight: Panel  // [rank + 2·states, channels]
    package let projection: Panel  // its transpose, with columns of zeros: [channels, columns]
    package let step: Panel  // [rank, channels]
    package let stepBias: Panel  // [1, channels]
    package let a: Panel  // [channels, states]
    package let d: Panel  // [1, channels]

    package init(
        taps: Panel, bias: Panel, weight: Panel, projection: Panel, step: Panel, stepBias: Panel,
        a: Panel, d: Panel
    ) {
        (self.taps, self.bias, self.weight, self.projection) = (taps, bias, weight, projection)
        (self.step, self.stepBias, self.a, self.d) = (step, stepBias, a, d)
    }

    fileprivate func expect(_ channels: Int) {
        let (states, rank) = (a.columns, step.rows)
        for panel in [bias, stepBias, d] { panel.expect(1, channels) }
        taps.expect(taps.rows, channels)
        weight.expect(rank + 2 * states, channels)
        projection.expect(channels, projection.columns)
        step.expect(rank, channels)
        a.expect(channels, states)
        precondition(
            taps.rows > 0 && projection.columns >= weight.rows,
            "direction: \(taps.rows) taps, \(projection.columns) columns for \(weight.rows)")
    }
}

extension Workspace {
    /// One direction as it is used, without an adjoint: `u = SiLU(depthwise(x))`, its maps to step
    /// widths `softplus(step·ρ + bias)`, b and c, and the scan of them. Nothing of it is kept.
    ///
    /// - Parameters:
    ///   - x: `[time, channels]`; may have gaps.
    ///   - maps: The weights.
    ///   - y: `[time, channels]`, other memory.
    ///   - adding: Whether y is added to.
    ///   - masked: Rows that leave the states alone.
    ///   - state: As in `scan`.
    ///   - scratch: At least `ScanExtent.directionScratch` elements.
    ///   - reversed: Whether the last point in time comes first.
    package func direction(
        _ x: Panel, _ maps: DirectionMaps, into y: Panel, adding: Bool,
        masked: (Range<Int>, Range<Int>), state: Panel, scratch: Panel, reversed: Bool
    ) {
        let (length, channels, states) = (x.rows, x.columns, maps.a.columns)
        maps.expect(channels)
        y.expect(length, channels)
        state.expect(states, ScanExtent.width(channels: channels))
        let needed = ScanExtent.directionScratch(
            channels: channels, states: states, columns: maps.projection.columns)
        precondition(scratch.count >= needed, "direction: scratch \(scratch.count) < \(needed)")
        func turned(_ range: Range<Int>) -> Range<Int> {
            reversed ? length - range.upperBound..<length - range.lowerBound : range
        }
        let sizes = DirectionSizes(
            length: length, channels: channels, states: states, taps: maps.taps.rows,
            rank: maps.step.rows, columns: maps.projection.columns,
            x: reversed ? -x.stride : x.stride, y: reversed ? -y.stride : y.stride,
            masked: (turned(masked.0), turned(masked.1)))
        let weights = unsafe DirectionPointers<S>(
            taps: dense(maps.taps), bias: pointer(maps.bias), weight: dense(maps.weight),
            projection: dense(maps.projection), step: dense(maps.step),
            stepBias: pointer(maps.stepBias), a: dense(maps.a), d: pointer(maps.d))
        unsafe S.direction(
            sizes, first(x, reversed), weights, into: first(y, reversed), adding: adding,
            state: dense(state), scratch: dense(scratch))
    }

    /// `h_t = exp(delta_t·a)·h_{t−1} + delta_t·x_t·b_t`, `y_t (+)= c_t·h_t + d·x_t`.
    ///
    /// - Parameters:
    ///   - signals: What goes in.
    ///   - a: Below zero, `[channels, states]`.
    ///   - d: `[1, channels]`
    ///   - y: `[time, channels]`
    ///   - adding: Whether y is added to.
    ///   - state: The states before the first point, and after it those behind the last:
    ///     `[states, ScanExtent.width]`.
    ///   - kept: Takes what the adjoint needs, `[ScanExtent.keptCount, states·width]`; nil where there
    ///     is none.
    ///   - scratch: At least `ScanExtent.scratch` elements.
    ///   - reversed: Whether the last point in time comes first.
    package func scan(
        _ signals: ScanSignals, a: Panel, d: Panel, into y: Panel, adding: Bool = false,
        state: Panel, kept: Panel?, scratch: Panel, reversed: Bool = false
    ) {
        var sizes = expectScan(signals, a, d, y, state, kept, scratch, reversed)
        sizes.y = reversed ? -y.stride : y.stride
        unsafe S.scan(
            sizes, first(signals.x, reversed), first(signals.delta, reversed), dense(a),
            first(signals.b, reversed), first(signals.c, reversed), pointer(d),
            into: first(y, reversed), adding: adding, state: dense(state),
            kept: kept.map { unsafe dense($0) }, scratch: pointer(scratch))
    }

    /// The adjoint of `scan`: fills `gradients`, adds to `da` and `dd`, and takes `dstate` from the
    /// gradient of the last states to that of the first.
    ///
    /// - Parameters:
    ///   - signals: What `scan` was given.
    ///   - a: As there.
    ///   - d: As there.
    ///   - kept: What `scan` kept.
    ///   - dy: `[time, channels]`
    ///   - gradients: Other memory than `signals` and dy.
    ///   - da: `[channels, states]`
    ///   - dd: `[1, channels]`
    ///   - dstate: `[states, width]`
    ///   - scratch: At least `ScanExtent.scratch` elements.
    ///   - reversed: As there.
    package func scanBackward(
        _ signals: ScanSignals, a: Panel, d: Panel, kept: Panel, dy: Panel,
        into gradients: ScanSignals, da: Panel, dd: Panel, dstate: Panel, scratch: Panel,
        reversed: Bool = false
    ) {
        var sizes = expectScan(signals, a, d, dy, dstate, kept, scratch, reversed)
        gradients.expect(sizes.length, sizes.channels, sizes.states)
        da.expect(a.rows, a.columns)
        dd.expect(1, sizes.channels)
        let sign = reversed ? -1 : 1
        sizes.y = sign * dy.stride
        (sizes.dx, sizes.ddelta) = (sign * gradients.x.stride, sign * gradients.delta.stride)
        (sizes.db, sizes.dc) = (sign * gradients.b.stride, sign * gradients.c.stride)
        let targets = unsafe ScanGradients(
            x: first(gradients.x, reversed), delta: first(gradients.delta, reversed), a: dense(da),
            b: first(gradients.b, reversed), c: first(gradients.c, reversed), d: pointer(dd),
            state: dense(dstate))
        unsafe S.scanBackward(
            sizes, first(signals.x, reversed), first(signals.delta, reversed), dense(a),
            first(signals.b, reversed), first(signals.c, reversed), pointer(d), kept: dense(kept),
            first(dy, reversed), into: targets, scratch: pointer(scratch))
    }

    /// Where a signal starts: its last row where time runs backwards.
    @unsafe func first(_ panel: Panel, _ reversed: Bool) -> UnsafeMutablePointer<S> {
        let start = unsafe pointer(panel)
        return unsafe reversed ? start + max(0, panel.rows - 1) * panel.stride : start
    }

    private func expectScan(
        _ signals: ScanSignals, _ a: Panel, _ d: Panel, _ y: Panel, _ state: Panel, _ kept: Panel?,
        _ scratch: Panel, _ reversed: Bool
    ) -> ScanSizes {
        let (length, channels, states) = (signals.x.rows, a.rows, a.columns)
        signals.expect(length, channels, states)
        y.expect(length, channels)
        d.expect(1, channels)
        let width = ScanExtent.width(channels: channels)
        state.expect(states, width)
        kept?.expect(ScanExtent.keptCount(length: length), states * width)
        let needed = ScanExtent.scratch(channels: channels, states: states)
        precondition(scratch.count >= needed, "scan: scratch \(scratch.count) < \(needed)")
        _ = unsafe dense(scratch)
        var sizes = ScanSizes(length: length, channels: channels, states: states)
        let sign = reversed ? -1 : 1
        (sizes.x, sizes.delta) = (sign * signals.x.stride, sign * signals.delta.stride)
        (sizes.b, sizes.c) = (sign * signals.b.stride, sign * signals.c.stride)
        return sizes
    }
}
