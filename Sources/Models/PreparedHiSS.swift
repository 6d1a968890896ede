package import Learning
package import Tensors

/// A trained hierarchical model that takes samples as they come and predicts as soon as enough have come.
///
/// Weights are prepared once and serve any number of streams, each of which is a `HiSSState`:
///
///     var state = prepared.initialState
///     let predictions = prepared.append(samples, to: &state)
///
/// A sample costs the same however long the stream is. Predictions are those of `HiSSPass` up to rounding,
/// and do not depend on how samples are handed over.
///
/// - Important: One call at a time.
package final class PreparedHiSS<S: Scalar & Codable> {
    package let network: HiSSNetwork
    /// Numbers that a stream's layers keep.
    package let stateCount: Int
    private let work: Workspace<S>
    private let memory: HiSSStreamMemory

    package init(_ network: HiSSNetwork, _ parameters: Parameters<S>) {
        precondition(parameters.layout == network.layout, "PreparedHiSS: another network's weights")
        self.network = network
        var layout = WorkspaceLayout()
        memory = HiSSStreamMemory(&layout, network)
        stateCount = memory.states.count
        work = Workspace(layout)
        let p = memory.parameters
        work.load(p, from: parameters.values)
        network.input.prepare(memory.input, p, work)
        network.head.prepare(memory.head, p, work)
        for (level, own) in zip(network.levels, memory.levels) {
            level.prepare(own.weights, training: false, p, work)
        }
        for (joint, own) in zip(network.joints, memory.joints) { joint.prepare(own, p, work) }
    }

    /// Takes some samples.
    ///
    /// - Parameters:
    ///   - samples: `[samples, inputs]`; traps unless they are whole.
    ///   - state: Of the stream, moved on. Traps where it is another network's; see `check`.
    /// - Returns: A prediction for every `ratio` samples since the stream began, `[predictions, outputs]`.
    package func append(_ samples: [S], to state: inout HiSSState<S>) -> [S] {
        let c = network.configuration
        precondition(
            samples.count % c.inputs == 0 && state.values.count == stateCount
                && state.before.count == c.inputs && state.steps.count == c.levels.count,
            "PreparedHiSS: \(samples.count) numbers of \(c.inputs) channels")
        let count = samples.count / c.inputs
        guard count > 0 else { return [] }
        work.load(memory.states, from: state.values)
        work.load(memory.before, from: state.before)
        var predictions: [S] = []
        predictions.reserveCapacity((count / c.ratio + 1) * c.outputs)
        for index in 0..<count {
            work.load(memory.sample, from: samples, at: index * c.inputs)
            if step(&state) { predictions += work.values(memory.prediction) }
        }
        work.store(memory.states, into: &state.values)
        work.store(memory.before, into: &state.before)
        return predictions
    }

    /// One sample, which lies in memory; whether there is a prediction now.
    private func step(_ state: inout HiSSState<S>) -> Bool {
        let p = memory.parameters
        var x = memory.sample
        if network.configuration.appendsDeltas {
            let before = state.samples == 0 ? memory.sample : memory.before
            work.appendDeltas(memory.sample, before: before, into: memory.inputs)
            x = memory.inputs
        }
        work.copy(memory.sample, to: memory.before)
        state.samples += 1
        network.input.forward(x, into: memory.levels[0].residual, memory.input, p, work)
        for (index, level) in network.levels.enumerated() {
            let own = memory.levels[index]
            state.steps[index] += 1
            let isWanted = state.steps[index] == level.level.ratio
            level.step(own, isWanted: isWanted, p, work)
            guard isWanted else { return false }
            state.steps[index] = 0
            guard index + 1 < network.levels.count else { break }
            work.fill(own.states)
            network.joints[index].forward(
                own.residual, into: memory.levels[index + 1].residual, memory.joints[index], p,
                work)
        }
        let last = memory.levels[network.levels.count - 1].residual
        network.head.forward(last, into: memory.prediction, memory.head, p, work)
        return true
    }
}

/// Where everything of a stream lies in its workspace.
struct HiSSStreamMemory: Sendable {
    /// One level of it.
    struct Level: Sendable {
        enum Layer: Sendable {
            case s4d(S4DStep)
            case mamba(MambaStep)
            case lstm(cell: Panel, output: Panel, gates: Panel)
        }

