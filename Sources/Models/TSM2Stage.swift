import Learning
import Tensors

/// One loop of a pass whose items threads share.
struct TSM2Stage<S: Scalar>: TeamWork {
    enum Kind: Sendable {
        /// An item is a window.
        case forward
        /// An item is a share of the windows.
        case step
    }

    let kind: Kind
    let network: TSM2Network
    let memory: TSM2Memory
    let work: Workspace<S>
    let windows: TSM2Windows<S>
    let key: UInt64?
    let total: Double

    var c: TSM2Configuration { network.configuration }
    var count: Int { windows.variates.count }
    /// Steps of a window.
    var steps: Int { c.lookback + windows.context * c.stride }
    /// Patches of a variate.
    var patches: Int { c.patches + windows.context }
    /// Tokens of a variate.
    var tokens: Int { c.tokens + windows.context }
    var rows: Range<Int> { 0..<count * tokens }

    func run(item: Int, member: Int) {
        switch kind {
        case .forward: forward(item, memory.threads[member])
        case .step:
            let (own, shares) = (memory.threads[member], memory.slopes.count)
            work.fill(memory.slopes[item].whole)
            let all = windows.starts.count
            for window in item * all / shares..<(item + 1) * all / shares {
                forward(window, own)
                backward(window, own, memory.slopes[item].parts)
            }
        }
    }

    /// Masks by layer and purpose: time mixers, variate mixers, the head.
    private func dropout(_ purpose: Int, _ window: Int, _ count: Int) -> Dropout? {
        guard let key, c.dropout > 0 else { return nil }
        return Dropout(
            key: key &+ UInt64(purpose) &* 0x9E37_79B9_7F4A_7C15, probability: c.dropout
        ).from(window * count)
    }

    func mixerDropout(_ layer: Int, isTime: Bool, _ window: Int) -> Dropout? {
        dropout(2 * layer + (isTime ? 0 : 1), window, rows.count * c.width)
    }

    func headDropout(_ window: Int) -> Dropout? {
        dropout(2 * c.layers, window, count * c.tokens * c.width)
    }

    var along: RowSequences { .consecutive(count, length: tokens) }
    var across: RowSequences { .interleaved(tokens, length: count) }

    // MARK: Forward

    /// From a window to its forecasts.
    private func forward(_ window: Int, _ own: TSM2Thread) {
        gather(window, own)
        embed(window, own)
        mix(window, own)
        readOut(window, own)
    }

    /// Windows of mean 0 and variance 1, 0 where a value is missing; without any value, offset 0 and
    /// scale 1.
    private func gather(_ window: Int, _ own: TSM2Thread) {
        let start = windows.starts[window]
        for (place, variate) in windows.variates.enumerated() {
            let x = own.window.row(place).columns(0..<steps)
            let from = variate * windows.series.rows + start
            work.load(x, from: windows.series.values, at: from)
            // What offset and scale are taken of.
            let judged = 0..<c.lookback
            let (mean, scale): (S, S)
            if let known = windows.series.known {
                let mask = own.known.row(place).columns(0..<steps)
                work.load(mask, from: known, at: from)
                let there = work.sum(mask.columns(judged))
                mean = S(work.sum(x.columns(judged)) / max(1, there))
                work.add(mask, to: x, times: -mean)
                scale = deviation(x.columns(judged), there)
            } else {
                mean = S(work.sum(x.columns(judged)) / Double(c.lookback))
                work.combine(1, x, 0, x, plus: -mean)
                scale = deviation(x.columns(judged), Double(c.lookback))
            }
            if windows.hidden == variate {
                work.fill(x)
            } else {
                work.combine(1 / scale, x, 0, x)
            }
            work[own.scales, place, 0] = mean
            work[own.scales, place, 1] = scale
        }
    }

    private func deviation(_ centred: Panel, _ there: Double) -> S {
        guard there > 0 else { return 1 }
        return S((work.dot(centred, centred) / there + LayerNorm.epsilon).squareRoot())
    }

