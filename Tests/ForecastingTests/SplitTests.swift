import Forecasting
import Series
import Testing

@Suite struct SplitTests {
    struct Case: CustomTestStringConvertible, Sendable {
        let rows: Int
        let horizon: Int
        let windows: Int
        var testDescription: String { "\(rows) rows, horizon \(horizon)" }
    }

    @Test(arguments: [
        Case(rows: 17_420, horizon: 96, windows: 2_785),
        Case(rows: 17_420, horizon: 192, windows: 2_689),
        Case(rows: 17_420, horizon: 336, windows: 2_545),
        Case(rows: 17_420, horizon: 720, windows: 2_161),
        Case(rows: 69_680, horizon: 96, windows: 11_425),
        Case(rows: 69_680, horizon: 720, windows: 10_801),
    ])
    func `the Informer borders give the published number of test windows`(_ c: Case) throws {
        let split = Split.informer(rows: c.rows)
        let values = [Double](repeating: 1, count: c.rows)
        for lag in [96, 336, 512] {
            let task = try ForecastTask(lag: lag, horizon: c.horizon, season: 24)
            let plan = WindowPlan(values: values, task: task, split: split)
            #expect(plan.test.starts.count == c.windows)
            #expect(plan.validation.starts.count == c.windows)
            #expect(plan.test.excluded == 0)
            #expect(plan.train.starts.count == split.train - lag - c.horizon + 1)
        }
    }

    @Test func `targets stay in their own part and inputs may reach into the one before`() throws {
        let split = try Split(rows: 100, train: 50, validation: 20, test: 20)
        let task = try ForecastTask(lag: 10, horizon: 5, season: 1)
        let plan = WindowPlan(values: (0..<100).map(Double.init), task: task, split: split)
        #expect(plan.train.starts == Array(0...35))
        #expect(plan.validation.starts == Array(40...55))
        #expect(plan.test.starts == Array(60...75))
        #expect(split.unused == 10)
    }

    @Test func `other row counts are split by the ratio rule`() {
        let split = Split.informer(rows: 1_003)
        #expect([split.train, split.validation, split.test] == [702, 101, 200])
        #expect(split.unused == 0)
    }

    @Test func `borders that the series does not have are refused`() {
        #expect(throws: ForecastError.bordersOutsideSeries(rows: 10, asked: 12)) {
            try Split(rows: 10, train: 8, validation: 2, test: 2)
        }
        #expect(throws: ForecastError.bordersOutsideSeries(rows: 10, asked: 3)) {
            try Split(rows: 10, train: -8, validation: 1, test: 2)
        }
    }

    @Test(arguments: [1, 7, 24, 200], [1, 24, 168])
    func `the shortest series that a task allows can be split for a live model`(
        horizon: Int, lag: Int
    ) throws {
        let task = try ForecastTask(lag: lag, horizon: horizon, season: 1)
        for rows in [task.rowsMinimum, task.rowsMinimum + 1, task.rowsMinimum * 3] {
            let plan = WindowPlan(
                values: [Double](repeating: 0, count: rows), task: task,
                split: .live(rows: rows, task: task))
            #expect(plan.train.starts.count >= Split.trainWindowsMinimum)
            #expect(plan.validation.starts.count >= Split.validationWindowsMinimum)
        }
    }

    @Test func `windows with missing values are left out and counted`() throws {
        var values = (0..<100).map(Double.init)
        values[30] = .nan
        let split = try Split(rows: 100, train: 100, validation: 0, test: 0)
        let task = try ForecastTask(lag: 10, horizon: 5, season: 2)
        let complete = WindowPlan(values: values, task: task, split: split)
        #expect(complete.train.excluded == 15)
        #expect(complete.train.starts.allSatisfy { !($0..<($0 + 15)).contains(30) })
        let budget = GapBudget(task, .ridge)
        let filled = WindowPlan(values: values, task: task, split: split, inputs: .filled(budget))
        #expect(filled.train.excluded == 5, "a missing target is never used")
    }

    @Test func `impossible tasks are refused with the limits`() {
        #expect(throws: ForecastError.horizonNotPositive(found: 0)) {
            try ForecastTask(lag: 10, horizon: 0, season: 1)
        }
        #expect(throws: ForecastError.horizonNotPositive(found: -5)) {
            try ForecastTask(lag: 10, horizon: -5, season: 1)
        }
        #expect(throws: ForecastError.horizonTooLong(found: 1_000_000, maximum: 10_000)) {
            try ForecastTask(lag: 10, horizon: 1_000_000, season: 1)
        }
        #expect(throws: ForecastError.lagOutOfRange(found: 10, minimum: 24, maximum: 4_096)) {
            try ForecastTask(lag: 10, horizon: 1, season: 24)
        }
    }
}
