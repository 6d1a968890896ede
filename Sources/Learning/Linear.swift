package import Tensors

/// A linear map of the channel axis, `y = W·x + b`, on `[channel, position]`.
///
/// Channels come first here, as everywhere between the layers of a state-space network: a channel's
/// whole batch is then one contiguous run for its scan, and one product serves all positions.
package struct Linear: Sendable {
    package let weight: Slot  // [outputs, inputs]
    package let bias: Slot?  // [outputs]

    package init(_ layout: inout ParameterLayout, inputs: Int, outputs: Int, bias: Bool = true) {
        weight = layout.add("weight", outputs, inputs)
        self.bias = bias ? layout.add("bias", outputs, decayed: false) : nil
    }

    /// Draws W and b from U(−1/√inputs, 1/√inputs).
    package func begin<S>(_ p: inout Parameters<S>, _ random: inout RandomStream) {
        p.drawUniform(weight, fanIn: weight.shape[1], &random)
        if let bias { p.drawUniform(bias, fanIn: weight.shape[1], &random) }
    }

    /// x `[inputs, n]` → y `[outputs, n]`.
    package func forward<S>(_ x: Panel, into y: Panel, _ p: Panel, _ work: Workspace<S>) {
        work.multiply(weight.panel(in: p), x, into: y)
        guard let bias else { return }
        let offsets = bias.panel(in: p)
        for row in 0..<y.rows {
            work.combine(0, y.row(row), 1, y.row(row), plus: work[offsets, 0, row])
        }
    }

    /// Fills dx, where there is one, with ∂L/∂x, and adds to the gradients of W and b.
    ///
    /// - Parameters:
    ///   - dy: `[outputs, n]`
    ///   - x: `[inputs, n]`
    ///   - dx: `[inputs, n]`
    ///   - p: All parameters.
    ///   - gradient: All their gradients.
    ///   - work: The memory of all panels.
    package func backward<S>(
        _ dy: Panel, x: Panel, into dx: Panel?, _ p: Panel, gradient: Panel, _ work: Workspace<S>
    ) {
        if let dx { work.multiply(weight.panel(in: p), dy, into: dx, transposeA: true) }
        work.multiply(dy, x, into: weight.panel(in: gradient), transposeB: true, beta: 1)
        guard let bias else { return }
        let sums = bias.panel(in: gradient)
        for row in 0..<dy.rows { work[sums, 0, row] += S(work.sum(dy.row(row))) }
    }
}

/// SpaceTime's MLP with its residual: `m = s + W·dropout(GELU(s)) + b`, on `[channel, position]`.
package struct PreActivationMLP: Sendable {
    package let linear: Linear

    package init(_ layout: inout ParameterLayout, width: Int) {
        linear = layout.scoped("linear") { Linear(&$0, inputs: width, outputs: width) }
    }

    /// s `[width, n]` → m `[width, n]`; `activated` `[width, n]` is scratch.
    package func forward<S>(
        _ s: Panel, activated: Panel, into m: Panel, _ dropout: Dropout, _ p: Panel,
        _ work: Workspace<S>
    ) {
        work.gelu(s, into: activated, dropout)
        work.multiply(linear.weight.panel(in: p), activated, into: m)
        guard let bias = linear.bias?.panel(in: p) else { return }
        for row in 0..<m.rows {
            work.combine(1, s.row(row), 1, m.row(row), plus: work[bias, 0, row])
        }
    }

    /// Fills ds with ∂L/∂s and adds to the gradients of W and b.
    ///
    /// - Parameters:
    ///   - dm: `[width, n]`
    ///   - s: `[width, n]`, what `forward` was given.
    ///   - activated: Scratch, `[width, n]`.
    ///   - ds: `[width, n]`, other memory than dm and s.
    ///   - dropout: What `forward` was given.
    ///   - p: All parameters.
    ///   - gradient: All their gradients.
    ///   - work: The memory of all panels.
    package func backward<S>(
        _ dm: Panel, s: Panel, activated: Panel, into ds: Panel, _ dropout: Dropout, _ p: Panel,
        gradient: Panel, _ work: Workspace<S>
    ) {
        work.multiply(linear.weight.panel(in: p), dm, into: ds, transposeA: true)
        work.geluBackward(s, ds, value: activated, into: ds, dropout)
        linear.backward(dm, x: activated, into: nil, p, gradient: gradient, work)
        work.add(dm, to: ds)
    }
}
