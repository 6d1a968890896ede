package import Tensors

/// A layer of long short-term memory on `[time, channel]`.
///
/// - Source: Hochreiter, Schmidhuber 1997, with the forgetting gate of Gers et al. 2000; gates in the order
///   input, forgetting, new value, output.
package struct LSTM: Sendable {
    let input: Slot  // [4·width, inputs]
    let recurrent: Slot  // [4·width, width]
    let bias: Slot  // [4·width]
    package let inputs: Int
    package let width: Int

    package init(_ layout: inout ParameterLayout, inputs: Int, width: Int) {
        (self.inputs, self.width) = (inputs, width)
        input = layout.add("weight_ih", 4 * width, inputs)
        recurrent = layout.add("weight_hh", 4 * width, width)
        bias = layout.add("bias", 4 * width, decayed: false)
    }

    /// Draws everything from U(−1/√width, 1/√width).
    package func begin<S>(_ p: inout Parameters<S>, _ random: inout RandomStream) {
        for slot in [input, recurrent, bias] { p.drawUniform(slot, fanIn: width, &random) }
    }
}

/// What follows from a layer's weights alone, or the gradient of it.
package struct LSTMWeights: Sendable {
    let input: Panel  // [inputs, 4·width]
    let recurrent: Panel  // [width, 4·width]

    package init(_ layout: inout WorkspaceLayout, _ layer: LSTM) {
        input = layout.reserve(layer.inputs, 4 * layer.width)
        recurrent = layout.reserve(layer.width, 4 * layer.width)
    }
}

/// What a layer's forward pass leaves for its adjoint.
package struct LSTMSignals: Sendable {
    let gates: Panel  // [rows, 4·width]
    let cells: Panel  // [rows, width]
    /// What comes out.
    package let outputs: Panel  // [rows, width]

    package init(_ layout: inout WorkspaceLayout, _ layer: LSTM, rows: Int) {
        gates = layout.reserve(rows, 4 * layer.width)
        cells = layout.reserve(rows, layer.width)
        outputs = layout.reserve(rows, layer.width)
    }
}

/// Scratch of one thread for the adjoint of a layer.
package struct LSTMScratch: Sendable {
    let dgates: Panel  // [rows, 4·width]
    let doutput: Panel  // [pieces, width]
    let dcell: Panel  // [pieces, width]

    package init(_ layout: inout WorkspaceLayout, _ layer: LSTM, rows: Int, pieces: Int) {
        dgates = layout.reserve(rows, 4 * layer.width)
        doutput = layout.reserve(pieces, layer.width)
        dcell = layout.reserve(pieces, layer.width)
    }
}

extension LSTM {
    /// Makes what follows from the weights alone.
    package func prepare<S>(_ weights: LSTMWeights, _ p: Panel, _ work: Workspace<S>) {
        work.transpose(input.panel(in: p), into: weights.input)
        work.transpose(recurrent.panel(in: p), into: weights.recurrent)
    }

    /// x `[rows, inputs]` → `signals.outputs`, of as many rows.
    ///
    /// - Parameters:
    ///   - x: May have gaps.
    ///   - length: Rows of a piece; each begins at rest. All pieces take a point in time together.
    ///   - signals: Filled.
    ///   - weights: What `prepare` made.
    ///   - p: All parameters.
    ///   - work: The memory of all panels.
    package func forward<S>(
        _ x: Panel, of length: Int, _ signals: LSTMSignals, _ weights: LSTMWeights, _ p: Panel,
        _ work: Workspace<S>
    ) {
        let (gates, cells, outputs) = parts(signals, x.rows)
        work.product(x, weights.input, into: gates)
        for t in 0..<length {
            let own = gates.rows(every: length, from: t)
            if t > 0 {
                work.product(
                    outputs.rows(every: length, from: t - 1), weights.recurrent, into: own,
                    adding: true)
            }
            work.lstmCell(
                own, bias: bias.panel(in: p),
                before: t > 0 ? cells.rows(every: length, from: t - 1) : nil,
                cell: cells.rows(every: length, from: t),
                output: outputs.rows(every: length, from: t))
        }
    }

