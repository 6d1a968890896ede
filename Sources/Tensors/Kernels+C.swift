internal import CKernels

extension Float: Kernels {
    /// Forwards to `ck_spectra_f32`.
    @unsafe package static func multiplySpectra(
        _ n: Int, _ factor: Float, _ x: UnsafePointer<Float>, _ y: UnsafePointer<Float>,
        into z: UnsafeMutablePointer<Float>, conjugate: Bool, adding: Bool
    ) { unsafe ck_spectra_f32(n, factor, x, y, z, conjugate ? 1 : 0, adding ? 1 : 0) }

    /// Forwards to `ck_fill_f32`.
    @unsafe package static func fill(
        _ n: Int, with value: Float, into y: UnsafeMutablePointer<Float>
    ) { unsafe ck_fill_f32(n, value, y) }

    /// Forwards to `ck_reverse_f32`.
    @unsafe package static func reverse(
        _ n: Int, _ x: UnsafePointer<Float>, into y: UnsafeMutablePointer<Float>
    ) { unsafe ck_reverse_f32(n, x, y) }

    /// Forwards to `ck_normalise_f32`.
    @unsafe package static func normalise(
        _ n: Int, _ x: UnsafePointer<Float>, into y: UnsafeMutablePointer<Float>
    ) { unsafe ck_normalise_f32(n, x, y) }

    /// Forwards to `ck_normalise_backward_f32`.
    @unsafe package static func normaliseBackward(
        _ n: Int, _ x: UnsafePointer<Float>, _ y: UnsafePointer<Float>, _ dy: UnsafePointer<Float>,
        into dx: UnsafeMutablePointer<Float>
    ) { unsafe ck_normalise_backward_f32(n, x, y, dy, dx) }

    /// Forwards to `ck_dropout_f32`.
    @unsafe package static func dropout(
        _ n: Int, _ x: UnsafePointer<Float>, into y: UnsafeMutablePointer<Float>, _ dropout: Dropout
    ) { unsafe ck_dropout_f32(n, x, y, dropout.raw) }

    /// Forwards to `ck_gelu_f32`.
    @unsafe package static func gelu(
        _ n: Int, _ x: UnsafePointer<Float>, into y: UnsafeMutablePointer<Float>, _ dropout: Dropout
    ) { unsafe ck_gelu_f32(n, x, y, dropout.raw) }

    /// Forwards to `ck_gelu_backward_f32`.
    @unsafe package static func geluBackward(
        _ n: Int, _ x: UnsafePointer<Float>, _ dy: UnsafePointer<Float>,
        value: UnsafeMutablePointer<Float>, into dx: UnsafeMutablePointer<Float>, _ dropout: Dropout
    ) { unsafe ck_gelu_backward_f32(n, x, dy, value, dx, dropout.raw) }

    /// Forwards to `ck_axpy_f32`.
    @unsafe package static func addScaled(
        _ n: Int, _ factor: Float, _ x: UnsafePointer<Float>, to y: UnsafeMutablePointer<Float>
    ) { unsafe ck_axpy_f32(n, factor, x, y) }

    /// Forwards to `ck_combine_f32`.
    @unsafe package static func combine(
        _ n: Int, _ alpha: Float, _ x: UnsafePointer<Float>, _ beta: Float, _ constant: Float,
        into y: UnsafeMutablePointer<Float>
    ) { unsafe ck_combine_f32(n, alpha, x, beta, constant, y) }

    /// Forwards to `ck_dot_f32`.
    @unsafe package static func dot(_ n: Int, _ x: UnsafePointer<Float>, _ y: UnsafePointer<Float>)
        -> Double
    { unsafe ck_dot_f32(n, x, y) }

    /// Forwards to `ck_sum_f32`.
    @unsafe package static func sum(_ n: Int, _ x: UnsafePointer<Float>) -> Double {
        unsafe ck_sum_f32(n, x)
    }

    /// Forwards to `ck_squared_distance_f32`.
    @unsafe package static func squaredDistance(
        _ n: Int, _ x: UnsafePointer<Float>, _ y: UnsafePointer<Float>
    ) -> Double { unsafe ck_squared_distance_f32(n, x, y) }

