import Learning
import Tensors

/// Where everything of a pass lies in its workspace. Between the layers the axes are
/// `[block of channels, window, time, channel]`.
struct SpaceTimeMemory: Sendable {
    /// One encoder block.
    struct Encoder: Sendable {
        let filter: CompanionFilter
        let filters: [FilterMemory]  // of every block of kernels
        /// w of every kernel: of the first encoder block on the inputs of every variate and window, of
        /// the others on their windows.
        let filtered: Blocks
        /// What the first block's kernels answer to the inputs; their gradient, later.
        let responses: Blocks
        /// What the state space gives to the MLP; its gradient, later.
        let scanned: Blocks
        /// The block's output; its gradient, later.
        let output: Blocks
        let skip: Panel  // [blocks, 16]
        let bias: Panel  // [blocks, 16]
        let weights: Panel  // [channels, channels] of whole blocks: outputs by inputs
        let transposed: Panel  // inputs by outputs
        let column: Panel  // [channels, 16]: sixteen columns of `transposed`
        let gradients: [EncoderShare]
    }

    /// What one share of the windows adds up for one encoder block.
    struct EncoderShare: Sendable {
        let filters: [FilterGradient]
        let skip: Panel  // [blocks, 16]
        let bias: Panel  // [blocks, 16]
        let weights: Panel  // [channels, channels]: outputs by inputs
        let embedding: Panel  // [width, sources], of the first block behind a trained embedding
    }

    /// The decoder and the head.
    struct Decoder: Sendable {
        let filter: CompanionFilter
        let filters: [FilterMemory]
        let filtered: Blocks
        let states: [Panel]  // of every block, [windows·step, 16]
        let closed: Blocks  // forecasts, tile by tile
        let open: Blocks  // one-step predictions; their gradient, later
        let next: Blocks  // predictions of the next input; their gradient, later
        let gain: Panel  // [blocks, 16]
        let weights: [Panel]  // of every variate, [blocks, 16]
        let dgain: Panel  // [blocks, 16]
        let dweights: [Panel]  // of every variate, [blocks, 16]
        let sums: [Sums]  // of every block
    }

    /// What one block of the decoder adds up over its channels.
    struct Sums: Sendable {
        let closed: [Panel]  // of every variate, [1, windows·horizon]: tile by tile
        let open: [Panel]  // of every variate, [1, windows·lag]
        let squares: Panel  // [1, 1]
    }

    let parameters: Panel  // [1, parameters]
    let gradient: Panel  // [1, parameters]
    let windows: Panel  // [variates·windows, lag]
    let futures: Panel  // [variates·windows, horizon]
    let inputs: Panel  // [sources·windows, lag], transformed
    let encoders: [Encoder]
    let decoder: Decoder
    let forecasts: Panel  // [variates·windows, horizon]
    let oneStep: Panel  // [variates·windows, lag]
    let dforecasts: Panel  // [variates·windows, horizon]
    let doneStep: Panel  // [variates·windows, lag]
    let dclosedSums: [Panel]  // of every variate, [1, windows·horizon]: tile by tile
    let doneStepRows: [Panel]  // of every variate, [1, windows·lag]: its part of `doneStep`
    let members: [SpaceTimeScratch]

    /// How forecasts are divided.
    let tiles: HorizonTiles

    /// The most shares that windows are divided into in the encoder's backward pass; fixed, so that the
    /// number of threads does not change the sums.
    static let sharesMaximum = 8
    /// Windows that are worked on together, as many as a kernel's tile holds.
    static let windowsPerItem = 5

