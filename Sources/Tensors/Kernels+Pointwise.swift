internal import CKernels

/// The pointwise loops in C, by type of number; see `Kernels`.
package protocol PointwiseKernels {
    /// y is a function of x; y may be x.
    @unsafe static func activation(
        _ n: Int, _ function: PointwiseFunction, _ x: UnsafePointer<Self>,
        into y: UnsafeMutablePointer<Self>)
    /// The adjoint of `activation`; dx may be dy.
    @unsafe static func activationBackward(
        _ n: Int, _ function: PointwiseFunction, _ x: UnsafePointer<Self>,
        _ dy: UnsafePointer<Self>, into dx: UnsafeMutablePointer<Self>)
    /// `z (+)= x·y`, element by element.
    @unsafe static func multiplyElements(
        _ n: Int, _ x: UnsafePointer<Self>, _ y: UnsafePointer<Self>,
        into z: UnsafeMutablePointer<Self>, adding: Bool)
    /// Adds the product of every column of x with that of y to sum.
    @unsafe static func columnDot(
        _ rows: Int, _ n: Int, _ x: UnsafePointer<Self>, _ y: UnsafePointer<Self>,
        to sum: UnsafeMutablePointer<Self>)
    /// Normalises columns; without a bias by their root mean square alone.
    @unsafe static func norm(
        _ rows: Int, _ n: Int, _ x: UnsafePointer<Self>, strideX: Int, gain: UnsafePointer<Self>,
        bias: UnsafePointer<Self>?, epsilon: Self, into y: UnsafeMutablePointer<Self>,
        strideY: Int, mean: UnsafeMutablePointer<Self>, rate: UnsafeMutablePointer<Self>)
    /// The adjoint of `norm`: fills dx, adds to dgain and dbias.
    @unsafe static func normBackward(
        _ rows: Int, _ n: Int, _ x: UnsafePointer<Self>, strideX: Int, gain: UnsafePointer<Self>,
        mean: UnsafePointer<Self>, rate: UnsafePointer<Self>, _ dy: UnsafePointer<Self>,
        strideDY: Int, into dx: UnsafeMutablePointer<Self>, strideDX: Int,
        dgain: UnsafeMutablePointer<Self>, dbias: UnsafeMutablePointer<Self>?)
}

/// A function of one number, with its derivative.
package enum PointwiseFunction: Sendable, CaseIterable {
    /// `1/(1 + e⁻ˣ)`
    case sigmoid
    /// `x·sigmoid(x)`
    case silu
    /// `log(1 + eˣ)`, and x itself above 20.
    case softplus
    /// `max(x, 0)`; its derivative at 0 is 0.
    case relu

    fileprivate var number: Int32 {
        switch self {
        case .sigmoid: Int32(CK_SIGMOID)
        case .silu: Int32(CK_SILU)
        case .softplus: Int32(CK_SOFTPLUS)
        case .relu: Int32(CK_RELU)
        }
    }
}

extension Float: PointwiseKernels {
    /// Forwards to `ck_activation_f32`.
    @unsafe package static func activation(
        _ n: Int, _ function: PointwiseFunction, _ x: UnsafePointer<Float>,
        into y: UnsafeMutablePointer<Float>
    ) { unsafe ck_activation_f32(n, function.number, x, y) }

    /// Forwards to `ck_activation_backward_f32`.
    @unsafe package static func activationBackward(
        _ n: Int, _ function: PointwiseFunction, _ x: UnsafePointer<Float>,
        _ dy: UnsafePointer<Float>, into dx: UnsafeMutablePointer<Float>
    ) { unsafe ck_activation_backward_f32(n, function.number, x, dy, dx) }

    /// Forwards to `ck_multiply_f32`.
    @unsafe package static func multiplyElements(
        _ n: Int, _ x: UnsafePointer<Float>, _ y: UnsafePointer<Float>,
        into z: UnsafeMutablePointer<Float>, adding: Bool
    ) { unsafe ck_multiply_f32(n, x, y, z, adding ? 1 : 0) }

    /// Forwards to `ck_column_dot_f32`.
    @unsafe package static func columnDot(
        _ rows: Int, _ n: Int, _ x: UnsafePointer<Float>, _ y: UnsafePointer<Float>,
        to sum: UnsafeMutablePointer<Float>
    ) { unsafe ck_column_dot_f32(rows, n, x, y, sum) }