    /// Tokens: what is known of the variate, of the horizon, and patches.
    private func embed(_ window: Int, _ own: TSM2Thread) {
        let (p, leading) = (memory.parameters, c.leadingTokens)
        let target = own.features.time[0]
        embedFutures(window, own)
        for place in 0..<count {
            let rows = target.rows(place * tokens..<(place + 1) * tokens)
            if let linear = network.staticEmbedding, let weights = memory.weights.staticEmbedding {
                linear.forward(memory.statics.row(place), into: rows.row(0), weights, p, work)
            }
            if c.futureTokens > 0 {
                work.copy(own.futureTokens, to: rows.rows(leading - c.futureTokens..<leading))
            }
            let patches = rows.rows(leading..<tokens)
            work.productOfPieces(
                own.window.row(place).columns(0..<steps).reshaped(steps, 1), length: c.patch,
                every: c.stride, memory.weights.embedding.turned, into: patches)
            work.addRow(network.embedding.bias.panel(in: p), to: patches)
            if let positions = network.positions { work.add(positions.panel(in: p), to: rows) }
        }
    }

    private func embedFutures(_ window: Int, _ own: TSM2Thread) {
        guard let linear = network.futureEmbedding, let weights = memory.weights.futureEmbedding
        else { return }
        work.fill(own.futures)
        work.load(
            own.futures.rows(0..<c.horizon), from: windows.series.futures,
            at: (windows.starts[window] + steps) * c.futures)
        linear.forward(
            own.futures.reshaped(c.futureTokens, c.futurePatch * c.futures),
            into: own.futureTokens, weights, memory.parameters, work)
    }

    private func mix(_ window: Int, _ own: TSM2Thread) {
        let (p, features) = (memory.parameters, own.features)
        for layer in 0..<c.layers {
            let x = own.timeInputs[layer].rows(rows)
            if c.averages {
                let averages = network.averages[layer]
                averages.alpha.forward(features.time, into: x, adding: false, p, work)
                averages.beta.forward(features.variates, into: x, adding: true, p, work)
            }
            network.timeMixers[layer].forward(
                x, of: along, into: features.time[layer + 1].rows(rows),
                mixerDropout(layer, isTime: true, window), own.timeSignals[layer], own.scratch,
                memory.weights.timeMixers[layer], p, work)
            guard c.mixesVariates else { continue }
            let y = own.variateInputs[layer].rows(rows)
            if c.averages {
                let averages = network.averages[layer]
                averages.theta.forward(features.time, into: y, adding: false, p, work)
                averages.gamma.forward(features.variates, into: y, adding: true, p, work)
            }
            network.variateMixers[layer].forward(
                y, of: across, into: features.variates[layer + 1].rows(rows),
                mixerDropout(layer, isTime: false, window), own.variateSignals[layer],
                own.scratch, memory.weights.variateMixers[layer], p, work)
        }
    }

    /// The last tokens of each variate, side by side: `[variates, tokens·width]`.
    func read(_ panel: Panel) -> Panel {
        panel.rows(rows).pieces(
            count, length: c.tokens, every: tokens, from: windows.context)
    }

    private func readOut(_ window: Int, _ own: TSM2Thread) {
        let (p, places) = (memory.parameters, 0..<count)
        let flat = own.normed.rows(places)
        network.norm.forward(
            read(own.features.variates[c.layers]), into: flat,
            statistics: own.statistics.rows(places), memory.weights.norm, work)
        if let dropout = headDropout(window) { work.dropout(flat, into: flat, dropout) }
        let y = outputs(of: window)
        if let down = network.headDown, let weights = memory.weights.headDown {
            let ranked = own.ranked.rows(places)
            down.forward(flat, into: ranked, weights, p, work)
            network.head.forward(ranked, into: y, memory.weights.head, p, work)
        } else {
            network.head.forward(flat, into: y, memory.weights.head, p, work)
        }
        for place in places {
            let row = y.row(place)
            work.combine(
                work[own.scales, place, 1], row, 0, row, plus: work[own.scales, place, 0])
        }
    }

    func outputs(of window: Int) -> Panel {
        memory.outputs.rows(window * count..<(window + 1) * count)
    }
}
