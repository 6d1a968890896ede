/// Which rows train, which choose and calibrate, which judge: three runs of rows in time order.
package struct Split: Hashable, Sendable, Codable {
    /// A part of the split.
    package enum Part: String, Sendable, Codable { case train = "training", validation, test }

    /// Fewer training windows than this are not fitted.
    package static let trainWindowsMinimum = 20
    /// Fewer validation windows than this can neither choose a model nor calibrate it.
    package static let validationWindowsMinimum = 10

    /// Rows of the series; the first one is row 0.
    package let rows: Int
    package let train: Int
    package let validation: Int
    package let test: Int

    /// Rows at the end that no part uses.
    package var unused: Int { rows - train - validation - test }

    /// Borders by explicit counts.
    ///
    /// - Throws: `bordersOutsideSeries` if the parts are negative or need more rows than there are.
    package init(rows: Int, train: Int, validation: Int, test: Int) throws(ForecastError) {
        guard train >= 0, validation >= 0, test >= 0, train <= rows, validation <= rows,
            test <= rows, train + validation + test <= rows
        else {
            let asked = [train, validation, test].reduce(0) { $0 &+ max($1, 0) }
            throw .bordersOutsideSeries(rows: rows, asked: asked)
        }
        self.init(unchecked: rows, train, validation, test)
    }

    /// The ratio rule of the long-horizon benchmarks: train ⌊0.7n⌋, test ⌊0.2n⌋, the rest validates.
    package static func ratio(rows: Int) -> Split {
        let (train, test) = (rows * 7 / 10, rows * 2 / 10)
        return Split(unchecked: rows, train, rows - train - test, test)
    }

    /// The Informer borders: 12/4/4 months of 30 days for the ETT sets, told by their row counts
    /// (17 420 hourly, 69 680 quarter-hourly; the rest of the file is unused); else the ratio rule.
    package static func informer(rows: Int) -> Split {
        switch rows {
        case 17_420: Split(unchecked: rows, 8_640, 2_880, 2_880)
        case 69_680: Split(unchecked: rows, 34_560, 11_520, 11_520)
        default: ratio(rows: rows)
        }
    }

    /// For a model that goes to work: no test rows; the newest fifth, or what the least number of
    /// validation windows takes if that is more, validates and calibrates. On a short series the
    /// least number of training windows comes before the fifth.
    package static func live(rows: Int, task: ForecastTask) -> Split {
        let learnt = task.lag + task.horizon + trainWindowsMinimum - 1
        let least = task.horizon + validationWindowsMinimum - 1
        let validation = min(rows, max(min(rows / 5, rows - learnt), least))
        return Split(unchecked: rows, rows - validation, validation, 0)
    }

    private init(unchecked rows: Int, _ train: Int, _ validation: Int, _ test: Int) {
        self.rows = rows
        self.train = train
        self.validation = validation
        self.test = test
    }

    /// The rows whose values a part may have as targets.
    package func targets(of part: Part) -> Range<Int> {
        switch part {
        case .train: 0..<train
        case .validation: train..<(train + validation)
        case .test: (train + validation)..<(train + validation + test)
        }
    }
}
