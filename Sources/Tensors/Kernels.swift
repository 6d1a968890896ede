/// The loops in C, by type of number. Lengths have been checked by the caller; each call's meaning
/// stands in `ckernels.h`. Only `Workspace` and `LinearAlgebra` call these.
package protocol Kernels {
    /// y is x with elements dropped.
    @unsafe static func dropout(
        _ n: Int, _ x: UnsafePointer<Self>, into y: UnsafeMutablePointer<Self>, _ dropout: Dropout)
    /// y is GELU of x, by the error function, with elements dropped.
    @unsafe static func gelu(
        _ n: Int, _ x: UnsafePointer<Self>, into y: UnsafeMutablePointer<Self>, _ dropout: Dropout)
    /// value is `gelu` of x once more, dx the adjoint applied to dy; dx may be dy.
    @unsafe static func geluBackward(
        _ n: Int, _ x: UnsafePointer<Self>, _ dy: UnsafePointer<Self>,
        value: UnsafeMutablePointer<Self>, into dx: UnsafeMutablePointer<Self>, _ dropout: Dropout)
    /// Adds factor·x to y.
    @unsafe static func addScaled(
        _ n: Int, _ factor: Self, _ x: UnsafePointer<Self>, to y: UnsafeMutablePointer<Self>)
    /// `y ← alpha·x + beta·y + constant`; beta 0 forgets y.
    @unsafe static func combine(
        _ n: Int, _ alpha: Self, _ x: UnsafePointer<Self>, _ beta: Self, _ constant: Self,
        into y: UnsafeMutablePointer<Self>)
    /// Sets every number.
    @unsafe static func fill(_ n: Int, with value: Self, into y: UnsafeMutablePointer<Self>)
    /// `z (+)= factor·x·y` of n complex numbers, or times the conjugate of y.
    @unsafe static func multiplySpectra(
        _ n: Int, _ factor: Self, _ x: UnsafePointer<Self>, _ y: UnsafePointer<Self>,
        into z: UnsafeMutablePointer<Self>, conjugate: Bool, adding: Bool)
    /// y is x, last element first.
    @unsafe static func reverse(
        _ n: Int, _ x: UnsafePointer<Self>, into y: UnsafeMutablePointer<Self>)
    /// y is x divided by its L1 norm, or x where that is at most 1e-4.
    @unsafe static func normalise(
        _ n: Int, _ x: UnsafePointer<Self>, into y: UnsafeMutablePointer<Self>)
    /// The adjoint of `normalise`, given its result y: adds to dx.
    @unsafe static func normaliseBackward(
        _ n: Int, _ x: UnsafePointer<Self>, _ y: UnsafePointer<Self>, _ dy: UnsafePointer<Self>,
        into dx: UnsafeMutablePointer<Self>)
    /// The sum of products.
    @unsafe static func dot(_ n: Int, _ x: UnsafePointer<Self>, _ y: UnsafePointer<Self>) -> Double
    /// The sum.
    @unsafe static func sum(_ n: Int, _ x: UnsafePointer<Self>) -> Double
    /// The sum of squared differences.
    @unsafe static func squaredDistance(
        _ n: Int, _ x: UnsafePointer<Self>, _ y: UnsafePointer<Self>
    ) -> Double
    /// One AdamW update.
    @unsafe static func adamW(
        _ n: Int, _ theta: UnsafeMutablePointer<Self>, gradient: UnsafePointer<Self>,
        first: UnsafeMutablePointer<Self>, second: UnsafeMutablePointer<Self>, _ step: AdamWStep)
    /// Rows `A^j·b` of a companion matrix with last column a, row j at j·stride.
    @unsafe static func krylov(
        _ d: Int, _ length: Int, _ a: UnsafePointer<Self>, _ b: UnsafePointer<Self>,
        into x: UnsafeMutablePointer<Self>, stride: Int)
    /// The adjoint of `krylov`: dx is overwritten; adds to da and db.
    @unsafe static func krylovBackward(
        _ d: Int, _ length: Int, _ a: UnsafePointer<Self>, _ x: UnsafePointer<Self>,
        _ dx: UnsafeMutablePointer<Self>, stride: Int, da: UnsafeMutablePointer<Self>,
        db: UnsafeMutablePointer<Self>)
    /// Rows P_j of `P(z) = D(z)·(I − z·A)⁻¹·b`, row j at j·stride.
    @unsafe static func numerators(
        _ d: Int, _ a: UnsafePointer<Self>, _ b: UnsafePointer<Self>,
        into x: UnsafeMutablePointer<Self>, stride: Int)
    /// The adjoint of `numerators`: dx is overwritten; adds to da and db.
    @unsafe static func numeratorsBackward(
        _ d: Int, _ a: UnsafePointer<Self>, _ b: UnsafePointer<Self>, _ x: UnsafePointer<Self>,
        _ dx: UnsafeMutablePointer<Self>, stride: Int, da: UnsafeMutablePointer<Self>,
        db: UnsafeMutablePointer<Self>)
    /// `[rows, length]` → `[length, lanes]`, with zeros in the lanes that have no row.
    @unsafe static func toLanes(
        _ rows: Int, _ length: Int, _ x: UnsafePointer<Self>, stride: Int, lanes: Int,
        into y: UnsafeMutablePointer<Self>)
    /// The first lanes back to rows.
    @unsafe static func fromLanes(
        _ rows: Int, _ length: Int, lanes: Int, _ y: UnsafePointer<Self>,
        into x: UnsafeMutablePointer<Self>, stride: Int)
    /// `w_t = u_t + Σ_{1≤j≤d} alpha_{j−1}·w_{t−j}`, time t at t·step.
    @unsafe static func autoregress(
        _ d: Int, _ length: Int, lanes: Int, _ alpha: UnsafePointer<Self>,
        _ u: UnsafePointer<Self>, into w: UnsafeMutablePointer<Self>, step: Int)
    /// `y1_t = Σ_{j<d} n1_j·w_{t−j}`, and y2 with n2.
    @unsafe static func filterPair(
        _ d: Int, _ length: Int, lanes: Int, _ n1: UnsafePointer<Self>, _ n2: UnsafePointer<Self>,
        _ w: UnsafePointer<Self>, into y1: UnsafeMutablePointer<Self>,
        _ y2: UnsafeMutablePointer<Self>, step: Int)
    /// `y_t += Σ_{j<d} n1_j·x1_{t−j} + n2_j·x2_{t−j}`.
    @unsafe static func filterSum(
        _ d: Int, _ length: Int, lanes: Int, _ n1: UnsafePointer<Self>, _ x1: UnsafePointer<Self>,
        _ n2: UnsafePointer<Self>, _ x2: UnsafePointer<Self>, to y: UnsafeMutablePointer<Self>,
        step: Int)
    /// `out_j += Σ_t s_t·w_{t−j}` over all lanes, for one signal or three.
    @unsafe static func lagProducts(
        _ d: Int, _ length: Int, lanes: Int, _ w: UnsafePointer<Self>, _ s1: UnsafePointer<Self>,
        _ s2: UnsafePointer<Self>?, _ s3: UnsafePointer<Self>?, to out1: UnsafeMutablePointer<Self>,
        _ out2: UnsafeMutablePointer<Self>?, _ out3: UnsafeMutablePointer<Self>?)
    /// Second-order sections in place, each from the state settled at the first point in time.
    @unsafe static func biquads(
        _ sections: Int, _ length: Int, lanes: Int, _ c: UnsafePointer<Self>,
        _ y: UnsafeMutablePointer<Self>, step: Int)
    /// `y_m = Σ x_i·taps_{m·down + half − i·up}` for `2·half + 1` taps.
    @unsafe static func polyphase(
        _ up: Int, _ down: Int, half: Int, _ taps: UnsafePointer<Self>, _ length: Int, lanes: Int,
        _ x: UnsafePointer<Self>, _ count: Int, into y: UnsafeMutablePointer<Self>)
    /// Rows `c·M^h` of the closed loop `M = A + b·kᵀ`.
    @unsafe static func forecastRows(
        _ d: Int, _ horizon: Int, _ a: UnsafePointer<Self>, _ b: UnsafePointer<Self>,
        _ c: UnsafePointer<Self>, _ k: UnsafePointer<Self>, into r: UnsafeMutablePointer<Self>)
    /// The adjoint of `forecastRows`: dr is overwritten; adds to da, db, dc and dk.
    @unsafe static func forecastRowsBackward(
        _ d: Int, _ horizon: Int, _ a: UnsafePointer<Self>, _ b: UnsafePointer<Self>,
        _ k: UnsafePointer<Self>, _ r: UnsafePointer<Self>, _ dr: UnsafeMutablePointer<Self>,
        da: UnsafeMutablePointer<Self>, db: UnsafeMutablePointer<Self>,
        dc: UnsafeMutablePointer<Self>, dk: UnsafeMutablePointer<Self>)
    /// Causal convolution of rows with one kernel, or with two.
    @unsafe static func convolve(
        _ rows: Int, _ length: Int, _ x: UnsafePointer<Self>, strideX: Int,
        _ k1: UnsafePointer<Self>, _ k2: UnsafePointer<Self>?, into y1: UnsafeMutablePointer<Self>,
        _ y2: UnsafeMutablePointer<Self>?, strideY: Int, scratch: UnsafeMutablePointer<Self>)
    /// The adjoint of `convolve`: adds to dx, where there is one, and to dk1 and dk2.
    @unsafe static func convolveBackward(
        _ rows: Int, _ length: Int, _ x: UnsafePointer<Self>, strideX: Int,
        _ k1: UnsafePointer<Self>, _ k2: UnsafePointer<Self>?, _ dy1: UnsafePointer<Self>,
        _ dy2: UnsafePointer<Self>?, strideY: Int, into dx: UnsafeMutablePointer<Self>?,
        strideDX: Int, dk1: UnsafeMutablePointer<Self>, dk2: UnsafeMutablePointer<Self>?,
        scratch: UnsafeMutablePointer<Self>)
    /// Causal convolution of rows with one kernel by transforms of two blocks.
    @unsafe static func transformConvolve(
        _ rows: Int, _ length: Int, _ block: Int, _ factors: UnsafePointer<Self>,
        _ x: UnsafePointer<Self>, strideX: Int, _ k: UnsafePointer<Self>,
        into y: UnsafeMutablePointer<Self>, strideY: Int, scratch: UnsafeMutablePointer<Self>)
    /// The adjoint of `transformConvolve`: adds to dx, where there is one, and to dkernel.
    @unsafe static func transformConvolveBackward(
        _ rows: Int, _ length: Int, _ block: Int, _ factors: UnsafePointer<Self>,
        _ x: UnsafePointer<Self>, strideX: Int, _ k: UnsafePointer<Self>, _ dy: UnsafePointer<Self>,
        strideY: Int, into dx: UnsafeMutablePointer<Self>?, strideDX: Int,
        dkernel: UnsafeMutablePointer<Self>, scratch: UnsafeMutablePointer<Self>)
    /// Four differences and four moving-average residuals of x.
    @unsafe static func preprocess(
        _ length: Int, _ x: UnsafePointer<Self>, windows: UnsafePointer<Int64>,
        into y: UnsafeMutablePointer<Self>, stride: Int, scratch: UnsafeMutablePointer<Self>)
    /// The adjoint of `preprocess`; dx is overwritten.
    @unsafe static func preprocessBackward(
        _ length: Int, _ dy: UnsafePointer<Self>, stride: Int, windows: UnsafePointer<Int64>,
        into dx: UnsafeMutablePointer<Self>, scratch: UnsafeMutablePointer<Self>)
}
