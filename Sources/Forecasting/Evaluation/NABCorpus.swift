/// All series of the benchmark together: the score of a detector is one number with one threshold.
package struct NABCorpus: Sendable {
    /// A threshold and what it gives.
    package struct Optimum: Hashable, Sendable {
        /// Infinite where silence is best.
        package let threshold: Double
        /// 0 is a detector that never fires, 100 one that hits the first row of every window and
        /// nothing else.
        package let score: Double
    }

    package let series: [NABScorer]

    package init(_ series: [LabelledRows]) {
        self.series = series.map(NABScorer.init)
    }

    package var windowCount: Int { series.reduce(0) { $0 + $1.rows.windows.count } }

    /// A sum of raw scores on the scale of the benchmark; nil where no window is labelled.
    ///
    /// - Parameters:
    ///   - raw: Sum over the series.
    ///   - profile: The weights.
    /// - Returns: 0 for the silent detector, 100 for the perfect one.
    package func normalised(_ raw: Double, profile: NABProfile) -> Double? {
        guard windowCount > 0 else { return nil }
        let windows = Double(windowCount)
        let silent = -profile.falseNegative * windows
        return 100 * (raw - silent) / (profile.truePositive * windows - silent)
    }

    /// The score at a threshold.
    ///
    /// - Parameters:
    ///   - scores: `[series][rows]`.
    ///   - threshold: One for all series.
    ///   - profile: The weights.
    /// - Returns: As `normalised`.
    package func score(
        _ scores: [[Double]], threshold: Double, profile: NABProfile
    ) -> Double? {
        precondition(scores.count == series.count, "NABCorpus: \(scores.count) series")
        let raw = zip(series, scores).reduce(0.0) { sum, one in
            sum + one.0.tally(one.1, threshold: threshold, profile: profile).score
        }
        return normalised(raw, profile: profile)
    }

    /// The threshold with the highest score, among all the scores there are.
    ///
    /// - Parameters:
    ///   - scores: `[series][rows]`.
    ///   - profile: The weights.
    /// - Returns: nil where no window is labelled.
    package func optimum(_ scores: [[Double]], profile: NABProfile) -> Optimum? {
        precondition(scores.count == series.count, "NABCorpus: \(scores.count) series")
        var detections = detections(scores, profile: profile)
        detections.sort { $0.score > $1.score }
        var credited = [Double](repeating: -profile.falseNegative, count: windowCount)
        var raw = -profile.falseNegative * Double(windowCount)
        var (best, threshold) = (raw, Double.infinity)
        var next = 0
        while next < detections.count {
            let score = detections[next].score
            while next < detections.count, detections[next].score == score {
                let detection = detections[next]
                next += 1
                guard let window = detection.window else {
                    raw += detection.credit
                    continue
                }
                // Credits fall within a window, so that the earliest detection has the highest.
                let gain = detection.credit - credited[window]
                if gain > 0 {
                    credited[window] = detection.credit
                    raw += gain
                }
            }
            if raw > best { (best, threshold) = (raw, score) }
        }
        return normalised(best, profile: profile).map { Optimum(threshold: threshold, score: $0) }
    }

    /// A row after probation that would count at a threshold of `score`.
    private struct Detection {
        let score: Double
        let credit: Double
        /// Its window in the corpus; nil outside of all.
        let window: Int?
    }

    private func detections(_ scores: [[Double]], profile: NABProfile) -> [Detection] {
        var all: [Detection] = []
        var first = 0
        for (one, scores) in zip(series, scores) {
            let credits = one.credits(profile)
            var place = [Int?](repeating: nil, count: one.rows.count)
            for (index, window) in one.rows.windows.enumerated() {
                for row in window { place[row] = first + index }
            }
            for row in one.probation..<one.rows.count {
                all.append(
                    Detection(score: scores[row], credit: credits[row], window: place[row]))
            }
            first += one.rows.windows.count
        }
        return all
    }
}
