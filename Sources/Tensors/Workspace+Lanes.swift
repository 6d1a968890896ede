/// Signals over time for many windows at once: `[time, lane]`, one window in a lane, with as many rows
/// of zeros before or behind as a filter looks back or ahead.
package struct Lanes: Sendable {
    /// All rows, the zeros included.
    let whole: Panel
    /// Rows of zeros before the first point in time.
    let before: Int
    /// Points in time.
    package let length: Int

    /// How many lanes there are, a multiple of 16.
    package var count: Int { whole.columns }
    /// The signals themselves, `[length, lanes]`.
    package var values: Panel { whole.rows(before..<before + length) }

    /// The last `count` points in time; zeros before the first one where the signal is shorter.
    package func last(_ count: Int) -> Panel {
        let end = before + length
        precondition(count <= end, "Lanes: the last \(count) of \(end)")
        return whole.rows(end - count..<end)
    }

    /// - Parameters:
    ///   - layout: Where the rows are planned.
    ///   - windows: How many lanes are needed; rounded up.
    ///   - length: Points in time.
    ///   - before: Rows of zeros before them.
    ///   - behind: Rows of zeros behind them.
    package init(
        _ layout: inout WorkspaceLayout, windows: Int, length: Int, before: Int = 0,
        behind: Int = 0
    ) {
        whole = layout.reserve(before + length + behind, Self.count(windows))
        self.before = before
        self.length = length
    }

    /// Lanes for so many windows: whole registers of either kind of number.
    package static func count(_ windows: Int) -> Int { (windows + 15) / 16 * 16 }

    var behind: Int { whole.rows - before - length }
}

/// The coefficients of a filter, with the zeros beside them that blocks of points in time need.
package struct Taps: Sendable {
    private static let margin = 8
    private let whole: Panel
    /// The coefficients, `[1, count]`.
    package var values: Panel { whole.columns(Self.margin..<whole.columns - Self.margin) }

    package init(_ layout: inout WorkspaceLayout, count: Int) {
        whole = layout.reserve(1, count + 2 * Self.margin)
    }
}

/// Which way a filter walks.
package enum Direction: Sendable {
    /// From the first point in time on, looking back.
    case forward
    /// From the last point in time back, looking ahead: the adjoint.
    case backward
}

extension Workspace {
    /// windows `[windows, length]` → lanes; those without a window become 0.
    package func toLanes(_ windows: Panel, into lanes: Lanes) {
        windows.expect(windows.rows, lanes.length)
        precondition(windows.rows <= lanes.count, "toLanes: \(windows.rows) windows")
        unsafe S.toLanes(
            windows.rows, lanes.length, pointer(windows), stride: windows.stride,
            lanes: lanes.count, into: dense(lanes.values))
    }

    /// The first lanes → windows `[windows, length]`.
    package func fromLanes(_ lanes: Lanes, into windows: Panel) {
        windows.expect(windows.rows, lanes.length)
        precondition(windows.rows <= lanes.count, "fromLanes: \(windows.rows) windows")
        unsafe S.fromLanes(
            windows.rows, lanes.length, lanes: lanes.count, dense(lanes.values),
            into: pointer(windows), stride: windows.stride)
    }

    /// `w_t = u_t + Σ_{1≤j≤d} α_{j−1}·w_{t∓j}`; w may be u.
    package func autoregress(_ alpha: Taps, _ u: Lanes, into w: Lanes, _ direction: Direction) {
        let d = alpha.values.columns
        expect(w, d, direction)
        u.values.expect(w.length, w.count)
        unsafe S.autoregress(
            d, w.length, lanes: w.count, pointer(alpha.values), start(u, direction),
            into: start(w, direction), step: step(w, direction))
    }

    /// `y1_t = Σ_{j<d} n1_j·w_{t−j}`, and y2 with n2.
    package func filterPair(_ n1: Taps, _ n2: Taps, _ w: Lanes, into y1: Lanes, _ y2: Lanes) {
        let d = n1.values.columns
        n2.values.expect(1, d)
        expect(w, d - 1, .forward)
        for y in [y1, y2] { y.values.expect(w.length, w.count) }
        unsafe S.filterPair(
            d, w.length, lanes: w.count, pointer(n1.values), pointer(n2.values),
            dense(w.values), into: dense(y1.values), dense(y2.values), step: w.count)
    }

    /// The adjoint of `filterPair`: `dw_t += Σ_{j<d} n1_j·dy1_{t+j} + n2_j·dy2_{t+j}`.
    package func filterPairBackward(
        _ n1: Taps, _ dy1: Lanes, _ n2: Taps, _ dy2: Lanes, to dw: Lanes
    ) {
        let d = n1.values.columns
        n2.values.expect(1, d)
        for y in [dy1, dy2] {
            expect(y, d - 1, .backward)
            y.values.expect(dw.length, dw.count)
        }
        unsafe S.filterSum(
            d, dw.length, lanes: dw.count, pointer(n1.values), start(dy1, .backward),
            pointer(n2.values), start(dy2, .backward), to: start(dw, .backward), step: -dw.count)
    }

