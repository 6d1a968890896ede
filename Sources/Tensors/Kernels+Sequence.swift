internal import CKernels

/// Loops of sequence models over signals `[time, channel]` in C, by type of number; each call's meaning
/// stands in `cksequence.h`. Distances between rows are in numbers.
package protocol SequenceKernels {
    /// The taps of diagonal state spaces, from their parameters.
    @unsafe static func diagonalTaps(
        _ length: Int, _ n: Int, _ pairs: Int, _ factor: Double, _ logDt: UnsafePointer<Self>,
        _ logRe: UnsafePointer<Self>, _ im: UnsafePointer<Self>, _ c: UnsafePointer<Self>,
        _ d: UnsafePointer<Self>, _ taps: UnsafeMutablePointer<Self>)
    /// The factors of the same as a recurrence.
    @unsafe static func diagonalFactors(
        _ n: Int, _ pairs: Int, _ factor: Double, _ logDt: UnsafePointer<Self>,
        _ logRe: UnsafePointer<Self>, _ im: UnsafePointer<Self>, _ c: UnsafePointer<Self>,
        _ d: UnsafePointer<Self>, _ w: UnsafeMutablePointer<Self>,
        _ weights: UnsafeMutablePointer<Self>, _ skip: UnsafeMutablePointer<Self>)
    /// The adjoint of `diagonalTaps`: adds to all gradients.
    @unsafe static func diagonalTapsBackward(
        _ length: Int, _ n: Int, _ pairs: Int, _ factor: Double, _ logDt: UnsafePointer<Self>,
        _ logRe: UnsafePointer<Self>, _ im: UnsafePointer<Self>, _ c: UnsafePointer<Self>,
        _ dtaps: UnsafePointer<Self>, _ dlogDt: UnsafeMutablePointer<Self>,
        _ dlogRe: UnsafeMutablePointer<Self>, _ dim: UnsafeMutablePointer<Self>,
        _ dc: UnsafeMutablePointer<Self>, _ dd: UnsafeMutablePointer<Self>)
    /// The same from the sums of `diagonalSlopes`.
    @unsafe static func diagonalSumsBackward(
        _ n: Int, _ pairs: Int, _ factor: Double, _ logDt: UnsafePointer<Self>,
        _ logRe: UnsafePointer<Self>, _ im: UnsafePointer<Self>, _ c: UnsafePointer<Self>,
        _ sums: UnsafePointer<Self>, _ dskip: UnsafePointer<Self>,
        _ dlogDt: UnsafeMutablePointer<Self>, _ dlogRe: UnsafeMutablePointer<Self>,
        _ dim: UnsafeMutablePointer<Self>, _ dc: UnsafeMutablePointer<Self>,
        _ dd: UnsafeMutablePointer<Self>)
    /// Causal convolution of pieces of rows, channel by channel; reversed its adjoint.
    @unsafe static func tapsConvolve(
        _ pieces: Int, _ length: Int, _ n: Int, _ k: UnsafePointer<Self>, _ x: UnsafePointer<Self>,
        _ stepX: Int, _ y: UnsafeMutablePointer<Self>, _ stepY: Int, _ reversed: Bool)
    /// Adds the slopes of the taps.
    @unsafe static func tapsSlopes(
        _ pieces: Int, _ length: Int, _ n: Int, _ x: UnsafePointer<Self>, _ stepX: Int,
        _ dy: UnsafePointer<Self>, _ stepY: Int, _ dk: UnsafeMutablePointer<Self>)
    /// The last row of every piece of `tapsConvolve`.
    @unsafe static func tapsLast(
        _ pieces: Int, _ length: Int, _ n: Int, _ k: UnsafePointer<Self>, _ x: UnsafePointer<Self>,
        _ stepX: Int, _ y: UnsafeMutablePointer<Self>, _ stepY: Int)
    /// The adjoint of `tapsLast`: fills dx, adds to dk.
    @unsafe static func tapsLastBackward(
        _ pieces: Int, _ length: Int, _ n: Int, _ k: UnsafePointer<Self>, _ x: UnsafePointer<Self>,
        _ stepX: Int, _ dy: UnsafePointer<Self>, _ stepY: Int, _ dx: UnsafeMutablePointer<Self>,
        _ stepDx: Int, _ dk: UnsafeMutablePointer<Self>)
    /// The recurrence; negative steps are its adjoint.
    @unsafe static func diagonalScan(
        _ length: Int, _ n: Int, _ pairs: Int, _ w: UnsafePointer<Self>, _ c: UnsafePointer<Self>,
        _ skip: UnsafePointer<Self>, _ u: UnsafePointer<Self>, _ stepU: Int,
        _ y: UnsafeMutablePointer<Self>, _ stepY: Int, _ state: UnsafeMutablePointer<Self>)
    /// Adds the sums that the slopes of w and c follow from.
    @unsafe static func diagonalSlopes(
        _ length: Int, _ n: Int, _ pairs: Int, _ w: UnsafePointer<Self>, _ u: UnsafePointer<Self>,
        _ stepU: Int, _ dy: UnsafePointer<Self>, _ stepY: Int, _ sums: UnsafeMutablePointer<Self>)
    /// Rows, and behind each its difference to the one before.
    @unsafe static func deltas(
        _ rows: Int, _ n: Int, _ x: UnsafePointer<Self>, _ stepX: Int,
        _ before: UnsafePointer<Self>, _ y: UnsafeMutablePointer<Self>, _ stepY: Int)
    /// Normalises every row to mean 0 and variance 1, with gain and bias.
    @unsafe static func layerNorm(
        _ rows: Int, _ n: Int, _ x: UnsafePointer<Self>, _ stepX: Int, _ gain: UnsafePointer<Self>,
        _ bias: UnsafePointer<Self>, _ epsilon: Self, _ y: UnsafeMutablePointer<Self>, _ stepY: Int,
        _ statistics: UnsafeMutablePointer<Self>)
    /// The adjoint of `layerNorm`: fills dx or adds to it, adds to dgain and dbias.
    @unsafe static func layerNormBackward(
        _ rows: Int, _ n: Int, _ x: UnsafePointer<Self>, _ stepX: Int, _ gain: UnsafePointer<Self>,
        _ statistics: UnsafePointer<Self>, _ dy: UnsafePointer<Self>, _ stepDy: Int,
        _ dx: UnsafeMutablePointer<Self>, _ stepDx: Int, _ dgain: UnsafeMutablePointer<Self>,
        _ dbias: UnsafeMutablePointer<Self>, _ add: Bool)
    /// Adds the bias to m, and r plus the dropped-out gated linear unit of m is y.
    @unsafe static func glu(
        _ rows: Int, _ n: Int, _ m: UnsafeMutablePointer<Self>, _ bias: UnsafePointer<Self>,
        _ r: UnsafePointer<Self>, _ stepR: Int, _ y: UnsafeMutablePointer<Self>, _ stepY: Int,
        _ drop: Dropout)
    /// The adjoint of `glu` for m.
    @unsafe static func gluBackward(
        _ rows: Int, _ n: Int, _ m: UnsafePointer<Self>, _ dy: UnsafePointer<Self>, _ stepDy: Int,
        _ dm: UnsafeMutablePointer<Self>, _ drop: Dropout)
    /// One point in time of a long short-term memory, for several rows.
    @unsafe static func lstmCell(
        _ rows: Int, _ n: Int, _ gates: UnsafeMutablePointer<Self>, _ stepG: Int,
        _ bias: UnsafePointer<Self>, _ before: UnsafePointer<Self>?, _ stepBefore: Int,
        _ c: UnsafeMutablePointer<Self>, _ stepC: Int, _ h: UnsafeMutablePointer<Self>, _ stepH: Int
    )
    /// The adjoint of `lstmCell`.
    @unsafe static func lstmCellBackward(
        _ rows: Int, _ n: Int, _ gates: UnsafePointer<Self>, _ stepG: Int,
        _ before: UnsafePointer<Self>?, _ stepBefore: Int, _ c: UnsafePointer<Self>, _ stepC: Int,
        _ dh: UnsafePointer<Self>, _ stepDh: Int, _ dc: UnsafeMutablePointer<Self>,
        _ dgates: UnsafeMutablePointer<Self>, _ stepDg: Int)
}

