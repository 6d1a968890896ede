import Learning
import Tensors

/// The last values of one series, oldest first and without a gap.
struct SampleWindow: Sendable {
    private let ring: Panel  // [1, 2·length]
    private let length: Int
    private var position = 0

    init(_ layout: inout WorkspaceLayout, length: Int) {
        ring = layout.reserve(1, 2 * length)
        self.length = length
    }

    mutating func push<S>(_ value: S, _ work: Workspace<S>) {
        work[ring, 0, position] = value
        work[ring, 0, position + length] = value
        position = (position + 1) % length
    }

    /// The last `count` values, `[1, count]`.
    func last(_ count: Int) -> Panel {
        ring.columns(position + length - count..<position + length)
    }
}

/// What a stream keeps: coefficients that follow from the weights, and the states of all layers.
struct SpaceTimeStreamMemory: Sendable {
    let parameters: Panel  // [1, parameters]
    /// The buffered samples, of every variate.
    var window: [SampleWindow]
    let constant: Panel  // [1, lag]
    /// The fixed kernels, row i for lag taps − 1 − i.
    let fixed: Panel  // [taps, width]
    /// The last inputs, and the last outputs of the first block's kernels, both spread over the
    /// channels.
    var inputs: DelayLine
    var convolved: DelayLine
    /// The state spaces of all blocks; the first has a lane for a kernel and a variate.
    var banks: [FilterBank]
    var decoder: FilterBank
    /// The decoder's closed loop: fed back what it predicts.
    var loop: FilterBank
    let gains: Panel  // [1, width]
    let spread: Panel  // [1, width]
    let narrow: Panel  // [1, groups·variates]
    let zero: Panel  // [1, width]
    let residual: Panel  // [chunk, width]
    let scanned: Panel  // [chunk, width]
    let activated: Panel  // [chunk, width]
    let forecasts: Panel  // [chunk, variates]
    private let columns: Panel  // [width, d], normalised
    private let square: Panel  // [d, d]
    private let variates: Int
    private let groups: Int

    init(_ layout: inout WorkspaceLayout, _ network: SpaceTimeNetwork, chunk: Int) {
        let c = network.configuration
        (variates, groups) = (c.variates, c.groups)
        let width = c.width
        parameters = layout.reserve(1, network.layout.count)
        window = (0..<c.variates).map { _ in SampleWindow(&layout, length: c.lag) }
        constant = layout.reserve(1, c.lag)
        let taps = max(4, Int(network.preprocess.windows.max() ?? 0))
        fixed = layout.reserve(taps, width)
        inputs = DelayLine(&layout, count: taps, lanes: width)
        convolved = DelayLine(&layout, count: taps, lanes: width)
        banks = network.blocks.indices.map { index in
            FilterBank(
                &layout, d: c.d, lanes: index == 0 ? c.groups * c.variates : width, outputs: 1)
        }
        decoder = FilterBank(&layout, d: c.d, lanes: width, outputs: 2)
        loop = FilterBank(&layout, d: c.d, lanes: width, outputs: 1)
        gains = layout.reserve(1, width)
        spread = layout.reserve(1, width)
        narrow = layout.reserve(1, c.groups * c.variates)
        zero = layout.reserve(1, width)
        residual = layout.reserve(chunk, width)
        scanned = layout.reserve(chunk, width)
        activated = layout.reserve(chunk, width)
        forecasts = layout.reserve(chunk, c.variates)
        columns = layout.reserve(4 * width, c.d)
        square = layout.reserve(c.d, c.d)
    }

    // MARK: From the weights

    func prepare<S>(_ network: SpaceTimeNetwork, _ work: Workspace<S>) {
        for (index, block) in network.blocks.enumerated() {
            let ssm = block.ssm
            let a = columns.rows(0..<ssm.kernels)
            work.normalise(ssm.a.panel(in: parameters), into: a)
            let (b, c) = (ssm.b.panel(in: parameters), ssm.c.panel(in: parameters))
            let copies = index == 0 ? variates : 1
            banks[index].prepare(
                (0..<ssm.kernels * copies).map { lane in
                    let g = lane / copies
                    return (a.row(g), b.row(g), [c.row(g)])
                }, scratch: square, work)
        }
        prepareDecoder(network, work)
        prepareFixed(network, work)
    }

    private func prepareDecoder<S>(_ network: SpaceTimeNetwork, _ work: Workspace<S>) {
        let (layer, width) = (network.decoder, network.configuration.width)
        let normalised = (0..<4).map { columns.rows($0 * width..<($0 + 1) * width) }
        for (slot, panel) in zip([layer.a, layer.b, layer.c, layer.k], normalised) {
            work.normalise(slot.panel(in: parameters), into: panel)
        }
        decoder.prepare(
            (0..<width).map { head in
                (
                    normalised[0].row(head), normalised[1].row(head),
                    [normalised[2].row(head), normalised[3].row(head)]
                )
            }, scratch: square, work)
        // w_{t+1} = Σ (κ_j + α_{j+1})·w_{t−j}: row i of either belongs to the same w.
        work.copy(decoder.feedback, to: loop.feedback)
        work.add(decoder.outputs[1], to: loop.feedback)
        work.copy(decoder.outputs[0], to: loop.outputs[0])
        work.copy(layer.gain.panel(in: parameters), to: gains)
    }

