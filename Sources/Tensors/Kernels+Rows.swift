internal import CKernels

/// Loops over signals `[time, channel]` in C, by type of number; see `Kernels`. Distances between rows
/// are in numbers.
package protocol RowKernels {
    /// `c (+)= a·b`; element i, k of a lies at `i·rowA + k·stepA`, and its rows may overlap.
    @unsafe static func product(
        _ rows: Int, _ columns: Int, _ inner: Int, _ a: UnsafePointer<Self>, rowA: Int, stepA: Int,
        _ b: UnsafePointer<Self>, stepB: Int, into c: UnsafeMutablePointer<Self>, stepC: Int,
        adding: Bool)
    /// y_t = bias + Σ_k w_k·x_{t−taps+1+k}, channel by channel; steps may be below zero.
    @unsafe static func depthwise(
        _ length: Int, _ channels: Int, _ taps: Int, _ x: UnsafePointer<Self>, stepX: Int,
        _ w: UnsafePointer<Self>, bias: UnsafePointer<Self>, into y: UnsafeMutablePointer<Self>,
        stepY: Int)
    /// The adjoint of `depthwise`: adds to dx, where there is one, to dw and to dbias.
    @unsafe static func depthwiseBackward(
        _ length: Int, _ channels: Int, _ taps: Int, _ x: UnsafePointer<Self>, stepX: Int,
        _ w: UnsafePointer<Self>, _ dy: UnsafePointer<Self>, stepY: Int,
        into dx: UnsafeMutablePointer<Self>?, stepDX: Int, dw: UnsafeMutablePointer<Self>,
        dbias: UnsafeMutablePointer<Self>)
    /// `y = softplus(x + bias)`, row by row; x becomes `x + bias`.
    @unsafe static func biasSoftplus(
        _ rows: Int, _ n: Int, _ x: UnsafeMutablePointer<Self>, bias: UnsafePointer<Self>,
        into y: UnsafeMutablePointer<Self>)
    /// `y = factor·x·SiLU(z)`.
    @unsafe static func gate(
        _ rows: Int, _ n: Int, _ factor: Self, _ x: UnsafePointer<Self>, _ z: UnsafePointer<Self>,
        stepZ: Int, into y: UnsafeMutablePointer<Self>)
    /// The adjoint of `gate`: fills dx, which may be dy, and dz.
    @unsafe static func gateBackward(
        _ rows: Int, _ n: Int, _ factor: Self, _ x: UnsafePointer<Self>, _ z: UnsafePointer<Self>,
        stepZ: Int, _ dy: UnsafePointer<Self>, into dx: UnsafeMutablePointer<Self>,
        _ dz: UnsafeMutablePointer<Self>, stepDZ: Int)
    /// Divides every row by its root mean square, times the gain of its column.
    @unsafe static func rowNorm(
        _ rows: Int, _ n: Int, _ x: UnsafePointer<Self>, gain: UnsafePointer<Self>, epsilon: Self,
        into y: UnsafeMutablePointer<Self>, rate: UnsafeMutablePointer<Self>)
    /// The adjoint of `rowNorm`: fills dx or adds to it, and adds to dgain.
    @unsafe static func rowNormBackward(
        _ rows: Int, _ n: Int, _ x: UnsafePointer<Self>, gain: UnsafePointer<Self>,
        rate: UnsafePointer<Self>, _ dy: UnsafePointer<Self>, into dx: UnsafeMutablePointer<Self>,
        dgain: UnsafeMutablePointer<Self>, adding: Bool)
    /// Adds the same row to every one.
    @unsafe static func addRow(
        _ rows: Int, _ n: Int, _ bias: UnsafePointer<Self>, to y: UnsafeMutablePointer<Self>)
    /// Adds the sum of every column.
    @unsafe static func columnSum(
        _ rows: Int, _ n: Int, _ x: UnsafePointer<Self>, to sum: UnsafeMutablePointer<Self>)
    /// Adds the sum of `(x − mean)²` of every column.
    @unsafe static func columnSquares(
        _ rows: Int, _ n: Int, _ x: UnsafePointer<Self>, mean: UnsafePointer<Self>,
        to sum: UnsafeMutablePointer<Self>)
    /// `y = scale·x + offset (+ z)` by columns, and no less than 0 where asked for.
    @unsafe static func columnScale(
        _ rows: Int, _ n: Int, _ x: UnsafePointer<Self>, scale: UnsafePointer<Self>,
        offset: UnsafePointer<Self>, _ z: UnsafePointer<Self>?, rectified: Bool,
        into y: UnsafeMutablePointer<Self>)
    /// dx is dy where y is above 0, else 0; dx may be dy.
    @unsafe static func reluMask(
        _ n: Int, _ y: UnsafePointer<Self>, _ dy: UnsafePointer<Self>,
        into dx: UnsafeMutablePointer<Self>)
    /// Adds the sums of dy and of `dy·(x − mean)` of every column.
    @unsafe static func columnSlopes(
        _ rows: Int, _ n: Int, _ x: UnsafePointer<Self>, mean: UnsafePointer<Self>,
        _ dy: UnsafePointer<Self>, to sum: UnsafeMutablePointer<Self>,
        along: UnsafeMutablePointer<Self>)
    /// `dx = scale·dy + slope·(x − mean) + offset` by columns; dx may be dy.
    @unsafe static func columnAdjoint(
        _ rows: Int, _ n: Int, _ x: UnsafePointer<Self>, mean: UnsafePointer<Self>,
        _ dy: UnsafePointer<Self>, scale: UnsafePointer<Self>, slope: UnsafePointer<Self>,
        offset: UnsafePointer<Self>, into dx: UnsafeMutablePointer<Self>)
}