extension Float: SequenceKernels {
    /// Forwards to `ck_diagonal_taps_f32`.
    @unsafe package static func diagonalTaps(
        _ length: Int, _ n: Int, _ pairs: Int, _ factor: Double, _ logDt: UnsafePointer<Float>,
        _ logRe: UnsafePointer<Float>, _ im: UnsafePointer<Float>, _ c: UnsafePointer<Float>,
        _ d: UnsafePointer<Float>, _ taps: UnsafeMutablePointer<Float>
    ) { unsafe ck_diagonal_taps_f32(length, n, pairs, factor, logDt, logRe, im, c, d, taps) }

    /// Forwards to `ck_diagonal_factors_f32`.
    @unsafe package static func diagonalFactors(
        _ n: Int, _ pairs: Int, _ factor: Double, _ logDt: UnsafePointer<Float>,
        _ logRe: UnsafePointer<Float>, _ im: UnsafePointer<Float>, _ c: UnsafePointer<Float>,
        _ d: UnsafePointer<Float>, _ w: UnsafeMutablePointer<Float>,
        _ weights: UnsafeMutablePointer<Float>, _ skip: UnsafeMutablePointer<Float>
    ) { unsafe ck_diagonal_factors_f32(n, pairs, factor, logDt, logRe, im, c, d, w, weights, skip) }

