import Learning
import Tensors

extension SpaceTimePass {
    private var lag: Int { network.configuration.lag }

    /// Subtracts from every window what the configuration says, and remembers it.
    func transformWindows() {
        let variates = network.configuration.variates
        for variate in 0..<variates {
            for index in 0..<batch {
                let row = variate * batchMaximum + index
                let (window, input) = (memory.windows.row(row), memory.inputs.row(row))
                var (offset, scale) = (S(0), S(1))
                switch network.configuration.transform {
                case .mean, .standardise: offset = S(work.sum(window) / Double(lag))
                case .last: offset = work[window, 0, lag - 1]
                case .none: break
                }
                work.combine(1, window, 0, input, plus: -offset)
                if offset != 0, network.configuration.transform != .last {
                    // What rounding left of the mean would be summed up by every slow pole.
                    let rest = S(work.sum(input) / Double(lag))
                    work.combine(1, input, 0, input, plus: -rest)
                    offset += rest
                }
                if network.configuration.transform == .standardise {
                    let variance = work.dot(input, input) / Double(lag)
                    scale = S((variance + 1e-5).squareRoot())
                    work.combine(1 / scale, input, 0, input)
                }
                offsets[row] = offset
                scales[row] = scale
            }
        }
    }

    /// Adds up the forecasts over the blocks of channels, and undoes the transform.
    func finishForecasts() {
        let sums = memory.decoder.sums
        for variate in 0..<network.configuration.variates {
            let total = sums[0].closed[variate]
            for index in 1..<sums.count { work.add(sums[index].closed[variate], to: total) }
            let rows = variate * batchMaximum..<variate * batchMaximum + batch
            for tile in 0..<memory.tiles.count {
                let (steps, batch) = (memory.tiles.steps(tile), batch)
                let part = total.columns(memory.tiles.rows(tile, batch: batch))
                work.copy(
                    part.reshaped(batch, steps.count),
                    to: memory.forecasts.rows(rows).columns(steps))
            }
            for row in rows { undoTransform(row, variate, memory.forecasts.row(row)) }
        }
    }

    /// Adds up the one-step predictions over the blocks of channels, and undoes the transform.
    func finishOneStep() {
        let sums = memory.decoder.sums
        for variate in 0..<network.configuration.variates {
            let total = sums[0].open[variate]
            for index in 1..<sums.count { work.add(sums[index].open[variate], to: total) }
            let rows = variate * batchMaximum..<variate * batchMaximum + batch
            work.copy(
                total.columns(0..<batch * lag).reshaped(batch, lag),
                to: memory.oneStep.rows(rows))
            for row in rows { undoTransform(row, variate, memory.oneStep.row(row)) }
        }
    }

    /// Adds the head's bias, and undoes the transform of one window.
    private func undoTransform(_ row: Int, _ variate: Int, _ output: Panel) {
        let constant = network.head.bias.map { work[$0.panel(in: memory.parameters), 0, variate] }
        work.combine(
            scales[row], output, 0, output, plus: (constant ?? 0) * scales[row] + offsets[row])
    }
}
