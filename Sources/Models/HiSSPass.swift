package import Learning
package import Tensors

/// The memory of one pass of a hierarchical model over a batch of sequences, and the pass itself.
///
/// Every sequence goes through all levels forward and at once back again, so that what the levels leave
/// for their adjoints stays in the caches of the core that works on it. Sequences are shared out among
/// threads by parts whose sums are added in order: the number of threads changes no bit.
///
/// - Important: One call at a time; the threads of the team are inside.
package final class HiSSPass<S: Scalar> {
    package let network: HiSSNetwork
    /// The most sequences of one pass.
    package let batchMaximum: Int
    /// The most predictions of a sequence.
    package let lengthMaximum: Int
    private let isTraining: Bool
    private let team: Team
    private let memory: HiSSPassMemory
    private let work: Workspace<S>
    private var count = 0
    private var lengths: [Int]

    /// - Parameters:
    ///   - network: Whose pass.
    ///   - batch: The most sequences of one pass.
    ///   - length: The most predictions of a sequence.
    ///   - training: Whether memory for `step` is needed.
    ///   - team: The threads that share the work.
    package init(
        _ network: HiSSNetwork, batch: Int, length: Int, training: Bool, team: Team
    ) {
        precondition(min(batch, length) > 0, "HiSSPass: \(batch) sequences of \(length)")
        self.network = network
        self.team = team
        (batchMaximum, lengthMaximum, isTraining) = (batch, length, training)
        var layout = WorkspaceLayout()
        memory = HiSSPassMemory(
            &layout, network, batch: batch, length: length, training: training,
            threads: team.threads)
        work = Workspace(layout)
        lengths = [Int](repeating: 0, count: batch)
    }

    /// Copies some sequences of a batch; traps where they do not fit.
    package func load(_ batch: HiSSBatch<S>, sequences: Range<Int>) {
        let c = network.configuration
        precondition(
            batch.length == lengthMaximum && sequences.count <= batchMaximum
                && sequences.lowerBound >= 0 && sequences.upperBound <= batch.count,
            "HiSSPass: sequences \(sequences) of \(batch.count)")
        count = sequences.count
        for (place, number) in sequences.enumerated() {
            precondition(
                (0...lengthMaximum).contains(batch.lengths[number]),
                "HiSSPass: \(batch.lengths[number]) of \(lengthMaximum) predictions")
            lengths[place] = batch.lengths[number]
        }
        func copy(_ panel: Panel, _ values: [S], _ size: Int) {
            guard count > 0, panel.count > 0 else { return }
            let rows = panel.reshaped(1, panel.count).columns(0..<count * size)
            work.load(rows, from: values, at: sequences.lowerBound * size)
        }
        copy(memory.inputs, batch.inputs, lengthMaximum * c.ratio * c.inputs)
        copy(memory.targets, batch.targets, lengthMaximum * c.outputs)
        copy(memory.weights, batch.weights, lengthMaximum * c.outputs)
    }

    /// Runs the network on what was loaded, as it is used: without dropout.
    package func forward(_ parameters: Parameters<S>) {
        prepare(parameters, training: false)
        team.run(count, stage(.forward, key: nil, total: 1))
    }

    /// The predictions of the last `forward` or `step`, `[batch, length, outputs]`; those behind a
    /// sequence's own length mean nothing.
    package var outputs: Tensor<S> {
        let rows = memory.outputs.rows(0..<count * lengthMaximum)
        return Tensor([count, lengthMaximum, memory.outputs.columns], work.values(rows))
    }

    /// Runs the network forward and back.
    ///
    /// - Parameters:
    ///   - parameters: Where.
    ///   - dropoutKey: Of this step; nil switches dropout off.
    ///   - gradient: Overwritten with that of the loss.
    /// - Returns: The mean of the squared errors by their weights.
    package func step(
        _ parameters: Parameters<S>, dropoutKey: UInt64?, gradient: inout Parameters<S>
    ) -> Double {
        precondition(isTraining && count > 0, "HiSSPass: made without training, or not loaded")
        precondition(gradient.layout == network.layout, "HiSSPass: another network's gradient")
        prepare(parameters, training: dropoutKey != nil)
        let total = max(
            work.sum(memory.weights.rows(0..<count * lengthMaximum)), .leastNormalMagnitude)
        let stage = stage(.step, key: dropoutKey, total: total)
        team.run(memory.slopes.count, stage)
        for share in memory.slopes.dropFirst() {
            work.add(share.whole, to: memory.slopes[0].whole)
        }
        stage.finish(memory.slopes[0].parts)
        work.store(memory.slopes[0].parts.parameters, into: &gradient.values)
        return work.sum(memory.losses.columns(0..<count)) / total
    }

    private func prepare(_ parameters: Parameters<S>, training: Bool) {
        precondition(parameters.layout == network.layout, "HiSSPass: another network's weights")
        let p = memory.parameters
        work.load(p, from: parameters.values)
        network.input.prepare(memory.input, p, work)
        network.head.prepare(memory.head, p, work)
        for (level, own) in zip(network.levels, memory.levels) {
            level.prepare(own, training: training, p, work)
        }
        for (joint, own) in zip(network.joints, memory.joints) { joint.prepare(own, p, work) }
    }

    private func stage(_ kind: HiSSStage<S>.Kind, key: UInt64?, total: Double) -> HiSSStage<S> {
        HiSSStage(
            kind: kind, network: network, memory: memory, work: work, count: count,
            length: lengthMaximum, lengths: lengths, key: key, total: total)
    }
}

