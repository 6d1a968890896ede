import Learning
import Tensors

/// What a mixer leaves for its adjoint.
struct MixerSignals: Sendable {
    let normed: Panel  // [rows, width]
    let statistics: Panel  // [rows, 2]
    let mixer: MambaSignals

    init(
        _ layout: inout WorkspaceLayout, _ own: MixerResidual, rows: Int, length: Int,
        training: Bool
    ) {
        normed = layout.reserve(rows, own.norm.weight.count)
        statistics = layout.reserve(rows, 2)
        mixer = MambaSignals(&layout, own.mixer, time: rows, length: length, training: training)
    }
}

/// Scratch of one thread for mixers of equal sizes.
struct MixerScratch: Sendable {
    let mixer: MambaScratch
    let out: Panel  // [rows, width]
    let slope: Panel  // [rows, width]

    init(_ layout: inout WorkspaceLayout, _ own: MixerResidual, rows: Int, training: Bool) {
        let width = own.norm.weight.count
        mixer = MambaScratch(&layout, own.mixer, time: rows, training: training)
        out = layout.reserve(training ? rows : 0, width)
        slope = layout.reserve(training ? rows : 0, width)
    }
}

extension MixerResidual {
    /// x `[rows, width]` → y, other memory.
    ///
    /// - Parameters:
    ///   - x: What goes in.
    ///   - sequences: Of all rows.
    ///   - y: Filled.
    ///   - dropout: Nil where there is none.
    ///   - signals: Filled.
    ///   - scratch: Of the calling thread.
    ///   - weights: What `prepare` made.
    ///   - p: All parameters.
    ///   - work: The memory of all panels.
    func forward<S>(
        _ x: Panel, of sequences: RowSequences, into y: Panel, _ dropout: Dropout?,
        _ signals: MixerSignals, _ scratch: MixerScratch, _ weights: MambaWeights, _ p: Panel,
        _ work: Workspace<S>
    ) {
        let rows = 0..<x.rows
        let u = signals.normed.rows(rows)
        norm.forward(rows: x, into: u, statistics: signals.statistics.rows(rows), p, work)
        work.copy(x, to: y)
        guard let dropout else {
            return mixer.forward(
                u, of: sequences, into: y, adding: true, signals.mixer, scratch.mixer, weights, p,
                work)
        }
        let out = scratch.out.rows(rows)
        mixer.forward(
            u, of: sequences, into: out, adding: false, signals.mixer, scratch.mixer, weights, p,
            work)
        work.dropout(out, into: out, dropout)
        work.add(out, to: y)
    }

    /// Turns dy into ∂L/∂x, and adds to the gradients of all weights.
    ///
    /// - Parameters:
    ///   - dy: ∂L/∂y, which becomes ∂L/∂x.
    ///   - x: What `forward` was given.
    ///   - sequences: As there.
    ///   - dropout: As there.
    ///   - signals: What `forward` filled.
    ///   - scratch: Of the calling thread.
    ///   - weights: What `prepare` made.
    ///   - slopes: Gradients of those.
    ///   - p: All parameters.
    ///   - gradient: All their gradients.
    ///   - work: The memory of all panels.
    func backward<S>(
        _ dy: Panel, x: Panel, of sequences: RowSequences, _ dropout: Dropout?,
        _ signals: MixerSignals, _ scratch: MixerScratch, _ weights: MambaWeights,
        slopes: MambaWeights, _ p: Panel, gradient: Panel, _ work: Workspace<S>
    ) {
        let rows = 0..<x.rows
        let (out, du) = (scratch.out.rows(rows), scratch.slope.rows(rows))
        if let dropout { work.dropout(dy, into: out, dropout) }
        mixer.backward(
            dropout == nil ? dy : out, u: signals.normed.rows(rows), of: sequences, into: du,
            signals.mixer, scratch.mixer, weights, slopes: slopes, p, gradient: gradient, work)
        norm.backward(
            du, rows: x, statistics: signals.statistics.rows(rows), into: dy, adding: true, p,
            gradient: gradient, work)
    }
}
