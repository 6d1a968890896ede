import Learning
import Tensors

/// A pass of a network of convolutions, body and head.
///
/// In a training, units of convolution and norm are loops over the whole batch; then every recording
/// goes through the body forward and at once back again, so that what the body leaves for its adjoint
/// is kept for one recording a thread; then the units follow backwards. A pass that is no training
/// takes every recording from its signals to its logits at once.
final class GraphPass<S: Scalar, N: GraphNetwork>: RecordingPass {
    let network: N
    let batchMaximum: Int
    private let isTraining: Bool
    private let team: Team
    private let memory: GraphPassMemory<N.Body>
    private let work: Workspace<S>
    private var count = 0
    private var paddings: [Int]
    /// Whether the norms hold what follows from the running statistics.
    private var isFrozen = false

    init(_ network: N, batch: Int, training: Bool, team: Team) {
        precondition(batch > 0, "GraphPass: \(batch) recordings")
        self.network = network
        self.team = team
        batchMaximum = batch
        isTraining = training
        var layout = WorkspaceLayout()
        memory = GraphPassMemory(
            &layout, network, batch: batch, training: training, threads: team.threads)
        work = Workspace(layout)
        paddings = [Int](repeating: 0, count: batch)
    }

    func prepare(_ parameters: Parameters<S>, statistics: Parameters<S>) {
        precondition(
            parameters.layout == network.layout && statistics.layout == network.statisticsLayout,
            "GraphPass: another network's weights")
        work.load(memory.parameters, from: parameters.values)
        work.load(memory.statistics, from: statistics.values)
        isFrozen = false
        network.graph.prepare(memory.graph, memory.parameters, work)
        network.body.prepare(memory.body, memory.parameters, work)
    }

    func load(_ batch: RecordingBatch<S>, records: Range<Int>) {
        let sizes = network.sizes
        precondition(
            batch.sizes == sizes && records.count <= batchMaximum && records.lowerBound >= 0
                && records.upperBound <= batch.count,
            "GraphPass: recordings \(records) of \(batch.count)")
        count = records.count
        let first = records.lowerBound
        for (place, record) in records.enumerated() {
            precondition(
                batch.padding[record] >= 0 && batch.padding[record] < sizes.samples,
                "GraphPass: padding \(batch.padding[record])")
            paddings[place] = batch.padding[record]
        }
        func copy(_ panel: Panel, _ values: [S], _ size: Int) {
            guard size > 0, count > 0 else { return }
            let rows = panel.reshaped(1, panel.count).columns(0..<count * size)
            work.load(rows, from: values, at: first * size)
        }
        copy(memory.inputs, batch.signals, sizes.leads * sizes.samples)
        copy(memory.extra, batch.extra, sizes.extra)
        copy(memory.targets, batch.targets, sizes.classes)
        copy(memory.weights, batch.weights, sizes.classes)
    }

    func forward() {
        freeze()
        share(.forward, RecordingStep(), total: 1, label: nil)
    }

    var logits: Tensor<S> {
        Tensor([count, network.sizes.classes], work.values(memory.logits.rows(0..<count)))
    }

    func step(
        _ step: RecordingStep, gradient: inout Parameters<S>, statistics: inout Parameters<S>
    ) -> Double {
        precondition(isTraining && count > 0, "GraphPass: made without training, or not loaded")
        precondition(
            gradient.layout == network.layout && statistics.layout == network.statisticsLayout
                && step.positiveWeights.map { $0.count == network.sizes.classes } ?? true,
            "GraphPass: another network's gradient")
        let counted = memory.weights.rows(0..<count)
        let total = max(work.sum(counted), .leastNormalMagnitude)
        run(step, total: total, label: nil, &statistics)
        work.store(memory.gradient, into: &gradient.values)
        return work.sum(memory.losses.columns(0..<count))
    }

    func inputGradient(of label: Int) -> Tensor<S> {
        precondition(isTraining && count > 0, "GraphPass: made without training, or not loaded")
        precondition((0..<network.sizes.classes).contains(label), "GraphPass: class \(label)")
        var step = RecordingStep()
        step.isFrozen = true
        var statistics = Parameters<S>(zeros: network.statisticsLayout)
        run(step, total: 1, label: label, &statistics)
        let sizes = network.sizes
        var values: [S] = []
        values.reserveCapacity(count * sizes.leads * sizes.samples)
        for record in memory.records.prefix(count) {
            let rows = network.graph.inside(0, of: record.slopes)
            values += Tensor([sizes.samples, sizes.leads], work.values(rows)).transposed().values
        }
        return Tensor([count, sizes.leads, sizes.samples], values)
    }

    // MARK: All stages of a step

    private func run(
        _ step: RecordingStep, total: Double, label: Int?, _ statistics: inout Parameters<S>
    ) {
        let graph = network.graph
        if step.isFrozen { freeze() } else { isFrozen = false }
        for unit in graph.units.indices {
            share(.convolve(unit), step, total: total, label: label)
            guard !step.isFrozen else { continue }
            graph.units[unit].norm.join(
                records: count, time: graph.lengths[unit + 1], momentum: step.momentum,
                statistics: &statistics, memory.graph.norms[unit], memory.parameters, work)
        }
        work.fill(memory.gradient)
        share(.body, step, total: total, label: label)
        for unit in graph.units.indices.reversed() {
            graph.units[unit].norm.joinSlopes(
                records: count, time: graph.lengths[unit + 1], isFrozen: step.isFrozen,
                memory.graph.norms[unit], gradient: memory.gradient, work)
            share(.convolveBackward(unit), step, total: total, label: label)
        }
        share(.finish, step, total: total, label: label)
        for index in 0..<memory.shareGradients.rows {
            work.add(memory.shareGradients.row(index), to: memory.gradient)
        }
    }

    private func freeze() {
        guard !isFrozen else { return }
        isFrozen = true
        for (unit, norm) in zip(network.graph.units, memory.graph.norms) {
            unit.norm.freeze(memory.statistics, norm, memory.parameters, work)
        }
    }

    private func share(
        _ kind: GraphStage<S, N>.Kind, _ step: RecordingStep, total: Double, label: Int?
    ) {
        let stage = GraphStage(
            kind: kind, network: network, memory: memory, work: work, count: count,
            paddings: paddings, step: step, total: total, label: label)
        team.run(stage.items, stage)
    }
}
