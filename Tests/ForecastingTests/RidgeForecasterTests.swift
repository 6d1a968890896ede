@testable import Forecasting
import Series
import Tensors
import Testing

@Suite struct RidgeForecasterTests {
    static let task = try? ForecastTask(lag: 12, horizon: 5, season: 4)

    /// Solves Ax = B by elimination with pivoting; the slow path that the fast one is held to.
    static func solve(_ a: [[Double]], _ b: [[Double]]) -> [[Double]] {
        var rows = zip(a, b).map { $0 + $1 }
        let n = a.count
        for column in 0..<n {
            let pivot = (column..<n).max { abs(rows[$0][column]) < abs(rows[$1][column]) } ?? column
            rows.swapAt(column, pivot)
            for row in 0..<n where row != column {
                let factor = rows[row][column] / rows[column][column]
                for k in column..<rows[row].count { rows[row][k] -= factor * rows[column][k] }
            }
        }
        return rows.enumerated().map { row, values in values[n...].map { $0 / values[row] } }
    }

    /// The centred windows with a constant, and the centred targets.
    static func design(
        _ series: [Double], _ task: ForecastTask, _ starts: [Int],
        _ centring: RidgeForecaster.Centring
    ) -> (x: [[Double]], y: [[Double]]) {
        let pairs = starts.map { start in
            let window = series[start..<(start + task.lag)]
            let mean = window.reduce(0, +) / Double(task.lag)
            let last = series[start + task.lag - 1]
            let centre = centring == .none ? 0 : centring == .mean ? mean : last
            let future = series[(start + task.lag)..<(start + task.lag + task.horizon)]
            return (window.map { $0 - centre } + [1], future.map { $0 - centre })
        }
        return (pairs.map { $0.0 }, pairs.map { $0.1 })
    }

    static func product(_ a: [[Double]], _ b: [[Double]]) -> [[Double]] {
        a[0].indices.map { i in
            b[0].indices.map { j in zip(a, b).reduce(0) { $0 + $1.0[i] * $1.1[j] } }
        }
    }

    @Test(arguments: RidgeForecaster.Centring.allCases, [1.0, 30, 1e4])
    func `the eigendecomposition solves the normal equations`(
        centring: RidgeForecaster.Centring, penalty: Double
    ) throws {
        let task = try #require(Self.task)
        let series = MadeSeries.wave(200, season: 4).values
        let starts = Array(0..<180)
        let sums = NormalEquations(series, task: task, starts: starts, centring: centring)
        let weights = sums.solver().weights(penalty: penalty)
        let (x, y) = Self.design(series, task, starts, centring)
        var gram = Self.product(x, x)
        for k in gram.indices { gram[k][k] += penalty }
        let expected = Self.solve(gram, Self.product(x, y))
        for i in expected.indices {
            for j in expected[i].indices { #expect(abs(weights[i, j] - expected[i][j]) < 1e-9) }
        }
    }

    @Test(arguments: RidgeForecaster.Centring.allCases)
    func `the error by expansion is the error over the windows`(
        centring: RidgeForecaster.Centring
    ) throws {
        let task = try #require(Self.task)
        let series = MadeSeries.wave(200, season: 4).values
        let learnt = NormalEquations(
            series, task: task, starts: Array(0..<100), centring: centring)
        let judged = NormalEquations(
            series, task: task, starts: Array(120..<180), centring: centring)
        let weights = learnt.solver().weights(penalty: 3)
        let (x, y) = Self.design(series, task, Array(120..<180), centring)
        var expected = 0.0
        for (inputs, targets) in zip(x, y) {
            for (step, target) in targets.enumerated() {
                let forecast = inputs.indices.reduce(0.0) { $0 + inputs[$1] * weights[$1, step] }
                expected += (target - forecast) * (target - forecast)
            }
        }
        #expect(abs(judged.squaredError(of: weights) - expected) < 1e-8 * expected)
    }

    @Test func `one step alone is the first step of many`() throws {
        let task = try #require(Self.task)
        let values = MadeSeries.wave(300, season: 4).values
        let ridge = RidgeForecaster.fit(
            values, task: task, train: Array(0..<200), validation: Array(210..<280))
        let series = values.map { Float($0) }
        let all = ridge.forecast(series, starts: Array(0..<280))
        for start in 0..<280 {
            #expect(abs(ridge.next(series, start: start) - all[start, 0]) < 1e-4)
        }
    }

    @Test func `a linear recurrence is learnt almost exactly`() throws {
        let task = try ForecastTask(lag: 24, horizon: 24, season: 24)
        let values = (0..<600).map { MadeSeries.sine(Double($0 % 24) / 24) }
        let ridge = RidgeForecaster.fit(
            values, task: task, train: Array(0..<400), validation: Array(420..<500))
        #expect(ridge.penalty == 1, "a series without noise asks for the least penalty")
        let series = values.map { Float($0) }
        let forecast = ridge.forecast(series, starts: [530]).values
        for (f, y) in zip(forecast, values[554..<578]) { #expect(abs(Double(f) - y) < 0.01) }
    }

    @Test func `shifting a series by a constant shifts its forecasts`() throws {
        let task = try #require(Self.task)
        let values = MadeSeries.wave(300, season: 4, noise: 0.1).values
        let ridge = RidgeForecaster.fit(
            values, task: task, train: Array(0..<200), validation: Array(210..<280))
        let plain = ridge.forecast(values.map { Float($0) }, starts: [5, 100])
        let shifted = ridge.forecast(values.map { Float($0 + 64) }, starts: [5, 100])
        for (a, b) in zip(plain.values, shifted.values) { #expect(abs(b - a - 64) < 1e-4) }
    }
}