    /// Forwards to `ck_diagonal_taps_backward_f32`.
    @unsafe package static func diagonalTapsBackward(
        _ length: Int, _ n: Int, _ pairs: Int, _ factor: Double, _ logDt: UnsafePointer<Float>,
        _ logRe: UnsafePointer<Float>, _ im: UnsafePointer<Float>, _ c: UnsafePointer<Float>,
        _ dtaps: UnsafePointer<Float>, _ dlogDt: UnsafeMutablePointer<Float>,
        _ dlogRe: UnsafeMutablePointer<Float>, _ dim: UnsafeMutablePointer<Float>,
        _ dc: UnsafeMutablePointer<Float>, _ dd: UnsafeMutablePointer<Float>
    ) {
        unsafe ck_diagonal_taps_backward_f32(
            length, n, pairs, factor, logDt, logRe, im, c, dtaps, dlogDt, dlogRe, dim, dc, dd)
    }

    /// Forwards to `ck_diagonal_sums_backward_f32`.
    @unsafe package static func diagonalSumsBackward(
        _ n: Int, _ pairs: Int, _ factor: Double, _ logDt: UnsafePointer<Float>,
        _ logRe: UnsafePointer<Float>, _ im: UnsafePointer<Float>, _ c: UnsafePointer<Float>,
        _ sums: UnsafePointer<Float>, _ dskip: UnsafePointer<Float>,
        _ dlogDt: UnsafeMutablePointer<Float>, _ dlogRe: UnsafeMutablePointer<Float>,
        _ dim: UnsafeMutablePointer<Float>, _ dc: UnsafeMutablePointer<Float>,
        _ dd: UnsafeMutablePointer<Float>
    ) {
        unsafe ck_diagonal_sums_backward_f32(
            n, pairs, factor, logDt, logRe, im, c, sums, dskip, dlogDt, dlogRe, dim, dc, dd)
    }

    /// Forwards to `ck_taps_convolve_f32`.
    @unsafe package static func tapsConvolve(
        _ pieces: Int, _ length: Int, _ n: Int, _ k: UnsafePointer<Float>,
        _ x: UnsafePointer<Float>, _ stepX: Int, _ y: UnsafeMutablePointer<Float>, _ stepY: Int,
        _ reversed: Bool
    ) { unsafe ck_taps_convolve_f32(pieces, length, n, k, x, stepX, y, stepY, reversed ? 1 : 0) }

    /// Forwards to `ck_taps_slopes_f32`.
    @unsafe package static func tapsSlopes(
        _ pieces: Int, _ length: Int, _ n: Int, _ x: UnsafePointer<Float>, _ stepX: Int,
        _ dy: UnsafePointer<Float>, _ stepY: Int, _ dk: UnsafeMutablePointer<Float>
    ) { unsafe ck_taps_slopes_f32(pieces, length, n, x, stepX, dy, stepY, dk) }

