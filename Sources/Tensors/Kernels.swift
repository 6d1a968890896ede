/// The loops in C, by type of number. Lengths have been checked by the caller; each call's meaning
/// stands in `ckernels.h`. Only `Workspace` and `LinearAlgebra` call these.
package protocol Kernels {
    @unsafe static func dropout(
        _ n: Int, _ x: UnsafePointer<Self>, into y: UnsafeMutablePointer<Self>, _ dropout: Dropout)
    @unsafe static func gelu(
        _ n: Int, _ x: UnsafePointer<Self>, into y: UnsafeMutablePointer<Self>, _ dropout: Dropout)
    @unsafe static func geluBackward(
        _ n: Int, _ x: UnsafePointer<Self>, _ dy: UnsafePointer<Self>,
        value: UnsafeMutablePointer<Self>, into dx: UnsafeMutablePointer<Self>, _ dropout: Dropout)
    @unsafe static func head(
        _ n: Int, _ y: UnsafePointer<Self>, gain: Self, weight: Self,
        sum: UnsafeMutablePointer<Self>, _ dropout: Dropout)
    @unsafe static func headBackward(
        _ n: Int, _ y: UnsafePointer<Self>, gain: Self, weight: Self, dsum: UnsafePointer<Self>,
        into dy: UnsafeMutablePointer<Self>, dweight: inout Double, dgain: inout Double,
        _ dropout: Dropout)
    @unsafe static func addScaled(
        _ n: Int, _ factor: Self, _ x: UnsafePointer<Self>, to y: UnsafeMutablePointer<Self>)
    @unsafe static func combine(
        _ n: Int, _ alpha: Self, _ x: UnsafePointer<Self>, _ beta: Self, _ constant: Self,
        into y: UnsafeMutablePointer<Self>)
    @unsafe static func fill(_ n: Int, with value: Self, into y: UnsafeMutablePointer<Self>)
    @unsafe static func multiplySpectra(
        _ n: Int, _ factor: Self, _ x: UnsafePointer<Self>, _ y: UnsafePointer<Self>,
        into z: UnsafeMutablePointer<Self>, conjugate: Bool, adding: Bool)
    @unsafe static func reverse(
        _ n: Int, _ x: UnsafePointer<Self>, into y: UnsafeMutablePointer<Self>)
    @unsafe static func normalise(
        _ n: Int, _ x: UnsafePointer<Self>, into y: UnsafeMutablePointer<Self>)
    @unsafe static func normaliseBackward(
        _ n: Int, _ x: UnsafePointer<Self>, _ y: UnsafePointer<Self>, _ dy: UnsafePointer<Self>,
        into dx: UnsafeMutablePointer<Self>)
    @unsafe static func dot(_ n: Int, _ x: UnsafePointer<Self>, _ y: UnsafePointer<Self>) -> Double
    @unsafe static func sum(_ n: Int, _ x: UnsafePointer<Self>) -> Double
    @unsafe static func squaredDistance(
        _ n: Int, _ x: UnsafePointer<Self>, _ y: UnsafePointer<Self>
    ) -> Double
    @unsafe static func adamW(
        _ n: Int, _ theta: UnsafeMutablePointer<Self>, gradient: UnsafePointer<Self>,
        first: UnsafeMutablePointer<Self>, second: UnsafeMutablePointer<Self>, _ step: AdamWStep)
    @unsafe static func krylov(
        _ d: Int, _ length: Int, _ a: UnsafePointer<Self>, _ b: UnsafePointer<Self>,
        into x: UnsafeMutablePointer<Self>, stride: Int)
    @unsafe static func krylovBackward(
        _ d: Int, _ length: Int, _ a: UnsafePointer<Self>, _ x: UnsafePointer<Self>,
        _ dx: UnsafeMutablePointer<Self>, stride: Int, da: UnsafeMutablePointer<Self>,
        db: UnsafeMutablePointer<Self>)
    @unsafe static func numerators(
        _ d: Int, _ a: UnsafePointer<Self>, _ b: UnsafePointer<Self>,
        into x: UnsafeMutablePointer<Self>, stride: Int)
    @unsafe static func numeratorsBackward(
        _ d: Int, _ a: UnsafePointer<Self>, _ b: UnsafePointer<Self>, _ x: UnsafePointer<Self>,
        _ dx: UnsafeMutablePointer<Self>, stride: Int, da: UnsafeMutablePointer<Self>,
        db: UnsafeMutablePointer<Self>)
    @unsafe static func toLanes(
        _ rows: Int, _ length: Int, _ x: UnsafePointer<Self>, stride: Int, lanes: Int,
        into y: UnsafeMutablePointer<Self>)
    @unsafe static func fromLanes(
        _ rows: Int, _ length: Int, lanes: Int, _ y: UnsafePointer<Self>,
        into x: UnsafeMutablePointer<Self>, stride: Int)
    @unsafe static func autoregress(
        _ d: Int, _ length: Int, lanes: Int, _ alpha: UnsafePointer<Self>,
        _ u: UnsafePointer<Self>, into w: UnsafeMutablePointer<Self>, step: Int)
    @unsafe static func filterPair(
        _ d: Int, _ length: Int, lanes: Int, _ n1: UnsafePointer<Self>, _ n2: UnsafePointer<Self>,
        _ w: UnsafePointer<Self>, into y1: UnsafeMutablePointer<Self>,
        _ y2: UnsafeMutablePointer<Self>, step: Int)
    @unsafe static func filterSum(
        _ d: Int, _ length: Int, lanes: Int, _ n1: UnsafePointer<Self>, _ x1: UnsafePointer<Self>,
        _ n2: UnsafePointer<Self>, _ x2: UnsafePointer<Self>, to y: UnsafeMutablePointer<Self>,
        step: Int)
    @unsafe static func lagProducts(
        _ d: Int, _ length: Int, lanes: Int, _ w: UnsafePointer<Self>, _ s1: UnsafePointer<Self>,
        _ s2: UnsafePointer<Self>?, _ s3: UnsafePointer<Self>?, to out1: UnsafeMutablePointer<Self>,
        _ out2: UnsafeMutablePointer<Self>?, _ out3: UnsafeMutablePointer<Self>?)
    @unsafe static func forecastRows(
        _ d: Int, _ horizon: Int, _ a: UnsafePointer<Self>, _ b: UnsafePointer<Self>,
        _ c: UnsafePointer<Self>, _ k: UnsafePointer<Self>, into r: UnsafeMutablePointer<Self>)
    @unsafe static func forecastRowsBackward(
        _ d: Int, _ horizon: Int, _ a: UnsafePointer<Self>, _ b: UnsafePointer<Self>,
        _ k: UnsafePointer<Self>, _ r: UnsafePointer<Self>, _ dr: UnsafeMutablePointer<Self>,
        da: UnsafeMutablePointer<Self>, db: UnsafeMutablePointer<Self>,
        dc: UnsafeMutablePointer<Self>, dk: UnsafeMutablePointer<Self>)
    @unsafe static func convolve(
        _ rows: Int, _ length: Int, _ x: UnsafePointer<Self>, strideX: Int,
        _ k1: UnsafePointer<Self>, _ k2: UnsafePointer<Self>?, into y1: UnsafeMutablePointer<Self>,
        _ y2: UnsafeMutablePointer<Self>?, strideY: Int, scratch: UnsafeMutablePointer<Self>)
    @unsafe static func convolveBackward(
        _ rows: Int, _ length: Int, _ x: UnsafePointer<Self>, strideX: Int,
        _ k1: UnsafePointer<Self>, _ k2: UnsafePointer<Self>?, _ dy1: UnsafePointer<Self>,
        _ dy2: UnsafePointer<Self>?, strideY: Int, into dx: UnsafeMutablePointer<Self>?,
        strideDX: Int, dk1: UnsafeMutablePointer<Self>, dk2: UnsafeMutablePointer<Self>?,
        scratch: UnsafeMutablePointer<Self>)
    @unsafe static func preprocess(
        _ length: Int, _ x: UnsafePointer<Self>, windows: UnsafePointer<Int64>,
        into y: UnsafeMutablePointer<Self>, stride: Int, scratch: UnsafeMutablePointer<Self>)
    @unsafe static func preprocessBackward(
        _ length: Int, _ dy: UnsafePointer<Self>, stride: Int, windows: UnsafePointer<Int64>,
        into dx: UnsafeMutablePointer<Self>, scratch: UnsafeMutablePointer<Self>)
}
