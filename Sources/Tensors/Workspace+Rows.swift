internal import Foundation

/// Layers on signals `[time, channel]`. Panels have no gaps, unless they say so.
extension Workspace {
    /// `y_t = bias + Σ_k w_k·x_{t−taps+1+k}`, channel by channel.
    ///
    /// - Parameters:
    ///   - x: `[time, channels]`; may have gaps.
    ///   - weights: `[taps, channels]`
    ///   - bias: `[1, channels]`
    ///   - y: `[time, channels]`, other memory; may have gaps.
    ///   - reversed: Whether time runs backwards.
    package func depthwise(
        _ x: Panel, weights: Panel, bias: Panel, into y: Panel, reversed: Bool = false
    ) {
        expectDepthwise(x, weights, bias, y)
        let sign = reversed ? -1 : 1
        unsafe S.depthwise(
            x.rows, x.columns, weights.rows, first(x, reversed), stepX: sign * x.stride,
            dense(weights), bias: pointer(bias), into: first(y, reversed), stepY: sign * y.stride)
    }

    /// The adjoint of `depthwise`: adds to dx, where there is one, to dweights and to dbias.
    package func depthwiseBackward(
        _ x: Panel, weights: Panel, dy: Panel, into dx: Panel?, dweights: Panel, dbias: Panel,
        reversed: Bool = false
    ) {
        expectDepthwise(x, dweights, dbias, dy)
        weights.expect(dweights.rows, x.columns)
        dx?.expect(x.rows, x.columns)
        let sign = reversed ? -1 : 1
        unsafe S.depthwiseBackward(
            x.rows, x.columns, weights.rows, first(x, reversed), stepX: sign * x.stride,
            dense(weights), first(dy, reversed), stepY: sign * dy.stride,
            into: dx.map { unsafe first($0, reversed) }, stepDX: sign * (dx?.stride ?? 0),
            dw: dense(dweights), dbias: pointer(dbias))
    }

    private func expectDepthwise(_ x: Panel, _ weights: Panel, _ bias: Panel, _ y: Panel) {
        y.expect(x.rows, x.columns)
        weights.expect(weights.rows, x.columns)
        bias.expect(1, x.columns)
        precondition(weights.rows > 0, "depthwise: no taps")
    }

    /// `y = softplus(x + bias)`; x becomes `x + bias`.
    package func biasSoftplus(_ x: Panel, bias: Panel, into y: Panel) {
        y.expect(x.rows, x.columns)
        bias.expect(1, x.columns)
        unsafe S.biasSoftplus(x.rows, x.columns, dense(x), bias: pointer(bias), into: dense(y))
    }

    /// `y = factor·x·SiLU(z)`; z may have gaps.
    package func gate(_ x: Panel, by z: Panel, times factor: S, into y: Panel) {
        for panel in [z, y] { panel.expect(x.rows, x.columns) }
        unsafe S.gate(
            x.rows, x.columns, factor, dense(x), pointer(z), stepZ: z.stride, into: dense(y))
    }

    /// The adjoint of `gate`: fills dx, which may be dy, and dz, which may have gaps.
    package func gateBackward(
        _ x: Panel, by z: Panel, times factor: S, dy: Panel, into dx: Panel, dz: Panel
    ) {
        for panel in [z, dy, dx, dz] { panel.expect(x.rows, x.columns) }
        unsafe S.gateBackward(
            x.rows, x.columns, factor, dense(x), pointer(z), stepZ: z.stride, dense(dy),
            into: dense(dx), pointer(dz), stepDZ: dz.stride)
    }

    /// Divides every row by its root mean square: `y = gain·x·rate`; fills `rate` `[1, rows]`.
    package func normaliseRows(_ x: Panel, gain: Panel, epsilon: S, into y: Panel, rate: Panel) {
        y.expect(x.rows, x.columns)
        gain.expect(1, x.columns)
        rate.expect(1, x.rows)
        unsafe S.rowNorm(
            x.rows, x.columns, dense(x), gain: pointer(gain), epsilon: epsilon, into: dense(y),
            rate: pointer(rate))
    }

