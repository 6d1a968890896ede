import Foundation
import Testing

@testable import Charts

@Suite struct PanelChartTests {
    static let chart = PanelChart(
        title: "Oil & gas", subtitle: "scaled",
        panels: [
            .init(
                title: "error", xLabel: "step",
                lines: [
                    .init(name: "ridge", start: 1, values: [0.1, 0.2, 0.4]),
                    .init(name: "auto", start: 1, values: [0.1, .nan, 0.3]),
                ]),
            .init(
                title: "window", xLabel: "step",
                lines: [
                    .init(name: "observed", start: -1, values: [5, 6]),
                    .init(name: "auto", start: 1, values: [7]),
                ]),
        ])

    @Test func `every line is drawn in the colour of its name`() throws {
        let svg = Self.chart.svg()
        let strokes = svg.components(separatedBy: "<path").filter { $0.contains("fill=\"none\"") }
        // Each of the four lines once in its legend and once on the axes.
        #expect(strokes.count == 8)
        #expect(strokes.count { $0.contains(Ink.forecast) } == 4)
        #expect(strokes.count { $0.contains(Ink.series[0]) } == 2)
        #expect(strokes.count { $0.contains(Ink.history) } == 2)
    }

    @Test func `it is XML, says in words what it shows, and is the same every time`() throws {
        let svg = Self.chart.svg()
        #expect(svg.contains("Oil &amp; gas") && !svg.contains("nan"))
        #expect(svg.contains("error: ridge, 3 steps, mean 0.23; auto, 3 steps, mean 0.2."))
        #expect(svg == Self.chart.svg())
        #expect(svg.contains("<title id=\"panels-title\">"))
    }

    @Test func `a panel without a value is drawn empty`() {
        let empty = PanelChart(
            title: "none", subtitle: "",
            panels: [.init(title: "nothing", xLabel: "step", lines: [])])
        #expect(empty.svg().hasSuffix("</svg>\n"))
    }
}
