package import Series

/// A series over time with its forecast: history, bands, what came true, and anomalies.
///
/// Gaps break the line. Times are UTC.
package struct LineChart: Sendable {
    /// In bold above the chart.
    package var title: String
    /// Below the title, in grey; nil for none.
    package var subtitle: String?
    package var history: TimeSeries
    package var forecast: Forecast?
    /// What was observed after the forecast was made.
    package var actual: TimeSeries?
    package var anomalies: [Observation]
    /// In pixels; at least 320.
    package var width = 960.0
    /// In pixels; at least 240.
    package var height = 460.0
    /// Begins the ids in the document; charts on one page need different ones.
    package var identifier = "chart"

    package init(
        title: String, subtitle: String? = nil, history: TimeSeries, forecast: Forecast? = nil,
        actual: TimeSeries? = nil, anomalies: [Observation] = []
    ) {
        self.title = title
        self.subtitle = subtitle
        self.history = history
        self.forecast = forecast
        self.actual = actual
        self.anomalies = anomalies
    }

    /// The chart as an SVG document.
    package func svg() -> String {
        precondition(width >= 320 && height >= 240, "LineChart: \(width) × \(height)")
        let plot = Plot(self)
        var svg = SVG(
            width: width, height: height, identifier: identifier, title: title,
            description: summary)
        svg.add("rect", ["width": "100%", "height": "100%", "fill": Ink.paper])
        svg.group(["font-family": Ink.font, "font-size": "12", "fill": Ink.text]) { svg in
            plot.drawHeadings(&svg)
            plot.drawAxes(&svg)
            plot.drawBands(&svg)
            plot.drawLines(&svg)
            plot.drawAnomalies(&svg)
        }
        return svg.text
    }

    /// What the chart shows, in words.
    private var summary: String {
        var text =
            "\(history.channel.name) from \(history.grid.start) to "
            + "\(history.grid.instant(at: max(0, history.grid.count - 1)))"
        let unit = history.channel.unit.symbol
        if !unit.isEmpty { text += ", in \(unit)" }
        let missing = history.missingCount
        if missing > 0 { text += ", \(missing) of \(history.values.count) values missing" }
        text += "."
        if let forecast, forecast.grid.count > 0 {
            text +=
                " Forecast of \(forecast.grid.count) steps until "
                + "\(forecast.grid.instant(at: forecast.grid.count - 1))"
            let names = Plot.bands(forecast).map(\.name)
            if !names.isEmpty { text += " with intervals of \(names.joined(separator: " and "))" }
            text += "."
        }
        if !anomalies.isEmpty {
            text += " \(anomalies.count) anomal\(anomalies.count == 1 ? "y" : "ies") marked."
        }
        return text
    }
}

/// The colours; told apart also without colour vision, and by line style and shape.
enum Ink {
    static let paper = "#ffffff"
    static let text = "#1f2937"
    static let faint = "#6b7280"
    static let grid = "#e5e7eb"
    static let history = "#374151"
    static let forecast = "#1d4ed8"
    static let band = "#3b82f6"
    static let actual = "#c2410c"
    static let anomaly = "#b91c1c"
    static let font = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"
}
