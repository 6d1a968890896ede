package import Tensors

/// A block on sequences that know nothing of each other, in either direction and in whichever order their
/// rows lie: with `.interleaved` it mixes what lies across, without anything being turned around.
extension MambaBlock {
    /// u `[rows, width]` → out `[rows, width]`.
    ///
    /// - Parameters:
    ///   - u: Without gaps.
    ///   - sequences: Of all rows; each begins at rest.
    ///   - out: Other memory than u.
    ///   - adding: Whether out is added to.
    ///   - signals: Filled.
    ///   - scratch: Of the calling thread.
    ///   - weights: What `prepare` made.
    ///   - p: All parameters.
    ///   - work: The memory of all panels.
    package func forward<S>(
        _ u: Panel, of sequences: RowSequences, into out: Panel, adding: Bool,
        _ signals: MambaSignals, _ scratch: MambaScratch, _ weights: MambaWeights, _ p: Panel,
        _ work: Workspace<S>
    ) {
        let rows = 0..<u.rows
        let split = signals.split.rows(rows)
        let (x, z) = (split.columns(0..<inner), split.columns(inner..<2 * inner))
        let (y, gated) = (signals.y.rows(rows), signals.gated.rows(rows))
        work.product(u, weights.input, into: split)
        for (index, direction) in directions.enumerated() {
            guard signals.directions.isEmpty else {
                direction.forward(
                    x, into: y, adding: index > 0, reversed: index > 0, masked: .none,
                    sequences: sequences, signals.directions[index].prefix(u.rows),
                    scratch.direction, weights.directions[index], p, work)
                continue
            }
            for sequence in 0..<sequences.count {
                direction.forward(
                    sequences.rows(of: sequence, in: x), into: sequences.rows(of: sequence, in: y),
                    adding: index > 0, reversed: index > 0, masked: .none, scratch.direction,
                    weights.directions[index], p, work)
            }
        }
        work.gate(y, by: z, times: S(factor), into: gated)
        work.product(gated, weights.output, into: out, adding: adding)
    }

    /// Fills du with ∂L/∂u, and adds to the gradients of all weights.
    ///
    /// - Parameters:
    ///   - dout: `[rows, width]`
    ///   - u: What `forward` was given.
    ///   - sequences: As there.
    ///   - du: `[rows, width]`; other memory than dout.
    ///   - signals: What `forward` filled.
    ///   - scratch: Of the calling thread.
    ///   - weights: What `prepare` made.
    ///   - slopes: Gradients of those, which are added to; see `finish`.
    ///   - p: All parameters.
    ///   - gradient: All their gradients.
    ///   - work: The memory of all panels.
    package func backward<S>(
        _ dout: Panel, u: Panel, of sequences: RowSequences, into du: Panel,
        _ signals: MambaSignals, _ scratch: MambaScratch, _ weights: MambaWeights,
        slopes: MambaWeights, _ p: Panel, gradient: Panel, _ work: Workspace<S>
    ) {
        let rows = 0..<u.rows
        let (split, dsplit) = (signals.split.rows(rows), scratch.dsplit.rows(rows))
        let (x, z) = (split.columns(0..<inner), split.columns(inner..<2 * inner))
        let (dx, dz) = (dsplit.columns(0..<inner), dsplit.columns(inner..<2 * inner))
        let dy = scratch.dy.rows(rows)
        work.product(
            dout, signals.gated.rows(rows), into: output.panel(in: gradient), transposeA: true,
            adding: true)
        work.product(dout, output.panel(in: p), into: dy)
        work.gateBackward(
            signals.y.rows(rows), by: z, times: S(factor), dy: dy, into: dy, dz: dz)
        work.fill(dx)
        for (index, direction) in directions.enumerated() {
            direction.backward(
                dy, x: x, into: dx, reversed: index > 0, masked: .none, sequences: sequences,
                signals.directions[index].prefix(u.rows), scratch.direction.rows(rows),
                weights.directions[index], slopes: slopes.directions[index], p,
                gradient: gradient, work)
        }
        work.product(dsplit, u, into: input.panel(in: gradient), transposeA: true, adding: true)
        work.product(dsplit, input.panel(in: p), into: du)
    }
}
