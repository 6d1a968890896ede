package import Tensors

/// Normalises the channels of every position: `y = weight·(x − mean)·rate + bias`, on
/// `[channel, position]`, with the population variance.
///
/// - Source: Ba, Kiros, Hinton 2016.
package struct LayerNorm: Sendable {
    /// Added to the variance.
    package static var epsilon: Double { 1e-5 }

    package let weight: Slot  // [width]
    package let bias: Slot  // [width]

    package init(_ layout: inout ParameterLayout, width: Int) {
        weight = layout.add("weight", width, decayed: false)
        bias = layout.add("bias", width, decayed: false)
    }

    /// Weight 1, bias 0.
    package func begin<S>(_ p: inout Parameters<S>) {
        p.fill(weight, with: 1)
        p.fill(bias, with: 0)
    }

    /// x `[width, n]` → y `[width, n]`; fills `statistics` `[2, n]` for the adjoint.
    package func forward<S>(
        _ x: Panel, into y: Panel, statistics: Panel, _ p: Panel, _ work: Workspace<S>
    ) {
        work.normaliseColumns(
            x, gain: weight.panel(in: p), bias: bias.panel(in: p), epsilon: S(Self.epsilon),
            into: y, statistics: statistics)
    }

    /// Fills dx, which may be dy, and adds to the gradients of weight and bias.
    package func backward<S>(
        _ dy: Panel, x: Panel, statistics: Panel, into dx: Panel, _ p: Panel, gradient: Panel,
        _ work: Workspace<S>
    ) {
        work.normaliseColumnsBackward(
            x, gain: weight.panel(in: p), statistics: statistics, dy: dy, into: dx,
            dgain: weight.panel(in: gradient), dbias: bias.panel(in: gradient))
    }
}

/// Divides the channels of every position by their root mean square: `y = weight·x·rate`, on
/// `[channel, position]`.
///
/// - Source: Zhang, Sennrich, NeurIPS 2019.
package struct RMSNorm: Sendable {
    package let weight: Slot  // [width]

    package init(_ layout: inout ParameterLayout, width: Int) {
        weight = layout.add("weight", width, decayed: false)
    }

    /// Weight 1.
    package func begin<S>(_ p: inout Parameters<S>) { p.fill(weight, with: 1) }

    /// x `[width, n]` → y `[width, n]`; fills `statistics` `[2, n]` for the adjoint.
    package func forward<S>(
        _ x: Panel, into y: Panel, statistics: Panel, _ p: Panel, _ work: Workspace<S>
    ) {
        work.normaliseColumns(
            x, gain: weight.panel(in: p), bias: nil, epsilon: S(LayerNorm.epsilon), into: y,
            statistics: statistics)
    }

    /// Fills dx, which may be dy, and adds to the gradient of the weight.
    package func backward<S>(
        _ dy: Panel, x: Panel, statistics: Panel, into dx: Panel, _ p: Panel, gradient: Panel,
        _ work: Workspace<S>
    ) {
        work.normaliseColumnsBackward(
            x, gain: weight.panel(in: p), statistics: statistics, dy: dy, into: dx,
            dgain: weight.panel(in: gradient), dbias: nil)
    }
}

/// Offset and scale of rows over time: mean, and √(population variance + 1e-5).
///
/// Both depend on data only, so that no gradient goes through them.
///
/// - Source: Kim et al., ICLR 2022 (RevIN), eq. 1 and 2.
package func instanceStatistics<S>(_ x: Panel, _ work: Workspace<S>) -> [(mean: S, scale: S)] {
    (0..<x.rows).map { index in
        let row = x.row(index)
        let mean = S(work.sum(row) / Double(x.columns))
        var squares = 0.0
        for t in 0..<x.columns {
            let difference = Double(work[row, 0, t] - mean)
            squares += difference * difference
        }
        return (mean, S((squares / Double(x.columns) + LayerNorm.epsilon).squareRoot()))
    }
}
