import Foundation

/// Scores the detections on one series as the Numenta Anomaly Benchmark does.
///
/// Of the rows of a window at or above the threshold the earliest counts, and more the earlier it
/// lies; every row outside a window counts as false, the less the closer it follows one. Rows of the
/// probationary period count for nothing.
///
/// - Source: Lavin, Ahmad 2015, equations 1 to 3; checked against the credits per row that the
///   benchmark publishes.
package struct NABScorer: Sendable {
    /// Share of a file in which a detector may learn, of 5,000 rows at most.
    private static let probationShare = 0.15
    private static let probationRowsMaximum = 5_000
    private static let steepness = 5.0
    /// Widths of a window behind it from which on a false row costs all.
    private static let reach = 3.0

    package let rows: LabelledRows
    /// The first row that counts.
    package let probation: Int

    package init(_ rows: LabelledRows) {
        self.rows = rows
        probation = Int(
            Self.probationShare * Double(min(rows.count, Self.probationRowsMaximum)))
    }

    /// What one detected row would add to the score, `[rows]`.
    package func credits(_ profile: NABProfile) -> [Double] {
        var credits = [Double](repeating: -profile.falsePositive, count: rows.count)
        for (index, window) in rows.windows.enumerated() {
            let width = Double(window.count)
            for row in window {
                let place = -Double(window.upperBound - row + 1) / width
                credits[row] = Self.credit(at: place) / Self.credit(at: -1) * profile.truePositive
            }
            let isLast = index == rows.windows.count - 1
            let end = isLast ? rows.count : rows.windows[index + 1].lowerBound
            for row in (window.upperBound + 1)..<end {
                // A window of one row has no width to fade over.
                let place = Double(row - window.upperBound) / max(width - 1, 1e-9)
                credits[row] = Self.credit(at: place) * profile.falsePositive
            }
        }
        return credits
    }

    /// 1 well before the right end of a window, 0 at it, −1 well behind.
    private static func credit(at place: Double) -> Double {
        guard place <= reach else { return -1 }
        return 2 / (1 + exp(steepness * place)) - 1
    }

    /// The detections at a threshold, counted and credited.
    ///
    /// - Parameters:
    ///   - scores: `[rows]`, the higher the more anomalous.
    ///   - threshold: A row is detected from here on.
    ///   - profile: The weights.
    /// - Returns: Counts of rows, and the raw score of this series.
    package func tally(
        _ scores: [Double], threshold: Double, profile: NABProfile
    ) -> NABTally {
        precondition(scores.count == rows.count, "NABScorer: \(scores.count) of \(rows.count)")
        let credits = credits(profile)
        let labels = rows.isAnomalous
        var tally = NABTally()
        for row in probation..<rows.count {
            switch (scores[row] >= threshold, labels[row]) {
            case (true, true): tally.truePositives += 1
            case (false, true): tally.falseNegatives += 1
            case (false, false): tally.trueNegatives += 1
            case (true, false):
                tally.falsePositives += 1
                tally.score += credits[row]
            }
        }
        for window in rows.windows {
            let hit = window.first { $0 >= probation && scores[$0] >= threshold }
            tally.score += hit.map { credits[$0] } ?? -profile.falseNegative
        }
        return tally
    }
}

/// What became of the rows of one series.
package struct NABTally: Hashable, Sendable {
    package var truePositives = 0
    package var trueNegatives = 0
    package var falsePositives = 0
    package var falseNegatives = 0
    /// Raw: the sum of credits, less the missed windows.
    package var score = 0.0

    package init() {}
}
