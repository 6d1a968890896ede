extension Workspace {
    /// `y = f(x)`; y may be x.
    package func apply(_ function: PointwiseFunction, _ x: Panel, into y: Panel) {
        y.expect(x.rows, x.columns)
        let (runs, length) = Panel.runs(x, y)
        for i in 0..<runs {
            unsafe S.activation(
                length, function, pointer(x) + i * x.stride, into: pointer(y) + i * y.stride)
        }
    }

    /// `dx = f′(x)·dy`; dx may be dy.
    package func applyBackward(
        _ function: PointwiseFunction, _ x: Panel, _ dy: Panel, into dx: Panel
    ) {
        for panel in [dy, dx] { panel.expect(x.rows, x.columns) }
        let (runs, length) = Panel.runs(x, dy, dx)
        for i in 0..<runs {
            unsafe S.activationBackward(
                length, function, pointer(x) + i * x.stride, pointer(dy) + i * dy.stride,
                into: pointer(dx) + i * dx.stride)
        }
    }

    /// `z (+)= x·y`, element by element; z may be x or y.
    package func multiplyElements(_ x: Panel, _ y: Panel, into z: Panel, adding: Bool = false) {
        for panel in [y, z] { panel.expect(x.rows, x.columns) }
        let (runs, length) = Panel.runs(x, y, z)
        for i in 0..<runs {
            unsafe S.multiplyElements(
                length, pointer(x) + i * x.stride, pointer(y) + i * y.stride,
                into: pointer(z) + i * z.stride, adding: adding)
        }
    }

    /// `sum_i += Σ_row x_{row,i}·y_{row,i}`, for panels without gaps and `sum` `[1, columns]`.
    package func addColumnProducts(_ x: Panel, _ y: Panel, to sum: Panel) {
        y.expect(x.rows, x.columns)
        sum.expect(1, x.columns)
        unsafe S.columnDot(x.rows, x.columns, dense(x), dense(y), to: pointer(sum))
    }

    /// Normalises every column to mean 0 and variance 1, then `y = gain·x̂ + bias` by rows; without a
    /// bias the mean stays, and the mean square becomes 1.
    ///
    /// - Parameters:
    ///   - x: `[rows, columns]`
    ///   - gain: `[1, rows]`
    ///   - bias: `[1, rows]`
    ///   - epsilon: Added to the variance.
    ///   - y: `[rows, columns]`; may be x.
    ///   - statistics: Filled with means and inverse deviations, `[2, columns]`.
    package func normaliseColumns(
        _ x: Panel, gain: Panel, bias: Panel?, epsilon: S, into y: Panel, statistics: Panel
    ) {
        y.expect(x.rows, x.columns)
        gain.expect(1, x.rows)
        bias?.expect(1, x.rows)
        statistics.expect(2, x.columns)
        unsafe S.norm(
            x.rows, x.columns, pointer(x), strideX: x.stride, gain: pointer(gain),
            bias: bias.map { unsafe UnsafePointer(pointer($0)) }, epsilon: epsilon,
            into: pointer(y), strideY: y.stride, mean: pointer(statistics.row(0)),
            rate: pointer(statistics.row(1)))
    }

    /// The adjoint of `normaliseColumns`: fills dx, which may be dy, and adds to dgain and dbias.
    package func normaliseColumnsBackward(
        _ x: Panel, gain: Panel, statistics: Panel, dy: Panel, into dx: Panel, dgain: Panel,
        dbias: Panel?
    ) {
        for panel in [dy, dx] { panel.expect(x.rows, x.columns) }
        for panel in [gain, dgain, dbias ?? gain] { panel.expect(1, x.rows) }
        statistics.expect(2, x.columns)
        unsafe S.normBackward(
            x.rows, x.columns, pointer(x), strideX: x.stride, gain: pointer(gain),
            mean: pointer(statistics.row(0)), rate: pointer(statistics.row(1)), pointer(dy),
            strideDY: dy.stride, into: pointer(dx), strideDX: dx.stride, dgain: pointer(dgain),
            dbias: dbias.map { unsafe pointer($0) })
    }
}