    /// Forwards to `ck_taps_last_f32`.
    @unsafe package static func tapsLast(
        _ pieces: Int, _ length: Int, _ n: Int, _ k: UnsafePointer<Float>,
        _ x: UnsafePointer<Float>, _ stepX: Int, _ y: UnsafeMutablePointer<Float>, _ stepY: Int
    ) { unsafe ck_taps_last_f32(pieces, length, n, k, x, stepX, y, stepY) }

    /// Forwards to `ck_taps_last_backward_f32`.
    @unsafe package static func tapsLastBackward(
        _ pieces: Int, _ length: Int, _ n: Int, _ k: UnsafePointer<Float>,
        _ x: UnsafePointer<Float>, _ stepX: Int, _ dy: UnsafePointer<Float>, _ stepY: Int,
        _ dx: UnsafeMutablePointer<Float>, _ stepDx: Int, _ dk: UnsafeMutablePointer<Float>
    ) {
        unsafe ck_taps_last_backward_f32(pieces, length, n, k, x, stepX, dy, stepY, dx, stepDx, dk)
    }

    /// Forwards to `ck_diagonal_scan_f32`.
    @unsafe package static func diagonalScan(
        _ length: Int, _ n: Int, _ pairs: Int, _ w: UnsafePointer<Float>, _ c: UnsafePointer<Float>,
        _ skip: UnsafePointer<Float>, _ u: UnsafePointer<Float>, _ stepU: Int,
        _ y: UnsafeMutablePointer<Float>, _ stepY: Int, _ state: UnsafeMutablePointer<Float>
    ) { unsafe ck_diagonal_scan_f32(length, n, pairs, w, c, skip, u, stepU, y, stepY, state) }

    /// Forwards to `ck_diagonal_slopes_f32`.
    @unsafe package static func diagonalSlopes(
        _ length: Int, _ n: Int, _ pairs: Int, _ w: UnsafePointer<Float>, _ u: UnsafePointer<Float>,
        _ stepU: Int, _ dy: UnsafePointer<Float>, _ stepY: Int, _ sums: UnsafeMutablePointer<Float>
    ) { unsafe ck_diagonal_slopes_f32(length, n, pairs, w, u, stepU, dy, stepY, sums) }

    /// Forwards to `ck_deltas_f32`.
    @unsafe package static func deltas(
        _ rows: Int, _ n: Int, _ x: UnsafePointer<Float>, _ stepX: Int,
        _ before: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>, _ stepY: Int
    ) { unsafe ck_deltas_f32(rows, n, x, stepX, before, y, stepY) }

    /// Forwards to `ck_layer_norm_f32`.
    @unsafe package static func layerNorm(
        _ rows: Int, _ n: Int, _ x: UnsafePointer<Float>, _ stepX: Int,
        _ gain: UnsafePointer<Float>, _ bias: UnsafePointer<Float>, _ epsilon: Float,
        _ y: UnsafeMutablePointer<Float>, _ stepY: Int, _ statistics: UnsafeMutablePointer<Float>
    ) { unsafe ck_layer_norm_f32(rows, n, x, stepX, gain, bias, epsilon, y, stepY, statistics) }

    /// Forwards to `ck_layer_norm_backward_f32`.
    @unsafe package static func layerNormBackward(
        _ rows: Int, _ n: Int, _ x: UnsafePointer<Float>, _ stepX: Int,
        _ gain: UnsafePointer<Float>, _ statistics: UnsafePointer<Float>,
        _ dy: UnsafePointer<Float>, _ stepDy: Int, _ dx: UnsafeMutablePointer<Float>, _ stepDx: Int,
        _ dgain: UnsafeMutablePointer<Float>, _ dbias: UnsafeMutablePointer<Float>, _ add: Bool
    ) {
        unsafe ck_layer_norm_backward_f32(
            rows, n, x, stepX, gain, statistics, dy, stepDy, dx, stepDx, dgain, dbias, add ? 1 : 0)
    }

    /// Forwards to `ck_glu_f32`.
    @unsafe package static func glu(
        _ rows: Int, _ n: Int, _ m: UnsafeMutablePointer<Float>, _ bias: UnsafePointer<Float>,
        _ r: UnsafePointer<Float>, _ stepR: Int, _ y: UnsafeMutablePointer<Float>, _ stepY: Int,
        _ drop: Dropout
    ) { unsafe ck_glu_f32(rows, n, m, bias, r, stepR, y, stepY, drop.raw) }

