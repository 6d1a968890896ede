/// Precision and recall of detected ranges against labelled ones.
///
/// Recall is the mean over labelled ranges of the share that was detected, divided by the number of
/// pieces it was detected in; precision the same with the roles exchanged. Every row of a range
/// counts alike.
///
/// - Source: Tatbul et al. 2018, "Precision and Recall for Time Series", with α 0, flat bias and
///   reciprocal cardinality.
package struct RangeCount: Hashable, Sendable {
    /// Sum over detected ranges, and their number.
    package private(set) var precisionSum = 0.0
    package private(set) var detectedRanges = 0
    /// Sum over labelled ranges, and their number.
    package private(set) var recallSum = 0.0
    package private(set) var labelledRanges = 0

    package init() {}

    /// In 0...1; 0 where nothing was detected.
    package var precision: Double {
        detectedRanges > 0 ? precisionSum / Double(detectedRanges) : 0
    }
    /// In 0...1; 0 where nothing is labelled.
    package var recall: Double { labelledRanges > 0 ? recallSum / Double(labelledRanges) : 0 }
    /// The harmonic mean of both.
    package var f1: Double {
        let sum = precision + recall
        return sum > 0 ? 2 * precision * recall / sum : 0
    }

    /// Counts one series.
    ///
    /// - Parameters:
    ///   - scores: `[rows]`.
    ///   - threshold: A row is detected from here on.
    ///   - rows: The labels.
    package mutating func add(_ scores: [Double], threshold: Double, _ rows: LabelledRows) {
        precondition(scores.count == rows.count, "RangeCount: \(scores.count) of \(rows.count)")
        let detected = Self.runs(of: scores.map { $0 >= threshold })
        for range in detected { precisionSum += Self.share(of: range, in: rows.windows) }
        for window in rows.windows { recallSum += Self.share(of: window, in: detected) }
        detectedRanges += detected.count
        labelledRanges += rows.windows.count
    }

    /// The part of a range that others cover, over the number of the others that do.
    private static func share(
        of range: ClosedRange<Int>, in others: [ClosedRange<Int>]
    ) -> Double {
        let touching = others.filter { $0.overlaps(range) }
        guard !touching.isEmpty else { return 0 }
        let covered = touching.reduce(0) { $0 + $1.clamped(to: range).count }
        return Double(covered) / Double(range.count) / Double(touching.count)
    }

    private static func runs(of flags: [Bool]) -> [ClosedRange<Int>] {
        var runs: [ClosedRange<Int>] = []
        var start: Int?
        for (row, flag) in flags.enumerated() {
            if flag && start == nil { start = row }
            if !flag, let first = start {
                runs.append(first...(row - 1))
                start = nil
            }
        }
        if let first = start { runs.append(first...(flags.count - 1)) }
        return runs
    }
}
