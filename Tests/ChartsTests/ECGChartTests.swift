import Foundation
import Testing

@testable import Charts

@Suite struct ECGChartTests {
    static let names = ["I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"]

    /// Ten seconds at 100 Hz with a spike of one millivolt each second.
    static func chart(_ names: [String] = names) -> ECGChart {
        ECGChart(
            title: "ward3/0001", subtitle: "12 leads", rate: 100,
            leads: names.map { name in
                ECGChart.Lead(
                    name: name, millivolts: (0..<1000).map { $0 % 100 == 50 ? 1 : 0 })
            })
    }

    /// The `d` of every path that draws a lead.
    static func traces(_ svg: String) -> [String] {
        svg.split(separator: "\n").filter { $0.contains("<path") && $0.contains("round") }
            .map(String.init)
    }

    @Test func `a millivolt is ten millimetres and a second twenty-five`() throws {
        var chart = Self.chart(["II"])
        chart.layout = .rows
        let trace = try #require(Self.traces(chart.svg()).first)
        let path = try #require(trace.firstMatch(of: /d="([^"]*)"/)).1
        let points = path.matches(of: /[ML]([0-9.]+) ([0-9.]+)/).map {
            (x: Double($0.1) ?? 0, y: Double($0.2) ?? 0)
        }
        let base = try #require(points.first).y
        let spikes = points.filter { base - $0.y > 30 }
        #expect(spikes.count == 10)
        // Four pixels a millimetre.
        #expect(spikes.allSatisfy { abs(base - $0.y - 40) < 0.01 })
        #expect(abs(spikes[1].x - spikes[0].x - 100) < 0.01)
    }

    @Test func `three by four has a strip of lead II below, rows have one a lead`() {
        var chart = Self.chart()
        #expect(Self.traces(chart.svg()).count == 13)
        chart.layout = .rows
        #expect(Self.traces(chart.svg()).count == 12)
        #expect(Self.traces(Self.chart(["V2"]).svg()).count == 2)
        #expect(Self.traces(Self.chart([]).svg()).isEmpty)
    }

    @Test func `findings are listed, the most probable first, and a refusal in their place`() throws
    {
        var chart = Self.chart()
        chart.findings = [
            ECGChart.Finding(name: "weak", probability: 0.2, threshold: 0.5, isPositive: false),
            ECGChart.Finding(name: "some <&>", probability: 0.61, threshold: 0.5, isPositive: true),
            ECGChart.Finding(name: "strong", probability: 0.987, threshold: 0.5, isPositive: true),
        ]
        let svg = chart.svg()
        let strong = try #require(svg.range(of: "strong: 98.7 % (from 50 % on)"))
        let some = try #require(svg.range(of: "some &lt;&amp;&gt;: 61 %"))
        #expect(strong.lowerBound < some.lowerBound)
        #expect(!svg.contains("not weak:"))
        chart.findings = []
        chart.abstention = "no beat was found."
        #expect(chart.svg().contains("Not classified: no beat was found."))
    }

    @Test func `what speaks for a finding is shaded at its lead and its second`() throws {
        var chart = Self.chart(["I", "II"])
        chart.layout = .rows
        var values = [[Double]](repeating: [Double](repeating: 0, count: 10), count: 2)
        values[1][3] = 2
        values[0][9] = -1
        chart.support = ECGChart.Support(name: "AF", windowSeconds: 1, values: values)
        let svg = chart.svg()
        let shades = svg.matches(
            of:
                /<rect x="([0-9.]+)" y="([0-9.]+)" width="100" height="80" fill="([^"]+)" fill-opacity="([^"]+)"/
        )
        #expect(shades.map { String($0.1) } == ["936", "336"])
        #expect(shades.map { String($0.3) } == ["#2563eb", "#f59e0b"])
        #expect(shades.map { String($0.4) } == ["0.25", "0.5"])
        #expect(svg.contains("speaks for AF"))
    }

    @Test func `missing samples break the line, and huge ones stay on the paper`() throws {
        var chart = Self.chart(["II"])
        chart.layout = .rows
        chart.leads[0].millivolts[300..<400] = ArraySlice(repeating: Double.nan, count: 100)
        chart.leads[0].millivolts[700] = 1e300
        let svg = chart.svg()
        let trace = try #require(Self.traces(svg).first)
        #expect(trace.matches(of: /M[0-9]/).count == 2)
        #expect(!svg.contains("e+") && !svg.contains("inf"))
    }
}