    /// Forwards to `ck_glu_backward_f32`.
    @unsafe package static func gluBackward(
        _ rows: Int, _ n: Int, _ m: UnsafePointer<Float>, _ dy: UnsafePointer<Float>, _ stepDy: Int,
        _ dm: UnsafeMutablePointer<Float>, _ drop: Dropout
    ) { unsafe ck_glu_backward_f32(rows, n, m, dy, stepDy, dm, drop.raw) }

    /// Forwards to `ck_lstm_cell_f32`.
    @unsafe package static func lstmCell(
        _ rows: Int, _ n: Int, _ gates: UnsafeMutablePointer<Float>, _ stepG: Int,
        _ bias: UnsafePointer<Float>, _ before: UnsafePointer<Float>?, _ stepBefore: Int,
        _ c: UnsafeMutablePointer<Float>, _ stepC: Int, _ h: UnsafeMutablePointer<Float>,
        _ stepH: Int
    ) {
        unsafe ck_lstm_cell_f32(rows, n, gates, stepG, bias, before, stepBefore, c, stepC, h, stepH)
    }

    /// Forwards to `ck_lstm_cell_backward_f32`.
    @unsafe package static func lstmCellBackward(
        _ rows: Int, _ n: Int, _ gates: UnsafePointer<Float>, _ stepG: Int,
        _ before: UnsafePointer<Float>?, _ stepBefore: Int, _ c: UnsafePointer<Float>, _ stepC: Int,
        _ dh: UnsafePointer<Float>, _ stepDh: Int, _ dc: UnsafeMutablePointer<Float>,
        _ dgates: UnsafeMutablePointer<Float>, _ stepDg: Int
    ) {
        unsafe ck_lstm_cell_backward_f32(
            rows, n, gates, stepG, before, stepBefore, c, stepC, dh, stepDh, dc, dgates, stepDg)
    }
}

extension Double: SequenceKernels {
    /// Forwards to `ck_diagonal_taps_f64`.
    @unsafe package static func diagonalTaps(
        _ length: Int, _ n: Int, _ pairs: Int, _ factor: Double, _ logDt: UnsafePointer<Double>,
        _ logRe: UnsafePointer<Double>, _ im: UnsafePointer<Double>, _ c: UnsafePointer<Double>,
        _ d: UnsafePointer<Double>, _ taps: UnsafeMutablePointer<Double>
    ) { unsafe ck_diagonal_taps_f64(length, n, pairs, factor, logDt, logRe, im, c, d, taps) }

    /// Forwards to `ck_diagonal_factors_f64`.
    @unsafe package static func diagonalFactors(
        _ n: Int, _ pairs: Int, _ factor: Double, _ logDt: UnsafePointer<Double>,
        _ logRe: UnsafePointer<Double>, _ im: UnsafePointer<Double>, _ c: UnsafePointer<Double>,
        _ d: UnsafePointer<Double>, _ w: UnsafeMutablePointer<Double>,
        _ weights: UnsafeMutablePointer<Double>, _ skip: UnsafeMutablePointer<Double>
    ) { unsafe ck_diagonal_factors_f64(n, pairs, factor, logDt, logRe, im, c, d, w, weights, skip) }

    /// Forwards to `ck_diagonal_taps_backward_f64`.
    @unsafe package static func diagonalTapsBackward(
        _ length: Int, _ n: Int, _ pairs: Int, _ factor: Double, _ logDt: UnsafePointer<Double>,
        _ logRe: UnsafePointer<Double>, _ im: UnsafePointer<Double>, _ c: UnsafePointer<Double>,
        _ dtaps: UnsafePointer<Double>, _ dlogDt: UnsafeMutablePointer<Double>,
        _ dlogRe: UnsafeMutablePointer<Double>, _ dim: UnsafeMutablePointer<Double>,
        _ dc: UnsafeMutablePointer<Double>, _ dd: UnsafeMutablePointer<Double>
    ) {
        unsafe ck_diagonal_taps_backward_f64(
            length, n, pairs, factor, logDt, logRe, im, c, dtaps, dlogDt, dlogRe, dim, dc, dd)
    }

