import Learning
import Tensors

/// Where everything of a classifier's pass lies in its workspace.
struct SpaceTimeClassifierMemory: Sendable {
    struct Block: Sendable {
        /// One of the two is there, by the pass's form.
        let kernels: KernelMemory?
        let filters: [FilterMemory]  // of every sixteen channels
        let input: Panel  // [width, batch·length]
        let statistics: Panel  // [2, batch·length]
        /// What the state space gives to the MLP, `[width, batch·length]`; its gradient, later.
        let scanned: Panel
    }

    /// Scratch of one thread.
    struct Member: Sendable {
        let states: KernelStates?
        let convolution: Panel
        let z: Panel  // [samples of an item·length, 16]
        let y: Panel  // as `z`
        let dz: Panel  // as `z`
        let gradient: FilterGradient
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
        training: Bool, threads: Int, convolution: Int?
    ) {
        let c = network.configuration
        let trained = training ? 1 : 0
        parameters = layout.reserve(1, network.layout.count)
        gradient = layout.reserve(trained, network.layout.count)
        shareGradients = layout.reserve(trained * Self.sharesMaximum, network.layout.count)
        inputs = layout.reserve(c.channels, batch * length)
        dinputs = layout.reserve(c.channels, trained * batch * length)
        var blocks: [Block] = []
        let filter = network.blocks[0].ssm.filter
        for _ in network.blocks {
            blocks.append(
                Block(
                    kernels: convolution.map { _ in
                        KernelMemory(
                            &layout, kernels: c.width, d: c.d, length: length, keepsStates: false)
                    },
                    filters: (0..<(convolution == nil ? filter.blocks : 0)).map { _ in
                        FilterMemory(&layout, filter)
                    },
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
        let together = convolution == nil ? min(batch, SpaceTimeMemory.windowsPerItem) : 0
        members = (0..<threads).map { _ in
            Member(
                states: convolution.map { _ in
                    KernelStates(
                        &layout, d: c.d, length: length, training: training,
                        path: .fastest(d: c.d, length: length))
                },
                convolution: layout.reserve(1, convolution ?? 0),
                z: layout.reserve(together * length, Blocks.channels),
                y: layout.reserve(together * length, Blocks.channels),
                dz: layout.reserve(trained * together * length, Blocks.channels),
                gradient: FilterGradient(&layout, filter, isShare: !training),
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

    /// Lays sixteen channels of some samples side by side, `[samples·length, 16]`.
    func take<S>(
        _ source: Panel, _ filter: CompanionFilter, _ group: Int, _ samples: Range<Int>,
        _ length: Int, into block: Panel, _ work: Workspace<S>
    ) {
        for (place, index) in samples.enumerated() {
            work.toBlock(
                filter.rows(group, of: sample(index, of: source, length)),
                into: block.rows(place * length..<(place + 1) * length))
        }
    }

    /// The way back from `take`.
    func put<S>(
        _ block: Panel, _ filter: CompanionFilter, _ group: Int, _ samples: Range<Int>,
        _ length: Int, into target: Panel, _ work: Workspace<S>
    ) {
        for (place, index) in samples.enumerated() {
            work.fromBlock(
                block.rows(place * length..<(place + 1) * length),
                into: filter.rows(group, of: sample(index, of: target, length)))
        }
    }
}
