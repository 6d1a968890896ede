package import Tensors

/// Normalises every channel over a whole batch, on `[time, channel]`: `y = weight·(x − mean)·rate + bias`.
///
/// Sums run recording by recording, are kept for each, and joined in order and in `Double`: the
/// number of threads changes no bit.
///
/// - Source: Ioffe, Szegedy 2015.
package struct BatchNorm: Sendable {
    /// Added to the variance.
    package static var epsilon: Double { 1e-5 }

    package let weight: Slot  // [channels]
    package let bias: Slot  // [channels]
    /// Places in the layout of running statistics.
    package let running: (mean: Slot, variance: Slot)  // [channels]
    package let channels: Int

    package init(
        _ layout: inout ParameterLayout, statistics: inout ParameterLayout, channels: Int
    ) {
        self.channels = channels
        weight = layout.add("weight", channels, decayed: false)
        bias = layout.add("bias", channels, decayed: false)
        running = (
            statistics.add("running_mean", channels, decayed: false),
            statistics.add("running_var", channels, decayed: false)
        )
    }

    /// Weight 1, bias 0.
    package func begin<S>(_ p: inout Parameters<S>) {
        p.fill(weight, with: 1)
        p.fill(bias, with: 0)
    }

    /// Mean 0, variance 1.
    package func beginStatistics<S>(_ statistics: inout Parameters<S>) {
        statistics.fill(running.mean, with: 0)
        statistics.fill(running.variance, with: 1)
    }
}

/// What a batch norm knows of a batch.
package struct BatchNormMemory: Sendable {
    let means: Panel  // [records, channels], of each recording
    let squares: Panel  // [records, channels], about its own mean; then sums of slopes
    let sums: Panel  // [records, channels], sums of slopes
    let mean: Panel  // [1, channels]
    let rate: Panel  // [1, channels]
    let scale: Panel  // [1, channels]
    let offset: Panel  // [1, channels]
    let slope: Panel  // [1, channels]
    let shift: Panel  // [1, channels]

    package init(_ layout: inout WorkspaceLayout, _ norm: BatchNorm, records: Int) {
        means = layout.reserve(records, norm.channels)
        squares = layout.reserve(records, norm.channels)
        sums = layout.reserve(records, norm.channels)
        mean = layout.reserve(1, norm.channels)
        rate = layout.reserve(1, norm.channels)
        scale = layout.reserve(1, norm.channels)
        offset = layout.reserve(1, norm.channels)
        slope = layout.reserve(1, norm.channels)
        shift = layout.reserve(1, norm.channels)
    }
}

extension BatchNorm {
    /// Takes the mean and the squares of one recording, x `[time, channels]`.
    package func measure<S>(
        _ x: Panel, record: Int, _ memory: BatchNormMemory, _ work: Workspace<S>
    ) {
        let (mean, squares) = (memory.means.row(record), memory.squares.row(record))
        for panel in [mean, squares] { work.fill(panel) }
        work.addColumnSums(x, to: mean)
        work.combine(0, mean, 1 / S(x.rows), mean)
        work.addColumnSquares(x, mean: mean, to: squares)
    }

    /// Joins what `measure` took of `records` recordings of `time` points each, and moves the running
    /// statistics towards it.
    package func join<S>(
        records: Int, time: Int, momentum: Double, statistics: inout Parameters<S>,
        _ memory: BatchNormMemory, _ p: Panel, _ work: Workspace<S>
    ) {
        let count = Double(records * time)
        for channel in 0..<channels {
            var (mean, squares) = (0.0, 0.0)
            for record in 0..<records { mean += Double(work[memory.means, record, channel]) }
            mean /= Double(records)
            for record in 0..<records {
                let distance = Double(work[memory.means, record, channel]) - mean
                squares += Double(work[memory.squares, record, channel])
                squares += Double(time) * distance * distance
            }
            set(channel, mean: mean, variance: squares / count, memory, p, work)
            let (meanPlace, variancePlace) = (
                running.mean.offset + channel, running.variance.offset + channel
            )
            statistics.values[meanPlace] += S(
                momentum * (mean - Double(statistics.values[meanPlace])))
            let unbiased = squares / max(1, count - 1)
            statistics.values[variancePlace] += S(
                momentum * (unbiased - Double(statistics.values[variancePlace])))
        }
    }

