import Learning
import Tensors

/// The first block behind a trained embedding: channel c sees `Σ_v W_{cv}·x_v + β_c`, and its
/// preprocessing comes after.
///
/// All of it is linear in W and β, so that each variate, and the constant 1, goes through kernels and
/// preprocessing once per group; channels are sums of the results.
///
/// - Source: models/spacetime.md §4.1 (its alternative) and §6, preprocessing.
extension SpaceTimeNetwork {
    /// Fills `target` `[width, lag]` and the scratch `preprocessed`, as `scanInput` does.
    func scanEmbedded<S>(
        _ embedding: Linear, _ window: Int, stride: Int, into target: Panel,
        _ memory: SpaceTimeMemory, _ scratch: SpaceTimeMemory.Member, _ work: Workspace<S>
    ) {
        let sources = embedSources(window, stride: stride, memory, scratch, work)
        let skip = blocks[0].ssm.skip.panel(in: memory.parameters)
        work.fill(target)
        work.fill(scratch.preprocessed)
        for channel in 0..<configuration.width {
            let (z, s) = (scratch.preprocessed.row(channel), target.row(channel))
            for source in 0..<sources {
                let factor = weight(embedding, channel, source, in: memory.parameters, work)
                let places = places(of: source, channel, scratch)
                work.add(places.plain, to: z, times: factor)
                work.add(places.scanned, to: s, times: factor)
            }
            work.add(z, to: s, times: work[skip, 0, channel])
        }
    }

    /// The adjoint of `scanEmbedded` and of the residual around it: adds to the gradients of the
    /// embedding, the skip and the kernels.
    ///
    /// - Parameters:
    ///   - embedding: The map.
    ///   - window: Which window.
    ///   - stride: Windows of the pass at most.
    ///   - dtarget: ∂L/∂ of what the state space gave, `[width, lag]`; overwritten.
    ///   - doutput: ∂L/∂ of the block's output, `[width, lag]`.
    ///   - memory: Of the pass.
    ///   - scratch: Of the calling thread.
    ///   - gradient: All gradients of this share.
    ///   - dkernels: Those of the kernels, `[groups, lag]`.
    ///   - work: The memory of all panels.
    func scanEmbeddedBackward<S>(
        _ embedding: Linear, _ window: Int, stride: Int, _ dtarget: Panel, doutput: Panel,
        _ memory: SpaceTimeMemory, _ scratch: SpaceTimeMemory.Member, gradient: Panel,
        dkernels: Panel, _ work: Workspace<S>
    ) {
        let sources = embedSources(window, stride: stride, memory, scratch, work)
        let ssm = blocks[0].ssm
        let (skip, dskip) = (
            ssm.skip.panel(in: memory.parameters), ssm.skip.panel(in: gradient)
        )
        for channel in 0..<configuration.width {
            let (ds, dz) = (dtarget.row(channel), doutput.row(channel))
            let factor = work[skip, 0, channel]
            for source in 0..<sources {
                let places = places(of: source, channel, scratch)
                let along = work.dot(ds, places.plain)
                let received =
                    work.dot(dz, places.plain) + Double(factor) * along
                    + work.dot(ds, places.scanned)
                let own = weight(embedding, channel, source, in: memory.parameters, work)
                addWeight(embedding, channel, source, S(received), in: gradient, work)
                work[dskip, 0, channel] += own * S(along)
            }
        }
        for source in 0..<sources {
            kernelsBackward(
                embedding, source, signal(source, window, stride, memory), dtarget, memory, scratch,
                dkernels: dkernels, work)
        }
    }

    /// What one source gives to the gradients of all kernels.
    private func kernelsBackward<S>(
        _ embedding: Linear, _ source: Int, _ signal: Panel, _ dtarget: Panel,
        _ memory: SpaceTimeMemory, _ scratch: SpaceTimeMemory.Member, dkernels: Panel,
        _ work: Workspace<S>
    ) {
        let kernels = memory.blocks[0].kernels.kernel
        for g in 0..<configuration.groups {
            let rows = scratch.preprocessed.rows(0..<Preprocess.kernelsPerGroup)
            for k in 0..<Preprocess.kernelsPerGroup {
                let channel = g * Preprocess.kernelsPerGroup + k
                let factor = weight(embedding, channel, source, in: memory.parameters, work)
                work.combine(factor, dtarget.row(channel), 0, rows.row(k))
            }
            let received = scratch.convolved.row(g)
            preprocess.backward(
                group: g, rows, into: received, scratch: scratch.sums, work)
            work.convolveBackward(
                signal, kernels: (kernels.row(g), nil), dy: (received, nil), into: nil,
                dkernels: (dkernels.row(g), nil), scratch: scratch.convolution)
        }
    }

    /// Takes every source through preprocessing, and through kernels and preprocessing.
    ///
    /// - Returns: How many sources there are: the variates, and the constant 1 for the bias.
    private func embedSources<S>(
        _ window: Int, stride: Int, _ memory: SpaceTimeMemory, _ scratch: SpaceTimeMemory.Member,
        _ work: Workspace<S>
    ) -> Int {
        let kernels = memory.blocks[0].kernels.kernel
        let width = Preprocess.kernelsPerGroup
        for source in 0...configuration.variates {
            let signal = signal(source, window, stride, memory)
            for g in 0..<configuration.groups {
                let convolved = scratch.convolved.row(g)
                work.convolve(
                    signal, kernels: (kernels.row(g), nil), into: (convolved, nil),
                    scratch: scratch.convolution)
                let first = source * configuration.width + g * width
                preprocess.forward(
                    group: g, signal, into: scratch.plain.rows(first..<first + width),
                    scratch: scratch.sums, work)
                preprocess.forward(
                    group: g, convolved, into: scratch.scanned.rows(first..<first + width),
                    scratch: scratch.sums, work)
            }
        }
        return configuration.variates + 1
    }

    /// One variate's window, or ones.
    private func signal(
        _ source: Int, _ window: Int, _ stride: Int, _ memory: SpaceTimeMemory
    ) -> Panel {
        source < configuration.variates
            ? memory.inputs.row(source * stride + window) : memory.ones
    }

    /// A source's signal as one channel preprocesses it, without and with its kernel.
    private func places(
        of source: Int, _ channel: Int, _ scratch: SpaceTimeMemory.Member
    ) -> (plain: Panel, scanned: Panel) {
        let row = source * configuration.width + channel
        return (scratch.plain.row(row), scratch.scanned.row(row))
    }

    /// W of a variate, or β.
    private func weight<S>(
        _ embedding: Linear, _ channel: Int, _ source: Int, in flat: Panel, _ work: Workspace<S>
    ) -> S {
        guard source == configuration.variates else {
            return work[embedding.weight.panel(in: flat), channel, source]
        }
        return embedding.bias.map { work[$0.panel(in: flat), 0, channel] } ?? 0
    }

    private func addWeight<S>(
        _ embedding: Linear, _ channel: Int, _ source: Int, _ value: S, in flat: Panel,
        _ work: Workspace<S>
    ) {
        if source < configuration.variates {
            work[embedding.weight.panel(in: flat), channel, source] += value
        } else if let bias = embedding.bias {
            work[bias.panel(in: flat), 0, channel] += value
        }
    }
}
