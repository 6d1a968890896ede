package import Learning
package import Tensors

/// The memory of one pass of a classifier over a batch, forward and back, and the pass itself.
///
/// Axes between the layers are `[channel, batch, time]`, as in `SpaceTimePass`: norms and linear maps
/// are shared out by samples, state spaces by channels.
///
/// - Important: One call at a time; the threads of `team` are inside.
package final class SpaceTimeClassifierPass<S: Scalar> {
    /// How state spaces are computed.
    package enum Form: Sendable, CaseIterable {
        /// As filters with d taps back and d out, sixteen channels at once.
        case filters
        /// By convolution with their kernels.
        case kernels

        /// The faster one: filters take 2·d·length products a row, transforms as many as some 600
        /// taps do.
        package static func fastest(d: Int) -> Form { d < 512 ? .filters : .kernels }
    }

    package let network: SpaceTimeClassifier
    /// Steps of a sample; shorter ones are padded at the end, and say so.
    package let length: Int
    /// The most samples of one pass.
    package let batchMaximum: Int
    let team: Team
    let form: Form
    let convolution: CausalConvolution<S>
    let memory: SpaceTimeClassifierMemory
    let work: Workspace<S>
    /// Samples of the current pass, and the steps of each that count.
    var lengths: [Int] = []
    var dropouts: [Dropout] = []

    /// - Parameters:
    ///   - network: What is computed.
    ///   - length: Steps of a sample.
    ///   - batch: The most samples of one pass.
    ///   - training: Whether memory for the backward pass is needed.
    ///   - team: The threads that share the work.
    ///   - form: How state spaces are computed; the faster one where nil.
    package init(
        _ network: SpaceTimeClassifier, length: Int, batch: Int, training: Bool, team: Team,
        form: Form? = nil
    ) {
        precondition(length > 0 && batch > 0, "SpaceTimeClassifierPass: \(batch)×\(length)")
        self.network = network
        self.length = length
        self.team = team
        self.form = form ?? .fastest(d: network.configuration.d)
        batchMaximum = batch
        convolution = CausalConvolution(length: length)
        var layout = WorkspaceLayout()
        memory = SpaceTimeClassifierMemory(
            &layout, network, length: length, batch: batch, training: training,
            threads: team.threads,
            convolution: self.form == .kernels ? convolution.scratchCount : nil)
        work = Workspace(layout)
    }

    /// Takes the weights, and makes the filters or kernels that follow from them alone.
    package func prepare(_ parameters: Parameters<S>) {
        precondition(parameters.layout == network.layout, "SpaceTimeClassifierPass: other weights")
        work.load(memory.parameters, from: parameters.values)
        let (network, memory, work) = (network, memory, work)
        let width = network.configuration.width
        for (index, block) in network.blocks.enumerated() {
            let own = memory.blocks[index]
            let filter = block.ssm.filter
            team.run(own.filters.count) { group, _ in
                filter.prepare(group, own.filters[group], memory.parameters, work)
            }
            guard let kernels = own.kernels else { continue }
            team.run(width) { channel, member in
                guard let states = memory.members[member].states else { return }
                block.ssm.makeKernel(channel, kernels, states, memory.parameters, work)
            }
        }
    }

    /// Copies samples `[batch, length, channels]`.
    ///
    /// - Parameters:
    ///   - samples: Zeros, or anything finite, after the steps that count.
    ///   - lengths: How many steps of each sample count, above zero; all of them where nil.
    package func load(_ samples: Tensor<S>, lengths: [Int]? = nil) {
        let channels = network.configuration.channels
        samples.expect([nil, length, channels])
        let batch = samples.shape[0]
        precondition(batch <= batchMaximum, "SpaceTimeClassifierPass: \(batch) samples")
        self.lengths = lengths ?? [Int](repeating: length, count: batch)
        precondition(
            self.lengths.count == batch && self.lengths.allSatisfy { (1...length).contains($0) },
            "SpaceTimeClassifierPass: lengths \(self.lengths)")
        let rows = samples.reshaped([batch * length, channels]).transposed().values
        for channel in 0..<channels {
            work.load(
                memory.inputs.row(channel).columns(0..<batch * length), from: rows,
                at: channel * batch * length)
        }
    }

    /// Runs the network on what was loaded.
    ///
    /// - Parameter dropoutKey: A key of this step's own; nil switches dropout off.
    /// - Returns: Logits, `[batch, classes]`.
    package func forward(dropoutKey: UInt64? = nil) -> Tensor<S> {
        setDropouts(dropoutKey)
        let (network, memory, work, length) = (network, memory, work, length)
        team.run(lengths.count) { sample, _ in
            network.embedding.forward(
                memory.sample(sample, of: memory.inputs, length),
                into: memory.sample(sample, of: memory.blocks[0].input, length),
                memory.parameters, work)
        }
        for index in network.blocks.indices { runBlock(index) }
        return pool()
    }

    private func runBlock(_ index: Int) {
        let (network, memory, work, length) = (network, memory, work, length)
        let block = memory.blocks[index]
        let target = memory.output(of: index)
        let dropout = dropouts[index]
        normalise(index)
        switch form {
        case .filters: runFilters(index)
        case .kernels: runKernels(index)
        }
        team.run(lengths.count) { sample, member in
            let output = memory.sample(sample, of: target, length)
            network.blocks[index].mlp.forward(
                memory.sample(sample, of: block.scanned, length),
                activated: memory.members[member].activated, into: output,
                dropout.from(sample * network.configuration.width * length), memory.parameters,
                work)
            work.add(memory.sample(sample, of: block.input, length), to: output)
        }
    }

    /// Fills `normed` from the input of a block.
    func normalise(_ index: Int) {
        let (network, memory, work, length) = (network, memory, work, length)
        let block = memory.blocks[index]
        team.run(lengths.count) { sample, _ in
            network.blocks[index].norm.forward(
                memory.sample(sample, of: block.input, length),
                into: memory.sample(sample, of: memory.normed, length),
                statistics: memory.sample(sample, of: block.statistics, length),
                memory.parameters, work)
        }
    }

    /// The state spaces as filters, sixteen channels of some samples at a time.
    private func runFilters(_ index: Int) {
        let (network, memory, work, length) = (network, memory, work, length)
        let batch = lengths.count
        let block = memory.blocks[index]
        let ssm = network.blocks[index].ssm
        let (filter, skip) = (ssm.filter, ssm.skip.panel(in: memory.parameters))
        let items = SpaceTimeMemory.items(batch)
        team.run(filter.blocks * items) { item, member in
            let (group, samples) = (
                item / items, SpaceTimeMemory.item(item % items, of: batch)
            )
            let scratch = memory.members[member]
            let rows = 0..<samples.count * length
            let (z, y) = (scratch.z.rows(rows), scratch.y.rows(rows))
            memory.take(memory.normed, filter, group, samples, length, into: z, work)
            filter.filter(z, into: z, length: length, block.filters[group], work)
            filter.read(z, into: y, length: length, block.filters[group], work)
            memory.put(y, filter, group, samples, length, into: block.scanned, work)
        }
        team.run(network.configuration.width) { channel, _ in
            work.add(
                memory.channel(channel, of: memory.normed, batch, length),
                to: memory.channel(channel, of: block.scanned, batch, length),
                times: work[skip, 0, channel])
        }
    }

    /// The state spaces by convolution, channel by channel.
    private func runKernels(_ index: Int) {
        let (network, memory, work, length) = (network, memory, work, length)
        let (batch, convolution) = (lengths.count, convolution)
        let block = memory.blocks[index]
        let skip = network.blocks[index].ssm.skip.panel(in: memory.parameters)
        guard let kernels = block.kernels else { return }
        team.run(network.configuration.width) { channel, member in
            let u = memory.channel(channel, of: memory.normed, batch, length)
            let y = memory.channel(channel, of: block.scanned, batch, length)
            convolution.forward(
                u, kernel: kernels.kernel.row(channel), into: y,
                scratch: memory.members[member].convolution, work)
            work.add(u, to: y, times: work[skip, 0, channel])
        }
    }

    /// The mean over the steps that count, and the head.
    private func pool() -> Tensor<S> {
        let (width, classes) = (network.configuration.width, network.configuration.classes)
        let batch = lengths.count
        let output = memory.output(of: network.blocks.count - 1)
        for (sample, steps) in lengths.enumerated() {
            for channel in 0..<width {
                let row = output.row(channel).columns(sample * length..<sample * length + steps)
                work[memory.pooled, channel, sample] = S(work.sum(row) / Double(steps))
            }
        }
        let logits = memory.logits.columns(0..<batch)
        network.head.forward(
            memory.pooled.columns(0..<batch), into: logits, memory.parameters, work)
        return Tensor([classes, batch], work.values(logits)).transposed()
    }

    private func setDropouts(_ key: UInt64?) {
        let probability = network.configuration.dropout
        guard let key, probability > 0 else {
            dropouts = network.blocks.map { _ in .none }
            return
        }
        var random = RandomStream(seed: key)
        dropouts = network.blocks.map { _ in Dropout(key: random.next(), probability: probability) }
    }
}
