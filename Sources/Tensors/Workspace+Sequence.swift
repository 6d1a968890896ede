/// Where the parameters of diagonal state spaces lie, or their gradients: `pairs` conjugate pairs of
/// states for every channel.
package struct DiagonalPanels: Sendable {
    package let logStep: Panel  // [1, channels]
    package let logDecay: Panel  // [channels, pairs]
    package let frequency: Panel  // [channels, pairs]
    package let output: Panel  // [channels, 2·pairs], real and imaginary parts in turn
    package let skip: Panel  // [1, channels]

    package init(
        logStep: Panel, logDecay: Panel, frequency: Panel, output: Panel, skip: Panel
    ) {
        (self.logStep, self.logDecay, self.frequency) = (logStep, logDecay, frequency)
        (self.output, self.skip) = (output, skip)
        let (channels, pairs) = (logDecay.rows, logDecay.columns)
        for panel in [logStep, skip] { panel.expect(1, channels) }
        frequency.expect(channels, pairs)
        output.expect(channels, 2 * pairs)
        precondition(pairs <= Self.pairsMaximum, "DiagonalPanels: \(pairs) pairs of states")
    }

    /// The most conjugate pairs of states that a channel may have.
    package static var pairsMaximum: Int { 128 }

    fileprivate var channels: Int { logDecay.rows }
    fileprivate var pairs: Int { logDecay.columns }
}

/// A diagonal state space as a recurrence, `x ← w·x + u`, `y = skip·u + Σ Re(weights·x)`: rows of real and
/// of imaginary parts in turn.
package struct DiagonalFactors: Sendable {
    package let w: Panel  // [2·pairs, channels]
    package let weights: Panel  // [2·pairs, channels]
    package let skip: Panel  // [1, channels]

    package init(_ layout: inout WorkspaceLayout, channels: Int, pairs: Int) {
        w = layout.reserve(2 * pairs, channels)
        weights = layout.reserve(2 * pairs, channels)
        skip = layout.reserve(1, channels)
    }
}

/// Diagonal state spaces on signals `[time, channel]`; see `cksequence.h` for the formulas.
extension Workspace {
    /// The first taps of the filters, `[length, channels]`, all times `factor`; made in `Double`.
    package func diagonalTaps(_ p: DiagonalPanels, times factor: Double, into taps: Panel) {
        taps.expect(taps.rows, p.channels)
        unsafe S.diagonalTaps(
            taps.rows, p.channels, p.pairs, factor, dense(p.logStep), dense(p.logDecay),
            dense(p.frequency), dense(p.output), dense(p.skip), dense(taps))
    }

    /// The same filters as a recurrence.
    package func diagonalFactors(
        _ p: DiagonalPanels, times factor: Double, into factors: DiagonalFactors
    ) {
        factors.w.expect(2 * p.pairs, p.channels)
        unsafe S.diagonalFactors(
            p.channels, p.pairs, factor, dense(p.logStep), dense(p.logDecay), dense(p.frequency),
            dense(p.output), dense(p.skip), dense(factors.w), dense(factors.weights),
            dense(factors.skip))
    }

    /// The adjoint of `diagonalTaps`: adds to all gradients.
    package func diagonalTapsBackward(
        _ p: DiagonalPanels, times factor: Double, dtaps: Panel, to gradient: DiagonalPanels
    ) {
        dtaps.expect(dtaps.rows, p.channels)
        gradient.logDecay.expect(p.channels, p.pairs)
        guard dtaps.rows > 0 else { return }
        unsafe S.diagonalTapsBackward(
            dtaps.rows, p.channels, p.pairs, factor, dense(p.logStep), dense(p.logDecay),
            dense(p.frequency), dense(p.output), dense(dtaps), dense(gradient.logStep),
            dense(gradient.logDecay), dense(gradient.frequency), dense(gradient.output),
            dense(gradient.skip))
    }

    /// The adjoint of the recurrence for its parameters, from sums `[4·pairs, channels]` and the slopes of
    /// the skip `[1, channels]`: adds to all gradients.
    package func diagonalSumsBackward(
        _ p: DiagonalPanels, times factor: Double, sums: Panel, dskip: Panel,
        to gradient: DiagonalPanels
    ) {
        sums.expect(4 * p.pairs, p.channels)
        dskip.expect(1, p.channels)
        gradient.logDecay.expect(p.channels, p.pairs)
        unsafe S.diagonalSumsBackward(
            p.channels, p.pairs, factor, dense(p.logStep), dense(p.logDecay), dense(p.frequency),
            dense(p.output), dense(sums), dense(dskip), dense(gradient.logStep),
            dense(gradient.logDecay), dense(gradient.frequency), dense(gradient.output),
            dense(gradient.skip))
    }

    // MARK: Taps

