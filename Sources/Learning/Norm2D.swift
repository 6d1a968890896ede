package import Tensors

/// Normalises a position's rows and channels jointly, `y = weight·(x − mean)·rate + bias`, with weight and
/// bias for each channel, on `[position, row·channel]`.
///
/// - Source: Chen et al. 2023 (TSMixer), whose 2-D normalisation goes over both axes too.
package struct Norm2D: Sendable {
    let norm: LayerNorm
    /// Rows of a position.
    package let rows: Int

    /// What follows from the weights alone, or its gradient: once for every row.
    package struct Weights: Sendable {
        let gain: Panel  // [1, rows·width]
        let bias: Panel  // [1, rows·width]

        package init(_ layout: inout WorkspaceLayout, _ norm: Norm2D) {
            gain = layout.reserve(1, norm.rows * norm.width)
            bias = layout.reserve(1, norm.rows * norm.width)
        }
    }

    package var width: Int { norm.weight.count }

    package init(_ layout: inout ParameterLayout, rows: Int, width: Int) {
        self.rows = rows
        norm = LayerNorm(&layout, width: width)
    }

    /// Weight 1, bias 0.
    package func begin<S>(_ p: inout Parameters<S>) { norm.begin(&p) }

    /// Makes what follows from the weights alone.
    package func prepare<S>(_ weights: Weights, _ p: Panel, _ work: Workspace<S>) {
        for row in 0..<rows {
            work.copy(norm.weight.panel(in: p), to: piece(weights.gain, row))
            work.copy(norm.bias.panel(in: p), to: piece(weights.bias, row))
        }
    }

    private func piece(_ panel: Panel, _ row: Int) -> Panel {
        panel.columns(row * width..<(row + 1) * width)
    }

    /// x `[positions, rows·width]`, which may have gaps, → y; fills `statistics` `[positions, 2]`.
    package func forward<S>(
        _ x: Panel, into y: Panel, statistics: Panel, _ weights: Weights, _ work: Workspace<S>
    ) {
        work.layerNorm(
            x, gain: weights.gain, bias: weights.bias, epsilon: S(LayerNorm.epsilon), into: y,
            statistics: statistics)
    }

    /// Fills dx, which may be dy, and adds to `slopes`; see `finish`.
    package func backward<S>(
        _ dy: Panel, x: Panel, statistics: Panel, into dx: Panel, _ weights: Weights,
        slopes: Weights, _ work: Workspace<S>
    ) {
        work.layerNormBackward(
            x, gain: weights.gain, statistics: statistics, dy: dy, into: dx, dgain: slopes.gain,
            dbias: slopes.bias, adding: false)
    }

    /// Adds what `slopes` has gathered to the gradients of weight and bias.
    package func finish<S>(_ slopes: Weights, gradient: Panel, _ work: Workspace<S>) {
        work.addColumnSums(
            slopes.gain.reshaped(rows, width), to: norm.weight.panel(in: gradient))
        work.addColumnSums(slopes.bias.reshaped(rows, width), to: norm.bias.panel(in: gradient))
    }
}
