internal import CKernels

// The loops over lanes; see `Kernels`.

extension Float {
    /// Forwards to `ck_numerators_f32`.
    @unsafe package static func numerators(
        _ d: Int, _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>,
        into x: UnsafeMutablePointer<Float>, stride: Int
    ) { unsafe ck_numerators_f32(d, a, b, x, stride) }

    /// Forwards to `ck_numerators_backward_f32`.
    @unsafe package static func numeratorsBackward(
        _ d: Int, _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ x: UnsafePointer<Float>,
        _ dx: UnsafeMutablePointer<Float>, stride: Int, da: UnsafeMutablePointer<Float>,
        db: UnsafeMutablePointer<Float>
    ) { unsafe ck_numerators_backward_f32(d, a, b, x, dx, stride, da, db) }

    /// Forwards to `ck_to_lanes_f32`.
    @unsafe package static func toLanes(
        _ rows: Int, _ length: Int, _ x: UnsafePointer<Float>, stride: Int, lanes: Int,
        into y: UnsafeMutablePointer<Float>
    ) { unsafe ck_to_lanes_f32(rows, length, x, stride, lanes, y) }

    /// Forwards to `ck_from_lanes_f32`.
    @unsafe package static func fromLanes(
        _ rows: Int, _ length: Int, lanes: Int, _ y: UnsafePointer<Float>,
        into x: UnsafeMutablePointer<Float>, stride: Int
    ) { unsafe ck_from_lanes_f32(rows, length, lanes, y, x, stride) }

    /// Forwards to `ck_autoregress_f32`.
    @unsafe package static func autoregress(
        _ d: Int, _ length: Int, lanes: Int, _ alpha: UnsafePointer<Float>,
        _ u: UnsafePointer<Float>, into w: UnsafeMutablePointer<Float>, step: Int
    ) { unsafe ck_autoregress_f32(d, length, lanes, alpha, u, w, step) }

    /// Forwards to `ck_filter_pair_f32`.
    @unsafe package static func filterPair(
        _ d: Int, _ length: Int, lanes: Int, _ n1: UnsafePointer<Float>, _ n2: UnsafePointer<Float>,
        _ w: UnsafePointer<Float>, into y1: UnsafeMutablePointer<Float>,
        _ y2: UnsafeMutablePointer<Float>, step: Int
    ) { unsafe ck_filter_pair_f32(d, length, lanes, n1, n2, w, y1, y2, step) }

    /// Forwards to `ck_filter_sum_f32`.
    @unsafe package static func filterSum(
        _ d: Int, _ length: Int, lanes: Int, _ n1: UnsafePointer<Float>, _ x1: UnsafePointer<Float>,
        _ n2: UnsafePointer<Float>, _ x2: UnsafePointer<Float>, to y: UnsafeMutablePointer<Float>,
        step: Int
    ) { unsafe ck_filter_sum_f32(d, length, lanes, n1, x1, n2, x2, y, step) }

    /// Forwards to `ck_lag_products_f32`.
    @unsafe package static func lagProducts(
        _ d: Int, _ length: Int, lanes: Int, _ w: UnsafePointer<Float>, _ s1: UnsafePointer<Float>,
        _ s2: UnsafePointer<Float>?, _ s3: UnsafePointer<Float>?,
        to out1: UnsafeMutablePointer<Float>,
        _ out2: UnsafeMutablePointer<Float>?, _ out3: UnsafeMutablePointer<Float>?
    ) { unsafe ck_lag_products_f32(d, length, lanes, w, s1, s2, s3, out1, out2, out3) }

    /// Forwards to `ck_biquads_f32`.
    @unsafe package static func biquads(
        _ sections: Int, _ length: Int, lanes: Int, _ c: UnsafePointer<Float>,
        _ y: UnsafeMutablePointer<Float>, step: Int
    ) { unsafe ck_biquads_f32(sections, length, lanes, c, y, step) }

    /// Forwards to `ck_polyphase_f32`.
    @unsafe package static func polyphase(
        _ up: Int, _ down: Int, half: Int, _ taps: UnsafePointer<Float>, _ length: Int, lanes: Int,
        _ x: UnsafePointer<Float>, _ count: Int, into y: UnsafeMutablePointer<Float>
    ) { unsafe ck_polyphase_f32(up, down, half, taps, length, lanes, x, count, y) }
}