    /// `y_t = Σ_{j≤t} taps_j·x_{t−j}` in every piece of `length` rows by itself, or its adjoint for x.
    ///
    /// - Parameters:
    ///   - x: `[pieces·length, channels]`; may have gaps.
    ///   - length: Rows of a piece.
    ///   - taps: At least `length` of them, `[taps, channels]`.
    ///   - y: As x, other memory.
    ///   - reversed: Whether time runs backwards: the adjoint.
    package func convolvePieces(
        _ x: Panel, of length: Int, taps: Panel, into y: Panel, reversed: Bool = false
    ) {
        let pieces = expectPieces(x, length, taps)
        y.expect(x.rows, x.columns)
        unsafe S.tapsConvolve(
            pieces, length, x.columns, dense(taps), pointer(x), x.stride, pointer(y), y.stride,
            reversed)
    }

    /// Adds `Σ dy_t·x_{t−j}` to row j of `dtaps`, over all pieces.
    package func addTapSlopes(_ x: Panel, of length: Int, dy: Panel, to dtaps: Panel) {
        let pieces = expectPieces(x, length, dtaps)
        dy.expect(x.rows, x.columns)
        unsafe S.tapsSlopes(
            pieces, length, x.columns, pointer(x), x.stride, pointer(dy), dy.stride, dense(dtaps))
    }

    /// The last row of every piece of `convolvePieces`: y `[pieces, channels]`.
    package func convolveLast(_ x: Panel, of length: Int, taps: Panel, into y: Panel) {
        let pieces = expectPieces(x, length, taps)
        y.expect(pieces, x.columns)
        unsafe S.tapsLast(
            pieces, length, x.columns, dense(taps), pointer(x), x.stride, pointer(y), y.stride)
    }

    /// The adjoint of `convolveLast`: fills dx, and adds to dtaps.
    package func convolveLastBackward(
        _ x: Panel, of length: Int, taps: Panel, dy: Panel, into dx: Panel, dtaps: Panel
    ) {
        let pieces = expectPieces(x, length, taps)
        dtaps.expect(taps.rows, taps.columns)
        dx.expect(x.rows, x.columns)
        dy.expect(pieces, x.columns)
        unsafe S.tapsLastBackward(
            pieces, length, x.columns, dense(taps), pointer(x), x.stride, pointer(dy), dy.stride,
            pointer(dx), dx.stride, dense(dtaps))
    }

    private func expectPieces(_ x: Panel, _ length: Int, _ taps: Panel) -> Int {
        precondition(
            length > 0 && x.rows % length == 0 && taps.rows >= length
                && taps.columns == x.columns,
            "Workspace: \(x.rows) rows in pieces of \(length), \(taps.rows) taps")
        return x.rows / length
    }

    // MARK: Recurrence

    /// The filters as a recurrence: u `[time, channels]` → y, which may have gaps both.
    ///
    /// - Parameters:
    ///   - u: What goes in.
    ///   - factors: What `diagonalFactors` made.
    ///   - y: Filled, other memory.
    ///   - state: Before the first row, and after it behind the last: `[2·pairs, channels]`.
    ///   - reversed: Whether the last row comes first, which is the adjoint for u.
    package func diagonalScan(
        _ u: Panel, _ factors: DiagonalFactors, into y: Panel, state: Panel, reversed: Bool = false
    ) {
        factors.w.expect(factors.w.rows, u.columns)
        y.expect(u.rows, u.columns)
        state.expect(factors.w.rows, u.columns)
        let sign = reversed ? -1 : 1
        unsafe S.diagonalScan(
            u.rows, u.columns, factors.w.rows / 2, dense(factors.w), dense(factors.weights),
            dense(factors.skip), first(u, reversed), sign * u.stride, first(y, reversed),
            sign * y.stride, dense(state))
    }

    /// Adds what the slopes of a recurrence's parameters follow from, `[4·pairs, channels]`, for states
    /// that begin at 0.
    package func addDiagonalSums(
        _ u: Panel, _ factors: DiagonalFactors, dy: Panel, to sums: Panel
    ) {
        factors.w.expect(factors.w.rows, u.columns)
        dy.expect(u.rows, u.columns)
        sums.expect(2 * factors.w.rows, u.columns)
        unsafe S.diagonalSlopes(
            u.rows, u.columns, factors.w.rows / 2, dense(factors.w), pointer(u), u.stride,
            pointer(dy), dy.stride, dense(sums))
    }
}

/// Norms, gates and cells on signals `[time, channel]`.
extension Workspace {
    /// `[x_t, x_t − x_{t−1}]`, where `before` `[1, channels]` stands before the first row.
    package func appendDeltas(_ x: Panel, before: Panel, into y: Panel) {
        before.expect(1, x.columns)
        y.expect(x.rows, 2 * x.columns)
        unsafe S.deltas(
            x.rows, x.columns, pointer(x), x.stride, pointer(before), pointer(y), y.stride)
    }