    /// Takes the running statistics, all of which lie in one flat panel, for the batch's.
    package func freeze<S>(
        _ statistics: Panel, _ memory: BatchNormMemory, _ p: Panel, _ work: Workspace<S>
    ) {
        let (mean, variance) = (
            running.mean.panel(in: statistics), running.variance.panel(in: statistics)
        )
        for channel in 0..<channels {
            set(
                channel, mean: Double(work[mean, 0, channel]),
                variance: Double(work[variance, 0, channel]), memory, p, work)
        }
    }

    private func set<S>(
        _ channel: Int, mean: Double, variance: Double, _ memory: BatchNormMemory, _ p: Panel,
        _ work: Workspace<S>
    ) {
        let rate = 1 / (variance + Self.epsilon).squareRoot()
        let scale = Double(work[weight.panel(in: p), 0, channel]) * rate
        work[memory.mean, 0, channel] = S(mean)
        work[memory.rate, 0, channel] = S(rate)
        work[memory.scale, 0, channel] = S(scale)
        work[memory.offset, 0, channel] = S(
            Double(work[bias.panel(in: p), 0, channel]) - mean * scale)
    }

    /// x `[time, channels]` → y, plus `residual` where there is one, then no less than 0 where
    /// `rectified`.
    package func forward<S>(
        _ x: Panel, plus residual: Panel? = nil, rectified: Bool, into y: Panel,
        _ memory: BatchNormMemory, _ work: Workspace<S>
    ) {
        work.scaleColumns(
            x, by: memory.scale, plus: memory.offset, and: residual, rectified: rectified, into: y)
    }

    /// Takes the sums of one recording's slopes dy, behind the rectifier.
    package func measureSlopes<S>(
        _ dy: Panel, x: Panel, record: Int, _ memory: BatchNormMemory, _ work: Workspace<S>
    ) {
        let (sums, along) = (memory.sums.row(record), memory.squares.row(record))
        for panel in [sums, along] { work.fill(panel) }
        work.addColumnSlopes(x, mean: memory.mean, dy: dy, to: sums, along: along)
    }

    /// Joins what `measureSlopes` took, and adds to the gradients of weight and bias.
    ///
    /// - Parameters:
    ///   - records: How many recordings there are.
    ///   - time: Points in time of each.
    ///   - isFrozen: Whether mean and variance do not depend on the batch.
    ///   - memory: Of the forward pass.
    ///   - gradient: Of all parameters.
    ///   - work: The memory of all panels.
    package func joinSlopes<S>(
        records: Int, time: Int, isFrozen: Bool, _ memory: BatchNormMemory, gradient: Panel,
        _ work: Workspace<S>
    ) {
        let (dweight, dbias) = (weight.panel(in: gradient), bias.panel(in: gradient))
        let share = isFrozen ? 0 : 1 / Double(records * time)
        for channel in 0..<channels {
            var (sum, along) = (0.0, 0.0)
            for record in 0..<records {
                sum += Double(work[memory.sums, record, channel])
                along += Double(work[memory.squares, record, channel])
            }
            let rate = Double(work[memory.rate, 0, channel])
            let scale = Double(work[memory.scale, 0, channel])
            work[dweight, 0, channel] += S(along * rate)
            work[dbias, 0, channel] += S(sum)
            work[memory.slope, 0, channel] = S(-scale * rate * rate * along * share)
            work[memory.shift, 0, channel] = S(-scale * sum * share)
        }
    }

    /// Fills dx, which may be dy, once `joinSlopes` is done.
    package func backward<S>(
        _ dy: Panel, x: Panel, into dx: Panel, _ memory: BatchNormMemory, _ work: Workspace<S>
    ) {
        work.combineColumns(
            x, mean: memory.mean, dy: dy, scale: memory.scale, slope: memory.slope,
            offset: memory.shift, into: dx)
    }
}
