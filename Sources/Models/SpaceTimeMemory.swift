import Learning
import Tensors

/// Where everything of a pass lies in its workspace.
struct SpaceTimeMemory: Sendable {
    /// One encoder block.
    struct Block: Sendable {
        let kernels: KernelMemory
        /// What the state space gives to the MLP: of the first block window by window,
        /// `[batch·width, lag]`; of the others `[width, batch·lag]`. Its gradient, later.
        let scanned: Panel
        /// The block's output, `[width, batch·lag]`; later the gradient.
        let output: Panel
    }

    /// Scratch of one thread.
    struct Member: Sendable {
        let decoder: ClosedLoopScratch
        let convolved: Panel  // [groups·variates, lag]
        let preprocessed: Panel  // [width, lag]
        let activated: Panel  // [width, lag]
        let slopes: Panel  // [width, lag]
        let sums: Panel  // [1, 2·(lag + 1)]
        let dclosed: Panel  // [2·batch, horizon]
        let convolution: Panel
        let z: Lanes  // the decoder's inputs
        let dopen: Lanes
        let spare: Lanes
        let dnext: Lanes
        let dz: Panel  // [batch, lag]
        /// For a trained embedding: every variate and the constant 1, preprocessed by all channels,
        /// without and with their kernels, `[(variates + 1)·width, lag]`.
        let plain: Panel
        let scanned: Panel
    }

    /// What one item of the decoder adds up over its channels.
    struct Share: Sendable {
        let closed: Panel  // [variates·batch, horizon]
        let open: [Lanes]  // of every variate
        let squares: Panel  // [1, 1]
    }

    let parameters: Panel  // [1, parameters]
    let gradient: Panel  // [1, parameters]
    /// Gradients of the encoder by shares of the batch, `[shares, parameters]`.
    let shareGradients: Panel
    let shareKernelGradients: [Panel]  // per share, [groups, lag]
    let windows: Panel  // [variates·batch, lag]
    let futures: Panel  // [variates·batch, horizon]
    let inputs: Panel  // [variates·batch, lag], transformed
    let ones: Panel  // [1, lag], where there is a trained embedding
    let blocks: [Block]
    let decoder: ClosedLoopMemory
    let filtered: [Lanes]  // w of every channel
    let states: Panel  // [width·lanes, d]
    let closed: Panel  // [width·batch, horizon]
    let open: [Lanes]  // of every channel
    let next: [Lanes]  // of every channel
    let forecasts: Panel  // [variates·batch, horizon]
    let oneStep: Panel  // [variates·batch, lag]
    let dforecasts: Panel  // [variates·batch, horizon]
    let doneStep: Panel  // [variates·batch, lag]
    let doneStepLanes: [Lanes]  // of every variate
    let shares: [Share]
    let members: [Member]

    /// The most shares that the channels of the decoder, and the windows of the encoder's backward
    /// pass, are divided into; fixed, so that the number of threads does not change the sums.
    static let sharesMaximum = 8

    init(
        _ layout: inout WorkspaceLayout, _ network: SpaceTimeNetwork, batch: Int, horizon: Int,
        training: Bool, threads: Int, convolution: Int
    ) {
        let c = network.configuration
        let (lag, width, variates) = (c.lag, c.width, c.variates)
        let rows = variates * batch
        let trained = training ? 1 : 0
        parameters = layout.reserve(1, network.layout.count)
        gradient = layout.reserve(trained, network.layout.count)
        shareGradients = layout.reserve(trained * Self.sharesMaximum, network.layout.count)
        windows = layout.reserve(rows, lag)
        futures = layout.reserve(rows, horizon)
        inputs = layout.reserve(rows, lag)
        let sources = network.embedding == nil ? 0 : variates + 1
        ones = layout.reserve(min(1, sources), lag)
        var blocks: [Block] = []
        for block in network.blocks {
            blocks.append(
                Block(
                    kernels: KernelMemory(
                        &layout, kernels: block.ssm.kernels, d: c.d, length: lag),
                    scanned: blocks.isEmpty
                        ? layout.reserve(batch * width, lag) : layout.reserve(width, batch * lag),
                    output: layout.reserve(width, batch * lag)))
        }
        self.blocks = blocks
        shareKernelGradients = (0..<trained * Self.sharesMaximum).map { _ in
            layout.reserve(c.groups, lag)
        }
        func lanes(_ count: Int, before: Int = 0, behind: Int = 0) -> [Lanes] {
            (0..<count).map { _ in
                Lanes(&layout, windows: batch, length: lag, before: before, behind: behind)
            }
        }
        decoder = ClosedLoopMemory(&layout, heads: width, d: c.d, horizon: horizon)
        filtered = lanes(width, before: c.d)
        states = layout.reserve(width * Lanes.count(batch), c.d)
        closed = layout.reserve(width * batch, horizon)
        open = lanes(trained * width)
        next = lanes(trained * width)
        forecasts = layout.reserve(rows, horizon)
        oneStep = layout.reserve(rows, lag)
        dforecasts = layout.reserve(rows, horizon)
        doneStep = layout.reserve(rows, lag)
        doneStepLanes = lanes(variates)
        shares = (0..<Self.sharesMaximum).map { _ in
            Share(
                closed: layout.reserve(rows, horizon), open: lanes(trained * variates),
                squares: layout.reserve(1, 1))
        }
        members = (0..<threads).map { _ in
            Member(
                decoder: ClosedLoopScratch(
                    &layout, d: c.d, length: lag, horizon: training ? horizon : 0, batch: batch),
                convolved: layout.reserve(c.groups * variates, lag),
                preprocessed: layout.reserve(width, lag), activated: layout.reserve(width, lag),
                slopes: layout.reserve(width, lag), sums: layout.reserve(1, 2 * (lag + 1)),
                dclosed: layout.reserve(2 * trained * batch, horizon),
                convolution: layout.reserve(1, convolution),
                z: lanes(1)[0], dopen: lanes(1, behind: c.d)[0], spare: lanes(1, behind: c.d)[0],
                dnext: lanes(1, behind: c.d)[0],
                dz: layout.reserve(trained * batch, lag),
                plain: layout.reserve(sources * width, lag),
                scanned: layout.reserve(sources * width, lag))
        }
    }

    /// The part of a matrix `[width, batch·lag]` that belongs to one window, `[width, lag]`.
    func window(_ index: Int, of panel: Panel, lag: Int) -> Panel {
        panel.columns(index * lag..<(index + 1) * lag)
    }

    /// The part of a matrix `[width, batch·lag]` that belongs to one channel, `[batch, lag]`.
    func channel(_ index: Int, of panel: Panel, batch: Int, lag: Int) -> Panel {
        panel.row(index).columns(0..<batch * lag).reshaped(batch, lag)
    }

    /// The consecutive items of one share, of `count` items in all.
    static func share(_ share: Int, of count: Int) -> Range<Int> {
        share * count / sharesMaximum..<(share + 1) * count / sharesMaximum
    }
}
