import Learning
import Tensors

/// Scratch of one thread for a trained embedding.
struct EmbeddingScratch: Sendable {
    /// Every source as every channel preprocesses it, without and with its kernel,
    /// `[sources·width, lag]`.
    let plain: Panel
    let scanned: Panel
    let doutput: Panel  // [width, lag]
    let part: Panel  // [8, lag]

    init(_ layout: inout WorkspaceLayout, _ configuration: SpaceTimeConfiguration) {
        let (width, lag) = (configuration.width, configuration.lag)
        plain = layout.reserve(configuration.sources * width, lag)
        scanned = layout.reserve(configuration.sources * width, lag)
        doutput = layout.reserve(width, lag)
        part = layout.reserve(Preprocess.kernelsPerGroup, lag)
    }
}

/// The first block behind a trained embedding: channel c sees `Σ_v W_{cv}·x_v + β_c`, and its
/// preprocessing comes after.
///
/// All of it is linear in W and β, so that each source – a variate, or the constant 1 – goes through
/// kernels and preprocessing once per group; channels are sums of the results.
///
/// - Source: Zhang, Saab, Poli, Dao, Goel, Ré, ICLR 2023 (SpaceTime), whose embedding is
///   trained; linearity is used here alone.
extension SpaceTimeNetwork {
    /// Fills `signals` `[width, lag]` of the scratch with the preprocessed channels of one window.
    func embedInput<S>(
        _ embedding: Linear, _ window: Int, stride: Int, _ memory: SpaceTimeMemory,
        _ scratch: SpaceTimeScratch, _ embedded: EmbeddingScratch, _ work: Workspace<S>
    ) {
        for source in 0..<configuration.sources {
            let input = memory.inputs.row(source * stride + window)
            for g in 0..<configuration.groups {
                preprocess.forward(
                    group: g, input, into: group(g, of: source, in: embedded.plain),
                    scratch: scratch.sums, work)
            }
        }
        addSources(embedding, embedded.plain, into: scratch.signals, memory, work)
    }

    /// Fills `signals` from what the kernels answered to every source.
    func embedScanned<S>(
        _ embedding: Linear, _ memory: SpaceTimeMemory, _ scratch: SpaceTimeScratch,
        _ embedded: EmbeddingScratch, _ work: Workspace<S>
    ) {
        preprocessAnswers(scratch, embedded, work)
        addSources(embedding, embedded.scanned, into: scratch.signals, memory, work)
    }

    /// The adjoint of both on one window, and of the residual around the block: adds to the share's
    /// gradient of the embedding, and replaces what the kernels answered by its gradient.
    ///
    /// `signals` holds ∂L/∂ of what the state space gave, and `plain` what `embedInput` left.
    func embeddingBackward<S>(
        _ embedding: Linear, _ window: Int, stride: Int, _ memory: SpaceTimeMemory,
        _ scratch: SpaceTimeScratch, _ embedded: EmbeddingScratch,
        _ gradient: SpaceTimeMemory.EncoderShare, _ work: Workspace<S>
    ) {
        let (encoder, width) = (memory.encoders[0], configuration.width)
        for source in 0..<configuration.sources {
            for block in encoder.filters.indices {
                let row = source * stride + window
                work.fromBlock(
                    encoder.responses.block(block, windows: row..<row + 1),
                    into: encoder.filter.rows(block, of: convolved(of: source, scratch)))
            }
        }
        preprocessAnswers(scratch, embedded, work)
        let output = encoder.output.window(window)
        for block in 0..<output.count {
            let first = block * Blocks.channels
            work.fromBlock(
                output.block(block),
                into: embedded.doutput.rows(first..<min(width, first + Blocks.channels)))
        }
        let skip = blocks[0].ssm.skip.panel(in: memory.parameters)
        for channel in 0..<width {
            let (ds, dz) = (scratch.signals.row(channel), embedded.doutput.row(channel))
            work.add(ds, to: dz, times: work[skip, 0, channel])
            for source in 0..<configuration.sources {
                let row = source * width + channel
                work[gradient.embedding, channel, source] += S(
                    work.dot(dz, embedded.plain.row(row)) + work.dot(ds, embedded.scanned.row(row)))
            }
        }
        for source in 0..<configuration.sources {
            answersBackward(embedding, source, memory, scratch, embedded, work)
        }
    }

    /// Fills the answers' place with their gradient, for one source.
    private func answersBackward<S>(
        _ embedding: Linear, _ source: Int, _ memory: SpaceTimeMemory,
        _ scratch: SpaceTimeScratch, _ embedded: EmbeddingScratch, _ work: Workspace<S>
    ) {
        let answers = convolved(of: source, scratch)
        for g in 0..<configuration.groups {
            for kernel in 0..<Preprocess.kernelsPerGroup {
                let channel = g * Preprocess.kernelsPerGroup + kernel
                work.combine(
                    weight(embedding, channel, source, memory, work),
                    scratch.signals.row(channel), 0, embedded.part.row(kernel))
            }
            preprocess.backward(
                group: g, embedded.part, into: answers.row(g), scratch: scratch.sums, work)
        }
    }

    /// Adds a share's `[width, sources]` to the gradients of W and β.
    func gather<S>(
        _ share: Panel, _ embedding: Linear, _ memory: SpaceTimeMemory, _ work: Workspace<S>
    ) {
        let variates = configuration.variates
        work.add(
            share.columns(0..<variates), to: embedding.weight.panel(in: memory.gradient))
        guard let bias = embedding.bias?.panel(in: memory.gradient) else { return }
        for channel in 0..<configuration.width {
            work[bias, 0, channel] += work[share, channel, variates]
        }
    }

    /// Fills `scanned` from the answers of all sources.
    private func preprocessAnswers<S>(
        _ scratch: SpaceTimeScratch, _ embedded: EmbeddingScratch, _ work: Workspace<S>
    ) {
        for source in 0..<configuration.sources {
            let answers = convolved(of: source, scratch)
            for g in 0..<configuration.groups {
                preprocess.forward(
                    group: g, answers.row(g), into: group(g, of: source, in: embedded.scanned),
                    scratch: scratch.sums, work)
            }
        }
    }

    /// Fills `channels` `[width, lag]` with the sums of all sources by their weights.
    private func addSources<S>(
        _ embedding: Linear, _ signals: Panel, into channels: Panel, _ memory: SpaceTimeMemory,
        _ work: Workspace<S>
    ) {
        work.fill(channels)
        for source in 0..<configuration.sources {
            for channel in 0..<configuration.width {
                work.add(
                    signals.row(source * configuration.width + channel), to: channels.row(channel),
                    times: weight(embedding, channel, source, memory, work))
            }
        }
    }

    /// The eight channels of a group of one source.
    private func group(_ g: Int, of source: Int, in signals: Panel) -> Panel {
        let first = source * configuration.width + g * Preprocess.kernelsPerGroup
        return signals.rows(first..<first + Preprocess.kernelsPerGroup)
    }

    /// W of a variate, or β.
    private func weight<S>(
        _ embedding: Linear, _ channel: Int, _ source: Int, _ memory: SpaceTimeMemory,
        _ work: Workspace<S>
    ) -> S {
        guard source == configuration.variates else {
            return work[embedding.weight.panel(in: memory.parameters), channel, source]
        }
        return embedding.bias.map { work[$0.panel(in: memory.parameters), 0, channel] } ?? 0
    }
}
