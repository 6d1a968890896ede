/// The forecast that every other one must beat: the value one season before the target, repeated
/// season after season.
package struct SeasonalNaive: Hashable, Sendable {
    /// Steps; 1 repeats the last value.
    package let season: Int

    package init(season: Int) {
        precondition(season >= 1, "SeasonalNaive: season \(season)")
        self.season = season
    }

    /// The forecast that repeats the last value.
    package static let repeatLast = SeasonalNaive(season: 1)

    /// The row that the forecast of `step` copies.
    ///
    /// - Parameters:
    ///   - origin: The last row known.
    ///   - step: 1 for the row after the origin.
    /// - Returns: A row of the season that ends at the origin.
    func source(origin: Int, step: Int) -> Int { origin - season + 1 + (step - 1) % season }

    /// The forecasts for the rows after `origin`.
    ///
    /// - Parameters:
    ///   - values: The series, in any unit.
    ///   - origin: The last row known; the season ending there must lie in the series.
    ///   - steps: How many rows to forecast.
    /// - Returns: `[steps]`, in the unit of `values`.
    package func forecast<Value>(_ values: [Value], origin: Int, steps: Int) -> [Value] {
        precondition(
            origin >= season - 1 && origin < values.count,
            "SeasonalNaive: origin \(origin) in \(values.count) rows")
        return (0..<steps).map { values[source(origin: origin, step: $0 + 1)] }
    }
}
