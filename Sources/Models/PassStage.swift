import Learning
import Tensors

/// One loop of a pass that threads share: which one, and all that it works with.
struct PassStage<S: Scalar>: TeamWork {
    /// What is done, and with which encoder block.
    enum Kind: Sendable {
        case preparation
        case firstEncoder
        case stateSpace(Int)
        case mixing(Int)
        case decoder
        case decoderBackward(LossTerm)
        case encoderBackward(Int)
        case stateSpaceBackward(Int)
    }

    let kind: Kind
    let network: SpaceTimeNetwork
    let memory: SpaceTimeMemory
    let work: Workspace<S>
    let batch: Int
    let batchMaximum: Int
    let horizon: Int
    /// Whether there is memory for the backward pass.
    let isTraining: Bool
    /// Whether the decoder runs open-loop as well.
    let auxiliary: Bool
    /// Whether what the next inputs are compared with receives no gradient.
    let isTargetDetached: Bool
    let dropout: PassDropouts

    var lag: Int { network.configuration.lag }

    /// How many items there are.
    var items: Int {
        switch kind {
        case .preparation, .decoder, .decoderBackward: memory.decoder.filters.count
        case .firstEncoder: SpaceTimeMemory.items(batch)
        case .stateSpace(let index), .stateSpaceBackward(let index):
            memory.encoders[index].filters.count
        case .mixing: batch
        case .encoderBackward: SpaceTimeMemory.sharesMaximum
        }
    }

    func run(item: Int, member: Int) {
        switch kind {
        case .preparation:
            memory.decoder.filter.prepare(
                item, memory.decoder.filters[item], memory.parameters, work)
        case .firstEncoder:
            runFirstEncoder(SpaceTimeMemory.item(item, of: batch), memory.members[member])
        case .stateSpace(let index): runStateSpace(index, item)
        case .mixing(let index): runMixing(index, item, memory.members[member])
        case .decoder: runDecoder(item, member)
        case .decoderBackward(let nextInput): runDecoderBackward(item, member, nextInput)
        case .encoderBackward(let index):
            runEncoderBackward(index, share: item, memory.members[member])
        case .stateSpaceBackward(let index):
            runStateSpaceBackward(index, item, memory.members[member])
        }
    }
}

/// The encoder.
extension PassStage {
    /// The first encoder block on some windows.
    private func runFirstEncoder(_ windows: Range<Int>, _ scratch: SpaceTimeScratch) {
        let encoder = memory.encoders[0]
        network.filterInputs(windows, stride: batchMaximum, memory, scratch, work)
        for window in windows {
            network.preprocessInput(window, stride: batchMaximum, memory, scratch, work)
            network.scanInput(window, stride: batchMaximum, memory, scratch, work)
            network.mix(
                0, window, residual: scratch.preprocessed, encoder, scratch, dropout(0, window),
                work)
        }
    }

    /// The state space of a later encoder block, for one block of channels.
    private func runStateSpace(_ index: Int, _ block: Int) {
        let encoder = memory.encoders[index]
        let z = memory.encoders[index - 1].output.block(block, windows: 0..<batch)
        let w = encoder.filtered.block(block, windows: 0..<batch)
        let scanned = encoder.scanned.block(block, windows: 0..<batch)
        encoder.filter.filter(z, into: w, length: lag, encoder.filters[block], work)
        encoder.filter.read(w, into: scanned, length: lag, encoder.filters[block], work)
        work.add(z, toBlock: scanned, times: encoder.skip.row(block))
    }

    /// The MLP of a later encoder block on one window.
    private func runMixing(_ index: Int, _ window: Int, _ scratch: SpaceTimeScratch) {
        network.mix(
            index, window, residual: memory.encoders[index - 1].output.window(window),
            memory.encoders[index], scratch, dropout(index, window), work)
    }

    /// The MLP of a block, and all of the first block but its kernels' weights, on a share of the
    /// windows.
    ///
    /// The gradient of the output lies in the output's place. What the state space receives goes to
    /// the place of `scanned`; the residual stays behind for `runStateSpaceBackward`.
    private func runEncoderBackward(_ index: Int, share: Int, _ scratch: SpaceTimeScratch) {
        let encoder = memory.encoders[index]
        let gradient = encoder.gradients[share]
        gradient.clear(work)
        let windows = SpaceTimeMemory.share(share, of: batch)
        for window in windows {
            network.mixBackward(window, encoder, scratch, gradient, dropout(index, window), work)
            if index == 0 {
                network.preprocessInput(window, stride: batchMaximum, memory, scratch, work)
                network.scanInputBackward(
                    window, stride: batchMaximum, memory, scratch, gradient, work)
            } else {
                let scanned = encoder.scanned.window(window)
                for block in 0..<scanned.count {
                    work.copy(scratch.slopes.block(block), to: scanned.block(block))
                }
            }
        }
        guard index == 0 else { return }
        network.filterInputsBackward(
            windows, stride: batchMaximum, encoder, scratch, gradient, work)
    }

    /// The state space of a later block, for one block of channels; the gradient of its input replaces
    /// that input.
    private func runStateSpaceBackward(_ index: Int, _ block: Int, _ scratch: SpaceTimeScratch) {
        let encoder = memory.encoders[index]
        let (filters, gradient) = (encoder.filters[block], scratch.encoderGradient)
        gradient.clear(work)
        for item in 0..<SpaceTimeMemory.items(batch) {
            let windows = SpaceTimeMemory.item(item, of: batch)
            let z = memory.encoders[index - 1].output.block(block, windows: windows)
            let dscanned = encoder.scanned.block(block, windows: windows)
            work.addSums(dscanned, times: z, to: encoder.gradients[0].skip.row(block))
            encoder.filter.backward(
                w: encoder.filtered.block(block, windows: windows), first: dscanned, into: z,
                length: lag, filters, gradient, work)
            work.add(dscanned, toBlock: z, times: encoder.skip.row(block))
            work.add(encoder.output.block(block, windows: windows), to: z)
        }
        encoder.filter.finish(
            block, filters, gradient, memory.parameters, into: memory.gradient, work)
    }

    /// The dropout of one window in an encoder block.
    private func dropout(_ index: Int, _ window: Int) -> Dropout {
        dropout.encoder.from(network.element(index * batchMaximum + window, length: lag))
    }
}
