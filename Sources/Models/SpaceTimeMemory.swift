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
        let dopen: Panel  // [2·batch, lag]
        let dnext: Panel  // [batch, lag]
        let dz: Panel  // [batch, lag]
    }

    /// What one item of the decoder adds up over its channels.
    struct Share: Sendable {
        let closed: Panel  // [variates·batch, horizon]
        let open: Panel  // [variates·batch, lag]
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
    let blocks: [Block]
    let decoder: ClosedLoopMemory
    let states: Panel  // [width·batch, d]
    let closed: Panel  // [width·batch, horizon]
    let open: Panel  // [width·batch, lag]
    let next: Panel  // [width, batch·lag]
    let forecasts: Panel  // [variates·batch, horizon]
    let oneStep: Panel  // [variates·batch, lag]
    let dforecasts: Panel  // [variates·batch, horizon]
    let doneStep: Panel  // [variates·batch, lag]
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
        decoder = ClosedLoopMemory(
            &layout, heads: width, d: c.d, length: lag, horizon: horizon)
        states = layout.reserve(width * batch, c.d)
        closed = layout.reserve(width * batch, horizon)
        open = layout.reserve(trained * width * batch, lag)
        next = layout.reserve(trained * width, batch * lag)
        forecasts = layout.reserve(rows, horizon)
        oneStep = layout.reserve(rows, lag)
        dforecasts = layout.reserve(rows, horizon)
        doneStep = layout.reserve(rows, lag)
        shares = (0..<Self.sharesMaximum).map { _ in
            Share(
                closed: layout.reserve(rows, horizon), open: layout.reserve(rows, lag),
                squares: layout.reserve(1, 1))
        }
        members = (0..<threads).map { _ in
            Member(
                decoder: ClosedLoopScratch(
                    &layout, d: c.d, length: lag, horizon: training ? horizon : 0, batch: batch,
                    convolution: convolution),
                convolved: layout.reserve(c.groups * variates, lag),
                preprocessed: layout.reserve(width, lag), activated: layout.reserve(width, lag),
                slopes: layout.reserve(width, lag), sums: layout.reserve(1, 2 * (lag + 1)),
                dclosed: layout.reserve(2 * trained * batch, horizon),
                dopen: layout.reserve(2 * trained * batch, lag),
                dnext: layout.reserve(trained * batch, lag),
                dz: layout.reserve(trained * batch, lag))
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
