internal import CKernels

/// The loops in C over blocks of sixteen channels, by type of number. Lengths have been checked by the
/// caller; each call's meaning stands in `ckernels.h`. Only `Workspace` calls these.
package protocol BlockKernels {
    /// The t-th numbers of up to 16 rows, side by side; 0 for absent rows.
    @unsafe static func toBlock(
        _ rows: Int, _ length: Int, _ x: UnsafePointer<Self>, _ stride: Int,
        _ y: UnsafeMutablePointer<Self>)
    /// Blocks back to rows.
    @unsafe static func fromBlock(
        _ rows: Int, _ length: Int, _ y: UnsafePointer<Self>, _ x: UnsafeMutablePointer<Self>,
        _ stride: Int)
    /// `normalise` for the d numbers of every channel.
    @unsafe static func blockNormalise(
        _ d: Int, _ x: UnsafePointer<Self>, _ y: UnsafeMutablePointer<Self>)
    /// The adjoint of `blockNormalise`: adds to dx.
    @unsafe static func blockNormaliseBackward(
        _ d: Int, _ x: UnsafePointer<Self>, _ y: UnsafePointer<Self>, _ dy: UnsafePointer<Self>,
        _ dx: UnsafeMutablePointer<Self>)
    /// `y_t += factor·x_t`.
    @unsafe static func blockScaleAdd(
        _ n: Int, _ factor: UnsafePointer<Self>, _ x: UnsafePointer<Self>,
        _ y: UnsafeMutablePointer<Self>)
    /// `z_t = x_t + y_t + offset`.
    @unsafe static func blockAdd(
        _ n: Int, _ offset: UnsafePointer<Self>, _ x: UnsafePointer<Self>, _ y: UnsafePointer<Self>,
        _ z: UnsafeMutablePointer<Self>)
    /// Adds the sum over time.
    @unsafe static func blockSum(
        _ n: Int, _ x: UnsafePointer<Self>, _ sum: UnsafeMutablePointer<Self>)
    /// Adds the sum of products over time.
    @unsafe static func blockDot(
        _ n: Int, _ x: UnsafePointer<Self>, _ y: UnsafePointer<Self>,
        _ sum: UnsafeMutablePointer<Self>)
    /// `c (+)= a·b` for every channel.
    @unsafe static func blockMultiply(
        _ rows: Int, _ columns: Int, _ inner: Int, _ a: UnsafePointer<Self>, _ sa: GroupSteps,
        _ b: UnsafePointer<Self>, _ sb: GroupSteps, _ c: UnsafeMutablePointer<Self>,
        _ sc: GroupSteps, _ add: Bool)
    /// `w_t = u_t + Σ_{1≤j≤d} alpha_{j−1}·w_{t∓j}` from `start` on.
    @unsafe static func blockAutoregress(
        _ d: Int, _ start: Int, _ length: Int, _ windows: Int, _ alpha: UnsafePointer<Self>,
        _ u: UnsafePointer<Self>?, _ w: UnsafeMutablePointer<Self>, _ reversed: Bool)
    /// `y1_{t−start} = Σ_{j<d} n1_j·x_{t−j}`, and y2 with n2, where there is one.
    @unsafe static func blockFilter(
        _ d: Int, _ start: Int, _ length: Int, _ windows: Int, _ n1: UnsafePointer<Self>,
        _ n2: UnsafePointer<Self>?, _ x: UnsafePointer<Self>, _ y1: UnsafeMutablePointer<Self>,
        _ y2: UnsafeMutablePointer<Self>?)
    /// The adjoint of `blockFilter` from 0 on; dx is overwritten.
    @unsafe static func blockFilterBackward(
        _ d: Int, _ length: Int, _ windows: Int, _ n1: UnsafePointer<Self>,
        _ n2: UnsafePointer<Self>?, _ dy1: UnsafePointer<Self>, _ dy2: UnsafePointer<Self>?,
        _ dx: UnsafeMutablePointer<Self>)
    /// `out1_j += Σ_t s1_{t+1}·w_{t−j}`, and of the others without the step ahead.
    @unsafe static func blockLagProducts(
        _ d: Int, _ length: Int, _ windows: Int, _ w: UnsafePointer<Self>,
        _ s1: UnsafePointer<Self>, _ s2: UnsafePointer<Self>?, _ s3: UnsafePointer<Self>?,
        _ out1: UnsafeMutablePointer<Self>, _ out2: UnsafeMutablePointer<Self>?,
        _ out3: UnsafeMutablePointer<Self>?)
    /// A product over all channels: adds to y.
    @unsafe static func blockMix(
        _ inputs: Int, _ outputs: Int, _ length: Int, _ w: UnsafePointer<Self>,
        _ x: UnsafePointer<Self>, _ xBlock: Int, _ y: UnsafeMutablePointer<Self>, _ yBlock: Int)
    /// The outer product over all channels, summed over time: adds to w.
    @unsafe static func blockOuter(
        _ inputs: Int, _ outputs: Int, _ length: Int, _ x: UnsafePointer<Self>, _ xBlock: Int,
        _ y: UnsafePointer<Self>, _ yBlock: Int, _ w: UnsafeMutablePointer<Self>)
    /// The rows after r of the closed loop.
    @unsafe static func blockRows(
        _ d: Int, _ count: Int, _ a: UnsafePointer<Self>, _ b: UnsafePointer<Self>,
        _ k: UnsafePointer<Self>, _ r: UnsafeMutablePointer<Self>, _ step: Int)
    /// The adjoint of `blockRows`: mu moves from the last row to the first.
    @unsafe static func blockRowsBackward(
        _ d: Int, _ count: Int, _ a: UnsafePointer<Self>, _ b: UnsafePointer<Self>,
        _ k: UnsafePointer<Self>, _ r: UnsafePointer<Self>, _ dr: UnsafePointer<Self>, _ step: Int,
        _ mu: UnsafeMutablePointer<Self>, _ da: UnsafeMutablePointer<Self>,
        _ db: UnsafeMutablePointer<Self>, _ dk: UnsafeMutablePointer<Self>)
    /// Rows P_j of `P(z) = D(z)·(I − z·A)⁻¹·b`.
    @unsafe static func blockNumerators(
        _ d: Int, _ a: UnsafePointer<Self>, _ b: UnsafePointer<Self>,
        _ p: UnsafeMutablePointer<Self>, _ step: Int)
    /// The adjoint of `blockNumerators`: dp is overwritten.
    @unsafe static func blockNumeratorsBackward(
        _ d: Int, _ a: UnsafePointer<Self>, _ b: UnsafePointer<Self>, _ p: UnsafePointer<Self>,
        _ dp: UnsafeMutablePointer<Self>, _ step: Int, _ da: UnsafeMutablePointer<Self>,
        _ db: UnsafeMutablePointer<Self>)
    /// Adds the sum over channels of `weight·dropout(GELU(gain·y_t))`.
    @unsafe static func blockHead(
        _ n: Int, _ y: UnsafePointer<Self>, _ gain: UnsafePointer<Self>,
        _ weight: UnsafePointer<Self>, _ sum: UnsafeMutablePointer<Self>, _ drop: Dropout)
    /// The adjoint of `blockHead`: fills dy, adds to the gradients.
    @unsafe static func blockHeadBackward(
        _ n: Int, _ y: UnsafePointer<Self>, _ gain: UnsafePointer<Self>,
        _ weight: UnsafePointer<Self>, _ dsum: UnsafePointer<Self>,
        _ dy: UnsafeMutablePointer<Self>, _ dweight: UnsafeMutablePointer<Self>,
        _ dgain: UnsafeMutablePointer<Self>, _ drop: Dropout)
}

