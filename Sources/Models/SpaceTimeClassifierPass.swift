package import Learning
package import Tensors

/// The memory of one pass of a classifier over a batch, forward and back, and the pass itself.
///
/// Axes between the layers are `[channel, batch, time]`, as in `SpaceTimePass`: norms and linear maps
/// are shared out by samples, state spaces by channels.
///
/// - Important: One call at a time; the threads of `team` are inside.
package final class SpaceTimeClassifierPass<S: Scalar> {
    package let network: SpaceTimeClassifier
    /// Steps of a sample; shorter ones are padded at the end, and say so.
    package let length: Int
    /// The most samples of one pass.
    package let batchMaximum: Int
    let team: Team
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
    package init(
        _ network: SpaceTimeClassifier, length: Int, batch: Int, training: Bool, team: Team
    ) {
        precondition(length > 0 && batch > 0, "SpaceTimeClassifierPass: \(batch)×\(length)")
        self.network = network
        self.length = length
        self.team = team
        batchMaximum = batch
        convolution = CausalConvolution(length: length)
        var layout = WorkspaceLayout()
        memory = SpaceTimeClassifierMemory(
            &layout, network, length: length, batch: batch, training: training,
            threads: team.threads, convolution: convolution.scratchCount)
        work = Workspace(layout)
    }

    /// Takes the weights, and makes the kernels that follow from them alone.
    package func prepare(_ parameters: Parameters<S>) {
        precondition(parameters.layout == network.layout, "SpaceTimeClassifierPass: other weights")
        work.load(memory.parameters, from: parameters.values)
        let (network, memory, work) = (network, memory, work)
        let width = network.configuration.width
        team.run(width * network.blocks.count) { item, member in
            network.blocks[item / width].ssm.makeKernel(
                item % width, memory.blocks[item / width].kernels,
                memory.members[member].states, memory.parameters, work)
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
        runStateSpace(index)
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

    private func runStateSpace(_ index: Int) {
        let (network, memory, work, length) = (network, memory, work, length)
        let (batch, convolution) = (lengths.count, convolution)
        let block = memory.blocks[index]
        let skip = network.blocks[index].ssm.skip.panel(in: memory.parameters)
        team.run(network.configuration.width) { channel, member in
            let u = memory.channel(channel, of: memory.normed, batch, length)
            let y = memory.channel(channel, of: block.scanned, batch, length)
            convolution.forward(
                u, kernel: block.kernels.kernel.row(channel), into: y,
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

/// Where everything of a classifier's pass lies in its workspace.
struct SpaceTimeClassifierMemory: Sendable {
    struct Block: Sendable {
        let kernels: KernelMemory
        let input: Panel  // [width, batch·length]
        let statistics: Panel  // [2, batch·length]
        /// What the state space gives to the MLP, `[width, batch·length]`; its gradient, later.
        let scanned: Panel
    }

    /// Scratch of one thread.
    struct Member: Sendable {
        let states: KernelStates
        let convolution: Panel
        let activated: Panel  // [width, length]
        let slopes: Panel  // [width, length]
    }

    /// As in `SpaceTimeMemory`: how many parts a sum over samples has, whatever the threads.
    static let sharesMaximum = SpaceTimeMemory.sharesMaximum

    let parameters: Panel  // [1, parameters]
    let gradient: Panel  // [1, parameters]
    let shareGradients: Panel  // [shares, parameters]
    let inputs: Panel  // [channels, batch·length]
    let dinputs: Panel  // [channels, batch·length]
    let blocks: [Block]
    let normed: Panel  // [width, batch·length]
    let dnormed: Panel  // [width, batch·length]
    /// The last block's output; its gradient, and that of every block's input, later.
    let output: Panel  // [width, batch·length]
    let pooled: Panel  // [width, batch]
    let dpooled: Panel  // [width, batch]
    let logits: Panel  // [classes, batch]
    let members: [Member]

    init(
        _ layout: inout WorkspaceLayout, _ network: SpaceTimeClassifier, length: Int, batch: Int,
        training: Bool, threads: Int, convolution: Int
    ) {
        let c = network.configuration
        let trained = training ? 1 : 0
        parameters = layout.reserve(1, network.layout.count)
        gradient = layout.reserve(trained, network.layout.count)
        shareGradients = layout.reserve(trained * Self.sharesMaximum, network.layout.count)
        inputs = layout.reserve(c.channels, batch * length)
        dinputs = layout.reserve(c.channels, trained * batch * length)
        var blocks: [Block] = []
        for _ in network.blocks {
            blocks.append(
                Block(
                    kernels: KernelMemory(
                        &layout, kernels: c.width, d: c.d, length: length, keepsStates: false),
                    input: layout.reserve(c.width, batch * length),
                    statistics: layout.reserve(2, batch * length),
                    scanned: layout.reserve(c.width, batch * length)))
        }
        self.blocks = blocks
        normed = layout.reserve(c.width, batch * length)
        dnormed = layout.reserve(c.width, trained * batch * length)
        output = layout.reserve(c.width, batch * length)
        pooled = layout.reserve(c.width, batch)
        dpooled = layout.reserve(c.width, batch)
        logits = layout.reserve(c.classes, batch)
        members = (0..<threads).map { _ in
            Member(
                states: KernelStates(
                    &layout, d: c.d, length: length, training: training,
                    path: .fastest(d: c.d, length: length)),
                convolution: layout.reserve(1, convolution),
                activated: layout.reserve(c.width, length),
                slopes: layout.reserve(c.width, trained * length))
        }
    }

    /// Where a block's output lies: the input of the next one.
    func output(of block: Int) -> Panel {
        block + 1 < blocks.count ? blocks[block + 1].input : output
    }

    /// The part of a matrix `[rows, batch·length]` that belongs to one sample, `[rows, length]`.
    func sample(_ index: Int, of panel: Panel, _ length: Int) -> Panel {
        panel.columns(index * length..<(index + 1) * length)
    }

    /// The part of a matrix `[width, batch·length]` that belongs to one channel, `[batch, length]`.
    func channel(_ index: Int, of panel: Panel, _ batch: Int, _ length: Int) -> Panel {
        panel.row(index).columns(0..<batch * length).reshaped(batch, length)
    }
}