    private func prepareFixed<S>(_ network: SpaceTimeNetwork, _ work: Workspace<S>) {
        let (taps, width) = (fixed.rows, fixed.columns)
        var table = [S](repeating: 0, count: taps * width)
        let differences: [[S]] = [[1], [1, -1], [1, -2, 1], [1, -3, 3, -1]]
        for channel in 0..<width {
            let (group, kernel) = (channel / variates / 8, channel / variates % 8)
            var response = [S](repeating: 0, count: taps)
            if kernel < 4 {
                for (lag, value) in differences[kernel].enumerated() { response[lag] = value }
            } else {
                let length = Int(network.preprocess.windows[4 * group + kernel - 4])
                for lag in 0..<length { response[lag] = -1 / S(length) }
                response[0] += 1
            }
            for lag in 0..<taps { table[(taps - 1 - lag) * width + channel] = response[lag] }
        }
        work.load(fixed, from: table)
    }

    // MARK: Samples through the layers

    /// The first block's state space on inputs `[count·variates]`: fills `residual` and `scanned`.
    mutating func scanInput<S>(
        _ values: [S], _ count: Int, _ network: SpaceTimeNetwork, _ work: Workspace<S>
    ) {
        let skip = network.blocks[0].ssm.skip.panel(in: parameters)
        work.fill(residual.rows(0..<count))
        work.fill(scanned.rows(0..<count))
        for t in 0..<count {
            for variate in 0..<variates {
                let value = values[t * variates + variate]
                for panel in [narrow, spread] {
                    let lanes = panel.reshaped(panel.columns / variates, variates)
                    work.fill(lanes.columns(variate..<variate + 1), with: value)
                }
            }
            banks[0].step(narrow, work)
            inputs.push(spread, work)
            work.fill(narrow)
            banks[0].addOutput(0, to: narrow, work)
            spreadOut(narrow, into: spread, work)
            convolved.push(spread, work)
            let (z, s) = (residual.row(t), scanned.row(t))
            work.addColumnProducts(inputs.rows, fixed, to: z)
            work.addColumnProducts(convolved.rows, fixed, to: s)
            work.multiplyElements(skip, z, into: s, adding: true)
        }
    }

    /// A lane for a group and a variate, `[1, groups·variates]`, to its eight channels, `[1, width]`.
    private func spreadOut<S>(_ lanes: Panel, into channels: Panel, _ work: Workspace<S>) {
        let source = lanes.reshaped(groups, variates)
        let target = channels.reshaped(groups, channels.columns / groups)
        for kernel in 0..<Preprocess.kernelsPerGroup {
            work.copy(source, to: target.columns(kernel * variates..<(kernel + 1) * variates))
        }
    }

    // MARK: What a state consists of

    /// The last inputs without their repetitions, `[taps·variates]`.
    func narrowInputs<S>(_ work: Workspace<S>) -> [S] {
        work.values(inputs.rows.columns(0..<variates))
    }

    /// The last outputs of the first kernels without repetitions, `[taps·groups·variates]`.
    func narrowConvolved<S>(_ work: Workspace<S>) -> [S] {
        let width = spread.columns / groups
        return (0..<convolved.count).flatMap { row in
            (0..<groups).flatMap { group in
                work.values(
                    convolved.rows.row(row).columns(group * width..<group * width + variates))
            }
        }
    }

    /// Takes back what `narrowInputs` and `narrowConvolved` gave.
    mutating func restore<S>(inputs: [S], convolved: [S], _ work: Workspace<S>) {
        self.inputs.clear(work)
        self.convolved.clear(work)
        for row in 0..<self.inputs.count {
            for group in 0..<groups {
                work.load(
                    narrow.columns(group * variates..<(group + 1) * variates), from: inputs,
                    at: row * variates)
            }
            spreadOut(narrow, into: spread, work)
            self.inputs.push(spread, work)
            work.load(narrow, from: convolved, at: row * narrow.columns)
            spreadOut(narrow, into: spread, work)
            self.convolved.push(spread, work)
        }
    }

    // MARK: Further layers

    /// A later block's state space, from `residual` to `scanned`.
    mutating func scan<S>(
        _ index: Int, _ count: Int, _ network: SpaceTimeNetwork, _ work: Workspace<S>
    ) {
        let skip = network.blocks[index].ssm.skip.panel(in: parameters)
        for t in 0..<count {
            banks[index].step(residual.row(t), work)
            work.multiplyElements(skip, residual.row(t), into: scanned.row(t))
            banks[index].addOutput(0, to: scanned.row(t), work)
        }
    }

    /// The MLP of a block and both residuals, from `scanned` to `residual`.
    func runMLP<S>(
        _ index: Int, _ count: Int, _ network: SpaceTimeNetwork, _ work: Workspace<S>
    ) {
        let linear = network.blocks[index].mlp.linear
        let (source, sum) = (scanned.rows(0..<count), residual.rows(0..<count))
        let active = activated.rows(0..<count)
        work.gelu(source, into: active)
        work.multiply(
            active, linear.weight.panel(in: parameters), into: sum, transposeB: true, beta: 1)
        work.add(source, to: sum)
        guard let bias = linear.bias?.panel(in: parameters) else { return }
        for t in 0..<count { work.add(bias, to: residual.row(t)) }
    }

    mutating func feedDecoder<S>(_ count: Int, _ work: Workspace<S>) {
        for t in 0..<count { decoder.step(residual.row(t), work) }
    }

    /// Runs the closed loop on: outputs with their gain, `[steps, width]`.
    mutating func runLoop<S>(into outputs: Panel, _ work: Workspace<S>) {
        work.fill(outputs)
        for step in 0..<outputs.rows {
            loop.addOutput(0, to: outputs.row(step), work)
            work.multiplyElements(gains, outputs.row(step), into: outputs.row(step))
            loop.step(zero, work)
        }
    }

    /// Forgets all samples but the buffered ones.
    mutating func clear<S>(_ work: Workspace<S>) {
        inputs.clear(work)
        convolved.clear(work)
        for index in banks.indices { banks[index].clear(work) }
        decoder.clear(work)
    }
}