    /// Normalises every row to mean 0 and variance 1, with gain and bias `[1, channels]`.
    ///
    /// - Parameters:
    ///   - x: `[rows, channels]`; may have gaps.
    ///   - gain: `[1, channels]`
    ///   - bias: `[1, channels]`
    ///   - epsilon: Added to the variance.
    ///   - y: `[rows, channels]`; may have gaps, and may be x.
    ///   - statistics: Filled with mean and rate of every row, `[rows, 2]`.
    package func layerNorm(
        _ x: Panel, gain: Panel, bias: Panel, epsilon: S, into y: Panel, statistics: Panel
    ) {
        y.expect(x.rows, x.columns)
        for panel in [gain, bias] { panel.expect(1, x.columns) }
        statistics.expect(x.rows, 2)
        unsafe S.layerNorm(
            x.rows, x.columns, pointer(x), x.stride, pointer(gain), pointer(bias), epsilon,
            pointer(y), y.stride, dense(statistics))
    }

    /// The adjoint of `layerNorm`: fills dx, which may be dy, or adds to it; adds to dgain and dbias.
    package func layerNormBackward(
        _ x: Panel, gain: Panel, statistics: Panel, dy: Panel, into dx: Panel, dgain: Panel,
        dbias: Panel, adding: Bool
    ) {
        for panel in [dy, dx] { panel.expect(x.rows, x.columns) }
        for panel in [gain, dgain, dbias] { panel.expect(1, x.columns) }
        statistics.expect(x.rows, 2)
        unsafe S.layerNormBackward(
            x.rows, x.columns, pointer(x), x.stride, pointer(gain), dense(statistics), pointer(dy),
            dy.stride, pointer(dx), dx.stride, pointer(dgain), pointer(dbias), adding)
    }

    /// `y = r + dropout(a·σ(b))` for the halves a and b of the rows of `m + bias`, which m becomes.
    ///
    /// - Parameters:
    ///   - m: `[rows, 2·channels]`, without gaps.
    ///   - bias: `[1, 2·channels]`
    ///   - r: `[rows, channels]`; may have gaps.
    ///   - y: `[rows, channels]`; may have gaps, and may be r.
    ///   - dropout: Numbers the elements of y as if it had no gaps.
    package func gatedLinear(
        _ m: Panel, bias: Panel, to r: Panel, into y: Panel, _ dropout: Dropout
    ) {
        r.expect(m.rows, m.columns / 2)
        y.expect(m.rows, m.columns / 2)
        bias.expect(1, m.columns)
        unsafe S.glu(
            m.rows, m.columns / 2, dense(m), pointer(bias), pointer(r), r.stride, pointer(y),
            y.stride, dropout)
    }

    /// The adjoint of `gatedLinear` for m; that for r is dy itself.
    package func gatedLinearBackward(_ m: Panel, dy: Panel, into dm: Panel, _ dropout: Dropout) {
        dy.expect(m.rows, m.columns / 2)
        dm.expect(m.rows, m.columns)
        unsafe S.gluBackward(
            m.rows, m.columns / 2, dense(m), pointer(dy), dy.stride, dense(dm), dropout)
    }

    /// One point in time of a long short-term memory, for several rows that know nothing of each other.
    ///
    /// - Parameters:
    ///   - gates: `[rows, 4·channels]`: input, forgetting, new value, output; become their values.
    ///   - bias: `[1, 4·channels]`
    ///   - before: The cells one point in time ago, `[rows, channels]`; zeros where nil.
    ///   - cell: Filled, `[rows, channels]`.
    ///   - output: Filled, `[rows, channels]`.
    package func lstmCell(
        _ gates: Panel, bias: Panel, before: Panel?, cell: Panel, output: Panel
    ) {
        let n = gates.columns / 4
        for panel in [cell, output, before ?? cell] { panel.expect(gates.rows, n) }
        bias.expect(1, 4 * n)
        unsafe S.lstmCell(
            gates.rows, n, pointer(gates), gates.stride, pointer(bias),
            before.map { unsafe UnsafePointer(pointer($0)) }, before?.stride ?? 0, pointer(cell),
            cell.stride, pointer(output), output.stride)
    }

    /// The adjoint of `lstmCell`: `dcell` `[rows, channels]` becomes that of the cells before; fills
    /// dgates.
    package func lstmCellBackward(
        _ gates: Panel, before: Panel?, cell: Panel, doutput: Panel, dcell: Panel,
        into dgates: Panel
    ) {
        let n = gates.columns / 4
        for panel in [cell, doutput, dcell, before ?? cell] { panel.expect(gates.rows, n) }
        dgates.expect(gates.rows, 4 * n)
        unsafe S.lstmCellBackward(
            gates.rows, n, pointer(gates), gates.stride,
            before.map { unsafe UnsafePointer(pointer($0)) }, before?.stride ?? 0, pointer(cell),
            cell.stride, pointer(doutput), doutput.stride, dense(dcell), pointer(dgates),
            dgates.stride)
    }
}