extension Float: RowKernels {
    /// Forwards to `ck_product_f32`.
    @unsafe package static func product(
        _ rows: Int, _ columns: Int, _ inner: Int, _ a: UnsafePointer<Float>, rowA: Int, stepA: Int,
        _ b: UnsafePointer<Float>, stepB: Int, into c: UnsafeMutablePointer<Float>, stepC: Int,
        adding: Bool
    ) {
        unsafe ck_product_f32(
            rows, columns, inner, a, rowA, stepA, b, stepB, c, stepC, adding ? 1 : 0)
    }

    /// Forwards to `ck_depthwise_f32`.
    @unsafe package static func depthwise(
        _ length: Int, _ channels: Int, _ taps: Int, _ x: UnsafePointer<Float>, stepX: Int,
        _ w: UnsafePointer<Float>, bias: UnsafePointer<Float>, into y: UnsafeMutablePointer<Float>,
        stepY: Int
    ) {
        unsafe ck_depthwise_f32(length, channels, taps, x, stepX, w, bias, y, stepY)
    }

    /// Forwards to `ck_depthwise_backward_f32`.
    @unsafe package static func depthwiseBackward(
        _ length: Int, _ channels: Int, _ taps: Int, _ x: UnsafePointer<Float>, stepX: Int,
        _ w: UnsafePointer<Float>, _ dy: UnsafePointer<Float>, stepY: Int,
        into dx: UnsafeMutablePointer<Float>?, stepDX: Int, dw: UnsafeMutablePointer<Float>,
        dbias: UnsafeMutablePointer<Float>
    ) {
        unsafe ck_depthwise_backward_f32(
            length, channels, taps, x, stepX, w, dy, stepY, dx, stepDX, dw, dbias)
    }

    /// Forwards to `ck_bias_softplus_f32`.
    @unsafe package static func biasSoftplus(
        _ rows: Int, _ n: Int, _ x: UnsafeMutablePointer<Float>, bias: UnsafePointer<Float>,
        into y: UnsafeMutablePointer<Float>
    ) {
        unsafe ck_bias_softplus_f32(rows, n, x, bias, y)
    }

