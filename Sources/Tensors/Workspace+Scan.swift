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
    ///   - kept: Takes what the adjoint needs, `[ScanExtent.keptCount, states·width]` for every sequence;
    ///     nil where there is none.
    ///   - scratch: At least `ScanExtent.scratch` elements.
    ///   - sequences: Each of which begins with states of 0, whatever `state` holds; all rows are one that
    ///     begins with `state` where nil.
    ///   - reversed: Whether the last point in time comes first.
    package func scan(
        _ signals: ScanSignals, a: Panel, d: Panel, into y: Panel, adding: Bool = false,
        state: Panel, kept: Panel?, scratch: Panel, sequences: RowSequences? = nil,
        reversed: Bool = false
    ) {
        var sizes = expectScan(signals, a, d, y, state, kept, scratch, sequences, reversed)
        guard sizes.length > 0 else { return }
        sizes.y = sizes.along * y.stride
        let start = start(signals.x, sequences, reversed)
        unsafe S.scan(
            sizes, pointer(signals.x) + start * signals.x.stride,
            pointer(signals.delta) + start * signals.delta.stride, dense(a),
            pointer(signals.b) + start * signals.b.stride,
            pointer(signals.c) + start * signals.c.stride, pointer(d),
            into: pointer(y) + start * y.stride, adding: adding, state: dense(state),
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
    ///   - sequences: As there; where given, `dstate` is taken to be 0 behind each.
    ///   - reversed: As there.
    package func scanBackward(
        _ signals: ScanSignals, a: Panel, d: Panel, kept: Panel, dy: Panel,
        into gradients: ScanSignals, da: Panel, dd: Panel, dstate: Panel, scratch: Panel,
        sequences: RowSequences? = nil, reversed: Bool = false
    ) {
        var sizes = expectScan(signals, a, d, dy, dstate, kept, scratch, sequences, reversed)
        gradients.expect(signals.x.rows, sizes.channels, sizes.states)
        da.expect(a.rows, a.columns)
        dd.expect(1, sizes.channels)
        guard sizes.length > 0 else { return }
        let (along, start) = (sizes.along, start(signals.x, sequences, reversed))
        sizes.y = along * dy.stride
        (sizes.dx, sizes.ddelta) = (along * gradients.x.stride, along * gradients.delta.stride)
        (sizes.db, sizes.dc) = (along * gradients.b.stride, along * gradients.c.stride)
        let targets = unsafe ScanGradients(
            x: pointer(gradients.x) + start * gradients.x.stride,
            delta: pointer(gradients.delta) + start * gradients.delta.stride, a: dense(da),
            b: pointer(gradients.b) + start * gradients.b.stride,
            c: pointer(gradients.c) + start * gradients.c.stride, d: pointer(dd),
            state: dense(dstate))
        unsafe S.scanBackward(
            sizes, pointer(signals.x) + start * signals.x.stride,
            pointer(signals.delta) + start * signals.delta.stride, dense(a),
            pointer(signals.b) + start * signals.b.stride,
            pointer(signals.c) + start * signals.c.stride, pointer(d), kept: dense(kept),
            pointer(dy) + start * dy.stride, into: targets, scratch: pointer(scratch))
    }

    /// Where a signal starts: its last row where time runs backwards.
    @unsafe func first(_ panel: Panel, _ reversed: Bool) -> UnsafeMutablePointer<S> {
        let start = unsafe pointer(panel)
        return unsafe reversed ? start + max(0, panel.rows - 1) * panel.stride : start
    }

    /// The row that the first point in time of the first sequence lies in.
    private func start(_ signal: Panel, _ sequences: RowSequences?, _ reversed: Bool) -> Int {
        guard reversed, signal.rows > 0 else { return 0 }
        return sequences.map { ($0.length - 1) * $0.along } ?? signal.rows - 1
    }

    private func expectScan(
        _ signals: ScanSignals, _ a: Panel, _ d: Panel, _ y: Panel, _ state: Panel, _ kept: Panel?,
        _ scratch: Panel, _ sequences: RowSequences?, _ reversed: Bool
    ) -> ScanSizes {
        let (rows, channels, states) = (signals.x.rows, a.rows, a.columns)
        let all = sequences ?? .consecutive(1, length: rows)
        precondition(all.rows == rows, "scan: \(all.rows) rows of \(rows)")
        signals.expect(rows, channels, states)
        y.expect(rows, channels)
        d.expect(1, channels)
        let width = ScanExtent.width(channels: channels)
        state.expect(states, width)
        kept?.expect(all.count * ScanExtent.keptCount(length: all.length), states * width)
        let needed = ScanExtent.scratch(channels: channels, states: states)
        precondition(scratch.count >= needed, "scan: scratch \(scratch.count) < \(needed)")
        _ = unsafe dense(scratch)
        var sizes = ScanSizes(length: all.length, channels: channels, states: states)
        sizes.sequences = sequences == nil ? 0 : all.count
        sizes.along = reversed ? -all.along : all.along
        sizes.apart = all.apart
        (sizes.x, sizes.delta) = (
            sizes.along * signals.x.stride, sizes.along * signals.delta.stride
        )
        (sizes.b, sizes.c) = (sizes.along * signals.b.stride, sizes.along * signals.c.stride)
        return sizes
    }
}
