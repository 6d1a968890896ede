import Foundation
import FoundationXML
import Series
import Testing

@testable import Charts

/// The elements and texts of an SVG document, read by an independent XML parser.
private final class Document: NSObject, XMLParserDelegate {
    private(set) var elements: [(name: String, attributes: [String: String])] = []
    private(set) var texts: [String] = []
    private var isText = false

    init(_ svg: String) throws {
        super.init()
        let parser = XMLParser(data: Data(svg.utf8))
        parser.delegate = self
        try #require(parser.parse(), "no XML: \(String(describing: parser.parserError))")
    }

    func paths(stroke: String) -> [String] {
        elements.filter { $0.name == "path" && $0.attributes["stroke"] == stroke }
            .compactMap { $0.attributes["d"] }
    }

    func parser(
        _ parser: XMLParser, didStartElement name: String, namespaceURI: String?,
        qualifiedName: String?, attributes: [String: String]
    ) {
        elements.append((name, attributes))
        isText = true
        texts.append("")
    }

    func parser(
        _ parser: XMLParser, didEndElement name: String, namespaceURI: String?,
        qualifiedName: String?
    ) {
        isText = false
    }

    func parser(_ parser: XMLParser, foundCharacters text: String) {
        if isText, !texts.isEmpty { texts[texts.count - 1] += text }
    }
}

private let start = Timestamp(microseconds: 1_467_331_200_000_000)

private func series(_ values: [Double], name: String = "oil_temp", unit: String = "Cel")
    -> TimeSeries
{
    TimeSeries(
        channel: Channel(name: name, unit: PhysicalUnit(unit)),
        grid: TimeGrid(
            start: start, rate: SamplingRate(stepMicroseconds: 3_600_000_000), count: values.count),
        values: values)
}

private func forecast(after history: TimeSeries, _ values: [Double]) -> Forecast {
    let grid = history.grid.suffix(from: history.grid.count, count: values.count)
    return Forecast(
        grid: grid, dataUntil: history.grid.instant(at: history.grid.count - 1), values: values,
        levels: QuantileLevel.standard,
        quantiles: [-2, -1, 1, 2].map { z in values.map { $0 + z } })
}

@Suite struct LineChartTests {
    @Test func `a forecast chart has its lines, bands, markers, legend and words`() throws {
        let history = series((0..<48).map { sin(Double($0) / 4) })
        var chart = LineChart(
            title: "Oil <temperature> & \"more\"", subtitle: "sub", history: history,
            forecast: forecast(after: history, (0..<24).map { sin(Double($0 + 48) / 4) }),
            anomalies: [Observation(at: start + .seconds(3600), value: 0.5)])
        chart.actual = TimeSeries(
            channel: history.channel, grid: history.grid.suffix(from: 48, count: 2), values: [0, 1])
        let document = try Document(chart.svg())
        // One in the legend, one in the plot.
        for colour in [Ink.history, Ink.forecast, Ink.actual] {
            #expect(document.paths(stroke: colour).count == 2)
        }
        #expect(document.elements.count { $0.attributes["fill"] == Ink.band } == 4)
        #expect(document.elements.count { $0.name == "circle" } == 2)
        for text in [
            "Oil <temperature> & \"more\"", "sub", "observed", "forecast", "95 % interval",
            "80 % interval", "what came true", "anomaly", "°C", "times in UTC",
        ] {
            #expect(document.texts.contains(text), "\(text)")
        }
        #expect(document.elements[0].attributes["role"] == "img")
        #expect(document.elements[0].attributes["aria-labelledby"] == "chart-title chart-desc")
        let words = document.texts.first { $0.hasPrefix("oil_temp from") }
        #expect(
            words == "oil_temp from 2016-07-01T00:00:00Z to 2016-07-02T23:00:00Z, in Cel. Forecast "
                + "of 24 steps until 2016-07-03T23:00:00Z with intervals of 95 % and 80 %. "
                + "1 anomaly marked.")
    }

    @Test func `a gap breaks the line, and a lone value is a dot`() throws {
        let document = try Document(
            LineChart(title: "t", history: series([1, 2, .nan, 3, .nan, 4, 5])).svg())
        let path = try #require(document.paths(stroke: Ink.history).last)
        #expect(path.filter { $0 == "M" }.count == 3)
        #expect(path.filter { $0 == "L" }.count == 2)
        #expect(path.filter { $0 == "h" }.count == 1)
    }

    @Test(arguments: [
        [], [5.0], [.nan, .nan], [3, 3, 3], [0, 0], [1e300, -1e300], [1e-300, 2e-300],
        [-1e12, 1e12], [1e9 + 1, 1e9 + 2],
    ])
    func `odd series still give a chart whose numbers are finite`(values: [Double]) throws {
        let svg = LineChart(title: "t", history: series(values)).svg()
        let document = try Document(svg)
        #expect(!svg.contains("nan") && !svg.contains("inf"))
        #expect(document.elements.contains { $0.name == "svg" })
    }

    @Test func `all that is drawn lies inside the picture`() throws {
        let history = series((0..<500).map { Double(($0 * 37) % 101) })
        let chart = LineChart(
            title: "t", history: history,
            forecast: forecast(after: history, (0..<100).map { Double($0 * 3) }))
        let document = try Document(chart.svg())
        for element in document.elements {
            for (key, limit) in [("x", chart.width), ("y", chart.height), ("cx", chart.width)] {
                guard let value = element.attributes[key].flatMap(Double.init) else { continue }
                #expect(value >= 0 && value <= limit)
            }
            guard let path = element.attributes["d"] else { continue }
            for pair in path.split(whereSeparator: { "MLZ".contains($0) }) {
                let numbers = pair.split(separator: " ").compactMap { Double($0) }
                guard numbers.count == 2 else { continue }
                #expect(numbers[0] >= 0 && numbers[0] <= chart.width)
                #expect(numbers[1] >= 0 && numbers[1] <= chart.height)
            }
        }
    }

    @Test func `a million values give a small document with the same extremes`() throws {
        var values = (0..<1_000_000).map { sin(Double($0) / 1000) }
        values[777_777] = 40
        values[200_000..<300_000] = ArraySlice(repeating: .nan, count: 100_000)
        let svg = LineChart(title: "t", history: series(values)).svg()
        #expect(svg.utf8.count < 80_000)
        let path = try #require(try Document(svg).paths(stroke: Ink.history).last)
        #expect(path.filter { $0 == "M" }.count == 2)
        let heights = path.split(whereSeparator: { "ML".contains($0) }).compactMap {
            $0.split(separator: " ").last.flatMap { Double($0) }
        }
        let flat = try #require(
            try Document(LineChart(title: "t", history: series([40, -1])).svg())
                .paths(stroke: Ink.history).last)
        let extremes = flat.split(whereSeparator: { "ML".contains($0) }).compactMap {
            $0.split(separator: " ").last.flatMap { Double($0) }
        }
        #expect(abs((heights.min() ?? 0) - (extremes.min() ?? 1)) < 0.1)
    }

    @Test func `too small a picture traps`() async {
        await #expect(processExitsWith: .failure) {
            var chart = LineChart(title: "t", history: series([1]))
            chart.width = 10
            _ = chart.svg()
        }
    }
}