    /// Forwards to `ck_adamw_f32`.
    @unsafe package static func adamW(
        _ n: Int, _ theta: UnsafeMutablePointer<Float>, gradient: UnsafePointer<Float>,
        first: UnsafeMutablePointer<Float>, second: UnsafeMutablePointer<Float>, _ step: AdamWStep
    ) {
        unsafe ck_adamw_f32(
            n, theta, gradient, first, second, step.factor, step.rate, step.decay, step.beta1,
            step.beta2, step.correction1, step.correction2, step.epsilon)
    }

    /// Forwards to `ck_krylov_f32`.
    @unsafe package static func krylov(
        _ d: Int, _ length: Int, _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>,
        into x: UnsafeMutablePointer<Float>, stride: Int
    ) { unsafe ck_krylov_f32(d, length, a, b, x, stride) }

    /// Forwards to `ck_krylov_backward_f32`.
    @unsafe package static func krylovBackward(
        _ d: Int, _ length: Int, _ a: UnsafePointer<Float>, _ x: UnsafePointer<Float>,
        _ dx: UnsafeMutablePointer<Float>, stride: Int, da: UnsafeMutablePointer<Float>,
        db: UnsafeMutablePointer<Float>
    ) { unsafe ck_krylov_backward_f32(d, length, a, x, dx, stride, da, db) }

    /// Forwards to `ck_forecast_rows_f32`.
    @unsafe package static func forecastRows(
        _ d: Int, _ horizon: Int, _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>,
        _ c: UnsafePointer<Float>, _ k: UnsafePointer<Float>, into r: UnsafeMutablePointer<Float>
    ) { unsafe ck_forecast_rows_f32(d, horizon, a, b, c, k, r) }

    /// Forwards to `ck_forecast_rows_backward_f32`.
    @unsafe package static func forecastRowsBackward(
        _ d: Int, _ horizon: Int, _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>,
        _ k: UnsafePointer<Float>, _ r: UnsafePointer<Float>, _ dr: UnsafeMutablePointer<Float>,
        da: UnsafeMutablePointer<Float>, db: UnsafeMutablePointer<Float>,
        dc: UnsafeMutablePointer<Float>, dk: UnsafeMutablePointer<Float>
    ) { unsafe ck_forecast_rows_backward_f32(d, horizon, a, b, k, r, dr, da, db, dc, dk) }

    /// Forwards to `ck_convolve_f32`.
    @unsafe package static func convolve(
        _ rows: Int, _ length: Int, _ x: UnsafePointer<Float>, strideX: Int,
        _ k1: UnsafePointer<Float>, _ k2: UnsafePointer<Float>?,
        into y1: UnsafeMutablePointer<Float>, _ y2: UnsafeMutablePointer<Float>?, strideY: Int,
        scratch: UnsafeMutablePointer<Float>
    ) { unsafe ck_convolve_f32(rows, length, x, strideX, k1, k2, y1, y2, strideY, scratch) }

    /// Forwards to `ck_convolve_backward_f32`.
    @unsafe package static func convolveBackward(
        _ rows: Int, _ length: Int, _ x: UnsafePointer<Float>, strideX: Int,
        _ k1: UnsafePointer<Float>, _ k2: UnsafePointer<Float>?, _ dy1: UnsafePointer<Float>,
        _ dy2: UnsafePointer<Float>?, strideY: Int, into dx: UnsafeMutablePointer<Float>?,
        strideDX: Int, dk1: UnsafeMutablePointer<Float>, dk2: UnsafeMutablePointer<Float>?,
        scratch: UnsafeMutablePointer<Float>
    ) {
        unsafe ck_convolve_backward_f32(
            rows, length, x, strideX, k1, k2, dy1, dy2, strideY, dx, strideDX, dk1, dk2, scratch)
    }

    /// Forwards to `ck_preprocess_f32`.
    @unsafe package static func preprocess(
        _ length: Int, _ x: UnsafePointer<Float>, windows: UnsafePointer<Int64>,
        into y: UnsafeMutablePointer<Float>, stride: Int, scratch: UnsafeMutablePointer<Float>
    ) { unsafe ck_preprocess_f32(length, x, windows, y, stride, scratch) }

    /// Forwards to `ck_preprocess_backward_f32`.
    @unsafe package static func preprocessBackward(
        _ length: Int, _ dy: UnsafePointer<Float>, stride: Int, windows: UnsafePointer<Int64>,
        into dx: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>
    ) { unsafe ck_preprocess_backward_f32(length, dy, stride, windows, dx, scratch) }

}

