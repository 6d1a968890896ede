import Series

/// The test windows of one task, and what errs on them how much.
struct TestWindows {
    /// Windows forecast at a time.
    private static let chunk = 256

    let task: ForecastTask
    let windows: WindowPlan.Windows
    /// Scaled by the training rows.
    let scaled: [Double]

    /// Errors over all windows, and by step.
    struct Errors {
        let sum: ErrorSum
        /// `[horizon]`, mean squared, scaled.
        let byStep: [Double]
    }

    init(_ series: TimeSeries, task: ForecastTask, split: Split) throws(ForecastError) {
        guard series.values.count == split.rows else {
            throw .bordersOutsideSeries(rows: series.values.count, asked: split.rows)
        }
        self.task = task
        scaled = try Standardiser(fitting: series.values[split.targets(of: .train)])
            .scale(series.values)
        windows = WindowPlan(values: scaled, task: task, split: split).test
        guard !windows.starts.isEmpty else {
            throw .tooFewWindows(part: .test, found: 0, needed: 1, excluded: windows.excluded)
        }
    }

    func errors(of forecaster: Forecaster) -> Errors {
        let (lag, horizon) = (task.lag, task.horizon)
        let series = scaled.map { Float($0) }
        var sum = ErrorSum()
        var byStep = [Double](repeating: 0, count: horizon)
        for first in stride(from: 0, to: windows.starts.count, by: Self.chunk) {
            let end = min(first + Self.chunk, windows.starts.count)
            let part = Array(windows.starts[first..<end])
            let forecasts = forecaster.forecast(series, starts: part, lag: lag, steps: horizon)
            for (row, start) in part.enumerated() {
                let forecast = forecasts[(row * horizon)..<((row + 1) * horizon)]
                let targets = scaled[(start + lag)..<(start + lag + horizon)]
                sum.add(forecast, targets: targets)
                for (step, (f, y)) in zip(forecast, targets).enumerated() {
                    byStep[step] += (Double(f) - y) * (Double(f) - y)
                }
            }
        }
        let count = Double(windows.starts.count)
        return Errors(sum: sum, byStep: byStep.map { $0 / count })
    }

    /// The window in the middle of the test rows, as an example to look at.
    var example: BacktestReport.Example {
        let start = windows.starts[windows.starts.count / 2]
        let middle = start + task.lag
        return .init(
            horizon: task.horizon, row: middle,
            history: Array(scaled[max(start, middle - task.horizon)..<middle]),
            truth: Array(scaled[middle..<(middle + task.horizon)]))
    }

    /// What a forecaster says about the example, `[horizon]`, scaled.
    func exampleForecast(by forecaster: Forecaster) -> [Double] {
        forecaster.forecast(
            scaled.map { Float($0) }, starts: [windows.starts[windows.starts.count / 2]],
            lag: task.lag, steps: task.horizon
        ).map { Double($0) }
    }
}