    /// `out_j += Σ_t Σ_lanes s_t·w_{t−j−first}` for j < d, for one signal or three.
    ///
    /// - Parameters:
    ///   - w: With at least `d + first - 1` rows of zeros before.
    ///   - first: The least lag, 0 or 1.
    ///   - signal: Its sums go to the first row of `out`.
    ///   - others: Two more signals, of lag 0 on, where there are any; their sums go to the other
    ///     rows.
    ///   - out: `[3, d]`
    package func lagProducts(
        _ w: Lanes, first: Int, _ signal: Lanes, _ others: (Lanes, Lanes)?, to out: Panel
    ) {
        let d = out.columns
        out.expect(3, d)
        expect(w, d - 1 + first, .forward)
        precondition(first == 0 || first == 1, "lagProducts: lag \(first)")
        precondition(signal.behind >= first, "lagProducts: no zeros behind the signal")
        for s in [signal, others?.0 ?? signal, others?.1 ?? signal] {
            s.values.expect(w.length, w.count)
        }
        // A lag more is the same as a signal that comes a row earlier: its last row is a zero.
        let ahead = unsafe dense(signal.values) + first * signal.count
        unsafe S.lagProducts(
            d, w.length, lanes: w.count, dense(w.values), ahead,
            others.map { unsafe UnsafePointer(dense($0.0.values)) },
            others.map { unsafe UnsafePointer(dense($0.1.values)) }, to: pointer(out.row(0)),
            pointer(out.row(1)), pointer(out.row(2)))
    }

    /// Second-order sections in place, each from the state that is settled at the first point in time
    /// of the walk; every lane to the last bit as it is alone.
    ///
    /// - Parameters:
    ///   - lanes: Filtered in place.
    ///   - sections: `[sections][5]`, b0 b1 b2 a1 a2 each.
    ///   - direction: Which end is the first.
    package func filter(_ lanes: Lanes, sections: [S], _ direction: Direction) {
        precondition(sections.count % 5 == 0, "filter: \(sections.count) coefficients")
        guard lanes.length > 0 else { return }
        unsafe sections.withUnsafeBufferPointer { c in
            guard let c = c.baseAddress else { return }
            unsafe S.biquads(
                sections.count / 5, lanes.length, lanes: lanes.count, c, start(lanes, direction),
                step: step(lanes, direction))
        }
    }

    /// `y_m = Σ_i x_i·taps_{m·down + half − i·up}`; every lane to the last bit as it is alone.
    ///
    /// - Parameters:
    ///   - x: At the old rate.
    ///   - y: At `up / down` times that rate; overwritten.
    ///   - taps: An odd number of them, those of one output point `up` apart.
    ///   - up: From 1.
    ///   - down: From 1.
    package func resample(_ x: Lanes, into y: Lanes, taps: [S], up: Int, down: Int) {
        precondition(
            up > 0 && down > 0 && taps.count % 2 == 1 && x.count == y.count,
            "resample: \(up)/\(down), \(taps.count) taps, \(x.count) and \(y.count) lanes")
        unsafe taps.withUnsafeBufferPointer { taps in
            guard let start = taps.baseAddress else { return }
            unsafe S.polyphase(
                up, down, half: taps.count / 2, start, x.length, lanes: x.count, dense(x.values),
                y.length, into: dense(y.values))
        }
    }

    /// The coefficients P_j of `P(z) = D(z)·(I − z·A)⁻¹·b`, j < d, the last one in the first row.
    package func numerators(a: Panel, b: Panel, into p: Panel) {
        let d = p.columns
        p.expect(d, d)
        for panel in [a, b] { panel.expect(1, d) }
        _ = unsafe dense(p)
        unsafe S.numerators(d, pointer(a), pointer(b), into: pointer(p.row(d - 1)), stride: -d)
    }

    /// The adjoint of `numerators`: dp is overwritten; adds to da and db.
    package func numeratorsBackward(
        a: Panel, b: Panel, p: Panel, dp: Panel, da: Panel, db: Panel
    ) {
        let d = p.columns
        for panel in [p, dp] { panel.expect(d, d) }
        for panel in [a, b, da, db] { panel.expect(1, d) }
        _ = unsafe (dense(p), dense(dp))
        unsafe S.numeratorsBackward(
            d, pointer(a), pointer(b), pointer(p.row(d - 1)), pointer(dp.row(d - 1)), stride: -d,
            da: pointer(da), db: pointer(db))
    }

    /// Traps unless there are `needed` rows of zeros where the filter looks.
    private func expect(_ lanes: Lanes, _ needed: Int, _ direction: Direction) {
        let zeros = direction == .forward ? lanes.before : lanes.behind
        precondition(zeros >= needed, "Lanes: \(zeros) rows of zeros, \(needed) needed")
    }

    /// Where a walk begins.
    @unsafe private func start(_ lanes: Lanes, _ direction: Direction) -> UnsafeMutablePointer<S> {
        let values = lanes.values
        guard direction == .backward, lanes.length > 0 else { return unsafe dense(values) }
        return unsafe dense(values) + (lanes.length - 1) * lanes.count
    }

    private func step(_ lanes: Lanes, _ direction: Direction) -> Int {
        direction == .forward ? lanes.count : -lanes.count
    }
}