@Suite struct AxisTests {
    @Test(arguments: [
        (0.0, 100.0, ["0", "20", "40", "60", "80", "100"]),
        (-1.0, 1.0, ["−1.0", "−0.5", "0.0", "0.5", "1.0"]),
        (0.0, 1.0, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        (1.0, 2.4, ["1.00", "1.25", "1.50", "1.75", "2.00", "2.25"]),
        (0.0, 1e9, ["0", "2e8", "4e8", "6e8", "8e8", "1e9"]),
    ])
    func `value ticks are round, and what stands beside them is short`(
        low: Double, high: Double, labels: [String]
    ) {
        let axis = ValueAxis(covering: [low, high])
        #expect(axis.ticks.map(axis.label) == labels)
    }

    @Test func `every range has ticks inside it, evenly spaced`() {
        for exponent in stride(from: -300, through: 300, by: 7) {
            for (low, high) in [(0.0, 1.0), (-3, 7), (1, 1.0001), (-5, -4.9)] {
                let scale = Double(sign: .plus, exponent: exponent, significand: 1)
                let axis = ValueAxis(covering: [low * scale, high * scale])
                #expect(axis.lower < low * scale && axis.upper > high * scale)
                #expect((2...14).contains(axis.ticks.count), "\(low) \(high) \(exponent)")
                #expect(axis.ticks.allSatisfy { $0 >= axis.lower && $0 <= axis.upper })
            }
        }
    }

    @Test func `hours show the day where it changes`() {
        let axis = TimeAxis(from: start, to: start + .seconds(36 * 3600))
        #expect(
            axis.ticks.map(\.label) == [
                "00:00", "06:00", "12:00", "18:00", "00:00", "06:00", "12:00",
            ])
        #expect(axis.ticks.map(\.context) == ["1 Jul 2016", nil, nil, nil, "2 Jul 2016", nil, nil])
    }

    @Test func `months begin where the calendar has them`() {
        let axis = TimeAxis(from: start + .seconds(86_400), to: start + .seconds(400 * 86_400))
        #expect(axis.ticks.map(\.label) == ["Sep", "Nov", "Jan", "Mar", "May", "Jul"])
        #expect(axis.ticks.map(\.at.description).allSatisfy { $0.hasSuffix("-01T00:00:00Z") })
        #expect(axis.ticks.first?.context == "2016")
    }

    @Test func `every span from milliseconds to millennia has a readable number of ticks`() {
        var span: Int64 = 1000
        while span < 2_000_000_000_000 * 1_000_000 / 50 {
            let axis = TimeAxis(
                from: start, to: Timestamp(microseconds: start.microseconds + span))
            #expect((1...12).contains(axis.ticks.count), "\(span) \(axis.ticks.count)")
            #expect(zip(axis.ticks, axis.ticks.dropFirst()).allSatisfy { $0.at < $1.at })
            #expect(axis.ticks.allSatisfy { $0.at >= axis.start && $0.at <= axis.end })
            span = span * 3 / 2
        }
    }
}

@Suite struct SVGTests {
    @Test(arguments: [
        (0.0, "0"), (1, "1"), (-1.5, "-1.5"), (2.345, "2.35"), (-0.001, "0"), (10.05, "10.05"),
        (-0.25, "-0.25"), (1234567.891, "1234567.89"),
    ])
    func `coordinates are short`(value: Double, text: String) {
        #expect(SVG.number(value) == text)
    }

    @Test func `no text can break out of its element`() throws {
        let nasty = "a<script>&\"'\u{0}\u{1}]]>"
        var svg = SVG(width: 10, height: 10, identifier: "x\" y", title: nasty, description: nasty)
        svg.group(["id": nasty]) { $0.add("text", ["x": nasty], text: nasty) }
        let document = try Document(svg.text)
        #expect(document.elements.map(\.name) == ["svg", "title", "desc", "g", "text"])
        #expect(document.texts.last?.hasPrefix("a<script>&\"'") == true)
    }
}