extension Double: Kernels {
    /// Forwards to `ck_spectra_f64`.
    @unsafe package static func multiplySpectra(
        _ n: Int, _ factor: Double, _ x: UnsafePointer<Double>, _ y: UnsafePointer<Double>,
        into z: UnsafeMutablePointer<Double>, conjugate: Bool, adding: Bool
    ) { unsafe ck_spectra_f64(n, factor, x, y, z, conjugate ? 1 : 0, adding ? 1 : 0) }

    /// Forwards to `ck_fill_f64`.
    @unsafe package static func fill(
        _ n: Int, with value: Double, into y: UnsafeMutablePointer<Double>
    ) { unsafe ck_fill_f64(n, value, y) }

    /// Forwards to `ck_reverse_f64`.
    @unsafe package static func reverse(
        _ n: Int, _ x: UnsafePointer<Double>, into y: UnsafeMutablePointer<Double>
    ) { unsafe ck_reverse_f64(n, x, y) }

    /// Forwards to `ck_normalise_f64`.
    @unsafe package static func normalise(
        _ n: Int, _ x: UnsafePointer<Double>, into y: UnsafeMutablePointer<Double>
    ) { unsafe ck_normalise_f64(n, x, y) }

    /// Forwards to `ck_normalise_backward_f64`.
    @unsafe package static func normaliseBackward(
        _ n: Int, _ x: UnsafePointer<Double>, _ y: UnsafePointer<Double>,
        _ dy: UnsafePointer<Double>,
        into dx: UnsafeMutablePointer<Double>
    ) { unsafe ck_normalise_backward_f64(n, x, y, dy, dx) }

    /// Forwards to `ck_dropout_f64`.
    @unsafe package static func dropout(
        _ n: Int, _ x: UnsafePointer<Double>, into y: UnsafeMutablePointer<Double>,
        _ dropout: Dropout
    ) { unsafe ck_dropout_f64(n, x, y, dropout.raw) }

    /// Forwards to `ck_gelu_f64`.
    @unsafe package static func gelu(
        _ n: Int, _ x: UnsafePointer<Double>, into y: UnsafeMutablePointer<Double>,
        _ dropout: Dropout
    ) { unsafe ck_gelu_f64(n, x, y, dropout.raw) }

    /// Forwards to `ck_gelu_backward_f64`.
    @unsafe package static func geluBackward(
        _ n: Int, _ x: UnsafePointer<Double>, _ dy: UnsafePointer<Double>,
        value: UnsafeMutablePointer<Double>, into dx: UnsafeMutablePointer<Double>,
        _ dropout: Dropout
    ) { unsafe ck_gelu_backward_f64(n, x, dy, value, dx, dropout.raw) }

    /// Forwards to `ck_axpy_f64`.
    @unsafe package static func addScaled(
        _ n: Int, _ factor: Double, _ x: UnsafePointer<Double>, to y: UnsafeMutablePointer<Double>
    ) { unsafe ck_axpy_f64(n, factor, x, y) }

    /// Forwards to `ck_combine_f64`.
    @unsafe package static func combine(
        _ n: Int, _ alpha: Double, _ x: UnsafePointer<Double>, _ beta: Double, _ constant: Double,
        into y: UnsafeMutablePointer<Double>
    ) { unsafe ck_combine_f64(n, alpha, x, beta, constant, y) }

    /// Forwards to `ck_dot_f64`.
    @unsafe package static func dot(
        _ n: Int, _ x: UnsafePointer<Double>, _ y: UnsafePointer<Double>
    ) -> Double { unsafe ck_dot_f64(n, x, y) }

    /// Forwards to `ck_sum_f64`.
    @unsafe package static func sum(_ n: Int, _ x: UnsafePointer<Double>) -> Double {
        unsafe ck_sum_f64(n, x)
    }

    /// Forwards to `ck_squared_distance_f64`.
    @unsafe package static func squaredDistance(
        _ n: Int, _ x: UnsafePointer<Double>, _ y: UnsafePointer<Double>
    ) -> Double { unsafe ck_squared_distance_f64(n, x, y) }

    /// Forwards to `ck_adamw_f64`.
    @unsafe package static func adamW(
        _ n: Int, _ theta: UnsafeMutablePointer<Double>, gradient: UnsafePointer<Double>,
        first: UnsafeMutablePointer<Double>, second: UnsafeMutablePointer<Double>, _ step: AdamWStep
    ) {
        unsafe ck_adamw_f64(
            n, theta, gradient, first, second, step.factor, step.rate, step.decay, step.beta1,
            step.beta2, step.correction1, step.correction2, step.epsilon)
    }

