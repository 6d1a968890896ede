package import Learning
package import Tensors

/// The memory of one pass of a TSM2 network over windows of a group of series, and the pass itself.
///
/// Every window goes through all layers forward and at once back again, so that what the mixers leave for
/// their adjoints stays in the caches of the core that works on it. Windows are gathered from the series
/// and shared out among threads by parts whose sums are added in order: the number of threads changes no
/// bit. A step allocates nothing.
///
/// - Important: One call at a time; the threads of the team are inside.
package final class TSM2Pass<S: Scalar> {
    package let network: TSM2Network
    /// The most windows of one pass.
    package let batchMaximum: Int
    /// The most variates.
    package let variatesMaximum: Int
    private let isTraining: Bool
    private let team: Team
    private let memory: TSM2Memory
    private let work: Workspace<S>
    private var loaded: TSM2Windows<S>?

    /// - Parameters:
    ///   - network: Whose pass.
    ///   - batch: The most windows of one pass.
    ///   - variates: The most variates.
    ///   - training: Whether memory for `step` is needed.
    ///   - team: The threads that share the work.
    package init(
        _ network: TSM2Network, batch: Int, variates: Int, training: Bool, team: Team
    ) {
        precondition(min(batch, variates) > 0, "TSM2Pass: \(batch) windows of \(variates)")
        self.network = network
        self.team = team
        (batchMaximum, variatesMaximum, isTraining) = (batch, variates, training)
        var layout = WorkspaceLayout()
        memory = TSM2Memory(
            &layout, network, batch: batch, variates: variates, training: training,
            threads: team.threads)
        work = Workspace(layout)
    }

    /// Says which windows come next; traps where they do not lie in the series.
    ///
    /// - Parameters:
    ///   - series: Where windows are gathered from.
    ///   - starts: The first rows of the windows; each is followed by the rows that it forecasts.
    ///   - variates: Which of the series' variates, in the order in which they are mixed.
    ///   - context: Patches beyond `lookback` that every window has before its forecast.
    ///   - hidden: The variate whose past is taken to lie at its mean throughout; nil for none.
    package func load(
        _ series: TSM2Series<S>, starts: [Int], variates: [Int], context: Int = 0,
        hidden: Int? = nil
    ) {
        let c = network.configuration
        let steps = c.lookback + context * c.stride
        precondition(
            starts.count <= batchMaximum && !variates.isEmpty
                && variates.count <= variatesMaximum && (0...c.contextMaximum).contains(context),
            "TSM2Pass: \(starts.count) windows of \(variates.count), context \(context)")
        precondition(
            starts.allSatisfy { $0 >= 0 && $0 + steps <= series.rows }
                && variates.allSatisfy { (0..<series.variates).contains($0) },
            "TSM2Pass: windows outside the series")
        precondition(
            series.statics.count == series.variates * c.statics
                && starts.allSatisfy {
                    ($0 + steps + c.horizon) * c.futures <= series.futures.count
                }, "TSM2Pass: too little is known beside the series")
        for (place, variate) in variates.enumerated() where c.statics > 0 {
            work.load(memory.statics.row(place), from: series.statics, at: variate * c.statics)
        }
        loaded = TSM2Windows(
            series: series, starts: starts, variates: variates, context: context, hidden: hidden)
    }

    /// Runs the network on what was loaded, as it is used: without dropout.
    package func forward(_ parameters: Parameters<S>) {
        prepare(parameters)
        forward()
    }

    /// The same with the weights of the last `prepare`, `forward` or `step`.
    package func forward() {
        let windows = windows
        team.run(windows.starts.count, stage(.forward, windows, key: nil, total: 1))
    }

    /// The forecasts of the last `forward` or `step`, `[batch, variate, horizon]`, in the series' units.
    package var outputs: Tensor<S> {
        let windows = windows
        let rows = windows.starts.count * windows.variates.count
        return Tensor(
            [windows.starts.count, windows.variates.count, network.configuration.horizon],
            work.values(memory.outputs.rows(0..<rows)))
    }

    /// Runs the network forward and back; traps where a window has no rows to forecast.
    ///
    /// - Parameters:
    ///   - parameters: Where.
    ///   - dropoutKey: Of this step; nil switches dropout off.
    ///   - gradient: Overwritten with that of the loss.
    /// - Returns: The mean squared error over all targets that are known.
    package func step(
        _ parameters: Parameters<S>, dropoutKey: UInt64?, gradient: inout Parameters<S>
    ) -> Double {
        let (windows, c) = (windows, network.configuration)
        precondition(isTraining, "TSM2Pass: made without training")
        precondition(gradient.layout == network.layout, "TSM2Pass: another network's gradient")
        let steps = c.lookback + windows.context * c.stride + c.horizon
        precondition(
            windows.starts.allSatisfy { $0 + steps <= windows.series.rows },
            "TSM2Pass: windows without rows to forecast")
        prepare(parameters)
        let total = max(targets(windows), .leastNormalMagnitude)
        let stage = stage(.step, windows, key: dropoutKey, total: total)
        team.run(memory.slopes.count, stage)
        for share in memory.slopes.dropFirst() {
            work.add(share.whole, to: memory.slopes[0].whole)
        }
        network.finish(memory.slopes[0].parts, memory.weights, work)
        work.store(memory.slopes[0].parts.parameters, into: &gradient.values)
        return work.sum(memory.losses.columns(0..<windows.starts.count)) / total
    }

    private var windows: TSM2Windows<S> {
        guard let loaded else { preconditionFailure("TSM2Pass: nothing is loaded") }
        return loaded
    }

    /// How many targets are known.
    private func targets(_ windows: TSM2Windows<S>) -> Double {
        let c = network.configuration
        let count = windows.starts.count * windows.variates.count * c.horizon
        guard let known = windows.series.known else { return Double(count) }
        let ahead = c.lookback + windows.context * c.stride
        var total = 0.0
        for start in windows.starts {
            for variate in windows.variates {
                work.load(
                    memory.counts, from: known, at: variate * windows.series.rows + start + ahead)
                total += work.sum(memory.counts)
            }
        }
        return total
    }

    /// Takes weights for `forward()`.
    package func prepare(_ parameters: Parameters<S>) {
        precondition(parameters.layout == network.layout, "TSM2Pass: another network's weights")
        work.load(memory.parameters, from: parameters.values)
        network.prepare(memory.weights, memory.parameters, work)
    }

    private func stage(
        _ kind: TSM2Stage<S>.Kind, _ windows: TSM2Windows<S>, key: UInt64?, total: Double
    ) -> TSM2Stage<S> {
        TSM2Stage(
            kind: kind, network: network, memory: memory, work: work, windows: windows, key: key,
            total: total)
    }
}