extension Double {
    /// Forwards to `ck_numerators_f64`.
    @unsafe package static func numerators(
        _ d: Int, _ a: UnsafePointer<Double>, _ b: UnsafePointer<Double>,
        into x: UnsafeMutablePointer<Double>, stride: Int
    ) { unsafe ck_numerators_f64(d, a, b, x, stride) }

    /// Forwards to `ck_numerators_backward_f64`.
    @unsafe package static func numeratorsBackward(
        _ d: Int, _ a: UnsafePointer<Double>, _ b: UnsafePointer<Double>,
        _ x: UnsafePointer<Double>,
        _ dx: UnsafeMutablePointer<Double>, stride: Int, da: UnsafeMutablePointer<Double>,
        db: UnsafeMutablePointer<Double>
    ) { unsafe ck_numerators_backward_f64(d, a, b, x, dx, stride, da, db) }

    /// Forwards to `ck_to_lanes_f64`.
    @unsafe package static func toLanes(
        _ rows: Int, _ length: Int, _ x: UnsafePointer<Double>, stride: Int, lanes: Int,
        into y: UnsafeMutablePointer<Double>
    ) { unsafe ck_to_lanes_f64(rows, length, x, stride, lanes, y) }

    /// Forwards to `ck_from_lanes_f64`.
    @unsafe package static func fromLanes(
        _ rows: Int, _ length: Int, lanes: Int, _ y: UnsafePointer<Double>,
        into x: UnsafeMutablePointer<Double>, stride: Int
    ) { unsafe ck_from_lanes_f64(rows, length, lanes, y, x, stride) }

    /// Forwards to `ck_autoregress_f64`.
    @unsafe package static func autoregress(
        _ d: Int, _ length: Int, lanes: Int, _ alpha: UnsafePointer<Double>,
        _ u: UnsafePointer<Double>, into w: UnsafeMutablePointer<Double>, step: Int
    ) { unsafe ck_autoregress_f64(d, length, lanes, alpha, u, w, step) }

    /// Forwards to `ck_filter_pair_f64`.
    @unsafe package static func filterPair(
        _ d: Int, _ length: Int, lanes: Int, _ n1: UnsafePointer<Double>,
        _ n2: UnsafePointer<Double>,
        _ w: UnsafePointer<Double>, into y1: UnsafeMutablePointer<Double>,
        _ y2: UnsafeMutablePointer<Double>, step: Int
    ) { unsafe ck_filter_pair_f64(d, length, lanes, n1, n2, w, y1, y2, step) }

    /// Forwards to `ck_filter_sum_f64`.
    @unsafe package static func filterSum(
        _ d: Int, _ length: Int, lanes: Int, _ n1: UnsafePointer<Double>,
        _ x1: UnsafePointer<Double>,
        _ n2: UnsafePointer<Double>, _ x2: UnsafePointer<Double>,
        to y: UnsafeMutablePointer<Double>,
        step: Int
    ) { unsafe ck_filter_sum_f64(d, length, lanes, n1, x1, n2, x2, y, step) }

    /// Forwards to `ck_lag_products_f64`.
    @unsafe package static func lagProducts(
        _ d: Int, _ length: Int, lanes: Int, _ w: UnsafePointer<Double>,
        _ s1: UnsafePointer<Double>,
        _ s2: UnsafePointer<Double>?, _ s3: UnsafePointer<Double>?,
        to out1: UnsafeMutablePointer<Double>,
        _ out2: UnsafeMutablePointer<Double>?, _ out3: UnsafeMutablePointer<Double>?
    ) { unsafe ck_lag_products_f64(d, length, lanes, w, s1, s2, s3, out1, out2, out3) }

    /// Forwards to `ck_biquads_f64`.
    @unsafe package static func biquads(
        _ sections: Int, _ length: Int, lanes: Int, _ c: UnsafePointer<Double>,
        _ y: UnsafeMutablePointer<Double>, step: Int
    ) { unsafe ck_biquads_f64(sections, length, lanes, c, y, step) }

    /// Forwards to `ck_polyphase_f64`.
    @unsafe package static func polyphase(
        _ up: Int, _ down: Int, half: Int, _ taps: UnsafePointer<Double>, _ length: Int, lanes: Int,
        _ x: UnsafePointer<Double>, _ count: Int, into y: UnsafeMutablePointer<Double>
    ) { unsafe ck_polyphase_f64(up, down, half, taps, length, lanes, x, count, y) }
}