    private func parts(_ signals: LSTMSignals, _ rows: Int) -> (Panel, Panel, Panel) {
        (
            signals.gates.rows(0..<rows), signals.cells.rows(0..<rows),
            signals.outputs.rows(0..<rows)
        )
    }

    /// Fills dx with ∂L/∂x, and adds to the gradients of all weights.
    ///
    /// - Parameters:
    ///   - dy: `[rows / every, width]`, of the last one of every `every` rows; others do not count.
    ///   - x: What `forward` was given.
    ///   - length: As there.
    ///   - every: Divides length.
    ///   - dx: `[rows, inputs]`; may have gaps.
    ///   - signals: What `forward` filled.
    ///   - scratch: Of the calling thread.
    ///   - p: All parameters.
    ///   - gradient: All their gradients.
    ///   - work: The memory of all panels.
    package func backward<S>(
        _ dy: Panel, x: Panel, of length: Int, every: Int, into dx: Panel,
        _ signals: LSTMSignals, _ scratch: LSTMScratch, _ p: Panel, gradient: Panel,
        _ work: Workspace<S>
    ) {
        let pieces = x.rows / length
        let (gates, cells, outputs) = parts(signals, x.rows)
        let dgates = scratch.dgates.rows(0..<x.rows)
        let (doutput, dcell) = (scratch.doutput.rows(0..<pieces), scratch.dcell.rows(0..<pieces))
        work.fill(dcell)
        for t in stride(from: length - 1, through: 0, by: -1) {
            if t < length - 1 {
                work.product(
                    dgates.rows(every: length, from: t + 1), recurrent.panel(in: p), into: doutput)
            } else {
                work.fill(doutput)
            }
            if t % every == every - 1 {
                work.add(dy.rows(every: length / every, from: t / every), to: doutput)
            }
            work.lstmCellBackward(
                gates.rows(every: length, from: t),
                before: t > 0 ? cells.rows(every: length, from: t - 1) : nil,
                cell: cells.rows(every: length, from: t), doutput: doutput, dcell: dcell,
                into: dgates.rows(every: length, from: t))
        }
        recurrentBackward(dgates, outputs, pieces: pieces, length: length, gradient, work)
        work.product(dgates, x, into: input.panel(in: gradient), transposeA: true, adding: true)
        work.addColumnSums(dgates, to: bias.panel(in: gradient))
        work.product(dgates, input.panel(in: p), into: dx)
    }

    /// The gradient of the recurrent weight, whichever way takes fewer products.
    private func recurrentBackward<S>(
        _ dgates: Panel, _ outputs: Panel, pieces: Int, length: Int, _ gradient: Panel,
        _ work: Workspace<S>
    ) {
        let target = recurrent.panel(in: gradient)
        if pieces <= length {
            for first in stride(from: 0, to: dgates.rows, by: length) where length > 1 {
                work.product(
                    dgates.rows(first + 1..<first + length),
                    outputs.rows(first..<first + length - 1), into: target, transposeA: true,
                    adding: true)
            }
        } else {
            for t in 1..<max(1, length) {
                work.product(
                    dgates.rows(every: length, from: t), outputs.rows(every: length, from: t - 1),
                    into: target, transposeA: true, adding: true)
            }
        }
    }

    /// One point in time: the cells and outputs before, `[1, width]`, become those of now.
    ///
    /// - Parameters:
    ///   - x: `[1, inputs]`
    ///   - gates: Scratch `[1, 4·width]`.
    ///   - cell: `[1, width]`
    ///   - output: `[1, width]`
    ///   - weights: What `prepare` made.
    ///   - p: All parameters.
    ///   - work: The memory of all panels.
    package func step<S>(
        _ x: Panel, gates: Panel, cell: Panel, output: Panel, _ weights: LSTMWeights, _ p: Panel,
        _ work: Workspace<S>
    ) {
        work.product(x, weights.input, into: gates)
        work.product(output, weights.recurrent, into: gates, adding: true)
        work.lstmCell(
            gates, bias: bias.panel(in: p), before: cell, cell: cell, output: output)
    }
}