/// Which windows of which series a pass is about.
struct TSM2Windows<S: Scalar>: Sendable {
    let series: TSM2Series<S>
    let starts: [Int]
    let variates: [Int]
    let context: Int
    let hidden: Int?
}

extension TSM2Network {
    /// Makes what follows from the weights alone.
    func prepare<S>(_ weights: TSM2Weights, _ p: Panel, _ work: Workspace<S>) {
        embedding.prepare(weights.embedding, p, work)
        if let own = weights.staticEmbedding { staticEmbedding?.prepare(own, p, work) }
        if let own = weights.futureEmbedding { futureEmbedding?.prepare(own, p, work) }
        for (own, weights) in zip(timeMixers, weights.timeMixers) {
            own.mixer.prepare(weights, p, work)
        }
        for (own, weights) in zip(variateMixers, weights.variateMixers) {
            own.mixer.prepare(weights, p, work)
        }
        norm.prepare(weights.norm, p, work)
        if let own = weights.headDown { headDown?.prepare(own, p, work) }
        head.prepare(weights.head, p, work)
    }

    /// What follows from the weights alone, back to them.
    func finish<S>(_ slopes: TSM2Slopes, _ weights: TSM2Weights, _ work: Workspace<S>) {
        let (gradient, own) = (slopes.parameters, slopes.weights)
        embedding.finish(own.embedding, gradient: gradient, work)
        if let own = own.staticEmbedding {
            staticEmbedding?.finish(own, gradient: gradient, work)
        }
        if let own = own.futureEmbedding {
            futureEmbedding?.finish(own, gradient: gradient, work)
        }
        for index in timeMixers.indices {
            timeMixers[index].mixer.finish(
                own.timeMixers[index], weights.timeMixers[index], gradient: gradient, work)
        }
        for index in variateMixers.indices {
            variateMixers[index].mixer.finish(
                own.variateMixers[index], weights.variateMixers[index], gradient: gradient, work)
        }
        norm.finish(own.norm, gradient: gradient, work)
        if let own = own.headDown { headDown?.finish(own, gradient: gradient, work) }
        head.finish(own.head, gradient: gradient, work)
    }
}