        let weights: SequenceWeights
        let residual: Panel  // [1, width]
        let normed: Panel  // [1, width]
        let statistics: Panel  // [1, 2]
        let layers: [Layer]
        let states: Panel  // all that the level keeps, as one row
    }

    let parameters: Panel  // [1, parameters]
    let states: Panel  // all that the levels keep, as one row
    let sample: Panel  // [1, inputs]
    let before: Panel  // [1, inputs]
    let inputs: Panel  // [1, channels]
    let prediction: Panel  // [1, outputs]
    let input: RowLinear.Weights
    let levels: [Level]
    let joints: [RowLinear.Weights]
    let head: RowLinear.Weights

    init(_ layout: inout WorkspaceLayout, _ network: HiSSNetwork) {
        let c = network.configuration
        parameters = layout.reserve(1, network.layout.count)
        sample = layout.reserve(1, c.inputs)
        before = layout.reserve(1, c.inputs)
        inputs = layout.reserve(1, c.channels)
        prediction = layout.reserve(1, c.outputs)
        input = RowLinear.Weights(&layout, network.input)
        joints = network.joints.map { RowLinear.Weights(&layout, $0) }
        head = RowLinear.Weights(&layout, network.head)
        let (kept, whole) = layout.region { layout in
            network.levels.map { level in layout.region { Self.states(&$0, level) } }
        }
        states = whole
        levels = zip(network.levels, kept).map { level, kept in
            Level(
                weights: SequenceWeights(&layout, level, length: nil),
                residual: layout.reserve(1, level.width), normed: layout.reserve(1, level.width),
                statistics: layout.reserve(1, 2),
                layers: zip(level.layers, kept.parts).map { Self.layer(&layout, $0, $1) },
                states: kept.whole)
        }
    }

    /// The panels that each layer of a level keeps.
    private static func states(
        _ layout: inout WorkspaceLayout, _ stack: SequenceStack
    ) -> [[Panel]] {
        stack.layers.map { layer in
            switch layer {
            case .s4d(_, let block): [layout.reserve(block.s4d.states, block.width)]
            case .mamba(_, let block):
                MambaStep.kept(block).map { layout.reserve($0.rows, $0.columns) }
            case .lstm(let layer): [layout.reserve(1, layer.width), layout.reserve(1, layer.width)]
            }
        }
    }

    private static func layer(
        _ layout: inout WorkspaceLayout, _ layer: SequenceStack.Layer, _ kept: [Panel]
    ) -> Level.Layer {
        switch layer {
        case .s4d(_, let block): .s4d(S4DStep(&layout, block, state: kept[0]))
        case .mamba(_, let block):
            .mamba(MambaStep(&layout, block, window: kept[0], state: kept[1]))
        case .lstm(let layer):
            .lstm(cell: kept[0], output: kept[1], gates: layout.reserve(1, 4 * layer.width))
        }
    }
}

extension SequenceStack {
    /// One point in time, from the level's residual to what it gives, in the same place; where that is not
    /// wanted, what it keeps moves on all the same.
    func step<S>(
        _ memory: HiSSStreamMemory.Level, isWanted: Bool, _ p: Panel, _ work: Workspace<S>
    ) {
        let (r, u) = (memory.residual, memory.normed)
        for (index, layer) in layers.enumerated() {
            let isLast = index == layers.count - 1
            switch (layer, memory.layers[index], memory.weights.layers[index]) {
            case (.s4d(let norm, let block), .s4d(let step), .s4d(let weights)):
                norm.forward(rows: r, into: u, statistics: memory.statistics, p, work)
                step.step(block, u, to: isLast && !isWanted ? nil : r, weights, p, work)
            case (.mamba(let norm, let block), .mamba(let step), .mamba(let weights)):
                norm.forward(rows: r, into: u, statistics: memory.statistics, p, work)
                step.step(block, u, into: r, adding: true, weights, p, work)
            case (.lstm(let layer), .lstm(let cell, let output, let gates), .lstm(let weights)):
                layer.step(r, gates: gates, cell: cell, output: output, weights, p, work)
                work.copy(output, to: r)
            default: preconditionFailure("SequenceStack: another level's memory")
            }
        }
        guard isWanted else { return }
        norm?.forward(rows: r, into: r, statistics: memory.statistics, p, work)
    }
}
