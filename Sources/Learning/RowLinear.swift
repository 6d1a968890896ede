package import Tensors

/// A linear map of the channels of rows, `y = x·Wᵀ + b`, on `[time, channel]`.
package struct RowLinear: Sendable {
    package let weight: Slot  // [outputs, inputs]
    package let bias: Slot  // [outputs]

    /// What follows from the weight alone, or its gradient: `[inputs, outputs]`.
    package struct Weights: Sendable {
        package let turned: Panel  // [inputs, outputs]
        let spare: Panel?  // [outputs, inputs], of a gradient

        package init(
            _ layout: inout WorkspaceLayout, _ linear: RowLinear, isGradient: Bool = false
        ) {
            let (outputs, inputs) = (linear.outputs, linear.inputs)
            turned = layout.reserve(inputs, outputs)
            spare = isGradient ? layout.reserve(outputs, inputs) : nil
        }
    }

    package var inputs: Int { weight.shape[1] }
    package var outputs: Int { weight.shape[0] }

    package init(_ layout: inout ParameterLayout, inputs: Int, outputs: Int) {
        weight = layout.add("weight", outputs, inputs)
        bias = layout.add("bias", outputs, decayed: false)
    }

    /// Draws W and b from U(−1/√inputs, 1/√inputs).
    package func begin<S>(_ p: inout Parameters<S>, _ random: inout RandomStream) {
        p.drawUniform(weight, fanIn: inputs, &random)
        p.drawUniform(bias, fanIn: inputs, &random)
    }

    /// Multiplies each output, in the weights.
    package func scaleOutputs<S>(of p: inout Parameters<S>, by factors: [S]) {
        for (output, factor) in factors.enumerated() {
            p.values[bias.offset + output] *= factor
            let first = weight.offset + output * inputs
            for index in first..<first + inputs { p.values[index] *= factor }
        }
    }

    /// Makes what follows from the weight alone.
    package func prepare<S>(_ weights: Weights, _ p: Panel, _ work: Workspace<S>) {
        work.transpose(weight.panel(in: p), into: weights.turned)
    }

    /// x `[rows, inputs]`, which may have gaps, → y `[rows, outputs]`.
    package func forward<S>(
        _ x: Panel, into y: Panel, _ weights: Weights, _ p: Panel, _ work: Workspace<S>
    ) {
        work.product(x, weights.turned, into: y)
        work.addRow(bias.panel(in: p), to: y)
    }

    /// Fills dx, where there is one, with ∂L/∂x; adds to `slopes` and to the gradient of b.
    ///
    /// - Parameters:
    ///   - dy: `[rows, outputs]`
    ///   - x: What `forward` was given.
    ///   - dx: `[rows, inputs]`
    ///   - slopes: See `finish`.
    ///   - p: All parameters.
    ///   - gradient: All their gradients.
    ///   - work: The memory of all panels.
    package func backward<S>(
        _ dy: Panel, x: Panel, into dx: Panel?, slopes: Weights, _ p: Panel, gradient: Panel,
        _ work: Workspace<S>
    ) {
        work.product(x, dy, into: slopes.turned, transposeA: true, adding: true)
        work.addColumnSums(dy, to: bias.panel(in: gradient))
        if let dx { work.product(dy, weight.panel(in: p), into: dx) }
    }

    /// Adds what `slopes` has gathered to the gradient of W.
    package func finish<S>(_ slopes: Weights, gradient: Panel, _ work: Workspace<S>) {
        guard let spare = slopes.spare else {
            preconditionFailure("RowLinear: weights for a gradient")
        }
        work.transpose(slopes.turned, into: spare)
        work.add(spare, to: weight.panel(in: gradient))
    }
}

extension LayerNorm {
    /// The same norm on rows: x `[rows, width]`, which may have gaps, → y; fills `statistics` `[rows, 2]`.
    package func forward<S>(
        rows x: Panel, into y: Panel, statistics: Panel, _ p: Panel, _ work: Workspace<S>
    ) {
        work.layerNorm(
            x, gain: weight.panel(in: p), bias: bias.panel(in: p), epsilon: S(Self.epsilon),
            into: y, statistics: statistics)
    }

    /// Fills dx, which may be dy, or adds to it; adds to the gradients of weight and bias.
    package func backward<S>(
        _ dy: Panel, rows x: Panel, statistics: Panel, into dx: Panel, adding: Bool, _ p: Panel,
        gradient: Panel, _ work: Workspace<S>
    ) {
        work.layerNormBackward(
            x, gain: weight.panel(in: p), statistics: statistics, dy: dy, into: dx,
            dgain: weight.panel(in: gradient), dbias: bias.panel(in: gradient), adding: adding)
    }
}
