/// Lines over numbered steps, in one panel below the other.
package struct PanelChart: Sendable {
    /// One line; a value that is not finite breaks it.
    package struct Line: Sendable {
        package var name: String
        /// The step of the first value.
        package var start: Int
        package var values: [Double]

        package init(name: String, start: Int, values: [Double]) {
            self.name = name
            self.start = start
            self.values = values
        }
    }

    /// One set of axes. Lines of one name have one colour in all panels.
    package struct Panel: Sendable {
        package var title: String
        package var xLabel: String
        package var lines: [Line]

        package init(title: String, xLabel: String, lines: [Line]) {
            self.title = title
            self.xLabel = xLabel
            self.lines = lines
        }
    }

    package var title: String
    package var subtitle: String
    package var panels: [Panel]
    /// In pixels; at least 320.
    package var width = 960.0
    /// Of one panel, in pixels; at least 160.
    package var panelHeight = 300.0
    /// Begins the ids in the document; charts on one page need different ones.
    package var identifier = "panels"

    package init(title: String, subtitle: String, panels: [Panel]) {
        self.title = title
        self.subtitle = subtitle
        self.panels = panels
    }

    /// The chart as an SVG document.
    package func svg() -> String {
        precondition(width >= 320 && panelHeight >= 160, "PanelChart: \(width) × \(panelHeight)")
        var svg = SVG(
            width: width, height: 64 + Double(panels.count) * panelHeight, identifier: identifier,
            title: title, description: summary)
        svg.add("rect", ["width": "100%", "height": "100%", "fill": Ink.paper])
        svg.group(["font-family": Ink.font, "font-size": "12", "fill": Ink.text]) { svg in
            svg.add(
                "text", ["x": "24", "y": "32", "font-size": "17", "font-weight": "600"],
                text: title)
            svg.add("text", ["x": "24", "y": "52", "fill": Ink.faint], text: subtitle)
            for (index, panel) in panels.enumerated() {
                let layout = PanelLayout(
                    panel, width: width, top: 64 + Double(index) * panelHeight,
                    height: panelHeight)
                layout.draw(&svg, colours: colours)
            }
        }
        return svg.text
    }

    /// A colour for every name, in the order of first use.
    private var colours: [String: String] {
        var colours: [String: String] = [:]
        for line in panels.flatMap(\.lines) where colours[line.name] == nil {
            colours[line.name] =
                Ink.named[line.name] ?? Ink.series[colours.count % Ink.series.count]
        }
        return colours
    }

    /// What the chart shows, in words.
    private var summary: String {
        panels.map { panel in
            let lines = panel.lines.map { line -> String in
                let finite = line.values.filter(\.isFinite)
                let mean = finite.reduce(0, +) / Double(max(1, finite.count))
                return "\(line.name), \(line.values.count) steps, mean \(SVG.number(mean))"
            }
            return "\(panel.title): \(lines.joined(separator: "; "))."
        }.joined(separator: " ")
    }
}

/// Where everything of one panel lies.
private struct PanelLayout {
    let panel: PanelChart.Panel
    private let values: ValueAxis
    private let steps: ClosedRange<Int>
    private let left = 64.0
    private let right: Double
    private let top: Double
    private let bottom: Double

    init(_ panel: PanelChart.Panel, width: Double, top: Double, height: Double) {
        self.panel = panel
        self.top = top + 58
        right = width - 24
        bottom = top + height - 34
        values = ValueAxis(
            covering: panel.lines.flatMap(\.values),
            ticksWanted: max(3, Int((bottom - self.top) / 46)))
        let first = panel.lines.map(\.start).min() ?? 0
        let last = panel.lines.map { $0.start + $0.values.count - 1 }.max() ?? 1
        steps = first...max(last, first + 1)
    }

    private func x(_ step: Int) -> Double {
        let share = Double(step - steps.lowerBound) / Double(steps.upperBound - steps.lowerBound)
        return left + share * (right - left)
    }

    private func y(_ value: Double) -> Double {
        bottom - (value - values.lower) / (values.upper - values.lower) * (bottom - top)
    }

    func draw(_ svg: inout SVG, colours: [String: String]) {
        svg.add(
            "text",
            ["x": "24", "y": SVG.number(top - 36), "font-size": "13", "font-weight": "600"],
            text: panel.title)
        drawLegend(&svg, colours)
        drawAxes(&svg)
        for line in panel.lines {
            let points = line.values.enumerated().map { index, value in
                Point(x: x(line.start + index), y: y(value))
            }
            svg.add(
                "path",
                [
                    "d": LinePath.line(LinePath.thinned(points)), "fill": "none",
                    "stroke": colours[line.name] ?? Ink.history, "stroke-width": "1.6",
                    "stroke-linejoin": "round", "stroke-linecap": "round",
                ])
        }
    }

    private func drawLegend(_ svg: inout SVG, _ colours: [String: String]) {
        var x = 24.0
        for line in panel.lines {
            svg.add(
                "path",
                [
                    "d": "M\(SVG.number(x)) \(SVG.number(top - 20))h20", "fill": "none",
                    "stroke": colours[line.name] ?? Ink.history, "stroke-width": "2.5",
                ])
            svg.add(
                "text", ["x": SVG.number(x + 26), "y": SVG.number(top - 16)], text: line.name)
            x += 26 + Double(line.name.count) * 6.6 + 20
        }
    }

    private func drawAxes(_ svg: inout SVG) {
        for tick in values.ticks {
            svg.add(
                "path",
                [
                    "d": "M\(SVG.number(left)) \(SVG.number(y(tick)))H\(SVG.number(right))",
                    "stroke": Ink.grid, "stroke-width": "1",
                ])
            svg.add(
                "text",
                [
                    "x": SVG.number(left - 8), "y": SVG.number(y(tick) + 4), "text-anchor": "end",
                    "fill": Ink.faint,
                ], text: values.label(tick))
        }
        let ticks = ValueAxis(
            covering: [Double(steps.lowerBound), Double(steps.upperBound)], ticksWanted: 10
        ).ticks.filter {
            $0 >= Double(steps.lowerBound) && $0 <= Double(steps.upperBound)
                && $0 == $0.rounded()
        }
        for tick in ticks {
            svg.add(
                "text",
                [
                    "x": SVG.number(x(Int(tick))), "y": SVG.number(bottom + 17),
                    "text-anchor": "middle", "fill": Ink.faint,
                ], text: "\(Int(tick))")
        }
        svg.add(
            "text",
            [
                "x": SVG.number(right), "y": SVG.number(bottom + 31), "text-anchor": "end",
                "fill": Ink.faint,
            ], text: panel.xLabel)
    }
}

extension Ink {
    /// Colours of lines without a meaning of their own, told apart also without colour vision.
    ///
    /// - Source: Okabe, Ito 2008, "Color universal design".
    static let series = ["#E69F00", "#56B4E9", "#009E73", "#CC79A7", "#D55E00", "#0072B2"]
    /// Colours of names with one meaning in every chart.
    static let named = ["observed": history, "what came true": actual, "auto": forecast]
}
