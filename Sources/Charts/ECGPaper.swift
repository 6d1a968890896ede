/// An electrocardiogram laid out: where every lead runs, and on which squares.
struct ECGPaper {
    /// A stretch of one lead at its place.
    struct Strip {
        let lead: Int
        /// In seconds from the start of the drawn stretch.
        let from: Double
        let seconds: Double
        /// Of its left end and its zero line.
        let x: Double
        let y: Double
    }

    /// Pixels a millimetre.
    private static let scale = 4.0
    private static let millimetresPerSecond = 25.0
    private static let millimetresPerMillivolt = 10.0
    /// The furthest from the zero line that is drawn; more would run through other rows.
    private static let millivoltsMaximum = 2.5
    private static let findingsMaximum = 8

    let width: Double
    let height: Double
    let strips: [Strip]
    private let chart: ECGChart
    private let left = 36.0
    private let top: Double
    private let rows: Int
    /// Of one row, in millimetres.
    private let rowMillimetres: Double
    private let medians: [Double]

    init(_ chart: ECGChart) {
        self.chart = chart
        let count = min(12, chart.leads.count)
        let isGrid = chart.layout == .threeByFour && count > 0
        rows = isGrid ? 4 : max(1, count)
        rowMillimetres = isGrid ? 30 : 20
        let lines = Self.listed(chart).count
        top = 76 + Double((max(lines, 1) + 1) / 2) * 18
        width = left + ECGChart.seconds * Self.millimetresPerSecond * Self.scale + 24
        height = top + Double(rows) * rowMillimetres * Self.scale + 44
        medians = chart.leads.map { Self.median($0.millivolts) }
        let row = { [top, rowMillimetres] (number: Int) in
            top + (Double(number) + 0.5) * rowMillimetres * Self.scale
        }
        guard isGrid else {
            strips = (0..<count).map { [left] in
                Strip(lead: $0, from: 0, seconds: ECGChart.seconds, x: left, y: row($0))
            }
            return
        }
        let quarter = ECGChart.seconds / 4
        var strips = (0..<count).map { [left] lead in
            let from = Double(lead / 3) * quarter
            return Strip(
                lead: lead, from: from, seconds: quarter, x: left + Self.length(from),
                y: row(lead % 3))
        }
        let rhythm = chart.leads.prefix(count).firstIndex { $0.name == "II" } ?? 0
        strips.append(
            Strip(lead: rhythm, from: 0, seconds: ECGChart.seconds, x: left, y: row(3)))
        self.strips = strips
    }

    /// In pixels.
    private static func length(_ seconds: Double) -> Double {
        seconds * millimetresPerSecond * scale
    }

    private static func median(_ values: [Double]) -> Double {
        let finite = values.filter(\.isFinite).sorted()
        return finite.isEmpty ? 0 : finite[finite.count / 2]
    }

    /// The positive findings, or the most probable ones where there are none.
    private static func listed(_ chart: ECGChart) -> [ECGChart.Finding] {
        let ranked = chart.findings.sorted { $0.probability > $1.probability }
        let positive = ranked.filter(\.isPositive)
        return Array(
            (positive.isEmpty ? Array(ranked.prefix(2)) : positive).prefix(findingsMaximum))
    }

    // MARK: - Drawing

    func drawHeadings(_ svg: inout SVG) {
        svg.add(
            "text", ["x": "24", "y": "32", "font-size": "17", "font-weight": "600"],
            text: chart.title)
        svg.add("text", ["x": "24", "y": "52", "fill": Ink.faint], text: chart.subtitle)
        if let abstention = chart.abstention {
            svg.add(
                "text", ["x": "24", "y": "76", "fill": Ink.anomaly],
                text: "Not classified: \(abstention)")
        }
        for (index, finding) in Self.listed(chart).enumerated() {
            let percent = SVG.number((finding.probability * 1000).rounded() / 10)
            let limit = SVG.number((finding.threshold * 1000).rounded() / 10)
            svg.add(
                "text",
                [
                    "x": SVG.number(24 + Double(index % 2) * width / 2),
                    "y": SVG.number(76 + Double(index / 2) * 18),
                    "font-weight": finding.isPositive ? "600" : "400",
                    "fill": finding.isPositive ? Ink.text : Ink.faint,
                ],
                text: finding.isPositive
                    ? "\(finding.name): \(percent) % (from \(limit) % on)"
                    : "not \(finding.name): \(percent) % (from \(limit) % on)")
        }
    }

    func drawGrid(_ svg: inout SVG) {
        let right = left + Self.length(ECGChart.seconds)
        let bottom = top + Double(rows) * rowMillimetres * Self.scale
        for (step, colour, width) in [(1, "#f7dede", "0.5"), (5, "#e8b4b4", "0.8")] {
            var path = ""
            for column in stride(
                from: 0, through: Int(ECGChart.seconds * Self.millimetresPerSecond), by: step)
            {
                let x = left + Double(column) * Self.scale
                path += "M\(SVG.number(x)) \(SVG.number(top))V\(SVG.number(bottom))"
            }
            for line in stride(from: 0, through: rows * Int(rowMillimetres), by: step) {
                let y = top + Double(line) * Self.scale
                path += "M\(SVG.number(left)) \(SVG.number(y))H\(SVG.number(right))"
            }
            svg.add("path", ["d": path, "fill": "none", "stroke": colour, "stroke-width": width])
        }
    }

