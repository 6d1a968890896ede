/// Many series of one kind, to be forecast together.
package struct SeriesCollection: Sendable {
    package let name: String
    /// Steps to forecast.
    package let horizon: Int
    /// Steps of one season; 1 for none.
    package let season: Int
    /// Steps that a model shared by all series looks back on.
    package let lag: Int
    /// `[series][rows]`, in the unit of each series, finite.
    package let series: [[Double]]

    /// Shorter series are left out: they would leave a season and a horizon to learn from, and one
    /// horizon each to choose and to judge.
    package static func rowsMinimum(horizon: Int, season: Int) -> Int {
        max(ETSFit.rowsMinimum, season + 1) + 2 * horizon
    }

    /// - Parameters:
    ///   - name: For reports.
    ///   - horizon: At least 1.
    ///   - season: At least 1.
    ///   - lag: At least 1.
    ///   - series: Each of `rowsMinimum` rows at least, finite; or the call traps.
    package init(name: String, horizon: Int, season: Int, lag: Int, series: [[Double]]) {
        let least = Self.rowsMinimum(horizon: horizon, season: season)
        precondition(
            horizon >= 1 && season >= 1 && lag >= 1, "SeriesCollection: \(horizon), \(season)")
        precondition(series.allSatisfy { $0.count >= least }, "SeriesCollection: too short")
        self.name = name
        self.horizon = horizon
        self.season = season
        self.lag = lag
        self.series = series
    }

    /// The forecasts to be made in one stage of an evaluation.
    struct Stage: Sendable {
        /// `[series]`; rows before this one may be learnt from.
        let cuts: [Int]
        /// Where the forecasts begin; none is before its series' cut.
        let origins: [Origin]
    }

    /// One forecast to be made: of the rows from `row` on.
    struct Origin: Hashable, Sendable {
        let series: Int
        let row: Int
    }

    /// Forecasts of the newest horizon of every series, which is what is judged in the end.
    var test: Stage {
        let cuts = series.map { $0.count - horizon }
        return Stage(
            cuts: cuts, origins: cuts.enumerated().map { Origin(series: $0, row: $1) })
    }

    /// Fewer forecasts choose nothing reliably.
    private static let validationOriginsWanted = 24
    /// Of every series, where its rows suffice: one alone may fall on an odd month.
    private static let originsPerSeriesWanted = 4

    /// Forecasts of the horizons before that: one of every series, or several where there are few
    /// series. Nothing of the test rows is seen.
    var validation: Stage {
        let shared = (Self.validationOriginsWanted - 1) / series.count + 1
        let wanted = max(Self.originsPerSeriesWanted, shared)
        var cuts: [Int] = []
        var origins: [Origin] = []
        for (index, values) in series.enumerated() {
            // No more than a quarter of the rows; one horizon at least.
            let affordable = max(1, (values.count - horizon) / 4 / horizon)
            let count = min(wanted, affordable)
            let first = values.count - (count + 1) * horizon
            cuts.append(first)
            for place in 0..<count {
                origins.append(Origin(series: index, row: first + place * horizon))
            }
        }
        return Stage(cuts: cuts, origins: origins)
    }

    /// The mean absolute seasonal difference of the rows before the test rows, by which errors of
    /// series of any size are compared; nil where it is 0.
    ///
    /// - Source: Hyndman, Koehler 2006.
    func scale(of index: Int) -> Double? {
        let known = series[index].dropLast(horizon)
        let steps = zip(known.dropFirst(season), known).map { abs($0 - $1) }
        let sum = steps.reduce(0, +)
        return sum > 0 ? sum / Double(steps.count) : nil
    }
}
