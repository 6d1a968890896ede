package import Tensors

/// A convolution over time with steps, `y[t, o] = b[o] + Σ_{k,c} w[o, c, k]·x[t·stride + k − padding, c]`,
/// on `[time, channel]`.
///
/// Points in time that lie side by side are one row of a matrix product as they stand, and rows may
/// overlap: nothing is copied. The gradient of the input is written by as many products as pieces of
/// `taps` points overlap, since there they must not.
///
/// - Source: The definition above, the cross-correlation that networks call a convolution.
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

    /// What follows from the weights alone: as the products of either direction take them.
    package struct Weights: Sendable {
        let forward: Panel  // [taps·inputs, outputs]
        let backward: Panel  // [outputs, taps·inputs]

        package init(_ layout: inout WorkspaceLayout, _ layer: StridedConvolution) {
            forward = layout.reserve(layer.taps * layer.inputs, layer.outputs)
            backward = layout.reserve(layer.outputs, layer.taps * layer.inputs)
        }
    }

    /// The gradient of the weights as the products give it.
    package struct Slopes: Sendable {
        let sum: Panel  // [outputs, taps·inputs]
        let spare: Panel  // as `sum`

        package init(_ layout: inout WorkspaceLayout, _ layer: StridedConvolution) {
            sum = layout.reserve(layer.outputs, layer.taps * layer.inputs)
            spare = layout.reserve(layer.outputs, layer.taps * layer.inputs)
        }

        /// Before gradients are added.
        package func clear<S>(_ work: Workspace<S>) { work.fill(sum) }
    }

    /// Fills what follows from the weights.
    package func prepare<S>(_ weights: Weights, _ p: Panel, _ work: Workspace<S>) {
        let source = weight.panel(in: p)
        for output in 0..<outputs {
            work.transpose(
                source.row(output).reshaped(inputs, taps),
                into: weights.backward.row(output).reshaped(taps, inputs))
        }
        work.transpose(weights.backward, into: weights.forward)
    }

    /// padded `[time + 2·padding, inputs]` → y `[length, outputs]`.
    package func forward<S>(
        _ padded: Panel, into y: Panel, _ weights: Weights, _ p: Panel, _ work: Workspace<S>
    ) {
        y.expect(length(of: padded.rows - 2 * padding), outputs)
        work.productOfPieces(padded, length: taps, every: stride, weights.forward, into: y)
        if let bias { work.addRow(bias.panel(in: p), to: y) }
    }

    /// Adds ∂L/∂padded to `dpadded`, where there is one, and to the gradients of weights and bias.
    ///
    /// - Parameters:
    ///   - dy: `[length, outputs]`
    ///   - padded: What `forward` was given.
    ///   - dpadded: Of the same extents.
    ///   - weights: What `prepare` made.
    ///   - slopes: Added to; see `finish`.
    ///   - gradient: Of all parameters.
    ///   - work: The memory of all panels.
    package func backward<S>(
        _ dy: Panel, padded: Panel, into dpadded: Panel?, _ weights: Weights, slopes: Slopes,
        gradient: Panel, _ work: Workspace<S>
    ) {
        work.addProductWithPieces(dy, padded, length: taps, every: stride, to: slopes.sum)
        if let bias { work.addColumnSums(dy, to: bias.panel(in: gradient)) }
        guard let dpadded else { return }
        let phases = min(dy.rows, (taps + stride - 1) / stride)
        for phase in 0..<phases {
            let count = (dy.rows - phase + phases - 1) / phases
            let pieces = dpadded.pieces(
                count, length: taps, every: max(taps, phases * stride), from: phase * stride)
            work.product(
                dy.rows(count, every: phases, from: phase), weights.backward, into: pieces,
                adding: true)
        }
    }

    /// Adds what `slopes` has gathered to the gradient of the weights.
    package func finish<S>(_ slopes: Slopes, gradient: Panel, _ work: Workspace<S>) {
        for output in 0..<outputs {
            work.transpose(
                slopes.sum.row(output).reshaped(taps, inputs),
                into: slopes.spare.row(output).reshaped(inputs, taps))
        }
        work.add(slopes.spare, to: weight.panel(in: gradient))
    }
}