/// One loop of a pass whose items threads share.
struct HiSSStage<S: Scalar>: TeamWork {
    enum Kind: Sendable {
        /// An item is a sequence.
        case forward
        /// An item is a share of the sequences.
        case step
    }

    let kind: Kind
    let network: HiSSNetwork
    let memory: HiSSPassMemory
    let work: Workspace<S>
    let count: Int
    let length: Int
    let lengths: [Int]
    let key: UInt64?
    let total: Double

    func run(item: Int, member: Int) {
        switch kind {
        case .forward: forward(item, memory.threads[member])
        case .step: step(share: item, memory.threads[member])
        }
    }

    private func place(_ level: Int, _ sequence: Int, rows: Int) -> SequencePlace {
        let isTop = level == network.levels.count - 1
        return SequencePlace(
            rows: rows, length: isTop ? rows : network.levels[level].level.ratio,
            number: sequence, key: key.map { $0 &+ UInt64(level) << 32 })
    }

    /// From a sequence's samples to its predictions.
    private func forward(_ sequence: Int, _ own: HiSSPassMemory.Thread) {
        let c = network.configuration
        let all = length * c.ratio
        guard lengths[sequence] > 0 else { return }
        var rows = lengths[sequence] * c.ratio
        let samples = memory.inputs.rows(sequence * all..<sequence * all + rows)
        let x = c.appendsDeltas ? own.inputs.rows(0..<rows) : samples
        if c.appendsDeltas { work.appendDeltas(samples, before: samples.row(0), into: x) }
        network.input.forward(
            x, into: own.levels[0].residuals[0].rows(0..<rows), memory.input, memory.parameters,
            work)
        for (index, level) in network.levels.enumerated() {
            level.forward(
                place(index, sequence, rows: rows), own.levels[index], memory.levels[index],
                memory.parameters, work)
            rows /= level.level.ratio
            let last = own.levels[index].last.rows(0..<rows)
            if index + 1 < network.levels.count {
                network.joints[index].forward(
                    last, into: own.levels[index + 1].residuals[0].rows(0..<rows),
                    memory.joints[index], memory.parameters, work)
            } else {
                let first = sequence * length
                network.head.forward(
                    last, into: memory.outputs.rows(first..<first + rows), memory.head,
                    memory.parameters, work)
            }
        }
    }

    /// Forward and back through the sequences of a share.
    private func step(share: Int, _ own: HiSSPassMemory.Thread) {
        let shares = memory.slopes.count
        work.fill(memory.slopes[share].whole)
        for sequence in share * count / shares..<(share + 1) * count / shares {
            work[memory.losses, 0, sequence] = 0
            guard lengths[sequence] > 0 else { continue }
            forward(sequence, own)
            backward(sequence, own, memory.slopes[share].parts)
        }
    }

    /// The slopes of a sequence's predictions; keeps its loss.
    private func loss(_ sequence: Int) -> Panel {
        let rows = sequence * length..<sequence * length + lengths[sequence]
        let (error, slope) = (memory.errors.rows(rows), memory.doutputs.rows(rows))
        work.copy(memory.outputs.rows(rows), to: error)
        work.add(memory.targets.rows(rows), to: error, times: -1)
        work.multiplyElements(error, memory.weights.rows(rows), into: slope)
        work[memory.losses, 0, sequence] = S(work.dot(slope, error))
        work.combine(S(2 / total), slope, 0, slope)
        return slope
    }

    private func backward(
        _ sequence: Int, _ own: HiSSPassMemory.Thread, _ slopes: HiSSPassMemory.Slopes
    ) {
        let (p, top) = (memory.parameters, network.levels.count - 1)
        let gradient = slopes.parameters
        var rows = lengths[sequence]
        network.head.backward(
            loss(sequence), x: own.levels[top].last.rows(0..<rows),
            into: own.levels[top].dout.rows(0..<rows), slopes: slopes.head, p, gradient: gradient,
            work)
        for index in network.levels.indices.reversed() {
            let level = own.levels[index]
            rows *= network.levels[index].level.ratio
            network.levels[index].backward(
                place(index, sequence, rows: rows), level, memory.levels[index],
                slopes: slopes.levels[index], p, gradient: gradient, work)
            let slope = level.slopes.rows(0..<rows)
            guard index > 0 else {
                let first = sequence * length * network.configuration.ratio
                let x =
                    network.configuration.appendsDeltas
                    ? own.inputs.rows(0..<rows) : memory.inputs.rows(first..<first + rows)
                network.input.backward(
                    slope, x: x, into: nil, slopes: slopes.input, p, gradient: gradient, work)
                return
            }
            let below = own.levels[index - 1]
            network.joints[index - 1].backward(
                slope, x: below.last.rows(0..<rows), into: below.dout.rows(0..<rows),
                slopes: slopes.joints[index - 1], p, gradient: gradient, work)
        }
    }

    /// What follows from the weights alone, back to them.
    func finish(_ slopes: HiSSPassMemory.Slopes) {
        let gradient = slopes.parameters
        network.input.finish(slopes.input, gradient: gradient, work)
        network.head.finish(slopes.head, gradient: gradient, work)
        for (index, level) in network.levels.enumerated() {
            level.finish(
                slopes.levels[index], memory.levels[index], training: key != nil,
                memory.parameters, gradient: gradient, work)
        }
        for (joint, own) in zip(network.joints, slopes.joints) {
            joint.finish(own, gradient: gradient, work)
        }
    }
}
