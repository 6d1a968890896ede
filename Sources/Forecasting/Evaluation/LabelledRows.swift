/// The rows of one series in which an anomaly is known to lie.
package struct LabelledRows: Hashable, Sendable {
    /// `category/file.csv`, or the name of a channel.
    package let name: String
    /// Rows of the series.
    package let count: Int
    /// In time order, none overlapping another.
    package let windows: [ClosedRange<Int>]

    /// Traps unless the windows lie in the rows, ascend, and do not overlap.
    ///
    /// - Parameters:
    ///   - name: Of the series.
    ///   - count: Rows.
    ///   - windows: Rows of anomalies, ends included.
    package init(name: String, count: Int, windows: [ClosedRange<Int>]) {
        precondition(
            windows.allSatisfy { $0.lowerBound >= 0 && $0.upperBound < count },
            "LabelledRows: \(windows) of \(count) rows")
        precondition(
            zip(windows, windows.dropFirst()).allSatisfy { $0.upperBound < $1.lowerBound },
            "LabelledRows: \(windows) overlap")
        self.name = name
        self.count = count
        self.windows = windows
    }

    /// Whether each row lies in a window.
    package var isAnomalous: [Bool] {
        var labels = [Bool](repeating: false, count: count)
        for window in windows {
            for row in window { labels[row] = true }
        }
        return labels
    }
}