    init(
        _ layout: inout WorkspaceLayout, _ network: SpaceTimeNetwork, batch: Int, horizon: Int,
        training: Bool, threads: Int
    ) {
        let c = network.configuration
        let (lag, variates) = (c.lag, c.variates)
        let rows = variates * batch
        let trained = training ? 1 : 0
        tiles =
            training
            ? HorizonTiles(horizon: horizon) : HorizonTiles(horizon: horizon, longest: horizon)
        parameters = layout.reserve(1, network.layout.count)
        gradient = layout.reserve(trained, network.layout.count)
        windows = layout.reserve(rows, lag)
        futures = layout.reserve(rows, horizon)
        inputs = layout.reserve(c.sources * batch, lag)
        encoders = network.blocks.indices.map { index in
            Encoder(&layout, network, index, batch: batch, training: training)
        }
        decoder = Decoder(&layout, network, batch: batch, horizon: horizon, training: training)
        forecasts = layout.reserve(rows, horizon)
        oneStep = layout.reserve(trained * rows, lag)
        dforecasts = layout.reserve(trained * rows, horizon)
        doneStep = layout.reserve(trained * rows, lag)
        dclosedSums = (0..<variates).map { _ in layout.reserve(trained, batch * horizon) }
        let steps = doneStep
        doneStepRows = (0..<variates * trained).map {
            steps.rows($0 * batch..<($0 + 1) * batch).reshaped(1, batch * lag)
        }
        members = (0..<threads).map { _ in
            SpaceTimeScratch(&layout, network, batch: batch, horizon: horizon, training: training)
        }
    }

    /// The consecutive items of one share, of `count` items in all.
    static func share(_ share: Int, of count: Int) -> Range<Int> {
        share * count / sharesMaximum..<(share + 1) * count / sharesMaximum
    }

    /// How many items of `windowsPerItem` there are among `count` windows.
    static func items(_ count: Int) -> Int { (count + windowsPerItem - 1) / windowsPerItem }

    /// The windows of one item, of `count` in all.
    static func item(_ item: Int, of count: Int) -> Range<Int> {
        item * windowsPerItem..<min(count, (item + 1) * windowsPerItem)
    }
}

extension SpaceTimeMemory.Encoder {
    init(
        _ layout: inout WorkspaceLayout, _ network: SpaceTimeNetwork, _ index: Int, batch: Int,
        training: Bool
    ) {
        let c = network.configuration
        let blocks = Blocks.count(channels: c.width)
        let filter = network.blocks[index].ssm.filter
        let (channels, rows) = index == 0 ? (c.groups, c.sources * batch) : (c.width, batch)
        let embedded = index == 0 && network.embedding != nil ? c.width : 0
        self.filter = filter
        filters = (0..<filter.blocks).map { _ in FilterMemory(&layout, filter) }
        filtered = Blocks(&layout, channels: channels, windows: rows, length: c.lag)
        responses = Blocks(
            &layout, channels: index == 0 ? channels : 0, windows: rows, length: c.lag)
        scanned = Blocks(&layout, channels: c.width, windows: batch, length: c.lag)
        output = Blocks(&layout, channels: c.width, windows: batch, length: c.lag)
        skip = layout.reserve(blocks, Blocks.channels)
        bias = layout.reserve(blocks, Blocks.channels)
        weights = layout.reserve(blocks * Blocks.channels, blocks * Blocks.channels)
        transposed = layout.reserve(blocks * Blocks.channels, blocks * Blocks.channels)
        column = layout.reserve(blocks * Blocks.channels, Blocks.channels)
        gradients = (0..<(training ? SpaceTimeMemory.sharesMaximum : 0)).map { _ in
            SpaceTimeMemory.EncoderShare(
                filters: (0..<filter.blocks).map { _ in
                    FilterGradient(&layout, filter, isShare: true)
                },
                skip: layout.reserve(blocks, Blocks.channels),
                bias: layout.reserve(blocks, Blocks.channels),
                weights: layout.reserve(blocks * Blocks.channels, blocks * Blocks.channels),
                embedding: layout.reserve(embedded, c.sources))
        }
    }
}

