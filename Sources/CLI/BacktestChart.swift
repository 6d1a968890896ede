import Charts
import Forecasting

/// The picture of one horizon of a backtest: how the error grows with the step, and one forecast.
struct BacktestChart {
    let report: BacktestReport
    let example: BacktestReport.Example
    /// The name of what was forecast.
    let series: String
    let lag: Int

    func svg() -> String {
        let horizon = example.horizon
        let curves = report.curves.filter { $0.horizon == horizon }
        let errors = PanelChart.Panel(
            title: "Mean squared error by step, over all test windows", xLabel: "step",
            lines: curves.map { .init(name: $0.family, start: 1, values: $0.mseByStep) })
        let shown = curves.contains { $0.family == "auto" } ? "auto" : curves.last?.family
        var lines: [PanelChart.Line] = [
            .init(name: "observed", start: 1 - example.history.count, values: example.history),
            .init(name: "what came true", start: 1, values: example.truth),
        ]
        for curve in curves where curve.family == shown || curve.family == "seasonal-naive" {
            lines.append(.init(name: curve.family, start: 1, values: curve.example))
        }
        let window = PanelChart.Panel(
            title: "One window: the one in the middle of the test rows (row \(example.row))",
            xLabel: "step", lines: lines)
        let windows = report.results.first { $0.horizon == horizon }?.windows ?? 0
        return PanelChart(
            title: "\(series), \(horizon) steps ahead",
            subtitle: "look-back \(lag), \(windows) test windows, scaled by the training rows, "
                + "first seed",
            panels: [errors, window]
        ).svg()
    }
}
