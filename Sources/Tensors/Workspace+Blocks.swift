extension Workspace {
    // MARK: Between rows and blocks

    /// Up to sixteen rows `[rows, length]` → one block `[length, 16]`, 0 in the channels that have no
    /// row.
    package func toBlock(_ rows: Panel, into block: Panel) {
        block.expect(rows.columns, Blocks.channels)
        precondition(rows.rows <= Blocks.channels, "toBlock: \(rows.rows) rows")
        unsafe S.toBlock(rows.rows, rows.columns, pointer(rows), rows.stride, dense(block))
    }

    /// One row `[1, length]` into all sixteen channels of a block `[length, 16]`.
    package func broadcast(_ row: Panel, into block: Panel) {
        row.expect(1, block.rows)
        block.expect(row.columns, Blocks.channels)
        unsafe S.toBlock(Blocks.channels, row.columns, pointer(row), 0, dense(block))
    }

    /// The first channels of one block `[length, 16]` → rows `[rows, length]`.
    package func fromBlock(_ block: Panel, into rows: Panel) {
        block.expect(rows.columns, Blocks.channels)
        precondition(rows.rows <= Blocks.channels, "fromBlock: \(rows.rows) rows")
        unsafe S.fromBlock(rows.rows, rows.columns, dense(block), pointer(rows), rows.stride)
    }

    // MARK: Channel by channel

    /// `normalise` for every channel: x `[d, 16]` → y `[d, 16]`.
    package func normaliseBlock(_ x: Panel, into y: Panel) {
        expectGroups(x, y)
        unsafe S.blockNormalise(x.rows, dense(x), dense(y))
    }

    /// The adjoint of `normaliseBlock`, given its result y: adds to dx.
    package func normaliseBlockBackward(_ x: Panel, _ y: Panel, _ dy: Panel, into dx: Panel) {
        expectGroups(x, y)
        expectGroups(x, dy, dx)
        unsafe S.blockNormaliseBackward(x.rows, dense(x), dense(y), dense(dy), dense(dx))
    }

    /// `y_t += factor·x_t` with a factor `[1, 16]` for every channel.
    package func add(_ x: Panel, toBlock y: Panel, times factor: Panel) {
        expectGroups(x, y)
        factor.expect(1, Blocks.channels)
        unsafe S.blockScaleAdd(x.rows, pointer(factor), dense(x), dense(y))
    }

    /// `z_t = x_t + y_t + offset` with an offset `[1, 16]` for every channel.
    package func sum(_ x: Panel, _ y: Panel, plus offset: Panel, intoBlock z: Panel) {
        expectGroups(x, y, z)
        offset.expect(1, Blocks.channels)
        unsafe S.blockAdd(x.rows, pointer(offset), dense(x), dense(y), dense(z))
    }

    /// Adds `Σ_t x_t`, or `Σ_t x_t·y_t` where there is a y, to `total` `[1, 16]`.
    package func addSums(_ x: Panel, times y: Panel? = nil, to total: Panel) {
        expectGroups(x, y ?? x)
        total.expect(1, Blocks.channels)
        if let y {
            unsafe S.blockDot(x.rows, dense(x), dense(y), pointer(total))
        } else {
            unsafe S.blockSum(x.rows, dense(x), pointer(total))
        }
    }

    /// `C ← A·B`, or `C + A·B`, for every channel.
    package func multiply(
        _ a: GroupMatrix, _ b: GroupMatrix, into c: GroupMatrix, adding: Bool = false
    ) {
        precondition(
            a.columns == b.rows && c.rows == a.rows && c.columns == b.columns,
            "Workspace: \(a.rows)×\(a.columns) by \(b.rows)×\(b.columns) into "
                + "\(c.rows)×\(c.columns) groups")
        unsafe S.blockMultiply(
            c.rows, c.columns, a.columns, start(a), a.steps, start(b), b.steps, start(c), c.steps,
            adding)
    }

    @unsafe private func start(_ matrix: GroupMatrix) -> UnsafeMutablePointer<S> {
        unsafe dense(matrix.panel) + matrix.first * Blocks.channels
    }

    // MARK: Filters over time

    /// `w_t = u_t + Σ_{1≤j≤d} α_{j−1}·w_{t−j}` over windows `[windows·length, 16]`, or with `w_{t+j}`;
    /// w may be u.
    package func autoregress(
        _ alpha: BlockTaps, _ u: Panel, into w: Panel, length: Int, reversed: Bool = false
    ) {
        expectGroups(u, w)
        unsafe S.blockAutoregress(
            alpha.values.rows, 0, length, windows(w, length), pointer(alpha.values), dense(u),
            dense(w), reversed)
    }

    /// Continues windows without an input: `w_t = Σ_{1≤j≤d} α_{j−1}·w_{t−j}` from `start` on.
    package func `continue`(_ w: Panel, _ alpha: BlockTaps, from start: Int, length: Int) {
        expectGroups(w)
        precondition(start >= 0 && start <= length, "continue: from \(start) of \(length)")
        unsafe S.blockAutoregress(
            alpha.values.rows, start, length, windows(w, length), pointer(alpha.values), nil,
            dense(w), false)
    }

    /// `y1_{t−start} = Σ_{j<d} n1_j·x_{t−j}` for t from `start` on, and y2 with n2, where there are any.
    ///
    /// - Parameters:
    ///   - n1: The first filter.
    ///   - n2: The second filter.
    ///   - x: `[windows·length, 16]`
    ///   - y1: `[windows·(length − start), 16]`
    ///   - y2: As y1.
    ///   - length: Points in time of a window.
    ///   - start: The first one that is wanted.
    package func filter(
        _ n1: BlockTaps, _ n2: BlockTaps?, _ x: Panel, into y1: Panel, _ y2: Panel? = nil,
        length: Int,
        from start: Int = 0
    ) {
        let d = n1.values.rows
        n2?.values.expect(d, Blocks.channels)
        precondition((n2 == nil) == (y2 == nil), "filter: an output for every filter")
        precondition(start >= 0 && start <= length, "filter: from \(start) of \(length)")
        let count = windows(x, length)
        y1.expect(count * (length - start), Blocks.channels)
        y2?.expect(count * (length - start), Blocks.channels)
        unsafe S.blockFilter(
            d, start, length, count, pointer(n1.values), n2.map { unsafe pointer($0.values) },
            dense(x), dense(y1), y2.map { unsafe dense($0) })
    }

    /// The adjoint of `filter` from 0 on: fills dx with `Σ_{j<d} n1_j·dy1_{t+j} + n2_j·dy2_{t+j}`.
    package func filterBackward(
        _ n1: BlockTaps, _ dy1: Panel, _ n2: BlockTaps? = nil, _ dy2: Panel? = nil, into dx: Panel,
        length: Int
    ) {
        let d = n1.values.rows
        n2?.values.expect(d, Blocks.channels)
        precondition((n2 == nil) == (dy2 == nil), "filterBackward: a gradient for every filter")
        expectGroups(dy1, dy2 ?? dy1, dx)
        unsafe S.blockFilterBackward(
            d, length, windows(dx, length), pointer(n1.values),
            n2.map { unsafe pointer($0.values) }, dense(dy1), dy2.map { unsafe dense($0) },
            dense(dx))
    }

    /// A signal and where its sums of products go, `[d, 16]`.
    package typealias Lagged = (signal: Panel, out: Panel)

    /// Sums of products with an earlier w: `first_j += Σ_t s_t·w_{t−j−1}`, and for the other signals,
    /// where there are any, `Σ_t s_t·w_{t−j}`.
    package func lagProducts(
        _ w: Panel, _ first: Lagged, _ second: Lagged? = nil, _ third: Lagged? = nil, length: Int
    ) {
        precondition(second != nil || third == nil, "lagProducts: a third signal and no second")
        expectGroups(w, first.signal)
        expectGroups(w, second?.signal, third?.signal)
        expectGroups(first.out, second?.out, third?.out)
        unsafe S.blockLagProducts(
            first.out.rows, length, windows(w, length), dense(w), dense(first.signal),
            second.map { unsafe UnsafePointer(dense($0.signal)) },
            third.map { unsafe UnsafePointer(dense($0.signal)) }, dense(first.out),
            second.map { unsafe dense($0.out) }, third.map { unsafe dense($0.out) })
    }

    // MARK: All channels together

    /// `y += Wᵀ·x` at every point in time; weights `[inputs, outputs]`, whole blocks of either.
    package func mix(_ weights: Panel, _ x: BlockColumn, to y: BlockColumn) {
        weights.expect(x.count * Blocks.channels, y.count * Blocks.channels)
        y.first.expect(x.first.rows, Blocks.channels)
        // The last blocks have to lie in this workspace too.
        _ = unsafe (dense(x.block(x.count - 1)), dense(y.block(y.count - 1)))
        unsafe S.blockMix(
            x.count, y.count, x.first.rows, dense(weights), dense(x.first), x.step, dense(y.first),
            y.step)
    }

    /// `W += Σ_t x_t·y_tᵀ`, `[channels of x, channels of y]`.
    package func addOuterProducts(_ x: BlockColumn, _ y: BlockColumn, to weights: Panel) {
        weights.expect(x.count * Blocks.channels, y.count * Blocks.channels)
        y.first.expect(x.first.rows, Blocks.channels)
        // The last blocks have to lie in this workspace too.
        _ = unsafe (dense(x.block(x.count - 1)), dense(y.block(y.count - 1)))
        unsafe S.blockOuter(
            x.count, y.count, x.first.rows, dense(x.first), x.step, dense(y.first), y.step,
            dense(weights))
    }

    /// Adds to `sums` `[1, n]` the sum over channels of `weight·dropout(GELU(gain·y_t))`; y `[n, 16]`.
    package func head(_ y: Panel, gain: Panel, weight: Panel, sums: Panel, _ dropout: Dropout) {
        expectHead(y, gain, weight, sums, dropout)
        unsafe S.blockHead(
            y.rows, dense(y), pointer(gain), pointer(weight), pointer(sums), dropout)
    }

    /// The adjoint of `head`: fills dy, and adds to what weight and gain receive, `[1, 16]` each.
    package func headBackward(
        _ y: Panel, gain: Panel, weight: Panel, dsums: Panel, into dy: Panel,
        _ received: (weight: Panel, gain: Panel), _ dropout: Dropout
    ) {
        expectHead(y, gain, weight, dsums, dropout)
        received.weight.expect(1, Blocks.channels)
        received.gain.expect(1, Blocks.channels)
        expectGroups(y, dy)
        unsafe S.blockHeadBackward(
            y.rows, dense(y), pointer(gain), pointer(weight), pointer(dsums), dense(dy),
            pointer(received.weight), pointer(received.gain), dropout)
    }

    private func expectHead(
        _ y: Panel, _ gain: Panel, _ weight: Panel, _ sums: Panel, _ dropout: Dropout
    ) {
        expectGroups(y)
        sums.expect(1, y.rows)
        gain.expect(1, Blocks.channels)
        weight.expect(1, Blocks.channels)
        precondition(
            dropout.offset % Blocks.channels == 0, "head: dropout from \(dropout.offset)")
    }

    // MARK: Recurrences of the states

    /// Fills rows 1 and following of `rows` with the one before them times `M = A + b·kᵀ`; every row
    /// has d groups, `step` groups apart.
    package func forecastRows(a: Panel, b: Panel, k: Panel, from rows: Panel, count: Int, step: Int)
    {
        expectGroups(a, b, k)
        precondition(
            count > 0 && step >= a.rows && rows.rows >= (count - 1) * step + a.rows,
            "forecastRows: \(count) rows of \(step) groups in \(rows.rows)")
        rows.expect(rows.rows, Blocks.channels)
        unsafe S.blockRows(
            a.rows, count - 1, dense(a), dense(b), dense(k), dense(rows), step * Blocks.channels)
    }

    /// The adjoint of `forecastRows`, for some of its rows: `mu` `[d, 16]`, the gradient of the row
    /// behind them, becomes that of the first one; adds to da, db and dk.
    package func forecastRowsBackward(
        a: Panel, b: Panel, k: Panel, rows: Panel, drows: Panel, count: Int, step: Int, mu: Panel,
        into gradients: (a: Panel, b: Panel, k: Panel)
    ) {
        expectGroups(a, b, k)
        expectGroups(a, mu, gradients.a)
        expectGroups(a, gradients.b, gradients.k)
        let needed = (count - 1) * step + a.rows
        precondition(
            count > 0 && step >= a.rows && min(rows.rows, drows.rows) >= needed,
            "forecastRowsBackward: \(count) rows of \(step) groups in \(rows.rows)")
        rows.expect(rows.rows, Blocks.channels)
        drows.expect(drows.rows, Blocks.channels)
        unsafe S.blockRowsBackward(
            a.rows, count, dense(a), dense(b), dense(k), dense(rows), dense(drows),
            step * Blocks.channels, dense(mu), dense(gradients.a), dense(gradients.b),
            dense(gradients.k))
    }

    /// The coefficients P_j of `P(z) = D(z)·(I − z·A)⁻¹·b`, j < d, each d groups, `step` groups apart.
    package func numerators(a: Panel, b: Panel, into p: Panel, step: Int) {
        expectGroups(a, b)
        expectNumerators(p, a.rows, step)
        unsafe S.blockNumerators(a.rows, dense(a), dense(b), dense(p), step * Blocks.channels)
    }

    /// The adjoint of `numerators`: dp is overwritten; adds to da and db.
    package func numeratorsBackward(
        a: Panel, b: Panel, p: Panel, dp: Panel, step: Int, da: Panel, db: Panel
    ) {
        expectGroups(a, b)
        expectGroups(a, da, db)
        expectNumerators(p, a.rows, step)
        expectNumerators(dp, a.rows, step)
        unsafe S.blockNumeratorsBackward(
            a.rows, dense(a), dense(b), dense(p), dense(dp), step * Blocks.channels, dense(da),
            dense(db))
    }

    private func expectNumerators(_ p: Panel, _ d: Int, _ step: Int) {
        p.expect(p.rows, Blocks.channels)
        precondition(
            d > 0 && step >= d && p.rows >= (d - 1) * step + d,
            "numerators: \(d) rows of \(step) groups in \(p.rows)")
    }

    /// Traps unless all are blocks `[groups, 16]` of as many groups.
    private func expectGroups(_ first: Panel, _ second: Panel? = nil, _ third: Panel? = nil) {
        first.expect(first.rows, Blocks.channels)
        second?.expect(first.rows, Blocks.channels)
        third?.expect(first.rows, Blocks.channels)
    }

    private func windows(_ panel: Panel, _ length: Int) -> Int {
        precondition(
            length > 0 && panel.rows % length == 0,
            "Workspace: \(panel.rows) points in windows of \(length)")
        return panel.rows / length
    }
}