    /// Forwards to `ck_gate_f32`.
    @unsafe package static func gate(
        _ rows: Int, _ n: Int, _ factor: Float, _ x: UnsafePointer<Float>,
        _ z: UnsafePointer<Float>, stepZ: Int, into y: UnsafeMutablePointer<Float>
    ) {
        unsafe ck_gate_f32(rows, n, factor, x, z, stepZ, y)
    }

    /// Forwards to `ck_gate_backward_f32`.
    @unsafe package static func gateBackward(
        _ rows: Int, _ n: Int, _ factor: Float, _ x: UnsafePointer<Float>,
        _ z: UnsafePointer<Float>, stepZ: Int, _ dy: UnsafePointer<Float>,
        into dx: UnsafeMutablePointer<Float>, _ dz: UnsafeMutablePointer<Float>, stepDZ: Int
    ) {
        unsafe ck_gate_backward_f32(rows, n, factor, x, z, stepZ, dy, dx, dz, stepDZ)
    }

    /// Forwards to `ck_row_norm_f32`.
    @unsafe package static func rowNorm(
        _ rows: Int, _ n: Int, _ x: UnsafePointer<Float>, gain: UnsafePointer<Float>,
        epsilon: Float, into y: UnsafeMutablePointer<Float>, rate: UnsafeMutablePointer<Float>
    ) {
        unsafe ck_row_norm_f32(rows, n, x, gain, epsilon, y, rate)
    }

    /// Forwards to `ck_row_norm_backward_f32`.
    @unsafe package static func rowNormBackward(
        _ rows: Int, _ n: Int, _ x: UnsafePointer<Float>, gain: UnsafePointer<Float>,
        rate: UnsafePointer<Float>, _ dy: UnsafePointer<Float>,
        into dx: UnsafeMutablePointer<Float>, dgain: UnsafeMutablePointer<Float>, adding: Bool
    ) {
        unsafe ck_row_norm_backward_f32(rows, n, x, gain, rate, dy, dx, dgain, adding ? 1 : 0)
    }

    /// Forwards to `ck_row_add_f32`.
    @unsafe package static func addRow(
        _ rows: Int, _ n: Int, _ bias: UnsafePointer<Float>, to y: UnsafeMutablePointer<Float>
    ) {
        unsafe ck_row_add_f32(rows, n, bias, y)
    }

    /// Forwards to `ck_column_sum_f32`.
    @unsafe package static func columnSum(
        _ rows: Int, _ n: Int, _ x: UnsafePointer<Float>, to sum: UnsafeMutablePointer<Float>
    ) {
        unsafe ck_column_sum_f32(rows, n, x, sum)
    }

    /// Forwards to `ck_column_squares_f32`.
    @unsafe package static func columnSquares(
        _ rows: Int, _ n: Int, _ x: UnsafePointer<Float>, mean: UnsafePointer<Float>,
        to sum: UnsafeMutablePointer<Float>
    ) {
        unsafe ck_column_squares_f32(rows, n, x, mean, sum)
    }

    /// Forwards to `ck_column_scale_f32`.
    @unsafe package static func columnScale(
        _ rows: Int, _ n: Int, _ x: UnsafePointer<Float>, scale: UnsafePointer<Float>,
        offset: UnsafePointer<Float>, _ z: UnsafePointer<Float>?, rectified: Bool,
        into y: UnsafeMutablePointer<Float>
    ) {
        unsafe ck_column_scale_f32(rows, n, x, scale, offset, z, rectified ? 1 : 0, y)
    }

    /// Forwards to `ck_relu_mask_f32`.
    @unsafe package static func reluMask(
        _ n: Int, _ y: UnsafePointer<Float>, _ dy: UnsafePointer<Float>,
        into dx: UnsafeMutablePointer<Float>
    ) {
        unsafe ck_relu_mask_f32(n, y, dy, dx)
    }