extension SpaceTimeMemory.Decoder {
    init(
        _ layout: inout WorkspaceLayout, _ network: SpaceTimeNetwork, batch: Int, horizon: Int,
        training: Bool
    ) {
        let c = network.configuration
        let trained = training ? c.width : 0
        let filter = network.decoder.filter
        let blocks = filter.blocks
        func perVariate(_ rows: Int, _ columns: Int) -> [Panel] {
            (0..<c.variates).map { _ in layout.reserve(rows, columns) }
        }
        self.filter = filter
        filters = (0..<blocks).map { _ in FilterMemory(&layout, filter) }
        filtered = Blocks(&layout, channels: c.width, windows: batch, length: c.lag)
        states = (0..<blocks).map { _ in
            layout.reserve(training ? batch * (c.d | 1) : 0, Blocks.channels)
        }
        closed = Blocks(&layout, channels: trained, windows: batch, length: horizon)
        open = Blocks(&layout, channels: trained, windows: batch, length: c.lag)
        next = Blocks(&layout, channels: trained, windows: batch, length: c.lag)
        gain = layout.reserve(blocks, Blocks.channels)
        weights = perVariate(blocks, Blocks.channels)
        dgain = layout.reserve(blocks, Blocks.channels)
        dweights = perVariate(blocks, Blocks.channels)
        sums = (0..<blocks).map { _ in
            SpaceTimeMemory.Sums(
                closed: perVariate(1, batch * horizon),
                open: perVariate(training ? 1 : 0, batch * c.lag), squares: layout.reserve(1, 1))
        }
    }
}

/// Scratch of one thread.
struct SpaceTimeScratch: Sendable {
    let input: Panel  // [windows of an item·lag, 16]
    let signals: Panel  // [width, lag]
    let convolved: Panel  // [groups·sources, lag]
    let embedded: EmbeddingScratch?
    let sums: Panel  // [1, 2·(lag + 1)]
    let preprocessed: BlockColumn
    let activated: BlockColumn
    let slopes: BlockColumn
    let continued: Panel  // [windows of an item·continued length, 16]
    let closed: Panel  // forecasts of an item, or ∂L/∂ of those of a tile
    let spare: Panel  // as `closed`
    let forecast: ForecastScratch
    let dstates: Panel  // [windows·step, 16]
    let gradient: FilterGradient  // of the decoder
    let encoderGradient: FilterGradient

    init(
        _ layout: inout WorkspaceLayout, _ network: SpaceTimeNetwork, batch: Int, horizon: Int,
        training: Bool
    ) {
        let c = network.configuration
        let together = min(batch, SpaceTimeMemory.windowsPerItem)
        input = layout.reserve(together * c.lag, Blocks.channels)
        signals = layout.reserve(c.width, c.lag)
        convolved = layout.reserve(c.groups * c.sources, c.lag)
        embedded = network.embedding.map { _ in EmbeddingScratch(&layout, c) }
        sums = layout.reserve(1, 2 * (c.lag + 1))
        preprocessed = BlockColumn(&layout, channels: c.width, length: c.lag)
        activated = BlockColumn(&layout, channels: c.width, length: c.lag)
        slopes = BlockColumn(&layout, channels: training ? c.width : 0, length: c.lag)
        continued = layout.reserve(
            training ? 0 : together * network.decoder.continuedLength(horizon: horizon),
            Blocks.channels)
        let tile = HorizonTiles(horizon: horizon).stepsMaximum
        let steps = training ? max(batch * tile, together * c.lag) : together * horizon
        closed = layout.reserve(steps, Blocks.channels)
        spare = layout.reserve(training && c.variates > 1 ? steps : 0, Blocks.channels)
        forecast = ForecastScratch(
            &layout, d: c.d, horizon: training ? horizon : 0, training: training)
        dstates = layout.reserve(training ? batch * (c.d | 1) : 0, Blocks.channels)
        gradient = FilterGradient(&layout, network.decoder.filter, isShare: !training)
        encoderGradient = FilterGradient(
            &layout, network.blocks[0].ssm.filter, isShare: !training)
    }
}