/// Distances between the rows and between the columns of a matrix of groups, in numbers.
package struct GroupSteps: Sendable {
    let row: Int
    let column: Int

    fileprivate var raw: ck_steps { ck_steps(row: row, column: column) }
}

extension Float: BlockKernels {
    /// Forwards to `ck_to_block_f32`.
    @unsafe package static func toBlock(
        _ rows: Int, _ length: Int, _ x: UnsafePointer<Float>, _ stride: Int,
        _ y: UnsafeMutablePointer<Float>
    ) { unsafe ck_to_block_f32(rows, length, x, stride, y) }

    /// Forwards to `ck_from_block_f32`.
    @unsafe package static func fromBlock(
        _ rows: Int, _ length: Int, _ y: UnsafePointer<Float>, _ x: UnsafeMutablePointer<Float>,
        _ stride: Int
    ) { unsafe ck_from_block_f32(rows, length, y, x, stride) }

    /// Forwards to `ck_block_normalise_f32`.
    @unsafe package static func blockNormalise(
        _ d: Int, _ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>
    ) { unsafe ck_block_normalise_f32(d, x, y) }

    /// Forwards to `ck_block_normalise_backward_f32`.
    @unsafe package static func blockNormaliseBackward(
        _ d: Int, _ x: UnsafePointer<Float>, _ y: UnsafePointer<Float>, _ dy: UnsafePointer<Float>,
        _ dx: UnsafeMutablePointer<Float>
    ) { unsafe ck_block_normalise_backward_f32(d, x, y, dy, dx) }

