/// An electrocardiogram on its millimetre grid, with what was found in it: 25 mm/s and 10 mm/mV, as
/// on paper.
///
/// The median of each lead is taken off, as the amplifier of a recorder does it. Missing samples break
/// the line.
package struct ECGChart: Sendable {
    /// How the leads lie on the paper.
    package enum Layout: Sendable {
        /// Four columns of 2.5 s with three leads each, and a strip of one lead below.
        case threeByFour
        /// One row a lead.
        case rows
    }

    /// One lead, of all the recording.
    package struct Lead: Sendable {
        package var name: String
        /// `[samples]` in millivolts, NaN where missing.
        package var millivolts: [Double]
        /// For leads that other leads gave, shown with an asterisk.
        package var isDerived: Bool

        package init(name: String, millivolts: [Double], isDerived: Bool = false) {
            self.name = name
            self.millivolts = millivolts
            self.isDerived = isDerived
        }
    }

    /// One line of the list beside the title.
    package struct Finding: Sendable {
        package var name: String
        /// 0…1.
        package var probability: Double
        package var threshold: Double
        package var isPositive: Bool

        package init(name: String, probability: Double, threshold: Double, isPositive: Bool) {
            self.name = name
            self.probability = probability
            self.threshold = threshold
            self.isPositive = isPositive
        }
    }

    /// How much each piece of each lead speaks for a finding, drawn as shading.
    package struct Support: Sendable {
        /// The finding.
        package var name: String
        package var windowSeconds: Double
        /// `[lead][window]` in the order of the chart's leads, from `fromSecond` on; above zero
        /// speaks for the finding, below zero against it.
        package var values: [[Double]]

        package init(name: String, windowSeconds: Double, values: [[Double]]) {
            precondition(windowSeconds > 0, "ECGChart: windows of \(windowSeconds) s")
            self.name = name
            self.windowSeconds = windowSeconds
            self.values = values
        }
    }

    /// How long a stretch is drawn, in seconds.
    package static let seconds = 10.0

    package var title: String
    package var subtitle: String
    /// In samples a second.
    package var rate: Double
    /// In their customary order; at most twelve are drawn.
    package var leads: [Lead]
    package var findings: [Finding] = []
    /// Why there are no findings; nil where there are.
    package var abstention: String?
    package var support: Support?
    /// Where the drawn stretch begins.
    package var fromSecond = 0.0
    package var layout = Layout.threeByFour
    /// Below the chart, in small letters.
    package var footer = ""
    /// Begins the ids in the document; charts on one page need different ones.
    package var identifier = "ecg"

    package init(title: String, subtitle: String, rate: Double, leads: [Lead]) {
        precondition(rate > 0 && rate.isFinite, "ECGChart: \(rate) samples a second")
        self.title = title
        self.subtitle = subtitle
        self.rate = rate
        self.leads = leads
    }

    /// The chart as an SVG document.
    package func svg() -> String {
        let paper = ECGPaper(self)
        var svg = SVG(
            width: paper.width, height: paper.height, identifier: identifier, title: title,
            description: summary)
        svg.add("rect", ["width": "100%", "height": "100%", "fill": Ink.paper])
        svg.group(["font-family": Ink.font, "font-size": "12", "fill": Ink.text]) { svg in
            paper.drawHeadings(&svg)
            paper.drawGrid(&svg)
            for strip in paper.strips { paper.drawSupport(of: strip, &svg) }
            for strip in paper.strips { paper.draw(strip, &svg) }
            paper.drawFooter(&svg)
        }
        return svg.text
    }

    /// What the chart shows, in words.
    private var summary: String {
        var text = "\(leads.count) leads"
        let names = leads.map(\.name).joined(separator: ", ")
        if !names.isEmpty { text += " (\(names))" }
        text += " from second \(SVG.number(fromSecond)), 25 mm/s and 10 mm/mV."
        let found = findings.filter(\.isPositive).map(\.name)
        if let abstention {
            text += " Not classified: \(abstention)"
        } else {
            text += " Found: \(found.isEmpty ? "nothing" : found.joined(separator: ", "))."
        }
        if let support { text += " Shaded: what speaks for and against \(support.name)." }
        return text
    }
}
