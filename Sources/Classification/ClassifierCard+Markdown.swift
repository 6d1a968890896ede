extension FittedClassifier {
    /// The model card as Markdown: what the classifier is for and not for, what it was made from, and
    /// how good it is on recordings left out.
    package var markdown: String {
        var lines = ["# \(card.title.isEmpty ? family.rawValue : card.title)", ""]
        lines.append(
            "`intended_use: \(card.intendedUse)` – no medical device, and no advice to anyone.")
        lines += ["", "Family `\(family.rawValue)`, digest `\(digest)`.", ""]
        lines += ["## Input", "", inputText, ""]
        lines += dataLines
        lines += ["## Figures on recordings left out", "", card.protocolText, ""]
        lines += ["| Figure | Value | 95 % interval |", "| --- | --- | --- |"]
        for summary in card.summaries {
            lines.append("| \(summary.name) | \(Self.cells(summary.estimate)) |")
        }
        lines += [""] + classLines + sourceLines + calibrationLines
        lines += ["## Limits", ""] + card.limits.map { "- \($0)" }
        lines += ["", "## How it was made", ""] + makingLines
        return lines.joined(separator: "\n") + "\n"
    }

    private var inputText: String {
        "\(preparation.leads.count) leads by name, missing ones derived where others determine them, at "
            + "most \(preparation.lostMaximum) others taken as zero; \(preparation.hertz) Hz, "
            + "\(preparation.low) to \(preparation.high) Hz without phase, in millivolts, the mean of "
            + "at most \(preparation.windowsMaximum) windows of \(preparation.seconds) s. Recordings "
            + "under \(preparation.secondsMinimum) s, of signal quality under "
            + "\(preparation.qualityMinimum), or with more leads lost are refused."
    }

    private var dataLines: [String] {
        var lines = ["## Data", ""]
        if !card.licence.isEmpty { lines += [card.licence, ""] }
        lines += ["| Source | Recordings | Patients | Refused |", "| --- | --- | --- | --- |"]
        for source in card.sources {
            lines.append(
                "| \(source.name) | \(source.recordings) | \(source.patients) | \(source.refused) |"
            )
        }
        return lines + [""]
    }

    private var classLines: [String] {
        var lines = [
            "### By class", "",
            "Recordings of sources that tell the class; elsewhere a missing label says nothing.",
            "",
            "| Class | Code | With | Without | AUROC | AUPRC | F-measure | Threshold |",
            "| --- | --- | --- | --- | --- | --- | --- | --- |",
        ]
        for (index, record) in card.classes.enumerated() where index < classes.count {
            let known = classes[index]
            lines.append(
                "| \(known.abbreviation), \(known.name) | \(known.system) \(known.code) | "
                    + "\(record.positives) | \(record.negatives) | \(Self.cell(record.auroc)) | "
                    + "\(Self.cell(record.auprc)) | \(Self.cell(record.fMeasure)) | "
                    + "\(Self.rounded(thresholds[index])) |")
        }
        return lines + [""]
    }

    private var sourceLines: [String] {
        var lines = [
            "### By source", "",
            "The mean AUROC over classes with at least \(ClassifierCard.positivesMinimum) recordings of "
                + "the source with and without them. The last column is that of an ecg-kernel which "
                + "learnt from the other sources alone, over the classes that these tell.", "",
            "| Source | Macro AUROC | Classes | Source never seen |", "| --- | --- | --- | --- |",
        ]
        for source in card.sources {
            let value = source.auroc.map { Self.cell($0) } ?? "too few"
            let unseen = source.unseen.map { Self.cell($0) } ?? "–"
            lines.append("| \(source.name) | \(value) | \(source.classes) | \(unseen) |")
        }
        return lines + [""]
    }

    private var calibrationLines: [String] {
        var lines = [
            "## Calibration", "",
            "Stated probability → share found (recordings), by tenths; the last column is the mean "
                + "distance (ECE).", "",
            "| Class | Bins | ECE |", "| --- | --- | --- |",
        ]
        for record in card.classes {
            let bins = record.reliability.bins.map { bin in
                "\(Self.rounded(bin.stated)) → \(Self.rounded(bin.found)) (\(bin.count))"
            }.joined(separator: "; ")
            lines.append(
                "| \(record.abbreviation) | \(bins) | "
                    + "\(Self.rounded(record.reliability.calibrationError)) |")
        }
        return lines + [""]
    }

    private var makingLines: [String] {
        var lines = ["- seed \(card.seed); the number of threads changes nothing"]
        if !card.dataDigest.isEmpty { lines.append("- data \(card.dataDigest)") }
        if !card.codeVersion.isEmpty { lines.append("- systole \(card.codeVersion)") }
        for (name, value) in card.settings.sorted(by: { $0.key < $1.key }) {
            lines.append("- \(name): \(value)")
        }
        return lines
    }

    private static func cell(_ estimate: Estimate) -> String {
        "\(rounded(estimate.value)) [\(rounded(estimate.low)), \(rounded(estimate.high))]"
    }

    private static func cells(_ estimate: Estimate) -> String {
        "\(rounded(estimate.value)) | \(rounded(estimate.low)) to \(rounded(estimate.high))"
    }

    /// Three decimals, without a formatter.
    private static func rounded(_ value: Double) -> String {
        guard value.isFinite, abs(value) < 1e6 else { return "–" }
        let thousandths = Int((abs(value) * 1000).rounded())
        let digits = String(thousandths % 1000)
        let fraction = String(repeating: "0", count: 3 - digits.count) + digits
        return (value < 0 && thousandths > 0 ? "-" : "") + "\(thousandths / 1000).\(fraction)"
    }
}