    /// Shades what speaks for and against the finding; the strongest piece of all is the darkest.
    func drawSupport(of strip: Strip, _ svg: inout SVG) {
        guard let support = chart.support, strip.lead < support.values.count else { return }
        let largest = support.values.joined().reduce(0) { max($0, abs($1)) }
        guard largest > 0, largest.isFinite else { return }
        let room = rowMillimetres * Self.scale
        for (index, value) in support.values[strip.lead].enumerated() {
            let begin = max(Double(index) * support.windowSeconds, strip.from)
            let end = min(Double(index + 1) * support.windowSeconds, strip.from + strip.seconds)
            let share = abs(value) / largest
            guard end > begin, share > 0.05 else { continue }
            svg.add(
                "rect",
                [
                    "x": SVG.number(strip.x + Self.length(begin - strip.from)),
                    "y": SVG.number(strip.y - room / 2),
                    "width": SVG.number(Self.length(end - begin)), "height": SVG.number(room),
                    "fill": value > 0 ? Shade.support : Shade.contradiction,
                    "fill-opacity": SVG.number(0.5 * share),
                ])
        }
    }

    func draw(_ strip: Strip, _ svg: inout SVG) {
        let lead = chart.leads[strip.lead]
        let first = Int(((chart.fromSecond + strip.from) * chart.rate).rounded(.up))
        let last = Int(((chart.fromSecond + strip.from + strip.seconds) * chart.rate).rounded(.up))
        let range = first..<max(first, min(last, lead.millivolts.count))
        let points = range.map { index in
            let second = Double(index) / chart.rate - chart.fromSecond - strip.from
            let value = lead.millivolts[index] - medians[strip.lead]
            let shown = min(max(value, -Self.millivoltsMaximum), Self.millivoltsMaximum)
            return Point(
                x: strip.x + Self.length(second),
                y: value.isNaN
                    ? .nan : strip.y - shown * Self.millimetresPerMillivolt * Self.scale)
        }
        svg.add(
            "path",
            [
                "d": LinePath.line(LinePath.thinned(points)), "fill": "none", "stroke": "#111827",
                "stroke-width": "1.1", "stroke-linejoin": "round", "stroke-linecap": "round",
            ])
        let room = rowMillimetres * Self.scale / 2
        if strip.from > 0 {
            let (x, y) = (SVG.number(strip.x), SVG.number(strip.y - 10))
            svg.add("path", ["d": "M\(x) \(y)v20", "stroke": "#111827", "stroke-width": "1.1"])
        } else {
            drawPulse(at: strip.y, &svg)
        }
        svg.add(
            "text",
            [
                "x": SVG.number(strip.x + 5), "y": SVG.number(strip.y - room + 14),
                "font-weight": "600", "stroke": Ink.paper, "stroke-width": "3",
                "paint-order": "stroke",
            ], text: lead.name + (lead.isDerived ? "*" : ""))
    }

    /// One millivolt for a fifth of a second, left of the paper.
    private func drawPulse(at y: Double, _ svg: inout SVG) {
        let height = SVG.number(Self.millimetresPerMillivolt * Self.scale)
        let start = "M\(SVG.number(left - 28)) \(SVG.number(y))"
        svg.add(
            "path",
            [
                "d": "\(start)h4v-\(height)h20v\(height)h4", "fill": "none", "stroke": "#111827",
                "stroke-width": "1.1",
            ])
    }

    func drawFooter(_ svg: inout SVG) {
        var words = ["25 mm/s, 10 mm/mV"]
        if chart.leads.contains(where: \.isDerived) { words.append("* derived from other leads") }
        if !chart.footer.isEmpty { words.append(chart.footer) }
        let y = SVG.number(height - 24)
        svg.add(
            "text", ["x": SVG.number(left), "y": y, "fill": Ink.faint, "font-size": "11"],
            text: words.joined(separator: "  ·  "))
        guard let support = chart.support else { return }
        let below = height - 8
        var x = left
        for (colour, text) in [
            (Shade.support, "speaks for \(support.name)"),
            (Shade.contradiction, "speaks against it"),
        ] {
            svg.add(
                "rect",
                [
                    "x": SVG.number(x), "y": SVG.number(below - 9), "width": "14", "height": "10",
                    "fill": colour, "fill-opacity": "0.5",
                ])
            svg.add(
                "text",
                [
                    "x": SVG.number(x + 19), "y": SVG.number(below), "fill": Ink.faint,
                    "font-size": "11",
                ], text: text)
            x += 19 + Double(text.count) * 6.2 + 20
        }
    }

    /// Told apart also without colour vision: orange is the lighter one.
    private enum Shade {
        static let support = "#f59e0b"
        static let contradiction = "#2563eb"
    }
}