    /// The adjoint of `normaliseRows`: fills dx or adds to it, and adds to dgain.
    package func normaliseRowsBackward(
        _ x: Panel, gain: Panel, rate: Panel, dy: Panel, into dx: Panel, dgain: Panel,
        adding: Bool = false
    ) {
        for panel in [dy, dx] { panel.expect(x.rows, x.columns) }
        for panel in [gain, dgain] { panel.expect(1, x.columns) }
        rate.expect(1, x.rows)
        unsafe S.rowNormBackward(
            x.rows, x.columns, dense(x), gain: pointer(gain), rate: pointer(rate), dense(dy),
            into: dense(dx), dgain: pointer(dgain), adding: adding)
    }

    /// Adds the row `bias` `[1, columns]` to every row.
    package func addRow(_ bias: Panel, to y: Panel) {
        bias.expect(1, y.columns)
        unsafe S.addRow(y.rows, y.columns, pointer(bias), to: dense(y))
    }

    /// Adds the sum of every column to `sum` `[1, columns]`.
    package func addColumnSums(_ x: Panel, to sum: Panel) {
        sum.expect(1, x.columns)
        unsafe S.columnSum(x.rows, x.columns, dense(x), to: pointer(sum))
    }

    /// Adds the sum of `(x − mean)²` of every column to `sum`; both `[1, columns]`.
    package func addColumnSquares(_ x: Panel, mean: Panel, to sum: Panel) {
        for panel in [mean, sum] { panel.expect(1, x.columns) }
        unsafe S.columnSquares(
            x.rows, x.columns, dense(x), mean: pointer(mean), to: pointer(sum))
    }

    /// `y = scale·x + offset (+ z)` by columns; where `rectified`, no less than 0. y may be x or z.
    package func scaleColumns(
        _ x: Panel, by scale: Panel, plus offset: Panel, and z: Panel? = nil, rectified: Bool,
        into y: Panel
    ) {
        for panel in [y, z ?? y] { panel.expect(x.rows, x.columns) }
        for panel in [scale, offset] { panel.expect(1, x.columns) }
        unsafe S.columnScale(
            x.rows, x.columns, dense(x), scale: pointer(scale), offset: pointer(offset),
            z.map { unsafe UnsafePointer(dense($0)) }, rectified: rectified, into: dense(y))
    }

    /// dx is dy where y is above 0, else 0; dx may be dy.
    package func rectifyBackward(_ y: Panel, dy: Panel, into dx: Panel) {
        for panel in [dy, dx] { panel.expect(y.rows, y.columns) }
        unsafe S.reluMask(y.count, dense(y), dense(dy), into: dense(dx))
    }

    /// Adds the sums over rows of dy to `sum` and of `dy·(x − mean)` to `along`; all `[1, columns]`.
    package func addColumnSlopes(_ x: Panel, mean: Panel, dy: Panel, to sum: Panel, along: Panel) {
        dy.expect(x.rows, x.columns)
        for panel in [mean, sum, along] { panel.expect(1, x.columns) }
        unsafe S.columnSlopes(
            x.rows, x.columns, dense(x), mean: pointer(mean), dense(dy), to: pointer(sum),
            along: pointer(along))
    }

    /// `dx = scale·dy + slope·(x − mean) + offset` by columns; dx may be dy.
    package func combineColumns(
        _ x: Panel, mean: Panel, dy: Panel, scale: Panel, slope: Panel, offset: Panel,
        into dx: Panel
    ) {
        for panel in [dy, dx] { panel.expect(x.rows, x.columns) }
        for panel in [mean, scale, slope, offset] { panel.expect(1, x.columns) }
        unsafe S.columnAdjoint(
            x.rows, x.columns, dense(x), mean: pointer(mean), dense(dy), scale: pointer(scale),
            slope: pointer(slope), offset: pointer(offset), into: dense(dx))
    }
}

extension Workspace {
    /// y is x with rows and columns exchanged, and 0 in the columns that it has beyond; x may have
    /// gaps.
    package func transpose(_ x: Panel, into y: Panel) {
        precondition(
            y.rows == x.columns && y.columns >= x.rows,
            "transpose: \(x.rows)×\(x.columns) into \(y.rows)×\(y.columns)")
        guard x.count > 0 else { return }
        unsafe S.toLanes(
            x.rows, x.columns, pointer(x), stride: x.stride, lanes: y.columns, into: dense(y))
    }

    /// `y = −exp(x)`, by the library's exponential: for parameters.
    package func negativeExponential(_ x: Panel, into y: Panel) {
        y.expect(x.rows, x.columns)
        let (source, target) = unsafe (dense(x), dense(y))
        for i in 0..<x.count { unsafe target[i] = S(-exp(Double(source[i]))) }
    }
}