    /// Forwards to `ck_krylov_f64`.
    @unsafe package static func krylov(
        _ d: Int, _ length: Int, _ a: UnsafePointer<Double>, _ b: UnsafePointer<Double>,
        into x: UnsafeMutablePointer<Double>, stride: Int
    ) { unsafe ck_krylov_f64(d, length, a, b, x, stride) }

    /// Forwards to `ck_krylov_backward_f64`.
    @unsafe package static func krylovBackward(
        _ d: Int, _ length: Int, _ a: UnsafePointer<Double>, _ x: UnsafePointer<Double>,
        _ dx: UnsafeMutablePointer<Double>, stride: Int, da: UnsafeMutablePointer<Double>,
        db: UnsafeMutablePointer<Double>
    ) { unsafe ck_krylov_backward_f64(d, length, a, x, dx, stride, da, db) }

    /// Forwards to `ck_forecast_rows_f64`.
    @unsafe package static func forecastRows(
        _ d: Int, _ horizon: Int, _ a: UnsafePointer<Double>, _ b: UnsafePointer<Double>,
        _ c: UnsafePointer<Double>, _ k: UnsafePointer<Double>, into r: UnsafeMutablePointer<Double>
    ) { unsafe ck_forecast_rows_f64(d, horizon, a, b, c, k, r) }

    /// Forwards to `ck_forecast_rows_backward_f64`.
    @unsafe package static func forecastRowsBackward(
        _ d: Int, _ horizon: Int, _ a: UnsafePointer<Double>, _ b: UnsafePointer<Double>,
        _ k: UnsafePointer<Double>, _ r: UnsafePointer<Double>, _ dr: UnsafeMutablePointer<Double>,
        da: UnsafeMutablePointer<Double>, db: UnsafeMutablePointer<Double>,
        dc: UnsafeMutablePointer<Double>, dk: UnsafeMutablePointer<Double>
    ) { unsafe ck_forecast_rows_backward_f64(d, horizon, a, b, k, r, dr, da, db, dc, dk) }

    /// Forwards to `ck_convolve_f64`.
    @unsafe package static func convolve(
        _ rows: Int, _ length: Int, _ x: UnsafePointer<Double>, strideX: Int,
        _ k1: UnsafePointer<Double>, _ k2: UnsafePointer<Double>?,
        into y1: UnsafeMutablePointer<Double>, _ y2: UnsafeMutablePointer<Double>?, strideY: Int,
        scratch: UnsafeMutablePointer<Double>
    ) { unsafe ck_convolve_f64(rows, length, x, strideX, k1, k2, y1, y2, strideY, scratch) }

    /// Forwards to `ck_convolve_backward_f64`.
    @unsafe package static func convolveBackward(
        _ rows: Int, _ length: Int, _ x: UnsafePointer<Double>, strideX: Int,
        _ k1: UnsafePointer<Double>, _ k2: UnsafePointer<Double>?, _ dy1: UnsafePointer<Double>,
        _ dy2: UnsafePointer<Double>?, strideY: Int, into dx: UnsafeMutablePointer<Double>?,
        strideDX: Int, dk1: UnsafeMutablePointer<Double>, dk2: UnsafeMutablePointer<Double>?,
        scratch: UnsafeMutablePointer<Double>
    ) {
        unsafe ck_convolve_backward_f64(
            rows, length, x, strideX, k1, k2, dy1, dy2, strideY, dx, strideDX, dk1, dk2, scratch)
    }

    /// Forwards to `ck_preprocess_f64`.
    @unsafe package static func preprocess(
        _ length: Int, _ x: UnsafePointer<Double>, windows: UnsafePointer<Int64>,
        into y: UnsafeMutablePointer<Double>, stride: Int, scratch: UnsafeMutablePointer<Double>
    ) { unsafe ck_preprocess_f64(length, x, windows, y, stride, scratch) }

    /// Forwards to `ck_preprocess_backward_f64`.
    @unsafe package static func preprocessBackward(
        _ length: Int, _ dy: UnsafePointer<Double>, stride: Int, windows: UnsafePointer<Int64>,
        into dx: UnsafeMutablePointer<Double>, scratch: UnsafeMutablePointer<Double>
    ) { unsafe ck_preprocess_backward_f64(length, dy, stride, windows, dx, scratch) }

}