    /// Forwards to `ck_block_scale_add_f32`.
    @unsafe package static func blockScaleAdd(
        _ n: Int, _ factor: UnsafePointer<Float>, _ x: UnsafePointer<Float>,
        _ y: UnsafeMutablePointer<Float>
    ) { unsafe ck_block_scale_add_f32(n, factor, x, y) }

    /// Forwards to `ck_block_add_f32`.
    @unsafe package static func blockAdd(
        _ n: Int, _ offset: UnsafePointer<Float>, _ x: UnsafePointer<Float>,
        _ y: UnsafePointer<Float>, _ z: UnsafeMutablePointer<Float>
    ) { unsafe ck_block_add_f32(n, offset, x, y, z) }

    /// Forwards to `ck_block_sum_f32`.
    @unsafe package static func blockSum(
        _ n: Int, _ x: UnsafePointer<Float>, _ sum: UnsafeMutablePointer<Float>
    ) { unsafe ck_block_sum_f32(n, x, sum) }

    /// Forwards to `ck_block_dot_f32`.
    @unsafe package static func blockDot(
        _ n: Int, _ x: UnsafePointer<Float>, _ y: UnsafePointer<Float>,
        _ sum: UnsafeMutablePointer<Float>
    ) { unsafe ck_block_dot_f32(n, x, y, sum) }

    /// Forwards to `ck_block_multiply_f32`.
    @unsafe package static func blockMultiply(
        _ rows: Int, _ columns: Int, _ inner: Int, _ a: UnsafePointer<Float>, _ sa: GroupSteps,
        _ b: UnsafePointer<Float>, _ sb: GroupSteps, _ c: UnsafeMutablePointer<Float>,
        _ sc: GroupSteps, _ add: Bool
    ) {
        unsafe ck_block_multiply_f32(
            rows, columns, inner, a, sa.raw, b, sb.raw, c, sc.raw, add ? 1 : 0)
    }

    /// Forwards to `ck_block_autoregress_f32`.
    @unsafe package static func blockAutoregress(
        _ d: Int, _ start: Int, _ length: Int, _ windows: Int, _ alpha: UnsafePointer<Float>,
        _ u: UnsafePointer<Float>?, _ w: UnsafeMutablePointer<Float>, _ reversed: Bool
    ) { unsafe ck_block_autoregress_f32(d, start, length, windows, alpha, u, w, reversed ? 1 : 0) }

    /// Forwards to `ck_block_filter_f32`.
    @unsafe package static func blockFilter(
        _ d: Int, _ start: Int, _ length: Int, _ windows: Int, _ n1: UnsafePointer<Float>,
        _ n2: UnsafePointer<Float>?, _ x: UnsafePointer<Float>, _ y1: UnsafeMutablePointer<Float>,
        _ y2: UnsafeMutablePointer<Float>?
    ) { unsafe ck_block_filter_f32(d, start, length, windows, n1, n2, x, y1, y2) }

    /// Forwards to `ck_block_filter_backward_f32`.
    @unsafe package static func blockFilterBackward(
        _ d: Int, _ length: Int, _ windows: Int, _ n1: UnsafePointer<Float>,
        _ n2: UnsafePointer<Float>?, _ dy1: UnsafePointer<Float>, _ dy2: UnsafePointer<Float>?,
        _ dx: UnsafeMutablePointer<Float>
    ) { unsafe ck_block_filter_backward_f32(d, length, windows, n1, n2, dy1, dy2, dx) }

    /// Forwards to `ck_block_lag_products_f32`.
    @unsafe package static func blockLagProducts(
        _ d: Int, _ length: Int, _ windows: Int, _ w: UnsafePointer<Float>,
        _ s1: UnsafePointer<Float>, _ s2: UnsafePointer<Float>?, _ s3: UnsafePointer<Float>?,
        _ out1: UnsafeMutablePointer<Float>, _ out2: UnsafeMutablePointer<Float>?,
        _ out3: UnsafeMutablePointer<Float>?
    ) { unsafe ck_block_lag_products_f32(d, length, windows, w, s1, s2, s3, out1, out2, out3) }