    /// Forwards to `ck_diagonal_sums_backward_f64`.
    @unsafe package static func diagonalSumsBackward(
        _ n: Int, _ pairs: Int, _ factor: Double, _ logDt: UnsafePointer<Double>,
        _ logRe: UnsafePointer<Double>, _ im: UnsafePointer<Double>, _ c: UnsafePointer<Double>,
        _ sums: UnsafePointer<Double>, _ dskip: UnsafePointer<Double>,
        _ dlogDt: UnsafeMutablePointer<Double>, _ dlogRe: UnsafeMutablePointer<Double>,
        _ dim: UnsafeMutablePointer<Double>, _ dc: UnsafeMutablePointer<Double>,
        _ dd: UnsafeMutablePointer<Double>
    ) {
        unsafe ck_diagonal_sums_backward_f64(
            n, pairs, factor, logDt, logRe, im, c, sums, dskip, dlogDt, dlogRe, dim, dc, dd)
    }

    /// Forwards to `ck_taps_convolve_f64`.
    @unsafe package static func tapsConvolve(
        _ pieces: Int, _ length: Int, _ n: Int, _ k: UnsafePointer<Double>,
        _ x: UnsafePointer<Double>, _ stepX: Int, _ y: UnsafeMutablePointer<Double>, _ stepY: Int,
        _ reversed: Bool
    ) { unsafe ck_taps_convolve_f64(pieces, length, n, k, x, stepX, y, stepY, reversed ? 1 : 0) }

    /// Forwards to `ck_taps_slopes_f64`.
    @unsafe package static func tapsSlopes(
        _ pieces: Int, _ length: Int, _ n: Int, _ x: UnsafePointer<Double>, _ stepX: Int,
        _ dy: UnsafePointer<Double>, _ stepY: Int, _ dk: UnsafeMutablePointer<Double>
    ) { unsafe ck_taps_slopes_f64(pieces, length, n, x, stepX, dy, stepY, dk) }

    /// Forwards to `ck_taps_last_f64`.
    @unsafe package static func tapsLast(
        _ pieces: Int, _ length: Int, _ n: Int, _ k: UnsafePointer<Double>,
        _ x: UnsafePointer<Double>, _ stepX: Int, _ y: UnsafeMutablePointer<Double>, _ stepY: Int
    ) { unsafe ck_taps_last_f64(pieces, length, n, k, x, stepX, y, stepY) }

    /// Forwards to `ck_taps_last_backward_f64`.
    @unsafe package static func tapsLastBackward(
        _ pieces: Int, _ length: Int, _ n: Int, _ k: UnsafePointer<Double>,
        _ x: UnsafePointer<Double>, _ stepX: Int, _ dy: UnsafePointer<Double>, _ stepY: Int,
        _ dx: UnsafeMutablePointer<Double>, _ stepDx: Int, _ dk: UnsafeMutablePointer<Double>
    ) {
        unsafe ck_taps_last_backward_f64(pieces, length, n, k, x, stepX, dy, stepY, dx, stepDx, dk)
    }

    /// Forwards to `ck_diagonal_scan_f64`.
    @unsafe package static func diagonalScan(
        _ length: Int, _ n: Int, _ pairs: Int, _ w: UnsafePointer<Double>,
        _ c: UnsafePointer<Double>, _ skip: UnsafePointer<Double>, _ u: UnsafePointer<Double>,
        _ stepU: Int, _ y: UnsafeMutablePointer<Double>, _ stepY: Int,
        _ state: UnsafeMutablePointer<Double>
    ) { unsafe ck_diagonal_scan_f64(length, n, pairs, w, c, skip, u, stepU, y, stepY, state) }

    /// Forwards to `ck_diagonal_slopes_f64`.
    @unsafe package static func diagonalSlopes(
        _ length: Int, _ n: Int, _ pairs: Int, _ w: UnsafePointer<Double>,
        _ u: UnsafePointer<Double>, _ stepU: Int, _ dy: UnsafePointer<Double>, _ stepY: Int,
        _ sums: UnsafeMutablePointer<Double>
    ) { unsafe ck_diagonal_slopes_f64(length, n, pairs, w, u, stepU, dy, stepY, sums) }

