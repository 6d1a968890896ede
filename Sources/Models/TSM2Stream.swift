package import Learning
package import Tensors

/// A trained streamable TSM2 network that takes rows as they come: a new patch costs one position of every
/// variate, whatever the look-back.
///
/// Time mixers go on from their states, variate mixers act within one patch, and the head reads a ring of
/// the last patches. Offsets and scales are those of the first `lookback` rows. After `contextMaximum`
/// further patches, which is as far as the training went, the network begins anew from the last `lookback`
/// rows. Forecasts are those of `TSM2Pass` with as much context, up to rounding.
///
/// - Important: One call at a time.
package final class TSM2Stream<S: Scalar & Codable> {
    package let network: TSM2Network
    package let variates: Int
    /// Numbers of a state's `values`.
    package let stateCount: Int
    private let work: Workspace<S>
    private let memory: TSM2StreamMemory

    /// Traps unless the network is streamable.
    package init(_ network: TSM2Network, _ parameters: Parameters<S>, variates: Int) {
        precondition(network.configuration.isStreamable, "TSM2Stream: a network with positions")
        precondition(parameters.layout == network.layout, "TSM2Stream: another network's weights")
        (self.network, self.variates) = (network, variates)
        var layout = WorkspaceLayout()
        memory = TSM2StreamMemory(&layout, network, variates: variates)
        stateCount = memory.state.count
        work = Workspace(layout)
        work.load(memory.parameters, from: parameters.values)
        network.prepare(memory.weights, memory.parameters, work)
    }

    /// Of a stream that has not begun.
    package var initialState: TSM2StreamState<S> { TSM2StreamState(count: stateCount) }

    private var c: TSM2Configuration { network.configuration }

    /// Takes some rows.
    ///
    /// - Parameters:
    ///   - rows: `[row, variate]`, NaN where missing; traps unless they are whole.
    ///   - state: Of the stream, moved on. Traps where it is another network's.
    package func append(_ rows: [S], to state: inout TSM2StreamState<S>) {
        precondition(
            rows.count % variates == 0 && state.values.count == stateCount,
            "TSM2Stream: \(rows.count) numbers of \(variates) variates")
        work.load(memory.state, from: state.values)
        let limit = c.lookback * variates
        for first in stride(from: 0, to: rows.count, by: variates) {
            for value in rows[first..<first + variates] {
                state.recent.append(value.isFinite ? value : 0)
                state.known.append(value.isFinite)
            }
            if state.recent.count > limit {
                state.recent.removeFirst(variates)
                state.known.removeFirst(variates)
            }
            state.rows += 1
            guard state.rows >= c.lookback, (state.rows - c.lookback) % c.stride == 0 else {
                continue
            }
            if state.patches == 0 || state.patches == c.patches + c.contextMaximum {
                begin(&state)
            } else {
                step(at: c.lookback - c.patch, &state)
            }
        }
        work.store(memory.state, into: &state.values)
    }

    /// The forecast from behind the last whole patch, `[variate, horizon]`; nil before `lookback` rows came.
    package func forecast(_ state: TSM2StreamState<S>) -> [S]? {
        guard state.patches >= c.patches else { return nil }
        work.load(memory.state, from: state.values)
        let p = memory.parameters
        for place in 0..<c.patches {
            // The ring's oldest patch is the one that comes next.
            let slot = (state.patches + place) % c.patches
            let columns = place * c.width..<(place + 1) * c.width
            work.copy(memory.features[slot], to: memory.flat.columns(columns))
        }
        network.norm.forward(
            memory.flat, into: memory.normed, statistics: memory.statistics, memory.weights.norm,
            work)
        var x = memory.normed
        if let down = network.headDown, let weights = memory.weights.headDown {
            down.forward(x, into: memory.ranked, weights, p, work)
            x = memory.ranked
        }
        network.head.forward(x, into: memory.outputs, memory.weights.head, p, work)
        for variate in 0..<variates {
            let row = memory.outputs.row(variate)
            work.combine(
                work[memory.scales, variate, 1], row, 0, row,
                plus: work[memory.scales, variate, 0])
        }
        return work.values(memory.outputs)
    }

    /// Offsets and scales of the last `lookback` rows, and all of their patches.
    private func begin(_ state: inout TSM2StreamState<S>) {
        work.fill(memory.state)
        for variate in 0..<variates {
            var (sum, squares, count) = (0.0, 0.0, 0)
            for row in 0..<c.lookback {
                guard state.known[row * variates + variate] else { continue }
                sum += Double(state.recent[row * variates + variate])
                count += 1
            }
            let mean = sum / Double(max(1, count))
            for row in 0..<c.lookback {
                guard state.known[row * variates + variate] else { continue }
                let value = Double(state.recent[row * variates + variate])
                squares += (value - mean) * (value - mean)
            }
            work[memory.scales, variate, 0] = S(mean)
            work[memory.scales, variate, 1] =
                count > 0
                ? S((squares / Double(count) + LayerNorm.epsilon).squareRoot()) : 1
        }
        state.patches = 0
        for patch in 0..<c.patches { step(at: patch * c.stride, &state) }
    }

    /// One patch of every variate, which begins at a row of `recent`.
    private func step(at row: Int, _ state: inout TSM2StreamState<S>) {
        let (p, features) = (memory.parameters, memory.layers)
        for variate in 0..<variates {
            let (mean, scale) = (
                work[memory.scales, variate, 0], work[memory.scales, variate, 1]
            )
            for place in 0..<c.patch {
                let index = (row + place) * variates + variate
                work[memory.patch, variate, place] =
                    state.known[index] ? (state.recent[index] - mean) / scale : 0
            }
        }
        network.embedding.forward(
            memory.patch, into: features.time[0], memory.weights.embedding, p, work)
        for layer in 0..<c.layers {
            let x = memory.timeInputs[layer]
            if c.averages {
                let averages = network.averages[layer]
                averages.alpha.forward(features.time, into: x, adding: false, p, work)
                averages.beta.forward(features.variates, into: x, adding: true, p, work)
            }
            mixTime(layer, x, into: features.time[layer + 1])
            guard c.mixesVariates else { continue }
            let y = memory.variateInputs[layer]
            if c.averages {
                let averages = network.averages[layer]
                averages.theta.forward(features.time, into: y, adding: false, p, work)
                averages.gamma.forward(features.variates, into: y, adding: true, p, work)
            }
            network.variateMixers[layer].forward(
                y, of: .consecutive(1, length: variates), into: features.variates[layer + 1], nil,
                memory.signals, memory.scratch, memory.weights.variateMixers[layer], p, work)
        }
        work.copy(features.variates[c.layers], to: memory.features[state.patches % c.patches])
        state.patches += 1
    }

    /// A time mixer's next point, for every variate by its own states.
    private func mixTime(_ layer: Int, _ x: Panel, into y: Panel) {
        let (p, own) = (memory.parameters, network.timeMixers[layer])
        own.norm.forward(
            rows: x, into: memory.timeNormed, statistics: memory.statistics, p, work)
        work.copy(x, to: y)
        for variate in 0..<variates {
            memory.steps[layer][variate].step(
                own.mixer, memory.timeNormed.row(variate), into: y.row(variate), adding: true,
                memory.weights.timeMixers[layer], p, work)
        }
    }
}