    /// Forwards to `ck_block_mix_f32`.
    @unsafe package static func blockMix(
        _ inputs: Int, _ outputs: Int, _ length: Int, _ w: UnsafePointer<Float>,
        _ x: UnsafePointer<Float>, _ xBlock: Int, _ y: UnsafeMutablePointer<Float>, _ yBlock: Int
    ) { unsafe ck_block_mix_f32(inputs, outputs, length, w, x, xBlock, y, yBlock) }

    /// Forwards to `ck_block_outer_f32`.
    @unsafe package static func blockOuter(
        _ inputs: Int, _ outputs: Int, _ length: Int, _ x: UnsafePointer<Float>, _ xBlock: Int,
        _ y: UnsafePointer<Float>, _ yBlock: Int, _ w: UnsafeMutablePointer<Float>
    ) { unsafe ck_block_outer_f32(inputs, outputs, length, x, xBlock, y, yBlock, w) }

    /// Forwards to `ck_block_rows_f32`.
    @unsafe package static func blockRows(
        _ d: Int, _ count: Int, _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>,
        _ k: UnsafePointer<Float>, _ r: UnsafeMutablePointer<Float>, _ step: Int
    ) { unsafe ck_block_rows_f32(d, count, a, b, k, r, step) }

    /// Forwards to `ck_block_rows_backward_f32`.
    @unsafe package static func blockRowsBackward(
        _ d: Int, _ count: Int, _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>,
        _ k: UnsafePointer<Float>, _ r: UnsafePointer<Float>, _ dr: UnsafePointer<Float>,
        _ step: Int, _ mu: UnsafeMutablePointer<Float>, _ da: UnsafeMutablePointer<Float>,
        _ db: UnsafeMutablePointer<Float>, _ dk: UnsafeMutablePointer<Float>
    ) { unsafe ck_block_rows_backward_f32(d, count, a, b, k, r, dr, step, mu, da, db, dk) }

    /// Forwards to `ck_block_numerators_f32`.
    @unsafe package static func blockNumerators(
        _ d: Int, _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>,
        _ p: UnsafeMutablePointer<Float>, _ step: Int
    ) { unsafe ck_block_numerators_f32(d, a, b, p, step) }

    /// Forwards to `ck_block_numerators_backward_f32`.
    @unsafe package static func blockNumeratorsBackward(
        _ d: Int, _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ p: UnsafePointer<Float>,
        _ dp: UnsafeMutablePointer<Float>, _ step: Int, _ da: UnsafeMutablePointer<Float>,
        _ db: UnsafeMutablePointer<Float>
    ) { unsafe ck_block_numerators_backward_f32(d, a, b, p, dp, step, da, db) }

    /// Forwards to `ck_block_head_f32`.
    @unsafe package static func blockHead(
        _ n: Int, _ y: UnsafePointer<Float>, _ gain: UnsafePointer<Float>,
        _ weight: UnsafePointer<Float>, _ sum: UnsafeMutablePointer<Float>, _ drop: Dropout
    ) { unsafe ck_block_head_f32(n, y, gain, weight, sum, drop.raw) }

    /// Forwards to `ck_block_head_backward_f32`.
    @unsafe package static func blockHeadBackward(
        _ n: Int, _ y: UnsafePointer<Float>, _ gain: UnsafePointer<Float>,
        _ weight: UnsafePointer<Float>, _ dsum: UnsafePointer<Float>,
        _ dy: UnsafeMutablePointer<Float>, _ dweight: UnsafeMutablePointer<Float>,
        _ dgain: UnsafeMutablePointer<Float>, _ drop: Dropout
    ) { unsafe ck_block_head_backward_f32(n, y, gain, weight, dsum, dy, dweight, dgain, drop.raw) }
}

extension Double: BlockKernels {
    /// Forwards to `ck_to_block_f64`.
    @unsafe package static func toBlock(
        _ rows: Int, _ length: Int, _ x: UnsafePointer<Double>, _ stride: Int,
        _ y: UnsafeMutablePointer<Double>
    ) { unsafe ck_to_block_f64(rows, length, x, stride, y) }

    /// Forwards to `ck_from_block_f64`.
    @unsafe package static func fromBlock(
        _ rows: Int, _ length: Int, _ y: UnsafePointer<Double>, _ x: UnsafeMutablePointer<Double>,
        _ stride: Int
    ) { unsafe ck_from_block_f64(rows, length, y, x, stride) }