    /// Forwards to `ck_column_slopes_f32`.
    @unsafe package static func columnSlopes(
        _ rows: Int, _ n: Int, _ x: UnsafePointer<Float>, mean: UnsafePointer<Float>,
        _ dy: UnsafePointer<Float>, to sum: UnsafeMutablePointer<Float>,
        along: UnsafeMutablePointer<Float>
    ) {
        unsafe ck_column_slopes_f32(rows, n, x, mean, dy, sum, along)
    }

    /// Forwards to `ck_column_adjoint_f32`.
    @unsafe package static func columnAdjoint(
        _ rows: Int, _ n: Int, _ x: UnsafePointer<Float>, mean: UnsafePointer<Float>,
        _ dy: UnsafePointer<Float>, scale: UnsafePointer<Float>, slope: UnsafePointer<Float>,
        offset: UnsafePointer<Float>, into dx: UnsafeMutablePointer<Float>
    ) {
        unsafe ck_column_adjoint_f32(rows, n, x, mean, dy, scale, slope, offset, dx)
    }
}

extension Double: RowKernels {
    /// Forwards to `ck_product_f64`.
    @unsafe package static func product(
        _ rows: Int, _ columns: Int, _ inner: Int, _ a: UnsafePointer<Double>, rowA: Int,
        stepA: Int, _ b: UnsafePointer<Double>, stepB: Int, into c: UnsafeMutablePointer<Double>,
        stepC: Int, adding: Bool
    ) {
        unsafe ck_product_f64(
            rows, columns, inner, a, rowA, stepA, b, stepB, c, stepC, adding ? 1 : 0)
    }

    /// Forwards to `ck_depthwise_f64`.
    @unsafe package static func depthwise(
        _ length: Int, _ channels: Int, _ taps: Int, _ x: UnsafePointer<Double>, stepX: Int,
        _ w: UnsafePointer<Double>, bias: UnsafePointer<Double>,
        into y: UnsafeMutablePointer<Double>, stepY: Int
    ) {
        unsafe ck_depthwise_f64(length, channels, taps, x, stepX, w, bias, y, stepY)
    }

    /// Forwards to `ck_depthwise_backward_f64`.
    @unsafe package static func depthwiseBackward(
        _ length: Int, _ channels: Int, _ taps: Int, _ x: UnsafePointer<Double>, stepX: Int,
        _ w: UnsafePointer<Double>, _ dy: UnsafePointer<Double>, stepY: Int,
        into dx: UnsafeMutablePointer<Double>?, stepDX: Int, dw: UnsafeMutablePointer<Double>,
        dbias: UnsafeMutablePointer<Double>
    ) {
        unsafe ck_depthwise_backward_f64(
            length, channels, taps, x, stepX, w, dy, stepY, dx, stepDX, dw, dbias)
    }

    /// Forwards to `ck_bias_softplus_f64`.
    @unsafe package static func biasSoftplus(
        _ rows: Int, _ n: Int, _ x: UnsafeMutablePointer<Double>, bias: UnsafePointer<Double>,
        into y: UnsafeMutablePointer<Double>
    ) {
        unsafe ck_bias_softplus_f64(rows, n, x, bias, y)
    }

    /// Forwards to `ck_gate_f64`.
    @unsafe package static func gate(
        _ rows: Int, _ n: Int, _ factor: Double, _ x: UnsafePointer<Double>,
        _ z: UnsafePointer<Double>, stepZ: Int, into y: UnsafeMutablePointer<Double>
    ) {
        unsafe ck_gate_f64(rows, n, factor, x, z, stepZ, y)
    }

    /// Forwards to `ck_gate_backward_f64`.
    @unsafe package static func gateBackward(
        _ rows: Int, _ n: Int, _ factor: Double, _ x: UnsafePointer<Double>,
        _ z: UnsafePointer<Double>, stepZ: Int, _ dy: UnsafePointer<Double>,
        into dx: UnsafeMutablePointer<Double>, _ dz: UnsafeMutablePointer<Double>, stepDZ: Int
    ) {
        unsafe ck_gate_backward_f64(rows, n, factor, x, z, stepZ, dy, dx, dz, stepDZ)
    }

