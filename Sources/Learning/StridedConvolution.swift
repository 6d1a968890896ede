package import Tensors

/// A convolution over time with steps, `y[t, o] = b[o] + Σ_{k,c} w[o, c, k]·x[t·stride + k − padding, c]`,
/// on `[time, channel]`.
///
/// Points in time that lie side by side are one row of a matrix product as they stand: nothing is
/// copied. Rows of a matrix must not overlap, so that there are as many products as pieces of `taps`
/// points overlap.
///
/// - Source: models/layers.md §1.
package struct StridedConvolution: Sendable {
    package let weight: Slot  // [outputs, inputs, taps]
    package let bias: Slot?  // [outputs]
    package let inputs: Int
    package let outputs: Int
    package let taps: Int
    package let stride: Int
    /// Zeros before the first point in time, and after the last.
    package let padding: Int

    package init(
        _ layout: inout ParameterLayout, inputs: Int, outputs: Int, taps: Int, stride: Int,
        padding: Int, bias: Bool
    ) {
        precondition(stride > 0 && padding >= 0, "StridedConvolution: \(stride), \(padding)")
        weight = layout.add("weight", outputs, inputs, taps)
        self.bias = bias ? layout.add("bias", outputs, decayed: false) : nil
        (self.inputs, self.outputs, self.taps) = (inputs, outputs, taps)
        (self.stride, self.padding) = (stride, padding)
    }

    /// Draws weight and bias from U(−1/√(inputs·taps), 1/√(inputs·taps)).
    package func begin<S>(_ p: inout Parameters<S>, _ random: inout RandomStream) {
        p.drawUniform(weight, fanIn: inputs * taps, &random)
        if let bias { p.drawUniform(bias, fanIn: inputs * taps, &random) }
    }

    /// Points in time that come out of so many.
    package func length(of time: Int) -> Int { (time + 2 * padding - taps) / stride + 1 }

    /// Rows of an input with its padding.
    package func paddedLength(of time: Int) -> Int { time + 2 * padding }

    /// The part of a padded input that holds the signal.
    package func inside(_ padded: Panel) -> Panel { padded.rows(padding..<padded.rows - padding) }

    /// The weights as the products take them, `[outputs, taps·inputs]`.
    package func reserveWeights(_ layout: inout WorkspaceLayout) -> Panel {
        layout.reserve(outputs, taps * inputs)
    }

    /// Fills what `reserveWeights` gave.
    package func prepare<S>(_ weights: Panel, _ p: Panel, _ work: Workspace<S>) {
        let source = weight.panel(in: p)
        for output in 0..<outputs {
            work.transpose(
                source.row(output).reshaped(inputs, taps),
                into: weights.row(output).reshaped(taps, inputs))
        }
    }

    /// padded `[time + 2·padding, inputs]` → y `[length, outputs]`.
    package func forward<S>(
        _ padded: Panel, into y: Panel, _ weights: Panel, _ p: Panel, _ work: Workspace<S>
    ) {
        y.expect(length(of: padded.rows - 2 * padding), outputs)
        for phase in 0..<phases(of: y.rows) {
            let (pieces, target) = matrices(padded, y, phase)
            work.multiply(pieces, weights, into: target, transposeB: true)
        }
        if let bias { work.addRow(bias.panel(in: p), to: y) }
    }

    /// Adds ∂L/∂padded to `dpadded`, where there is one, and to the gradients of weights and bias.
    ///
    /// - Parameters:
    ///   - dy: `[length, outputs]`
    ///   - padded: What `forward` was given.
    ///   - dpadded: Of the same extents.
    ///   - weights: What `prepare` made.
    ///   - dweights: Its gradient, which is added to; see `finish`.
    ///   - gradient: Of all parameters.
    ///   - work: The memory of all panels.
    package func backward<S>(
        _ dy: Panel, padded: Panel, into dpadded: Panel?, _ weights: Panel, dweights: Panel,
        gradient: Panel, _ work: Workspace<S>
    ) {
        for phase in 0..<phases(of: dy.rows) {
            let (pieces, slopes) = matrices(padded, dy, phase)
            work.multiply(slopes, pieces, into: dweights, transposeA: true, beta: 1)
            guard let dpadded else { continue }
            work.multiply(slopes, weights, into: matrices(dpadded, dy, phase).pieces, beta: 1)
        }
        if let bias { work.addColumnSums(dy, to: bias.panel(in: gradient)) }
    }

    /// Adds the gradient of the prepared weights to that of the parameter; `spare` is as large.
    package func finish<S>(
        _ dweights: Panel, spare: Panel, gradient: Panel, _ work: Workspace<S>
    ) {
        for output in 0..<outputs {
            work.transpose(
                dweights.row(output).reshaped(taps, inputs),
                into: spare.row(output).reshaped(inputs, taps))
        }
        work.add(spare, to: weight.panel(in: gradient))
    }

    /// How many pieces of `taps` points a point in time lies in.
    private func phases(of length: Int) -> Int { min(length, (taps + stride - 1) / stride) }

    /// Every `phases`-th piece of the input, and the outputs that it gives.
    private func matrices(_ padded: Panel, _ y: Panel, _ phase: Int) -> (pieces: Panel, y: Panel) {
        let phases = phases(of: y.rows)
        let count = (y.rows - phase + phases - 1) / phases
        return (
            padded.pieces(
                count, length: taps, every: max(taps, phases * stride), from: phase * stride),
            y.rows(count, every: phases, from: phase)
        )
    }
}
