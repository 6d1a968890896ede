import Foundation

/// How well scores rank the rows of labelled ranges, whatever the threshold.
package enum RangeAccuracy {
    /// Thresholds on the curve, as in the published evaluation.
    private static let thresholdCount = 250

    /// The area under precision over recall, each row by itself (average precision).
    ///
    /// - Parameters:
    ///   - scores: `[rows]`, the higher the more anomalous.
    ///   - rows: The labels.
    /// - Returns: In 0...1; nil where nothing is labelled.
    package static func averagePrecision(_ scores: [Double], _ rows: LabelledRows) -> Double? {
        precondition(scores.count == rows.count, "RangeAccuracy: \(scores.count) of \(rows.count)")
        let labels = rows.isAnomalous
        let positives = labels.count { $0 }
        guard positives > 0 else { return nil }
        let order = scores.indices.sorted { scores[$0] > scores[$1] }
        var (area, hits, seen) = (0.0, 0, 0)
        while seen < order.count {
            let score = scores[order[seen]]
            let before = hits
            while seen < order.count, scores[order[seen]] == score {
                if labels[order[seen]] { hits += 1 }
                seen += 1
            }
            area += Double(hits - before) / Double(positives) * Double(hits) / Double(seen)
        }
        return area
    }

    /// The volume under the surface of range-aware precision over recall and over buffers of 0 to
    /// `buffer` rows (VUS-PR).
    ///
    /// A buffer widens every range by half of itself on either side, with labels that fall as a
    /// square root: a detection just beside a range is worth something. Recall is multiplied with
    /// the share of ranges that were detected at all.
    ///
    /// - Parameters:
    ///   - scores: `[rows]`, the higher the more anomalous.
    ///   - rows: The labels.
    ///   - buffer: Rows of the widest.
    /// - Returns: In 0...1; nil where nothing is labelled.
    /// - Source: Paparrizos et al. 2022, "Volume Under the Surface", with the published choices:
    ///   250 thresholds at equal distances of rank, steps rather than trapezoids.
    package static func volume(
        _ scores: [Double], _ rows: LabelledRows, buffer: Int
    ) -> Double? {
        precondition(scores.count == rows.count, "RangeAccuracy: \(scores.count) of \(rows.count)")
        guard !rows.windows.isEmpty else { return nil }
        let ranks = Ranks(scores, thresholds: thresholdCount)
        let areas = (0...buffer).map { area(ranks, rows, buffer: $0) }
        return areas.reduce(0, +) / Double(areas.count)
    }

    /// Which of the falling thresholds is the first that a row reaches.
    private struct Ranks {
        /// `[rows]`
        let first: [Int]
        /// Rows at or above each threshold, `[thresholds]`.
        let detected: [Int]

        init(_ scores: [Double], thresholds count: Int) {
            let sorted = scores.sorted(by: >)
            let thresholds = (0..<count).map { k in
                sorted[(sorted.count - 1) * k / (count - 1)]
            }
            first = scores.map { score in
                var (low, high) = (0, count - 1)
                while low < high {
                    let middle = (low + high) / 2
                    if thresholds[middle] <= score { high = middle } else { low = middle + 1 }
                }
                return low
            }
            var detected = [Int](repeating: 0, count: count)
            for k in first { detected[k] += 1 }
            for k in 1..<count { detected[k] += detected[k - 1] }
            self.detected = detected
        }
    }

    private static func area(_ ranks: Ranks, _ rows: LabelledRows, buffer: Int) -> Double {
        let labels = widened(rows, buffer: buffer)
        let ranges = merged(rows, buffer: buffer)
        let count = ranks.detected.count
        // What enters at each threshold: label mass of detected rows, and ranges first touched.
        var mass = [Double](repeating: 0, count: count)
        var found = [Int](repeating: 0, count: count)
        for range in ranges {
            var earliest = count - 1
            for row in range {
                mass[ranks.first[row]] += labels[row]
                earliest = min(earliest, ranks.first[row])
            }
            found[earliest] += 1
        }
        let certain = Double(rows.windows.reduce(0) { $0 + $1.count })
        var (area, recallBefore, hit, touched, beside) = (0.0, 0.0, 0.0, 0, 0.0)
        let sure = sureMass(ranks, rows)
        for k in 0..<count {
            hit += mass[k]
            touched += found[k]
            beside = hit - sure[k]
            // As published: the labels are what is certain, and of the slopes what was detected.
            let total = (certain + certain + beside) / 2
            let recall = min(hit / total, 1) * Double(touched) / Double(ranges.count)
            area += (recall - recallBefore) * hit / Double(ranks.detected[k])
            recallBefore = recall
        }
        return area
    }

    /// Rows inside of windows that are detected at each threshold, `[thresholds]`.
    private static func sureMass(_ ranks: Ranks, _ rows: LabelledRows) -> [Double] {
        var mass = [Double](repeating: 0, count: ranks.detected.count)
        for window in rows.windows {
            for row in window { mass[ranks.first[row]] += 1 }
        }
        for k in 1..<mass.count { mass[k] += mass[k - 1] }
        return mass
    }

    /// `[rows]`, 1 in a window and falling to either side.
    private static func widened(_ rows: LabelledRows, buffer: Int) -> [Double] {
        var labels = rows.isAnomalous.map { $0 ? 1.0 : 0 }
        let half = buffer / 2
        guard half > 0 else { return labels }
        for window in rows.windows {
            for distance in 1...half {
                let slope = (1 - Double(distance) / Double(buffer)).squareRoot()
                let (after, before) = (window.upperBound + distance, window.lowerBound - distance)
                if after < labels.count { labels[after] = min(1, labels[after] + slope) }
                if before >= 0 { labels[before] = min(1, labels[before] + slope) }
            }
        }
        return labels
    }

    /// The windows with their buffers; those that touch are one.
    private static func merged(_ rows: LabelledRows, buffer: Int) -> [ClosedRange<Int>] {
        let half = buffer / 2
        var ranges: [ClosedRange<Int>] = []
        for window in rows.windows {
            let range =
                max(0, window.lowerBound - half)...min(rows.count - 1, window.upperBound + half)
            if let last = ranges.last, last.upperBound >= range.lowerBound {
                ranges[ranges.count - 1] = last.lowerBound...range.upperBound
            } else {
                ranges.append(range)
            }
        }
        return ranges
    }
}
