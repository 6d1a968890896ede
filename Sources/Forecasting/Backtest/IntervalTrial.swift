package import Series

/// How often the truth lies inside the intervals of a model over all test windows, issued one after
/// the other as a service does: with the widths of the fit, and widened by what became of those before.
package struct IntervalTrial: Sendable {
    /// A step in the level of the series, from the middle of the test rows on.
    package struct Shift: Hashable, Sendable {
        /// In standard deviations of the training rows.
        package let size: Double
        /// Rows after it over which coverage is told, and found again.
        package let rows: Int

        package init(size: Double, rows: Int = 200) {
            self.size = size
            self.rows = rows
        }
    }

    /// What was found for one central probability and one kind of interval.
    package struct Row: Hashable, Sendable, Encodable {
        package let family: String
        package let horizon: Int
        /// `split` or `adaptive`.
        package let intervals: String
        package let nominal: Double
        /// Share of truths inside, over all windows and steps.
        package let coverage: Double
        /// Mean width, in standard deviations of the training rows.
        package let width: Double
        package let windows: Int
        /// Coverage of the targets in the rows right after the shift; nil without one.
        package let coverageAfterShift: Double?
        /// Rows after the shift from which on the targets of as many rows are covered to within two
        /// points; nil without a shift, or where the series ends before.
        package let recoveryRows: Int?

        private enum CodingKeys: String, CodingKey {
            case family, horizon, intervals, nominal, coverage, width, windows
            case coverageAfterShift = "coverage_after_shift"
            case recoveryRows = "recovery_rows"
        }
    }

    private static let nominals = [0.8, 0.95]

    private let pipeline: FittedPipeline
    private let shift: Shift?
    /// Scaled by the training rows, shifted.
    private let scaled: [Double]
    /// Ascending.
    private let starts: [Int]
    private let shiftRow: Int
    /// `[windows][horizon]`, scaled.
    private let forecasts: [[Float]]

    /// - Parameters:
    ///   - series: That the pipeline was fitted on, with the same split.
    ///   - pipeline: The fit.
    ///   - split: Of as many rows as the series has.
    ///   - shift: Nil for the series as it is.
    /// - Throws: `ForecastError` where there is no test window.
    package init(
        _ series: TimeSeries, _ pipeline: FittedPipeline, split: Split, shift: Shift? = nil
    ) throws(ForecastError) {
        let judge = try TestWindows(series, task: pipeline.task, split: split)
        let test = split.targets(of: .test)
        shiftRow = (test.lowerBound + test.upperBound) / 2
        var scaled = judge.scaled
        for row in shiftRow..<scaled.count { scaled[row] += shift?.size ?? 0 }
        self.scaled = scaled
        self.pipeline = pipeline
        self.shift = shift
        starts = judge.windows.starts
        let (inputs, horizon) = (scaled.map { Float($0) }, pipeline.task.horizon)
        var forecasts: [[Float]] = []
        for first in stride(from: 0, to: starts.count, by: 256) {
            let part = Array(starts[first..<min(first + 256, starts.count)])
            let found = pipeline.forecaster.forecast(
                inputs, starts: part, lag: pipeline.task.lag, steps: horizon)
            forecasts += part.indices.map { Array(found[$0 * horizon..<($0 + 1) * horizon]) }
        }
        self.forecasts = forecasts
    }

    /// Both kinds of interval at both probabilities.
    package func rows() -> [Row] {
        [false, true].flatMap { isAdaptive in
            let issued = issue(adaptive: isAdaptive)
            return Self.nominals.indices.map { row(issued[$0], $0, isAdaptive) }
        }
    }

    /// The intervals of one central probability.
    private struct Issued {
        /// `[windows][horizon]`
        var inside: [[Bool]] = []
        var width = 0.0
    }

    private func issue(adaptive: Bool) -> [Issued] {
        let (lag, horizon) = (pipeline.task.lag, pipeline.task.horizon)
        var issued = Self.nominals.map { _ in Issued() }
        var known = Realised(nominals: Self.nominals)
        var next = starts[0] + lag
        for (window, start) in starts.enumerated() {
            if adaptive {
                // The rows that were observed since the window before.
                while next < start + lag {
                    for (other, begun) in starts[..<window].enumerated().reversed() {
                        let step = next - begun - lag + 1
                        if step > horizon { break }
                        known.add(step: step, isInside: issued.map { $0.inside[other][step - 1] })
                    }
                    next += 1
                }
            }
            let forecast = forecasts[window].map { Double($0) }
            let quantiles = pipeline.calibrator.quantiles(
                of: forecast, widening: adaptive ? known.widening : .none)
            for (place, ends) in Self.ends(pipeline.calibrator.levels).enumerated() {
                let (low, high) = (quantiles[ends.low], quantiles[ends.high])
                issued[place].inside.append(
                    low.indices.map { (low[$0]...high[$0]).contains(scaled[start + lag + $0]) })
                issued[place].width += zip(low, high).reduce(0) { $0 + $1.1 - $1.0 }
            }
        }
        return issued
    }

    /// Where the ends of the intervals stand among the levels.
    private static func ends(_ levels: [QuantileLevel]) -> [(low: Int, high: Int)] {
        nominals.map { nominal in
            func place(_ probability: Double) -> Int {
                levels.firstIndex { abs($0.probability - probability) < 1e-6 } ?? 0
            }
            return (place((1 - nominal) / 2), place((1 + nominal) / 2))
        }
    }

    private func row(_ issued: Issued, _ place: Int, _ isAdaptive: Bool) -> Row {
        let horizon = pipeline.task.horizon
        let nominal = Self.nominals[place]
        var byRow = [Int: (inside: Int, all: Int)]()
        for (start, inside) in zip(starts, issued.inside) {
            for (step, isInside) in inside.enumerated() {
                byRow[start + pipeline.task.lag + step, default: (0, 0)].inside += isInside ? 1 : 0
                byRow[start + pipeline.task.lag + step, default: (0, 0)].all += 1
            }
        }
        func coverage(_ rows: Range<Int>) -> Double? {
            let found = rows.compactMap { byRow[$0] }
            let all = found.reduce(0) { $0 + $1.all }
            return all == 0 ? nil : Double(found.reduce(0) { $0 + $1.inside }) / Double(all)
        }
        let total = Double(issued.inside.count * horizon)
        let last = (starts.last ?? 0) + pipeline.task.lag + horizon
        return Row(
            family: pipeline.family.rawValue, horizon: horizon,
            intervals: isAdaptive ? "adaptive" : "split", nominal: nominal,
            coverage: coverage(0..<last) ?? 0, width: issued.width / total,
            windows: starts.count,
            coverageAfterShift: shift.flatMap { coverage(shiftRow..<shiftRow + $0.rows) },
            recoveryRows: shift.flatMap { shift in
                (shiftRow..<max(shiftRow, last - shift.rows)).first {
                    coverage($0..<$0 + shift.rows).map { $0 >= nominal - 0.02 } ?? false
                }.map { $0 - shiftRow }
            })
    }
}

/// What is known of the intervals issued so far.
private struct Realised {
    private var outcomes: [IntervalWidening.Outcome]
    private let count: Int

    init(nominals: [Double]) {
        count = nominals.count
        outcomes = HorizonRange.all.flatMap { range in
            nominals.map { .init(range: range, nominal: $0, realised: 0, missed: 0) }
        }
    }

    /// One step of one run whose truth has arrived, `isInside[nominals]`.
    mutating func add(step: Int, isInside: [Bool]) {
        let first = HorizonRange.index(of: step) * count
        for (place, inside) in isInside.enumerated() {
            outcomes[first + place].realised += 1
            outcomes[first + place].missed += inside ? 0 : 1
        }
    }

    var widening: IntervalWidening { IntervalWidening(outcomes) }
}
