import Series

/// One chart laid out: where the axes run and where every value lies.
struct Plot {
    private let chart: LineChart
    private let values: ValueAxis
    private let times: TimeAxis
    private let left = 64.0
    private let right: Double
    private let top: Double
    private let bottom: Double
    private let bands: [Band]

    /// One interval of the forecast.
    struct Band {
        /// Such as `80 %`.
        let name: String
        let lower: [Double]
        let upper: [Double]
    }

    init(_ chart: LineChart) {
        self.chart = chart
        bands = chart.forecast.map(Self.bands) ?? []
        right = chart.width - 24
        top = chart.subtitle == nil ? 92 : 110
        bottom = chart.height - 46
        var all = chart.history.values + chart.anomalies.map(\.value)
        all += chart.forecast?.values ?? []
        all += chart.actual?.values ?? []
        for band in bands { all += band.lower + band.upper }
        values = ValueAxis(covering: all, ticksWanted: max(3, Int((bottom - top) / 46)))
        let grids = [chart.history.grid, chart.forecast?.grid, chart.actual?.grid]
            .compactMap { $0 }.filter { $0.count > 0 }
        var starts = grids.map(\.start)
        var ends = grids.map { $0.instant(at: $0.count - 1) }
        starts += chart.anomalies.map(\.at)
        ends += chart.anomalies.map(\.at)
        let start = starts.min() ?? chart.history.grid.start
        times = TimeAxis(
            from: start, to: ends.max() ?? start,
            ticksMaximum: max(3, Int((right - left) / 92)))
    }

    /// The central intervals that the levels give, widest first.
    static func bands(_ forecast: Forecast) -> [Band] {
        var bands: [Band] = []
        for (low, level) in forecast.levels.enumerated() where level.probability < 0.5 {
            let mirror = forecast.levels.firstIndex {
                abs($0.probability - (1 - level.probability)) < 1e-9
            }
            guard let mirror else { continue }
            let percent = (1 - 2 * level.probability) * 100
            let name = "\(SVG.number((percent * 100).rounded() / 100)) %"
            bands.append(
                Band(
                    name: name, lower: forecast.quantiles[low],
                    upper: forecast.quantiles[mirror]))
        }
        return bands
    }

    private func x(_ instant: Timestamp) -> Double {
        let share =
            (instant.unixSeconds - times.start.unixSeconds)
            / (times.end.unixSeconds - times.start.unixSeconds)
        return left + share * (right - left)
    }

    private func y(_ value: Double) -> Double {
        bottom - (value - values.lower) / (values.upper - values.lower) * (bottom - top)
    }

    private func points(_ grid: TimeGrid, _ values: [Double]) -> [Point] {
        let all = values.enumerated().map { Point(x: x(grid.instant(at: $0)), y: y($1)) }
        return LinePath.thinned(all)
    }

    // MARK: - Drawing

    func drawHeadings(_ svg: inout SVG) {
        svg.add(
            "text", ["x": "24", "y": "32", "font-size": "17", "font-weight": "600"],
            text: chart.title)
        if let subtitle = chart.subtitle {
            svg.add("text", ["x": "24", "y": "52", "fill": Ink.faint], text: subtitle)
        }
        drawLegend(&svg, y: chart.subtitle == nil ? 54 : 73)
    }

    private func drawLegend(_ svg: inout SVG, y: Double) {
        var x = 24.0
        func place(_ svg: inout SVG, _ label: String, _ mark: (inout SVG, Double) -> Void) {
            mark(&svg, x)
            svg.add("text", ["x": SVG.number(x + 26), "y": SVG.number(y + 4)], text: label)
            // Six and a half pixels a character is what the common fonts take at this size.
            x += 26 + Double(label.count) * 6.6 + 20
        }
        func line(_ svg: inout SVG, _ x: Double, _ style: Stroke) {
            svg.add("path", style.attributes("M\(SVG.number(x)) \(SVG.number(y))h20"))
        }
        place(&svg, "observed") { line(&$0, $1, .history) }
        if chart.forecast != nil { place(&svg, "forecast") { line(&$0, $1, .forecast) } }
        for (index, band) in bands.enumerated() {
            place(&svg, "\(band.name) interval") { svg, x in
                svg.add(
                    "rect",
                    [
                        "x": SVG.number(x), "y": SVG.number(y - 6), "width": "20", "height": "12",
                        "rx": "2", "fill": Ink.band, "fill-opacity": Self.opacity(through: index),
                    ])
            }
        }
        if chart.actual != nil { place(&svg, "what came true") { line(&$0, $1, .actual) } }
        if !chart.anomalies.isEmpty {
            place(&svg, "anomaly") { Self.drawMarker(&$0, Point(x: $1 + 10, y: y)) }
        }
    }