    /// Forwards to `ck_deltas_f64`.
    @unsafe package static func deltas(
        _ rows: Int, _ n: Int, _ x: UnsafePointer<Double>, _ stepX: Int,
        _ before: UnsafePointer<Double>, _ y: UnsafeMutablePointer<Double>, _ stepY: Int
    ) { unsafe ck_deltas_f64(rows, n, x, stepX, before, y, stepY) }

    /// Forwards to `ck_layer_norm_f64`.
    @unsafe package static func layerNorm(
        _ rows: Int, _ n: Int, _ x: UnsafePointer<Double>, _ stepX: Int,
        _ gain: UnsafePointer<Double>, _ bias: UnsafePointer<Double>, _ epsilon: Double,
        _ y: UnsafeMutablePointer<Double>, _ stepY: Int, _ statistics: UnsafeMutablePointer<Double>
    ) { unsafe ck_layer_norm_f64(rows, n, x, stepX, gain, bias, epsilon, y, stepY, statistics) }

    /// Forwards to `ck_layer_norm_backward_f64`.
    @unsafe package static func layerNormBackward(
        _ rows: Int, _ n: Int, _ x: UnsafePointer<Double>, _ stepX: Int,
        _ gain: UnsafePointer<Double>, _ statistics: UnsafePointer<Double>,
        _ dy: UnsafePointer<Double>, _ stepDy: Int, _ dx: UnsafeMutablePointer<Double>,
        _ stepDx: Int, _ dgain: UnsafeMutablePointer<Double>, _ dbias: UnsafeMutablePointer<Double>,
        _ add: Bool
    ) {
        unsafe ck_layer_norm_backward_f64(
            rows, n, x, stepX, gain, statistics, dy, stepDy, dx, stepDx, dgain, dbias, add ? 1 : 0)
    }

    /// Forwards to `ck_glu_f64`.
    @unsafe package static func glu(
        _ rows: Int, _ n: Int, _ m: UnsafeMutablePointer<Double>, _ bias: UnsafePointer<Double>,
        _ r: UnsafePointer<Double>, _ stepR: Int, _ y: UnsafeMutablePointer<Double>, _ stepY: Int,
        _ drop: Dropout
    ) { unsafe ck_glu_f64(rows, n, m, bias, r, stepR, y, stepY, drop.raw) }

    /// Forwards to `ck_glu_backward_f64`.
    @unsafe package static func gluBackward(
        _ rows: Int, _ n: Int, _ m: UnsafePointer<Double>, _ dy: UnsafePointer<Double>,
        _ stepDy: Int, _ dm: UnsafeMutablePointer<Double>, _ drop: Dropout
    ) { unsafe ck_glu_backward_f64(rows, n, m, dy, stepDy, dm, drop.raw) }

    /// Forwards to `ck_lstm_cell_f64`.
    @unsafe package static func lstmCell(
        _ rows: Int, _ n: Int, _ gates: UnsafeMutablePointer<Double>, _ stepG: Int,
        _ bias: UnsafePointer<Double>, _ before: UnsafePointer<Double>?, _ stepBefore: Int,
        _ c: UnsafeMutablePointer<Double>, _ stepC: Int, _ h: UnsafeMutablePointer<Double>,
        _ stepH: Int
    ) {
        unsafe ck_lstm_cell_f64(rows, n, gates, stepG, bias, before, stepBefore, c, stepC, h, stepH)
    }

    /// Forwards to `ck_lstm_cell_backward_f64`.
    @unsafe package static func lstmCellBackward(
        _ rows: Int, _ n: Int, _ gates: UnsafePointer<Double>, _ stepG: Int,
        _ before: UnsafePointer<Double>?, _ stepBefore: Int, _ c: UnsafePointer<Double>,
        _ stepC: Int, _ dh: UnsafePointer<Double>, _ stepDh: Int,
        _ dc: UnsafeMutablePointer<Double>, _ dgates: UnsafeMutablePointer<Double>, _ stepDg: Int
    ) {
        unsafe ck_lstm_cell_backward_f64(
            rows, n, gates, stepG, before, stepBefore, c, stepC, dh, stepDh, dc, dgates, stepDg)
    }
}
