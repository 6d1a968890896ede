/// Which of several fitted models goes live, and why, by their errors on the validation windows.
///
/// A model that does not beat the seasonal naive forecast there stays a candidate; where none does,
/// the seasonal naive forecast itself goes live, if it is among them.
package struct ModelSelection: Hashable, Sendable {
    /// What became of one candidate.
    package struct Verdict: Hashable, Sendable {
        package let family: Family
        package let isEligible: Bool
        /// One sentence.
        package let reason: String
    }

    /// The place of the winner among the candidates; nil where none may go live.
    package let winner: Int?
    /// One sentence.
    package let reason: String
    /// One for every candidate, in their order.
    package let verdicts: [Verdict]

    /// - Parameter reports: Of models fitted on the same series, task and split.
    package init(_ reports: [FitReport]) {
        let verdicts = reports.map { Self.verdict($0) }
        let eligible = verdicts.indices.filter { verdicts[$0].isEligible }
        let winner = eligible.min { reports[$0].validationMSE < reports[$1].validationMSE }
        self.verdicts = verdicts
        self.winner = winner
        guard let winner else {
            reason = reports.isEmpty ? "There is no candidate." : "No candidate may go live."
            return
        }
        let best = reports[winner]
        let others = reports.indices.filter { $0 != winner }.map {
            "\(reports[$0].family.rawValue) \(Self.short(reports[$0].validationMSE))"
        }
        reason =
            "\(best.family.rawValue) has the least validation error of those that may go live: "
            + "MSE \(Self.short(best.validationMSE)) on \(best.validationWindows) windows"
            + (others.isEmpty ? "." : "; others: \(others.joined(separator: ", ")).")
    }

    private static func verdict(_ report: FitReport) -> Verdict {
        func verdict(_ isEligible: Bool, _ reason: String) -> Verdict {
            Verdict(family: report.family, isEligible: isEligible, reason: reason)
        }
        let (mse, naive) = (report.validationMSE, report.seasonalNaiveMSE)
        guard mse.isFinite else { return verdict(false, "It diverged.") }
        if report.family == .seasonalNaive { return verdict(true, "It is the baseline.") }
        let compared = "MSE \(short(mse)) against \(short(naive)) of seasonal-naive"
        return mse < naive
            ? verdict(true, "It beats the baseline on validation: \(compared).")
            : verdict(false, "It does not beat the baseline on validation: \(compared).")
    }

    /// Four significant digits or so; the exact number stays in the report.
    package static func short(_ value: Double) -> String {
        guard value.isFinite, value != 0 else { return "\(value)" }
        var factor = 1e4
        var size = abs(value)
        while size >= 10, factor > 1 { (size, factor) = (size / 10, factor / 10) }
        return "\((value * factor).rounded() / factor)"
    }
}
