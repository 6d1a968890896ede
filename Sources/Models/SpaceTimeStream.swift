package import Learning
package import Tensors

/// A SpaceTime forecaster that takes samples one at a time, in work and memory that do not depend
/// on how many came before, and forecasts at any moment.
///
/// Two things differ from a window that is computed anew: the memory reaches further back than the
/// window, and what is taken from a window before the network sees it (its mean, say) stays frozen
/// between two anchors. At an anchor the states are computed anew from the last samples, so that the
/// forecast is then the window's own.
///
/// Every state space is a filter with d taps back and d taps out (`FilterBank`); the closed loop is
/// one too: its predicted input `Σ κ_j·w_{t−j}` makes the next w, so that `w_{t+1}` is
/// `Σ (κ_j + α_{j+1})·w_{t−j}`, and forecasting takes 2·d multiply-adds per step and channel.
///
/// - Source: Zhang, Saab, Poli, Dao, Goel, Ré, ICLR 2023 (SpaceTime) for what is streamed; the filter form is
///   derived here, see ops/decisions/0013.
package final class SpaceTimeStream<S: Scalar> {
    /// When states are computed anew from the buffered window.
    package enum Anchoring: Sendable, Equatable {
        /// After a quarter of the window, and when its mean is half a deviation from the offset.
        case automatic
        /// Never: offset and scale stay as they are.
        case never
    }

    package let network: SpaceTimeNetwork
    package let anchoring: Anchoring
    /// Samples that came since the last anchor.
    package internal(set) var sinceAnchor = 0
    /// Samples in the buffer, at most the lag.
    package internal(set) var buffered = 0
    /// What is subtracted from every variate, and what it is then divided by.
    package internal(set) var offsets: [S]
    package internal(set) var scales: [S]
    var memory: SpaceTimeStreamMemory
    let work: Workspace<S>

    /// Samples that are computed at a time.
    static var chunkMaximum: Int { 64 }

    /// - Parameters:
    ///   - network: What is computed; without a trained embedding, or the call traps.
    ///   - parameters: Its weights.
    ///   - anchoring: When states are computed anew.
    ///   - offset: What the stream begins with, for every variate; the first sample anchors where
    ///     nil and `anchoring` is automatic.
    package init(
        _ network: SpaceTimeNetwork, _ parameters: Parameters<S>,
        anchoring: Anchoring = .automatic, offset: S = 0
    ) {
        precondition(
            parameters.layout == network.layout, "SpaceTimeStream: another model's weights")
        self.network = network
        self.anchoring = anchoring
        let variates = network.configuration.variates
        offsets = [S](repeating: offset, count: variates)
        scales = [S](repeating: 1, count: variates)
        var layout = WorkspaceLayout()
        memory = SpaceTimeStreamMemory(&layout, network, chunk: Self.chunkMaximum)
        work = Workspace(layout)
        work.load(memory.parameters, from: parameters.values)
        memory.prepare(network, work)
    }

    /// Takes samples in the order of time.
    ///
    /// - Parameter samples: `[n, variates]`, finite, or the call traps.
    package func push(_ samples: Tensor<S>) {
        samples.expect([nil, network.configuration.variates])
        precondition(samples.values.allSatisfy(\.isFinite), "SpaceTimeStream: a missing sample")
        let variates = network.configuration.variates
        var waiting: [S] = []
        for start in stride(from: 0, to: samples.count, by: variates) {
            let sample = Array(samples.values[start..<start + variates])
            remember(sample)
            if isAnchorDue {
                waiting = []
                anchor()
                continue
            }
            waiting += sample
            sinceAnchor += 1
            if waiting.count == variates * Self.chunkMaximum {
                advance(waiting)
                waiting = []
            }
        }
        advance(waiting)
    }

    /// Computes offset, scale and all states anew from the buffered samples.
    package func anchor() {
        let rows = memory.window.map { work.values($0.last(buffered)) }
        for (variate, row) in rows.enumerated() {
            let transform = network.configuration.transform
            let mean = S(row.reduce(0.0) { $0 + Double($1) } / Double(row.count))
            var (offset, scale) = (S(0), S(1))
            switch transform {
            case .mean, .standardise: offset = mean
            case .last: offset = row[row.count - 1]
            case .none: break
            }
            if transform == .standardise {
                let squares = row.reduce(0.0) { $0 + Double(($1 - mean) * ($1 - mean)) }
                scale = S((squares / Double(row.count) + 1e-5).squareRoot())
            }
            (offsets[variate], scales[variate]) = (offset, scale)
        }
        memory.clear(work)
        let variates = rows.count
        let samples = (0..<buffered * variates).map { rows[$0 % variates][$0 / variates] }
        for start in stride(from: 0, to: samples.count, by: Self.chunkMaximum * variates) {
            advance(
                Array(samples[start..<min(samples.count, start + Self.chunkMaximum * variates)]))
        }
        sinceAnchor = 0
    }

    /// The forecast from here on, `[steps, variates]`; changes nothing.
    package func forecast(steps: Int) -> Tensor<S> {
        precondition(steps >= 0, "SpaceTimeStream: \(steps) steps")
        let variates = network.configuration.variates
        var result: [S] = []
        result.reserveCapacity(steps * variates)
        memory.loop.restore(work.values(memory.decoder.past.rows), work)
        while result.count < steps * variates {
            let count = min(Self.chunkMaximum, steps - result.count / variates)
            let closed = memory.scanned.rows(0..<count)
            let outputs = memory.forecasts.rows(0..<count)
            memory.runLoop(into: closed, work)
            work.gelu(closed, into: memory.activated.rows(0..<count))
            work.multiply(
                memory.activated.rows(0..<count), network.head.weight.panel(in: memory.parameters),
                into: outputs, transposeB: true)
            let bias = network.head.bias.map { work.values($0.panel(in: memory.parameters)) }
            for (index, value) in work.values(outputs).enumerated() {
                let variate = index % variates
                result.append((value + (bias?[variate] ?? 0)) * scales[variate] + offsets[variate])
            }
        }
        return Tensor([steps, variates], result)
    }

    // MARK: One sample after the other

    private func remember(_ sample: [S]) {
        let lag = network.configuration.lag
        for variate in sample.indices { memory.window[variate].push(sample[variate], work) }
        buffered = min(lag, buffered + 1)
    }

    private var isAnchorDue: Bool {
        let configuration = network.configuration
        guard anchoring == .automatic, configuration.transform != .none else { return false }
        if buffered == 1 || sinceAnchor + 1 >= max(1, configuration.lag / 4) { return true }
        return memory.window.indices.contains { variate in
            let row = memory.window[variate].last(buffered)
            let count = Double(buffered)
            let offset = Double(offsets[variate])
            let shift = work.sum(row) / count - offset
            let spread = memory.constant.columns(0..<buffered)
            work.fill(spread, with: offsets[variate])
            let variance = work.squaredDistance(row, spread) / count - shift * shift
            // Rounding alone must not anchor a constant series again and again.
            return shift * shift > 0.25 * variance && abs(shift) > 1e-5 * max(1, abs(offset))
        }
    }

    /// Takes samples through all layers, `[n·variates]`, at most a chunk.
    private func advance(_ samples: [S]) {
        let variates = network.configuration.variates
        let count = samples.count / variates
        guard count > 0 else { return }
        let scaled = samples.indices.map {
            (samples[$0] - offsets[$0 % variates]) / scales[$0 % variates]
        }
        memory.scanInput(scaled, count, network, work)
        for index in network.blocks.indices {
            if index > 0 { memory.scan(index, count, network, work) }
            memory.runMLP(index, count, network, work)
        }
        memory.feedDecoder(count, work)
    }
}
