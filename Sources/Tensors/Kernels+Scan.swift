internal import CKernels

/// The extents of a selective scan, and the distances between two points in time of its signals in
/// numbers; below zero for a scan that runs backwards.
package struct ScanSizes: Sendable {
    let length: Int
    let channels: Int
    let states: Int
    var x = 0
    var delta = 0
    var b = 0
    var c = 0
    var y = 0
    var dx = 0
    var ddelta = 0
    var db = 0
    var dc = 0
    /// Sequences that begin with states of 0; 0 for one that begins with those that are given.
    var sequences = 0
    /// Rows from one point in time of a sequence to the next; below zero backwards.
    var along = 1
    /// Rows from one sequence to the next.
    var apart = 0

    init(length: Int, channels: Int, states: Int) {
        self.length = length
        self.channels = channels
        self.states = states
    }

    fileprivate var raw: ck_scan_sizes {
        ck_scan_sizes(
            length: length, channels: channels, states: states, x: x, delta: delta, b: b, c: c,
            y: y, dx: dx, ddelta: ddelta, db: db, dc: dc, sequences: sequences, along: along,
            apart: apart)
    }
}

/// The selective scan in C, by type of number; see `Kernels`.
package protocol ScanKernels {
    /// `h_t = exp(delta_t·a)·h_{t−1} + delta_t·x_t·b_t`, `y_t (+)= c_t·h_t + d·x_t`.
    @unsafe static func scan(
        _ sizes: ScanSizes, _ x: UnsafePointer<Self>, _ delta: UnsafePointer<Self>,
        _ a: UnsafePointer<Self>, _ b: UnsafePointer<Self>, _ c: UnsafePointer<Self>,
        _ d: UnsafePointer<Self>, into y: UnsafeMutablePointer<Self>, adding: Bool,
        state: UnsafeMutablePointer<Self>, kept: UnsafeMutablePointer<Self>?,
        scratch: UnsafeMutablePointer<Self>)
    /// The adjoint of `scan`: fills dx, ddelta, db and dc, adds to da and dd.
    @unsafe static func scanBackward(
        _ sizes: ScanSizes, _ x: UnsafePointer<Self>, _ delta: UnsafePointer<Self>,
        _ a: UnsafePointer<Self>, _ b: UnsafePointer<Self>, _ c: UnsafePointer<Self>,
        _ d: UnsafePointer<Self>, kept: UnsafePointer<Self>, _ dy: UnsafePointer<Self>,
        into gradients: ScanGradients<Self>, scratch: UnsafeMutablePointer<Self>)
    /// Convolution, SiLU, maps, step widths and scan of one direction, without an adjoint.
    @unsafe static func direction(
        _ sizes: DirectionSizes, _ x: UnsafePointer<Self>, _ weights: DirectionPointers<Self>,
        into y: UnsafeMutablePointer<Self>, adding: Bool, state: UnsafeMutablePointer<Self>,
        scratch: UnsafeMutablePointer<Self>)
}

/// The extents of one direction of a Mamba block; see `Workspace.direction`.
package struct DirectionSizes: Sendable {
    let length: Int
    let channels: Int
    let states: Int
    let taps: Int
    let rank: Int
    let columns: Int
    let x: Int
    let y: Int
    let masked: (Range<Int>, Range<Int>)

    fileprivate var raw: ck_direction_sizes {
        ck_direction_sizes(
            length: length, channels: channels, states: states, taps: taps, rank: rank,
            columns: columns, x: x, y: y,
            masked: (
                masked.0.lowerBound, masked.0.upperBound, masked.1.lowerBound, masked.1.upperBound
            ))
    }
}

/// Where a direction's weights lie.
@unsafe package struct DirectionPointers<S> {
    let taps, bias, weight, projection, step, stepBias, a, d: UnsafePointer<S>
}

/// Where the adjoint of a scan puts what it finds.
@unsafe package struct ScanGradients<S> {
    let x, delta, a, b, c, d, state: UnsafeMutablePointer<S>
}

/// How a scan's states lie: `[states, width]`, and how many it keeps for its adjoint.
package enum ScanExtent {
    /// Channels with those that fill up the last sixteen.
    package static func width(channels: Int) -> Int { ck_scan_width(channels) }

    /// How many times the states are kept, once before every sixteen points in time.
    package static func keptCount(length: Int) -> Int {
        (length + Int(CK_SCAN_CHUNK) - 1) / Int(CK_SCAN_CHUNK)
    }

    /// Elements of scratch for a scan or its adjoint.
    package static func scratch(channels: Int, states: Int) -> Int {
        ck_scan_scratch(channels, states)
    }

    /// Elements of scratch for `Workspace.direction`; `columns` of its projection.
    package static func directionScratch(channels: Int, states: Int, columns: Int) -> Int {
        ck_direction_scratch(channels, states, columns)
    }
}