    func drawAxes(_ svg: inout SVG) {
        for tick in values.ticks {
            let place = SVG.number(y(tick))
            svg.add(
                "path",
                [
                    "d": "M\(SVG.number(left)) \(place)H\(SVG.number(right))", "stroke": Ink.grid,
                    "stroke-width": "1",
                ])
            svg.add(
                "text",
                [
                    "x": SVG.number(left - 8), "y": SVG.number(y(tick) + 4), "text-anchor": "end",
                    "fill": Ink.faint,
                ], text: values.label(tick))
        }
        let unit = UnitName.shown(chart.history.channel.unit)
        if !unit.isEmpty {
            svg.add(
                "text",
                [
                    "x": SVG.number(left - 8), "y": SVG.number(top - 10), "text-anchor": "end",
                    "fill": Ink.text,
                ], text: unit)
        }
        drawTimes(&svg)
    }

    private func drawTimes(_ svg: inout SVG) {
        svg.add(
            "path",
            [
                "d": "M\(SVG.number(left)) \(SVG.number(bottom))H\(SVG.number(right))",
                "stroke": Ink.faint, "stroke-width": "1",
            ])
        for tick in times.ticks {
            let place = x(tick.at)
            svg.add(
                "path",
                [
                    "d": "M\(SVG.number(place)) \(SVG.number(bottom))v5", "stroke": Ink.faint,
                    "stroke-width": "1",
                ])
            // A label must not hang over the edge of the picture.
            let middle = min(max(place, 30), chart.width - 30)
            for (line, text) in [tick.label, tick.context].enumerated() {
                guard let text else { continue }
                svg.add(
                    "text",
                    [
                        "x": SVG.number(middle),
                        "y": SVG.number(bottom + 19 + Double(line) * 15),
                        "text-anchor": "middle", "fill": line == 0 ? Ink.text : Ink.faint,
                    ], text: text)
            }
        }
        svg.add(
            "text",
            [
                "x": SVG.number(right), "y": SVG.number(top - 10), "text-anchor": "end",
                "fill": Ink.faint,
            ], text: "times in UTC")
    }

    func drawBands(_ svg: inout SVG) {
        guard let forecast = chart.forecast else { return }
        for band in bands {
            let path = LinePath.band(
                points(forecast.grid, band.lower), points(forecast.grid, band.upper))
            guard !path.isEmpty else { continue }
            svg.add("path", ["d": path, "fill": Ink.band, "fill-opacity": "0.18"])
        }
    }

    /// Bands lie on one another; what is seen of the innermost is the sum.
    private static func opacity(through index: Int) -> String {
        var clear = 1.0
        for _ in 0...index { clear *= 0.82 }
        return SVG.number(1 - clear)
    }

    func drawLines(_ svg: inout SVG) {
        if let forecast = chart.forecast, forecast.grid.count > 0 {
            let now = SVG.number(x(forecast.dataUntil))
            svg.add(
                "path",
                [
                    "d": "M\(now) \(SVG.number(top))V\(SVG.number(bottom))", "stroke": Ink.faint,
                    "stroke-width": "1", "stroke-dasharray": "3 4",
                ])
        }
        draw(&svg, chart.history.grid, chart.history.values, .history)
        if let actual = chart.actual { draw(&svg, actual.grid, actual.values, .actual) }
        if let forecast = chart.forecast {
            draw(&svg, forecast.grid, forecast.values, .forecast)
        }
    }

    private func draw(_ svg: inout SVG, _ grid: TimeGrid, _ values: [Double], _ style: Stroke) {
        let path = LinePath.line(points(grid, values))
        if !path.isEmpty { svg.add("path", style.attributes(path)) }
    }

    func drawAnomalies(_ svg: inout SVG) {
        for anomaly in chart.anomalies where anomaly.value.isFinite {
            Self.drawMarker(&svg, Point(x: x(anomaly.at), y: y(anomaly.value)))
        }
    }

    private static func drawMarker(_ svg: inout SVG, _ point: Point) {
        svg.add(
            "circle",
            [
                "cx": SVG.number(point.x), "cy": SVG.number(point.y), "r": "5",
                "fill": Ink.anomaly, "fill-opacity": "0.25", "stroke": Ink.anomaly,
                "stroke-width": "1.8",
            ])
    }
}

/// How a line is drawn.
enum Stroke {
    case history, forecast, actual

    func attributes(_ path: String) -> KeyValuePairs<String, String> {
        let (colour, width) =
            switch self {
            case .history: (Ink.history, "1.4")
            case .forecast: (Ink.forecast, "2")
            case .actual: (Ink.actual, "1.4")
            }
        return [
            "d": path, "fill": "none", "stroke": colour, "stroke-width": width,
            "stroke-linejoin": "round", "stroke-linecap": "round",
        ]
    }
}

/// Units as people write them.
enum UnitName {
    static func shown(_ unit: PhysicalUnit) -> String {
        let names = [
            "Cel": "°C", "[degF]": "°F", "uV": "µV", "m3": "m³", "m2": "m²", "Ohm": "Ω",
            "deg": "°", "kW.h": "kWh", "W.h": "Wh", "ug/m3": "µg/m³", "mg/m3": "mg/m³",
            "m/s2": "m/s²",
        ]
        return names[unit.symbol] ?? unit.symbol
    }
}
