internal import Foundation
import Learning
import Tensors

/// One loop of a pass that threads share: which one, and all that it works with.
struct GraphStage<S: Scalar, N: GraphNetwork>: TeamWork {
    enum Kind: Sendable {
        /// A recording from its signals to its logits.
        case forward
        /// One unit on a recording, behind what is left of the one before.
        case convolve(Int)
        /// The body of a share of the recordings, forward and back, with the head and the loss.
        case body
        /// The adjoint of one unit on a share.
        case convolveBackward(Int)
        /// What a share's gradients of prepared weights are gradients of.
        case finish
    }

    let kind: Kind
    let network: N
    let memory: GraphPassMemory<N.Body>
    let work: Workspace<S>
    let count: Int
    let paddings: [Int]
    let step: RecordingStep
    /// What the loss of a recording is divided by.
    let total: Double
    /// The class whose logit is taken for the loss.
    let label: Int?

    /// How many items there are.
    var items: Int {
        switch kind {
        case .forward, .convolve: count
        case .body, .convolveBackward, .finish: GraphPassMemory<N.Body>.sharesMaximum
        }
    }

    private var graph: ConvolutionGraph { network.graph }

    func run(item: Int, member: Int) {
        switch kind {
        case .forward: runForward(item, member)
        case .convolve(let unit):
            let record = memory.records[item]
            begin(unit, item, record)
            graph.convolve(
                unit, record, number: item, measured: !step.isFrozen, memory.graph,
                memory.parameters, work)
        case .body:
            clear(share: item)
            for record in GraphPassMemory<N.Body>.share(item, of: count) {
                runBody(record, share: item, member)
            }
        case .convolveBackward(let unit):
            for record in GraphPassMemory<N.Body>.share(item, of: count) {
                runConvolveBackward(unit, record, share: item)
            }
        case .finish:
            let gradient = memory.shareGradients.row(item)
            graph.finish(share: item, memory.graph, gradient: gradient, work)
            network.body.finish(memory.bodySlopes[item], memory.body, gradient: gradient, work)
        }
    }

    /// What a unit waits for: the signals, or the rest of the unit before.
    private func begin(_ unit: Int, _ number: Int, _ record: GraphRecord) {
        if unit == 0 {
            let leads = network.sizes.leads
            work.transpose(
                memory.inputs.rows(number * leads..<(number + 1) * leads),
                into: graph.inside(0, of: record.nodes))
        } else {
            graph.normalise(unit - 1, record, memory.graph, work)
        }
    }

    private func runForward(_ number: Int, _ member: Int) {
        let record = memory.records[member]
        for unit in graph.units.indices {
            begin(unit, number, record)
            graph.convolve(
                unit, record, number: number, measured: false, memory.graph, memory.parameters,
                work)
        }
        runHead(number, record, member)
    }

    /// From the last unit to the logits.
    private func runHead(_ number: Int, _ record: GraphRecord, _ member: Int) {
        let last = graph.units.count - 1
        graph.normalise(last, record, memory.graph, work)
        let features = memory.features[member]
        network.body.forward(
            graph.inside(last + 1, of: record.nodes),
            into: features.columns(0..<network.body.features), place(number),
            memory.scratch[member], memory.body, memory.parameters, work)
        if network.sizes.extra > 0 {
            work.copy(
                memory.extra.row(number),
                to: features.columns(network.body.features..<features.columns))
        }
        let logits = memory.logits.row(number)
        work.multiply(
            features, network.head.weight.panel(in: memory.parameters), into: logits,
            transposeB: true)
        work.add(network.head.bias.panel(in: memory.parameters), to: logits)
    }

    private func place(_ number: Int) -> RecordingPlace {
        RecordingPlace(
            number: number, padding: paddings[number], dropoutKey: step.dropoutKey)
    }

    private func clear(share: Int) {
        work.fill(memory.shareGradients.row(share))
        graph.clear(share: share, memory.graph, work)
        network.body.clear(memory.bodySlopes[share], work)
    }

    private func runBody(_ number: Int, share: Int, _ member: Int) {
        let record = memory.records[number]
        runHead(number, record, member)
        work[memory.losses, 0, number] = S(loss(number))
        let (features, dfeatures) = (memory.features[member], memory.dfeatures[member])
        let (gradient, dlogits) = (
            memory.shareGradients.row(share), memory.dlogits.row(number)
        )
        work.multiply(
            dlogits, features, into: network.head.weight.panel(in: gradient), transposeA: true,
            beta: 1)
        work.add(dlogits, to: network.head.bias.panel(in: gradient))
        work.multiply(
            dlogits, network.head.weight.panel(in: memory.parameters), into: dfeatures)
        for slopes in record.slopes { work.fill(slopes) }
        let last = graph.units.count - 1
        network.body.backward(
            dfeatures.columns(0..<network.body.features),
            into: graph.inside(last + 1, of: record.slopes), place(number), memory.scratch[member],
            memory.body, slopes: memory.bodySlopes[share], memory.parameters, gradient: gradient,
            work)
        graph.measureSlopes(last, record, number: number, memory.graph, work)
    }

    private func runConvolveBackward(_ unit: Int, _ number: Int, share: Int) {
        let record = memory.records[number]
        graph.convolveBackward(
            unit, record, share: share,
            intoSource: graph.units[unit].source > 0 || label != nil, memory.graph,
            gradient: memory.shareGradients.row(share), work)
        guard unit > 0 else { return }
        graph.measureSlopes(unit - 1, record, number: number, memory.graph, work)
    }

    /// The loss of one recording, and its gradient in `dlogits`: binary cross-entropy from logits,
    /// or the logit of `label`.
    private func loss(_ number: Int) -> Double {
        var sum = 0.0
        for index in 0..<network.sizes.classes {
            let x = Double(work[memory.logits, number, index])
            if let label {
                work[memory.dlogits, number, index] = index == label ? 1 : 0
                sum += index == label ? x : 0
                continue
            }
            let t = Double(work[memory.targets, number, index])
            let share = Double(work[memory.weights, number, index]) / total
            let weight = step.positiveWeights?[index] ?? 1
            let decay = exp(-abs(x))
            let logOfPositive = min(x, 0) - log1p(decay)  // log σ(x)
            sum -= share * (weight * t * logOfPositive + (1 - t) * (logOfPositive - x))
            let positive = (x < 0 ? decay : 1) / (1 + decay)
            let negative = (x < 0 ? 1 : decay) / (1 + decay)
            work[memory.dlogits, number, index] = S(
                share * ((1 - t) * positive - weight * t * negative))
        }
        return sum
    }
}
