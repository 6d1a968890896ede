import Learning
import Tensors

/// One sequence on its way through a level.
struct SequencePlace {
    /// Rows that go in.
    let rows: Int
    /// Those of a piece that begins at rest.
    let length: Int
    /// Its number in the batch.
    let number: Int
    /// Of the step and the level; nil without dropout.
    let key: UInt64?
}

extension SequenceStack {
    /// Makes what follows from the weights alone.
    func prepare<S>(
        _ weights: SequenceWeights, training: Bool, _ p: Panel, _ work: Workspace<S>
    ) {
        let dropout = training ? dropout : 0
        for (layer, own) in zip(layers, weights.layers) {
            switch (layer, own) {
            case (.s4d(_, let block), .s4d(let own)):
                block.prepare(own, dropout: dropout, p, work)
            case (.mamba(_, let block), .mamba(let own)): block.prepare(own, p, work)
            case (.lstm(let layer), .lstm(let own)): layer.prepare(own, p, work)
            default: preconditionFailure("SequenceStack: another level's weights")
            }
        }
    }

    /// How many rows a layer gives one for.
    private func every(_ index: Int) -> Int { index == layers.count - 1 ? level.ratio : 1 }

    private func dropouts(
        _ index: Int, _ place: SequencePlace, _ memory: SequenceMemory
    ) -> S4DBlock.Dropouts {
        guard let key = place.key, dropout > 0 else { return .none }
        let rows = index == layers.count - 1 ? memory.wanted : memory.residuals[index].rows
        return S4DBlock.Dropouts(
            key: key &+ UInt64(index), probability: dropout, from: place.number * rows * width)
    }

    /// From the first residual, which the caller has filled, to `memory.last`.
    func forward<S>(
        _ place: SequencePlace, _ memory: SequenceMemory, _ weights: SequenceWeights, _ p: Panel,
        _ work: Workspace<S>
    ) {
        let own = 0..<place.rows
        for (index, layer) in layers.enumerated() {
            let every = every(index)
            let x = memory.residuals[index].rows(own)
            let residual = every == 1 ? x : x.rows(every: every, from: every - 1)
            let out =
                index == layers.count - 1
                ? memory.out.rows(0..<place.rows / every) : memory.residuals[index + 1].rows(own)
            let (u, statistics) = (memory.normed[index], memory.statistics[index].rows(own))
            switch (layer, memory.layers[index], weights.layers[index]) {
            case (.s4d(let norm, let block), .s4d(let signals, let scratch), .s4d(let weights)):
                norm.forward(rows: x, into: u.rows(own), statistics: statistics, p, work)
                block.forward(
                    u.rows(own), of: place.length, every: every, to: residual, into: out,
                    dropouts(index, place, memory), signals, scratch, weights, p, work)
            case (
                .mamba(let norm, let block), .mamba(let signals, let scratch), .mamba(let weights)
            ):
                norm.forward(rows: x, into: u.rows(own), statistics: statistics, p, work)
                block.forward(
                    u.rows(own), of: place.length, every: every, to: residual, into: out, signals,
                    scratch, weights, p, work)
            case (.lstm(let layer), .lstm(let signals, _), .lstm(let weights)):
                layer.forward(x, of: place.length, signals, weights, p, work)
                let outputs = signals.outputs.rows(own)
                work.copy(
                    every == 1 ? outputs : outputs.rows(every: every, from: every - 1), to: out)
            default: preconditionFailure("SequenceStack: another level's memory")
            }
        }
        let wanted = 0..<place.rows / level.ratio
        norm?.forward(
            rows: memory.out.rows(wanted), into: memory.last.rows(wanted),
            statistics: memory.lastStatistics.rows(wanted), p, work)
    }

    /// From `memory.dout`, which the caller has filled, to `memory.slopes`, the gradient of the first
    /// residual; adds to the gradients of all weights.
    func backward<S>(
        _ place: SequencePlace, _ memory: SequenceMemory, _ weights: SequenceWeights,
        slopes: SequenceSlopes, _ p: Panel, gradient: Panel, _ work: Workspace<S>
    ) {
        let own = 0..<place.rows
        let wanted = 0..<place.rows / level.ratio
        let (dx, inner, dout) = (
            memory.slopes.rows(own), memory.inner.rows(own), memory.dout.rows(wanted)
        )
        norm?.backward(
            dout, rows: memory.out.rows(wanted), statistics: memory.lastStatistics.rows(wanted),
            into: dout, adding: false, p, gradient: gradient, work)
        for index in layers.indices.reversed() {
            let every = every(index)
            let isLast = index == layers.count - 1
            let x = memory.residuals[index].rows(own)
            let (u, statistics) = (memory.normed[index], memory.statistics[index].rows(own))
            let dy = isLast ? dout : dx
            switch (layers[index], memory.layers[index], weights.layers[index]) {
            case (.s4d(let norm, let block), .s4d(let signals, let scratch), .s4d(let weights)):
                guard case .s4d(let slopes) = slopes.layers[index] else { continue }
                block.backward(
                    dy, u: u.rows(own), of: place.length, every: every, into: inner,
                    dropouts(index, place, memory), signals, scratch, weights, slopes: slopes, p,
                    gradient: gradient, work)
                if isLast { spread(dout, every, into: dx, work) }
                norm.backward(
                    inner, rows: x, statistics: statistics, into: dx, adding: true, p,
                    gradient: gradient, work)
            case (
                .mamba(let norm, let block), .mamba(let signals, let scratch), .mamba(let weights)
            ):
                guard case .mamba(let slopes) = slopes.layers[index] else { continue }
                block.backward(
                    dy, u: u.rows(own), of: place.length, every: every, into: inner, signals,
                    scratch, weights, slopes: slopes, p, gradient: gradient, work)
                if isLast { spread(dout, every, into: dx, work) }
                norm.backward(
                    inner, rows: x, statistics: statistics, into: dx, adding: true, p,
                    gradient: gradient, work)
            case (.lstm(let layer), .lstm(let signals, let scratch), _):
                layer.backward(
                    dy, x: x, of: place.length, every: every, into: dx, signals, scratch, p,
                    gradient: gradient, work)
            default: preconditionFailure("SequenceStack: another level's memory")
            }
        }
    }

    /// The residual's own way back.
    private func spread<S>(
        _ dout: Panel, _ every: Int, into dx: Panel, _ work: Workspace<S>
    ) {
        guard every > 1 else { return work.copy(dout, to: dx) }
        work.fill(dx)
        work.copy(dout, to: dx.rows(every: every, from: every - 1))
    }

    /// Adds what `slopes` has gathered to the gradients of the parameters.
    func finish<S>(
        _ slopes: SequenceSlopes, _ weights: SequenceWeights, training: Bool, _ p: Panel,
        gradient: Panel, _ work: Workspace<S>
    ) {
        let dropout = training ? dropout : 0
        for (index, layer) in layers.enumerated() {
            switch (layer, slopes.layers[index], weights.layers[index]) {
            case (.s4d(_, let block), .s4d(let slopes), _):
                block.finish(slopes, dropout: dropout, p, gradient: gradient, work)
            case (.mamba(_, let block), .mamba(let slopes), .mamba(let weights)):
                block.finish(slopes, weights, gradient: gradient, work)
            default: continue
            }
        }
    }
}
