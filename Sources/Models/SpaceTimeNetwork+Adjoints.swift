import Learning
import Tensors

extension SpaceTimeNetwork {
    /// The adjoint of `mix` on one window: fills the scratch `slopes` with the gradient of what the
    /// state space gave.
    func mixBackward<S>(
        _ window: Int, _ encoder: SpaceTimeMemory.Encoder, _ scratch: SpaceTimeScratch,
        _ gradient: SpaceTimeMemory.EncoderShare, _ dropout: Dropout, _ work: Workspace<S>
    ) {
        let (scanned, doutput) = (encoder.scanned.window(window), encoder.output.window(window))
        for block in 0..<doutput.count { work.fill(scratch.slopes.block(block)) }
        work.mix(encoder.weights, doutput, to: scratch.slopes)
        for block in 0..<doutput.count {
            let (s, ds) = (scanned.block(block), scratch.slopes.block(block))
            work.geluBackward(
                s, ds, value: scratch.activated.block(block), into: ds,
                dropout.from(block * s.count))
            work.add(doutput.block(block), to: ds)
            work.addSums(doutput.block(block), to: gradient.bias.row(block))
        }
        work.addOuterProducts(doutput, scratch.activated, to: gradient.weights)
    }

    /// The adjoint of `scanInput`: adds to the gradient of the skip, and puts that of the kernels'
    /// responses in their place.
    func scanInputBackward<S>(
        _ window: Int, stride: Int, _ memory: SpaceTimeMemory, _ scratch: SpaceTimeScratch,
        _ gradient: SpaceTimeMemory.EncoderShare, _ work: Workspace<S>
    ) {
        let encoder = memory.encoders[0]
        for block in 0..<scratch.slopes.count {
            let ds = scratch.slopes.block(block)
            work.addSums(
                ds, times: scratch.preprocessed.block(block), to: gradient.skip.row(block))
            let first = block * Blocks.channels
            work.fromBlock(
                ds,
                into: scratch.signals.rows(
                    first..<min(configuration.width, first + Blocks.channels)))
        }
        if let embedding, let embedded = scratch.embedded {
            embeddingBackward(
                embedding, window, stride: stride, memory, scratch, embedded, gradient, work)
        }
        for variate in 0..<configuration.sources {
            let convolved = convolved(of: variate, scratch)
            for g in 0..<configuration.groups where embedding == nil {
                preprocess.backward(
                    group: g, channels(of: g, variate, in: scratch.signals),
                    into: convolved.row(g), scratch: scratch.sums, work)
            }
            for block in encoder.filters.indices {
                let row = variate * stride + window
                work.toBlock(
                    encoder.filter.rows(block, of: convolved),
                    into: encoder.responses.block(block, windows: row..<row + 1))
            }
        }
    }

    /// The adjoint of `filterInputs` for some windows: adds to the gradients of the kernels. Nothing
    /// before them is trained.
    func filterInputsBackward<S>(
        _ windows: Range<Int>, stride: Int, _ encoder: SpaceTimeMemory.Encoder,
        _ scratch: SpaceTimeScratch, _ gradient: SpaceTimeMemory.EncoderShare, _ work: Workspace<S>
    ) {
        let together = SpaceTimeMemory.windowsPerItem
        for variate in 0..<configuration.sources {
            for start in Swift.stride(
                from: windows.lowerBound, to: windows.upperBound, by: together)
            {
                let end = min(windows.upperBound, start + together)
                let rows = variate * stride + start..<variate * stride + end
                for block in encoder.filters.indices {
                    encoder.filter.backward(
                        w: encoder.filtered.block(block, windows: rows),
                        first: encoder.responses.block(block, windows: rows),
                        into: scratch.input.rows(0..<rows.count * configuration.lag),
                        length: configuration.lag, encoder.filters[block], gradient.filters[block],
                        work)
                }
            }
        }
    }

    /// Adds what the shares of the windows know of an encoder block's other weights.
    func gatherEncoderGradients<S>(
        _ index: Int, _ memory: SpaceTimeMemory, _ work: Workspace<S>
    ) {
        let (encoder, width) = (memory.encoders[index], configuration.width)
        let (ssm, linear) = (blocks[index].ssm, blocks[index].mlp.linear)
        for share in encoder.gradients {
            work.add(
                share.weights.rows(0..<width).columns(0..<width),
                to: linear.weight.panel(in: memory.gradient))
            gather(share.skip, into: ssm.skip.panel(in: memory.gradient), work)
            if let bias = linear.bias {
                gather(share.bias, into: bias.panel(in: memory.gradient), work)
            }
            if index == 0, let embedding { gather(share.embedding, embedding, memory, work) }
        }
    }

    /// Adds what the blocks of channels know of gains and head weights.
    func gatherDecoderGradients<S>(_ memory: SpaceTimeMemory, _ work: Workspace<S>) {
        gather(memory.decoder.dgain, into: decoder.gain.panel(in: memory.gradient), work)
        let weights = head.weight.panel(in: memory.gradient)
        for variate in 0..<configuration.variates {
            gather(memory.decoder.dweights[variate], into: weights.row(variate), work)
        }
    }

    /// Adds `[blocks, 16]` to `[1, width]`.
    private func gather<S>(_ blocks: Panel, into row: Panel, _ work: Workspace<S>) {
        work.add(blocks.reshaped(1, blocks.count).columns(0..<row.columns), to: row)
    }
}

extension SpaceTimeMemory.EncoderShare {
    /// Sets everything to 0.
    func clear<S>(_ work: Workspace<S>) {
        for filter in filters { filter.clear(work) }
        work.fill(skip)
        work.fill(bias)
        work.fill(embedding)
        work.fill(weights)
    }
}