extension Float: ScanKernels {
    /// Forwards to `ck_scan_f32`.
    @unsafe package static func scan(
        _ sizes: ScanSizes, _ x: UnsafePointer<Float>, _ delta: UnsafePointer<Float>,
        _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ c: UnsafePointer<Float>,
        _ d: UnsafePointer<Float>, into y: UnsafeMutablePointer<Float>, adding: Bool,
        state: UnsafeMutablePointer<Float>, kept: UnsafeMutablePointer<Float>?,
        scratch: UnsafeMutablePointer<Float>
    ) {
        unsafe ck_scan_f32(
            sizes.raw, x, delta, a, b, c, d, y, adding ? 1 : 0, state, kept, scratch)
    }

    /// Forwards to `ck_scan_backward_f32`.
    @unsafe package static func scanBackward(
        _ sizes: ScanSizes, _ x: UnsafePointer<Float>, _ delta: UnsafePointer<Float>,
        _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ c: UnsafePointer<Float>,
        _ d: UnsafePointer<Float>, kept: UnsafePointer<Float>, _ dy: UnsafePointer<Float>,
        into g: ScanGradients<Float>, scratch: UnsafeMutablePointer<Float>
    ) {
        unsafe ck_scan_backward_f32(
            sizes.raw, x, delta, a, b, c, d, kept, dy, g.x, g.delta, g.a, g.b, g.c, g.d, g.state,
            scratch)
    }

    /// Forwards to `ck_direction_f32`.
    @unsafe package static func direction(
        _ sizes: DirectionSizes, _ x: UnsafePointer<Float>, _ w: DirectionPointers<Float>,
        into y: UnsafeMutablePointer<Float>, adding: Bool, state: UnsafeMutablePointer<Float>,
        scratch: UnsafeMutablePointer<Float>
    ) {
        unsafe ck_direction_f32(
            sizes.raw, x, w.taps, w.bias, w.weight, w.projection, w.step, w.stepBias, w.a, w.d, y,
            adding ? 1 : 0, state, scratch)
    }
}

extension Double: ScanKernels {
    /// Forwards to `ck_scan_f64`.
    @unsafe package static func scan(
        _ sizes: ScanSizes, _ x: UnsafePointer<Double>, _ delta: UnsafePointer<Double>,
        _ a: UnsafePointer<Double>, _ b: UnsafePointer<Double>, _ c: UnsafePointer<Double>,
        _ d: UnsafePointer<Double>, into y: UnsafeMutablePointer<Double>, adding: Bool,
        state: UnsafeMutablePointer<Double>, kept: UnsafeMutablePointer<Double>?,
        scratch: UnsafeMutablePointer<Double>
    ) {
        unsafe ck_scan_f64(
            sizes.raw, x, delta, a, b, c, d, y, adding ? 1 : 0, state, kept, scratch)
    }

    /// Forwards to `ck_scan_backward_f64`.
    @unsafe package static func scanBackward(
        _ sizes: ScanSizes, _ x: UnsafePointer<Double>, _ delta: UnsafePointer<Double>,
        _ a: UnsafePointer<Double>, _ b: UnsafePointer<Double>, _ c: UnsafePointer<Double>,
        _ d: UnsafePointer<Double>, kept: UnsafePointer<Double>, _ dy: UnsafePointer<Double>,
        into g: ScanGradients<Double>, scratch: UnsafeMutablePointer<Double>
    ) {
        unsafe ck_scan_backward_f64(
            sizes.raw, x, delta, a, b, c, d, kept, dy, g.x, g.delta, g.a, g.b, g.c, g.d, g.state,
            scratch)
    }

    /// Forwards to `ck_direction_f64`.
    @unsafe package static func direction(
        _ sizes: DirectionSizes, _ x: UnsafePointer<Double>, _ w: DirectionPointers<Double>,
        into y: UnsafeMutablePointer<Double>, adding: Bool, state: UnsafeMutablePointer<Double>,
        scratch: UnsafeMutablePointer<Double>
    ) {
        unsafe ck_direction_f64(
            sizes.raw, x, w.taps, w.bias, w.weight, w.projection, w.step, w.stepBias, w.a, w.d, y,
            adding ? 1 : 0, state, scratch)
    }
}
