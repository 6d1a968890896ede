package import Tensors

/// The same norm where a position's channels lie side by side, on `[position, channel]`.
extension RMSNorm {
    /// x `[n, width]` → y `[n, width]`; fills `rate` `[1, n]` for the adjoint.
    package func forward<S>(
        rows x: Panel, into y: Panel, rate: Panel, _ p: Panel, _ work: Workspace<S>
    ) {
        work.normaliseRows(
            x, gain: weight.panel(in: p), epsilon: S(LayerNorm.epsilon), into: y, rate: rate)
    }

    /// Fills dx with ∂L/∂x, or adds to it, and adds to the gradient of the weight.
    package func backward<S>(
        _ dy: Panel, rows x: Panel, rate: Panel, into dx: Panel, adding: Bool, _ p: Panel,
        gradient: Panel, _ work: Workspace<S>
    ) {
        work.normaliseRowsBackward(
            x, gain: weight.panel(in: p), rate: rate, dy: dy, into: dx,
            dgain: weight.panel(in: gradient), adding: adding)
    }
}