    /// Forwards to `ck_norm_f32`.
    @unsafe package static func norm(
        _ rows: Int, _ n: Int, _ x: UnsafePointer<Float>, strideX: Int, gain: UnsafePointer<Float>,
        bias: UnsafePointer<Float>?, epsilon: Float, into y: UnsafeMutablePointer<Float>,
        strideY: Int, mean: UnsafeMutablePointer<Float>, rate: UnsafeMutablePointer<Float>
    ) { unsafe ck_norm_f32(rows, n, x, strideX, gain, bias, epsilon, y, strideY, mean, rate) }

    /// Forwards to `ck_norm_backward_f32`.
    @unsafe package static func normBackward(
        _ rows: Int, _ n: Int, _ x: UnsafePointer<Float>, strideX: Int, gain: UnsafePointer<Float>,
        mean: UnsafePointer<Float>, rate: UnsafePointer<Float>, _ dy: UnsafePointer<Float>,
        strideDY: Int, into dx: UnsafeMutablePointer<Float>, strideDX: Int,
        dgain: UnsafeMutablePointer<Float>, dbias: UnsafeMutablePointer<Float>?
    ) {
        unsafe ck_norm_backward_f32(
            rows, n, x, strideX, gain, mean, rate, dy, strideDY, dx, strideDX, dgain, dbias)
    }
}

extension Double: PointwiseKernels {
    /// Forwards to `ck_activation_f64`.
    @unsafe package static func activation(
        _ n: Int, _ function: PointwiseFunction, _ x: UnsafePointer<Double>,
        into y: UnsafeMutablePointer<Double>
    ) { unsafe ck_activation_f64(n, function.number, x, y) }

    /// Forwards to `ck_activation_backward_f64`.
    @unsafe package static func activationBackward(
        _ n: Int, _ function: PointwiseFunction, _ x: UnsafePointer<Double>,
        _ dy: UnsafePointer<Double>, into dx: UnsafeMutablePointer<Double>
    ) { unsafe ck_activation_backward_f64(n, function.number, x, dy, dx) }

    /// Forwards to `ck_multiply_f64`.
    @unsafe package static func multiplyElements(
        _ n: Int, _ x: UnsafePointer<Double>, _ y: UnsafePointer<Double>,
        into z: UnsafeMutablePointer<Double>, adding: Bool
    ) { unsafe ck_multiply_f64(n, x, y, z, adding ? 1 : 0) }

    /// Forwards to `ck_column_dot_f64`.
    @unsafe package static func columnDot(
        _ rows: Int, _ n: Int, _ x: UnsafePointer<Double>, _ y: UnsafePointer<Double>,
        to sum: UnsafeMutablePointer<Double>
    ) { unsafe ck_column_dot_f64(rows, n, x, y, sum) }

    /// Forwards to `ck_norm_f64`.
    @unsafe package static func norm(
        _ rows: Int, _ n: Int, _ x: UnsafePointer<Double>, strideX: Int,
        gain: UnsafePointer<Double>,
        bias: UnsafePointer<Double>?, epsilon: Double, into y: UnsafeMutablePointer<Double>,
        strideY: Int, mean: UnsafeMutablePointer<Double>, rate: UnsafeMutablePointer<Double>
    ) { unsafe ck_norm_f64(rows, n, x, strideX, gain, bias, epsilon, y, strideY, mean, rate) }

    /// Forwards to `ck_norm_backward_f64`.
    @unsafe package static func normBackward(
        _ rows: Int, _ n: Int, _ x: UnsafePointer<Double>, strideX: Int,
        gain: UnsafePointer<Double>,
        mean: UnsafePointer<Double>, rate: UnsafePointer<Double>, _ dy: UnsafePointer<Double>,
        strideDY: Int, into dx: UnsafeMutablePointer<Double>, strideDX: Int,
        dgain: UnsafeMutablePointer<Double>, dbias: UnsafeMutablePointer<Double>?
    ) {
        unsafe ck_norm_backward_f64(
            rows, n, x, strideX, gain, mean, rate, dy, strideDY, dx, strideDX, dgain, dbias)
    }
}
