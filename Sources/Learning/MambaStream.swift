package import Tensors

/// A causal Mamba block that takes one point in time after the other, and keeps what it needs of those
/// before: the last inputs of its convolution, and its states.
package final class MambaStream<S: Scalar> {
    private let block: MambaBlock
    private let work: Workspace<S>
    private let parameters: Panel
    private let (u, y): (Panel, Panel)
    private let memory: MambaStep
    private let weights: MambaWeights

    /// Traps where the block runs in both directions: it would have to see what is to come.
    package init(_ block: MambaBlock, _ parameters: Parameters<S>) {
        precondition(!block.sizes.isBidirectional, "MambaStream: a block that looks ahead")
        self.block = block
        var layout = WorkspaceLayout()
        self.parameters = layout.reserve(1, parameters.layout.count)
        u = layout.reserve(1, block.sizes.width)
        y = layout.reserve(1, block.sizes.width)
        let kept = MambaStep.kept(block).map { layout.reserve($0.rows, $0.columns) }
        memory = MambaStep(&layout, block, window: kept[0], state: kept[1])
        weights = MambaWeights(&layout, block)
        work = Workspace(layout)
        work.load(self.parameters, from: parameters.values)
        block.prepare(weights, self.parameters, work)
    }

    /// One point in time: u `[width]` → `[width]`.
    package func step(_ input: [S]) -> [S] {
        precondition(input.count == u.count, "MambaStream: \(input.count) of \(u.count) channels")
        work.load(u, from: input)
        memory.step(block, u, into: y, weights, parameters, work)
        return work.values(y)
    }

    /// The last inputs of the convolution, oldest first, `[taps − 1, inner]`.
    package var buffer: Tensor<S> {
        let rows = memory.window.rows(1..<memory.window.rows)
        return Tensor([rows.rows, rows.columns], work.values(rows))
    }

    /// The states, `[inner, states]`.
    package var state: Tensor<S> {
        let all = memory.state
        return Tensor([all.rows, block.inner], work.values(all.columns(0..<block.inner)))
            .transposed()
    }
}