    /// Forwards to `ck_block_normalise_f64`.
    @unsafe package static func blockNormalise(
        _ d: Int, _ x: UnsafePointer<Double>, _ y: UnsafeMutablePointer<Double>
    ) { unsafe ck_block_normalise_f64(d, x, y) }

    /// Forwards to `ck_block_normalise_backward_f64`.
    @unsafe package static func blockNormaliseBackward(
        _ d: Int, _ x: UnsafePointer<Double>, _ y: UnsafePointer<Double>,
        _ dy: UnsafePointer<Double>, _ dx: UnsafeMutablePointer<Double>
    ) { unsafe ck_block_normalise_backward_f64(d, x, y, dy, dx) }

    /// Forwards to `ck_block_scale_add_f64`.
    @unsafe package static func blockScaleAdd(
        _ n: Int, _ factor: UnsafePointer<Double>, _ x: UnsafePointer<Double>,
        _ y: UnsafeMutablePointer<Double>
    ) { unsafe ck_block_scale_add_f64(n, factor, x, y) }

    /// Forwards to `ck_block_add_f64`.
    @unsafe package static func blockAdd(
        _ n: Int, _ offset: UnsafePointer<Double>, _ x: UnsafePointer<Double>,
        _ y: UnsafePointer<Double>, _ z: UnsafeMutablePointer<Double>
    ) { unsafe ck_block_add_f64(n, offset, x, y, z) }

    /// Forwards to `ck_block_sum_f64`.
    @unsafe package static func blockSum(
        _ n: Int, _ x: UnsafePointer<Double>, _ sum: UnsafeMutablePointer<Double>
    ) { unsafe ck_block_sum_f64(n, x, sum) }

    /// Forwards to `ck_block_dot_f64`.
    @unsafe package static func blockDot(
        _ n: Int, _ x: UnsafePointer<Double>, _ y: UnsafePointer<Double>,
        _ sum: UnsafeMutablePointer<Double>
    ) { unsafe ck_block_dot_f64(n, x, y, sum) }

    /// Forwards to `ck_block_multiply_f64`.
    @unsafe package static func blockMultiply(
        _ rows: Int, _ columns: Int, _ inner: Int, _ a: UnsafePointer<Double>, _ sa: GroupSteps,
        _ b: UnsafePointer<Double>, _ sb: GroupSteps, _ c: UnsafeMutablePointer<Double>,
        _ sc: GroupSteps, _ add: Bool
    ) {
        unsafe ck_block_multiply_f64(
            rows, columns, inner, a, sa.raw, b, sb.raw, c, sc.raw, add ? 1 : 0)
    }

    /// Forwards to `ck_block_autoregress_f64`.
    @unsafe package static func blockAutoregress(
        _ d: Int, _ start: Int, _ length: Int, _ windows: Int, _ alpha: UnsafePointer<Double>,
        _ u: UnsafePointer<Double>?, _ w: UnsafeMutablePointer<Double>, _ reversed: Bool
    ) { unsafe ck_block_autoregress_f64(d, start, length, windows, alpha, u, w, reversed ? 1 : 0) }

    /// Forwards to `ck_block_filter_f64`.
    @unsafe package static func blockFilter(
        _ d: Int, _ start: Int, _ length: Int, _ windows: Int, _ n1: UnsafePointer<Double>,
        _ n2: UnsafePointer<Double>?, _ x: UnsafePointer<Double>,
        _ y1: UnsafeMutablePointer<Double>, _ y2: UnsafeMutablePointer<Double>?
    ) { unsafe ck_block_filter_f64(d, start, length, windows, n1, n2, x, y1, y2) }

    /// Forwards to `ck_block_filter_backward_f64`.
    @unsafe package static func blockFilterBackward(
        _ d: Int, _ length: Int, _ windows: Int, _ n1: UnsafePointer<Double>,
        _ n2: UnsafePointer<Double>?, _ dy1: UnsafePointer<Double>, _ dy2: UnsafePointer<Double>?,
        _ dx: UnsafeMutablePointer<Double>
    ) { unsafe ck_block_filter_backward_f64(d, length, windows, n1, n2, dy1, dy2, dx) }

