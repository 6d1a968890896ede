/// A probability strictly between 0 and 1 at which a quantile is given.
package struct QuantileLevel: Hashable, Comparable, Sendable {
    package let probability: Double

    /// Traps unless `probability` lies strictly between 0 and 1.
    package init(_ probability: Double) {
        precondition(
            probability > 0 && probability < 1, "QuantileLevel: probability \(probability)")
        self.probability = probability
    }

    package static func < (a: QuantileLevel, b: QuantileLevel) -> Bool {
        a.probability < b.probability
    }

    /// The ends of the central 95 % and 80 % intervals: 2.5, 10, 90 and 97.5 %.
    package static let standard = [0.025, 0.1, 0.9, 0.975].map(QuantileLevel.init)
}

/// One forecast run of one series: a value and calibrated quantiles per step. Never changed after
/// it was issued; a correction is a new run.
package struct Forecast: Sendable {
    /// The target instants; `grid.count` is the horizon.
    package let grid: TimeGrid
    /// The last observation that the forecast knew.
    package let dataUntil: Timestamp
    /// Point forecasts, `[horizon]`, in the unit of the series.
    package let values: [Double]
    /// Ascending.
    package let levels: [QuantileLevel]
    /// `[levels.count][horizon]`, in the unit of the series; for every step the quantiles ascend
    /// with their levels.
    package let quantiles: [[Double]]

    package init(
        grid: TimeGrid, dataUntil: Timestamp, values: [Double], levels: [QuantileLevel],
        quantiles: [[Double]]
    ) {
        precondition(values.count == grid.count, "Forecast: \(values.count) values")
        precondition(quantiles.count == levels.count, "Forecast: \(quantiles.count) quantiles")
        precondition(quantiles.allSatisfy { $0.count == grid.count }, "Forecast: ragged quantiles")
        precondition(levels == levels.sorted(), "Forecast: levels out of order")
        self.grid = grid
        self.dataUntil = dataUntil
        self.values = values
        self.levels = levels
        self.quantiles = quantiles
    }

    /// The quantiles at `level`, `[horizon]`; nil where that level was not computed.
    package func quantile(_ level: Double) -> [Double]? {
        levels.firstIndex { abs($0.probability - level) < 1e-9 }.map { quantiles[$0] }
    }
}