    /// Forwards to `ck_row_norm_f64`.
    @unsafe package static func rowNorm(
        _ rows: Int, _ n: Int, _ x: UnsafePointer<Double>, gain: UnsafePointer<Double>,
        epsilon: Double, into y: UnsafeMutablePointer<Double>, rate: UnsafeMutablePointer<Double>
    ) {
        unsafe ck_row_norm_f64(rows, n, x, gain, epsilon, y, rate)
    }

    /// Forwards to `ck_row_norm_backward_f64`.
    @unsafe package static func rowNormBackward(
        _ rows: Int, _ n: Int, _ x: UnsafePointer<Double>, gain: UnsafePointer<Double>,
        rate: UnsafePointer<Double>, _ dy: UnsafePointer<Double>,
        into dx: UnsafeMutablePointer<Double>, dgain: UnsafeMutablePointer<Double>, adding: Bool
    ) {
        unsafe ck_row_norm_backward_f64(rows, n, x, gain, rate, dy, dx, dgain, adding ? 1 : 0)
    }

    /// Forwards to `ck_row_add_f64`.
    @unsafe package static func addRow(
        _ rows: Int, _ n: Int, _ bias: UnsafePointer<Double>, to y: UnsafeMutablePointer<Double>
    ) {
        unsafe ck_row_add_f64(rows, n, bias, y)
    }

    /// Forwards to `ck_column_sum_f64`.
    @unsafe package static func columnSum(
        _ rows: Int, _ n: Int, _ x: UnsafePointer<Double>, to sum: UnsafeMutablePointer<Double>
    ) {
        unsafe ck_column_sum_f64(rows, n, x, sum)
    }

    /// Forwards to `ck_column_squares_f64`.
    @unsafe package static func columnSquares(
        _ rows: Int, _ n: Int, _ x: UnsafePointer<Double>, mean: UnsafePointer<Double>,
        to sum: UnsafeMutablePointer<Double>
    ) {
        unsafe ck_column_squares_f64(rows, n, x, mean, sum)
    }

    /// Forwards to `ck_column_scale_f64`.
    @unsafe package static func columnScale(
        _ rows: Int, _ n: Int, _ x: UnsafePointer<Double>, scale: UnsafePointer<Double>,
        offset: UnsafePointer<Double>, _ z: UnsafePointer<Double>?, rectified: Bool,
        into y: UnsafeMutablePointer<Double>
    ) {
        unsafe ck_column_scale_f64(rows, n, x, scale, offset, z, rectified ? 1 : 0, y)
    }

    /// Forwards to `ck_relu_mask_f64`.
    @unsafe package static func reluMask(
        _ n: Int, _ y: UnsafePointer<Double>, _ dy: UnsafePointer<Double>,
        into dx: UnsafeMutablePointer<Double>
    ) {
        unsafe ck_relu_mask_f64(n, y, dy, dx)
    }

    /// Forwards to `ck_column_slopes_f64`.
    @unsafe package static func columnSlopes(
        _ rows: Int, _ n: Int, _ x: UnsafePointer<Double>, mean: UnsafePointer<Double>,
        _ dy: UnsafePointer<Double>, to sum: UnsafeMutablePointer<Double>,
        along: UnsafeMutablePointer<Double>
    ) {
        unsafe ck_column_slopes_f64(rows, n, x, mean, dy, sum, along)
    }

    /// Forwards to `ck_column_adjoint_f64`.
    @unsafe package static func columnAdjoint(
        _ rows: Int, _ n: Int, _ x: UnsafePointer<Double>, mean: UnsafePointer<Double>,
        _ dy: UnsafePointer<Double>, scale: UnsafePointer<Double>, slope: UnsafePointer<Double>,
        offset: UnsafePointer<Double>, into dx: UnsafeMutablePointer<Double>
    ) {
        unsafe ck_column_adjoint_f64(rows, n, x, mean, dy, scale, slope, offset, dx)
    }
}