/// Where everything of a stream lies in its workspace.
struct TSM2StreamMemory: Sendable {
    let parameters: Panel  // [1, parameters]
    let weights: TSM2Weights
    /// All that is kept, as one row.
    let state: Panel
    let scales: Panel  // [variates, 2], mean and scale
    let features: [Panel]  // of the last patches, a ring, [variates, width] each
    let steps: [[MambaStep]]  // of every layer and variate
    let patch: Panel  // [variates, patch]
    let layers: TSM2Thread.Features
    let timeInputs: [Panel]  // of every layer, [variates, width]
    let variateInputs: [Panel]
    let timeNormed: Panel  // [variates, width]
    let statistics: Panel  // [variates, 2]
    let signals: MixerSignals
    let scratch: MixerScratch
    let flat: Panel  // [variates, patches·width]
    let normed: Panel  // [variates, patches·width]
    let ranked: Panel  // [variates, rank]
    let outputs: Panel  // [variates, horizon]

    init(_ layout: inout WorkspaceLayout, _ network: TSM2Network, variates: Int) {
        let c = network.configuration
        parameters = layout.reserve(1, network.layout.count)
        weights = TSM2Weights(&layout, network)
        func signal(_ layout: inout WorkspaceLayout) -> Panel { layout.reserve(variates, c.width) }
        let kept = layout.region { layout in
            (
                scales: layout.reserve(variates, 2),
                features: (0..<c.patches).map { _ in signal(&layout) },
                states: network.timeMixers.map { own in
                    (0..<variates).map { _ in
                        MambaStep.kept(own.mixer).map { layout.reserve($0.rows, $0.columns) }
                    }
                }
            )
        }
        state = kept.whole
        (scales, features) = (kept.parts.scales, kept.parts.features)
        steps = zip(network.timeMixers, kept.parts.states).map { own, states in
            states.map { MambaStep(&layout, own.mixer, window: $0[0], state: $0[1]) }
        }
        patch = layout.reserve(variates, c.patch)
        let layers = TSM2Thread.features(c) { signal(&layout) }
        self.layers = layers
        timeInputs = (0..<c.layers).map { c.averages ? signal(&layout) : layers.variates[$0] }
        variateInputs = network.variateMixers.indices.map {
            c.averages ? signal(&layout) : layers.time[$0 + 1]
        }
        timeNormed = signal(&layout)
        statistics = layout.reserve(variates, 2)
        let mixer = network.variateMixers.first ?? network.timeMixers[0]
        signals = MixerSignals(&layout, mixer, rows: variates, length: variates, training: false)
        scratch = MixerScratch(&layout, mixer, rows: variates, training: false)
        flat = layout.reserve(variates, c.patches * c.width)
        normed = layout.reserve(variates, c.patches * c.width)
        ranked = layout.reserve(variates, c.headRank)
        outputs = layout.reserve(variates, c.horizon)
    }
}