    /// Forwards to `ck_block_lag_products_f64`.
    @unsafe package static func blockLagProducts(
        _ d: Int, _ length: Int, _ windows: Int, _ w: UnsafePointer<Double>,
        _ s1: UnsafePointer<Double>, _ s2: UnsafePointer<Double>?, _ s3: UnsafePointer<Double>?,
        _ out1: UnsafeMutablePointer<Double>, _ out2: UnsafeMutablePointer<Double>?,
        _ out3: UnsafeMutablePointer<Double>?
    ) { unsafe ck_block_lag_products_f64(d, length, windows, w, s1, s2, s3, out1, out2, out3) }

    /// Forwards to `ck_block_mix_f64`.
    @unsafe package static func blockMix(
        _ inputs: Int, _ outputs: Int, _ length: Int, _ w: UnsafePointer<Double>,
        _ x: UnsafePointer<Double>, _ xBlock: Int, _ y: UnsafeMutablePointer<Double>, _ yBlock: Int
    ) { unsafe ck_block_mix_f64(inputs, outputs, length, w, x, xBlock, y, yBlock) }

    /// Forwards to `ck_block_outer_f64`.
    @unsafe package static func blockOuter(
        _ inputs: Int, _ outputs: Int, _ length: Int, _ x: UnsafePointer<Double>, _ xBlock: Int,
        _ y: UnsafePointer<Double>, _ yBlock: Int, _ w: UnsafeMutablePointer<Double>
    ) { unsafe ck_block_outer_f64(inputs, outputs, length, x, xBlock, y, yBlock, w) }

    /// Forwards to `ck_block_rows_f64`.
    @unsafe package static func blockRows(
        _ d: Int, _ count: Int, _ a: UnsafePointer<Double>, _ b: UnsafePointer<Double>,
        _ k: UnsafePointer<Double>, _ r: UnsafeMutablePointer<Double>, _ step: Int
    ) { unsafe ck_block_rows_f64(d, count, a, b, k, r, step) }

    /// Forwards to `ck_block_rows_backward_f64`.
    @unsafe package static func blockRowsBackward(
        _ d: Int, _ count: Int, _ a: UnsafePointer<Double>, _ b: UnsafePointer<Double>,
        _ k: UnsafePointer<Double>, _ r: UnsafePointer<Double>, _ dr: UnsafePointer<Double>,
        _ step: Int, _ mu: UnsafeMutablePointer<Double>, _ da: UnsafeMutablePointer<Double>,
        _ db: UnsafeMutablePointer<Double>, _ dk: UnsafeMutablePointer<Double>
    ) { unsafe ck_block_rows_backward_f64(d, count, a, b, k, r, dr, step, mu, da, db, dk) }

    /// Forwards to `ck_block_numerators_f64`.
    @unsafe package static func blockNumerators(
        _ d: Int, _ a: UnsafePointer<Double>, _ b: UnsafePointer<Double>,
        _ p: UnsafeMutablePointer<Double>, _ step: Int
    ) { unsafe ck_block_numerators_f64(d, a, b, p, step) }

    /// Forwards to `ck_block_numerators_backward_f64`.
    @unsafe package static func blockNumeratorsBackward(
        _ d: Int, _ a: UnsafePointer<Double>, _ b: UnsafePointer<Double>,
        _ p: UnsafePointer<Double>, _ dp: UnsafeMutablePointer<Double>, _ step: Int,
        _ da: UnsafeMutablePointer<Double>, _ db: UnsafeMutablePointer<Double>
    ) { unsafe ck_block_numerators_backward_f64(d, a, b, p, dp, step, da, db) }

    /// Forwards to `ck_block_head_f64`.
    @unsafe package static func blockHead(
        _ n: Int, _ y: UnsafePointer<Double>, _ gain: UnsafePointer<Double>,
        _ weight: UnsafePointer<Double>, _ sum: UnsafeMutablePointer<Double>, _ drop: Dropout
    ) { unsafe ck_block_head_f64(n, y, gain, weight, sum, drop.raw) }

    /// Forwards to `ck_block_head_backward_f64`.
    @unsafe package static func blockHeadBackward(
        _ n: Int, _ y: UnsafePointer<Double>, _ gain: UnsafePointer<Double>,
        _ weight: UnsafePointer<Double>, _ dsum: UnsafePointer<Double>,
        _ dy: UnsafeMutablePointer<Double>, _ dweight: UnsafeMutablePointer<Double>,
        _ dgain: UnsafeMutablePointer<Double>, _ drop: Dropout
    ) { unsafe ck_block_head_backward_f64(n, y, gain, weight, dsum, dy, dweight, dgain, drop.raw) }
}
