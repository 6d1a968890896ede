package import Tensors

/// The gated linear unit: the first half of the channels times the sigmoid of the second, on
/// `[channel, position]`.
package enum GatedLinearUnit {
    /// x `[2·width, n]` → y `[width, n]`; `gate` `[width, n]` is filled with the sigmoid.
    package static func forward<S>(_ x: Panel, gate: Panel, into y: Panel, _ work: Workspace<S>) {
        let width = y.rows
        work.apply(.sigmoid, x.rows(width..<2 * width), into: gate)
        work.multiplyElements(x.rows(0..<width), gate, into: y)
    }

    /// Fills dx `[2·width, n]`, given x and the sigmoid that `forward` made.
    package static func backward<S>(
        _ dy: Panel, x: Panel, gate: Panel, into dx: Panel, _ work: Workspace<S>
    ) {
        let width = dy.rows
        let (first, second) = (dx.rows(0..<width), dx.rows(width..<2 * width))
        work.multiplyElements(dy, x.rows(0..<width), into: second)
        work.applyBackward(.sigmoid, x.rows(width..<2 * width), second, into: second)
        work.multiplyElements(dy, gate, into: first)
    }
}

/// Two linear maps with a GELU between them and dropout behind either.
///
/// - Source: Hendrycks, Gimpel 2016 (GELU); Srivastava et al. 2014 (dropout).
package struct PlainMLP: Sendable {
    package let up: Linear
    package let down: Linear

    /// Scratch for one call: `[hidden, n]` each.
    package struct Scratch: Sendable {
        /// What `forward` leaves for the adjoint.
        let hidden: Panel
        let activated: Panel
        let slopes: Panel

        package init(_ layout: inout WorkspaceLayout, hidden: Int, positions: Int) {
            self.hidden = layout.reserve(hidden, positions)
            activated = layout.reserve(hidden, positions)
            slopes = layout.reserve(hidden, positions)
        }
    }

    package init(_ layout: inout ParameterLayout, width: Int, hidden: Int) {
        up = layout.scoped("up") { Linear(&$0, inputs: width, outputs: hidden) }
        down = layout.scoped("down") { Linear(&$0, inputs: hidden, outputs: width) }
    }

    /// x `[width, n]` → y `[width, n]`.
    package func forward<S>(
        _ x: Panel, into y: Panel, _ dropouts: (inner: Dropout, outer: Dropout),
        _ scratch: Scratch, _ p: Panel, _ work: Workspace<S>
    ) {
        up.forward(x, into: scratch.hidden, p, work)
        work.gelu(scratch.hidden, into: scratch.activated, dropouts.inner)
        down.forward(scratch.activated, into: y, p, work)
        work.dropout(y, into: y, dropouts.outer)
    }

    /// Fills dx and adds to all gradients; dy is overwritten.
    package func backward<S>(
        _ dy: Panel, x: Panel, into dx: Panel, _ dropouts: (inner: Dropout, outer: Dropout),
        _ scratch: Scratch, _ p: Panel, gradient: Panel, _ work: Workspace<S>
    ) {
        work.dropout(dy, into: dy, dropouts.outer)
        down.backward(
            dy, x: scratch.activated, into: scratch.slopes, p, gradient: gradient, work)
        work.geluBackward(
            scratch.hidden, scratch.slopes, value: scratch.activated, into: scratch.slopes,
            dropouts.inner)
        up.backward(scratch.slopes, x: x, into: dx, p, gradient: gradient, work)
    }
}

/// `y = W₂·(SiLU(W_g·x) ⊙ W_u·x)`, without biases.
///
/// - Source: Shazeer 2020 (SwiGLU).
package struct GatedMLP: Sendable {
    package let gate: Linear
    package let up: Linear
    package let down: Linear

    /// Scratch for one call: `[hidden, n]` each.
    package struct Scratch: Sendable {
        /// What `forward` leaves for the adjoint.
        let gates: Panel
        let opened: Panel
        let values: Panel
        let product: Panel
        let slopes: Panel

        package init(_ layout: inout WorkspaceLayout, hidden: Int, positions: Int) {
            gates = layout.reserve(hidden, positions)
            opened = layout.reserve(hidden, positions)
            values = layout.reserve(hidden, positions)
            product = layout.reserve(hidden, positions)
            slopes = layout.reserve(hidden, positions)
        }
    }

    /// The usual width between: 8/3 of `width`, rounded up to a multiple of 8.
    package static func hidden(width: Int) -> Int { (8 * width + 23) / 24 * 8 }

    package init(_ layout: inout ParameterLayout, width: Int, hidden: Int) {
        gate = layout.scoped("gate") {
            Linear(&$0, inputs: width, outputs: hidden, bias: false)
        }
        up = layout.scoped("up") { Linear(&$0, inputs: width, outputs: hidden, bias: false) }
        down = layout.scoped("down") { Linear(&$0, inputs: hidden, outputs: width, bias: false) }
    }

    /// x `[width, n]` → y `[width, n]`.
    package func forward<S>(
        _ x: Panel, into y: Panel, _ scratch: Scratch, _ p: Panel, _ work: Workspace<S>
    ) {
        gate.forward(x, into: scratch.gates, p, work)
        up.forward(x, into: scratch.values, p, work)
        work.apply(.silu, scratch.gates, into: scratch.opened)
        work.multiplyElements(scratch.opened, scratch.values, into: scratch.product)
        down.forward(scratch.product, into: y, p, work)
    }

    /// Fills dx and adds to all gradients; `spare` `[width, n]` is scratch.
    package func backward<S>(
        _ dy: Panel, x: Panel, into dx: Panel, spare: Panel, _ scratch: Scratch, _ p: Panel,
        gradient: Panel, _ work: Workspace<S>
    ) {
        down.backward(
            dy, x: scratch.product, into: scratch.slopes, p, gradient: gradient, work)
        work.multiplyElements(scratch.slopes, scratch.opened, into: scratch.product)
        up.backward(scratch.product, x: x, into: dx, p, gradient: gradient, work)
        work.multiplyElements(scratch.slopes, scratch.values, into: scratch.slopes)
        work.applyBackward(.silu, scratch.gates, scratch.slopes, into: scratch.slopes)
        gate.backward(scratch.slopes, x: x, into: spare, p, gradient: gradient, work)
        work.add(spare, to: dx)
    }
}
