/// Which of several fitted models goes live, and why, by their errors on the validation windows.
///
/// An ensemble goes before its members: there is one only where none of them is better throughout.
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
        let winner =
            eligible.first { reports[$0].family == .ensemble }
            ?? eligible.min { reports[$0].validationMSE < reports[$1].validationMSE }
        self.verdicts = verdicts
        self.winner = winner
        guard let winner else {
            reason = reports.isEmpty ? "There is no candidate." : "No candidate may go live."
            return
        }
        let best = reports[winner]
        let others = reports.indices.filter { $0 != winner }.map {
            "\(reports[$0].family.rawValue) \(reports[$0].validationMSE.short)"
        }
        let why =
            best.family == .ensemble
            ? "no model is better throughout" : "it has the least validation error"
        reason =
            "\(best.family.rawValue): of those that may go live, \(why): "
            + "MSE \(best.validationMSE.short) on \(best.validationWindows) windows"
            + (others.isEmpty ? "." : "; others: \(others.joined(separator: ", ")).")
            + Self.composition(of: best)
    }

    /// What an ensemble is made of, and how it won; empty for other families.
    private static func composition(of report: FitReport) -> String {
        guard let members = report.settings["members"] else { return "" }
        return " It is \(members)." + (report.settings["comparison"].map { " \($0)" } ?? "")
    }

    private static func verdict(_ report: FitReport) -> Verdict {
        func verdict(_ isEligible: Bool, _ reason: String) -> Verdict {
            Verdict(family: report.family, isEligible: isEligible, reason: reason)
        }
        let (mse, naive) = (report.validationMSE, report.seasonalNaiveMSE)
        guard mse.isFinite else { return verdict(false, "It diverged.") }
        if report.family == .seasonalNaive { return verdict(true, "It is the baseline.") }
        let compared = "MSE \(mse.short) against \(naive.short) of seasonal-naive"
        return mse < naive
            ? verdict(true, "It beats the baseline on validation: \(compared).")
            : verdict(false, "It does not beat the baseline on validation: \(compared).")
    }
}
