import Learning
import Tensors

extension SpaceTimeNetwork {
    // MARK: Weights

    /// Lays out gains and head weights for blocks of channels.
    func spreadDecoderWeights<S>(_ memory: SpaceTimeMemory, _ work: Workspace<S>) {
        spread(decoder.gain.panel(in: memory.parameters), into: memory.decoder.gain, work)
        let weights = head.weight.panel(in: memory.parameters)
        for variate in 0..<configuration.variates {
            spread(weights.row(variate), into: memory.decoder.weights[variate], work)
        }
    }

    /// Lays out skip, bias and mixing weights of an encoder block for blocks of channels.
    func spreadEncoderWeights<S>(
        _ index: Int, _ encoder: SpaceTimeMemory.Encoder, _ p: Panel, _ work: Workspace<S>
    ) {
        let (ssm, linear) = (blocks[index].ssm, blocks[index].mlp.linear)
        let width = configuration.width
        spread(ssm.skip.panel(in: p), into: encoder.skip, work)
        if let bias = linear.bias { spread(bias.panel(in: p), into: encoder.bias, work) }
        let weights = linear.weight.panel(in: p)
        work.copy(weights, to: encoder.weights.rows(0..<width).columns(0..<width))
        for block in 0..<encoder.skip.rows {
            let first = block * Blocks.channels
            // Sixteen rows as a block are sixteen columns of the transposed matrix.
            work.toBlock(
                weights.rows(first..<min(width, first + Blocks.channels)),
                into: encoder.column.rows(0..<width))
            work.copy(
                encoder.column, to: encoder.transposed.columns(first..<first + Blocks.channels))
        }
    }

    /// `[1, width]` → `[blocks, 16]`; what is beyond stays 0.
    private func spread<S>(_ row: Panel, into blocks: Panel, _ work: Workspace<S>) {
        work.copy(row, to: blocks.reshaped(1, blocks.count).columns(0..<row.columns))
    }

    // MARK: Encoder

    /// Number of a window's first element among those of all windows, for its dropout.
    func element(_ window: Int, length: Int) -> Int {
        window * Blocks.count(channels: configuration.width) * length * Blocks.channels
    }

    /// The first block's kernels on the inputs of some windows: their filtered signals and responses.
    func filterInputs<S>(
        _ windows: Range<Int>, stride: Int, _ memory: SpaceTimeMemory,
        _ scratch: SpaceTimeScratch, _ work: Workspace<S>
    ) {
        let (encoder, lag) = (memory.encoders[0], configuration.lag)
        let input = scratch.input.rows(0..<windows.count * lag)
        for variate in 0..<configuration.sources {
            for window in windows {
                let place = window - windows.lowerBound
                work.broadcast(
                    memory.inputs.row(variate * stride + window),
                    into: input.rows(place * lag..<(place + 1) * lag))
            }
            let rows = variate * stride + windows.lowerBound..<variate * stride + windows.upperBound
            for block in encoder.filters.indices {
                let w = encoder.filtered.block(block, windows: rows)
                encoder.filter.filter(input, into: w, length: lag, encoder.filters[block], work)
                encoder.filter.read(
                    w, into: encoder.responses.block(block, windows: rows), length: lag,
                    encoder.filters[block], work)
            }
        }
    }

    /// Fills the scratch `preprocessed` from one window.
    func preprocessInput<S>(
        _ window: Int, stride: Int, _ memory: SpaceTimeMemory, _ scratch: SpaceTimeScratch,
        _ work: Workspace<S>
    ) {
        if let embedding, let embedded = scratch.embedded {
            embedInput(embedding, window, stride: stride, memory, scratch, embedded, work)
            return toBlocks(scratch.signals, scratch.preprocessed, work)
        }
        for variate in 0..<configuration.variates {
            for g in 0..<configuration.groups {
                preprocess.forward(
                    group: g, memory.inputs.row(variate * stride + window),
                    into: channels(of: g, variate, in: scratch.signals), scratch: scratch.sums,
                    work)
            }
        }
        toBlocks(scratch.signals, scratch.preprocessed, work)
    }

    /// The first block's state space on one window, by exchanging two convolutions that commute: the
    /// input is filtered with every kernel, and the results are preprocessed, which takes an eighth
    /// of the work of filtering every preprocessed channel.
    func scanInput<S>(
        _ window: Int, stride: Int, _ memory: SpaceTimeMemory, _ scratch: SpaceTimeScratch,
        _ work: Workspace<S>
    ) {
        let encoder = memory.encoders[0]
        for source in 0..<configuration.sources {
            let convolved = convolved(of: source, scratch)
            for block in encoder.filters.indices {
                let row = source * stride + window
                work.fromBlock(
                    encoder.responses.block(block, windows: row..<row + 1),
                    into: encoder.filter.rows(block, of: convolved))
            }
        }
        if let embedding, let embedded = scratch.embedded {
            embedScanned(embedding, memory, scratch, embedded, work)
        } else {
            for variate in 0..<configuration.variates {
                let convolved = convolved(of: variate, scratch)
                for g in 0..<configuration.groups {
                    preprocess.forward(
                        group: g, convolved.row(g),
                        into: channels(of: g, variate, in: scratch.signals),
                        scratch: scratch.sums, work)
                }
            }
        }
        let scanned = encoder.scanned.window(window)
        toBlocks(scratch.signals, scanned, work)
        for block in 0..<scanned.count {
            work.add(
                scratch.preprocessed.block(block), toBlock: scanned.block(block),
                times: encoder.skip.row(block))
        }
    }

    /// The MLP of an encoder block on one window, and its residual.
    func mix<S>(
        _ index: Int, _ window: Int, residual: BlockColumn, _ encoder: SpaceTimeMemory.Encoder,
        _ scratch: SpaceTimeScratch, _ dropout: Dropout, _ work: Workspace<S>
    ) {
        let (scanned, output) = (encoder.scanned.window(window), encoder.output.window(window))
        for block in 0..<scanned.count {
            let s = scanned.block(block)
            work.gelu(s, into: scratch.activated.block(block), dropout.from(block * s.count))
            work.sum(
                s, residual.block(block), plus: encoder.bias.row(block),
                intoBlock: output.block(block))
        }
        work.mix(encoder.transposed, scratch.activated, to: output)
    }

    /// Rows `[width, lag]` → blocks.
    private func toBlocks<S>(_ rows: Panel, _ blocks: BlockColumn, _ work: Workspace<S>) {
        for block in 0..<blocks.count {
            let first = block * Blocks.channels
            work.toBlock(
                rows.rows(first..<min(rows.rows, first + Blocks.channels)),
                into: blocks.block(block))
        }
    }

    /// What the kernels answer to one variate, or another source, `[groups, lag]`.
    func convolved(of source: Int, _ scratch: SpaceTimeScratch) -> Panel {
        let groups = configuration.groups
        return scratch.convolved.rows(source * groups..<(source + 1) * groups)
    }

    /// The eight channels of a group and a variate, `[8, lag]`: channel = (group·8 + kernel)·variates
    /// + variate.
    func channels(of group: Int, _ variate: Int, in panel: Panel) -> Panel {
        let kernels = Preprocess.kernelsPerGroup
        return panel.rows(every: configuration.variates, from: variate)
            .rows(group * kernels..<(group + 1) * kernels)
    }
}
