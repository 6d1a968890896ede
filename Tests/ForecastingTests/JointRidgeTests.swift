import Series
import Tensors
import Testing

@testable import Forecasting

/// Ridge regressions of groups, from moments of their windows, and what is taken for single members.
@Suite struct JointRidgeTests {
    private static let (lag, horizon) = (24, 5)
    private static let walk: [Float] = {
        var random = RandomStream(seed: 8)
        var level = 3.0
        return (0..<400).map { row in
            level += 0.1 * random.normal()
            return Float(level + [0, 1, 0.3, -0.4][row % 4] + 0.2 * random.normal())
        }
    }()

    /// Ascending, with gaps.
    private static let starts = Array(3..<90) + Array(95..<96) + Array(130..<370)

    private static func task() throws -> ForecastTask {
        try ForecastTask(lag: lag, horizon: horizon, season: 1)
    }

    private static func moments(_ starts: [Int]) -> WindowMoments {
        var moments = WindowMoments(lag: lag, horizon: horizon)
        moments.add(walk, starts: starts)
        return moments
    }

    @Test(arguments: [24, 16, 1], [RidgeForecaster.Centring.last, .mean])
    func `moments give the normal equations of every look-back`(
        _ lag: Int, _ centring: RidgeForecaster.Centring
    ) throws {
        let task = try ForecastTask(lag: lag, horizon: Self.horizon, season: 1)
        let expected = NormalEquations(
            Self.walk.map { Double($0) }, task: task,
            starts: Self.starts.map { $0 + Self.lag - lag }, centring: centring)
        let found = NormalEquations(Self.moments(Self.starts), lag: lag, centring: centring)
        func isNear(_ a: Tensor<Double>, _ b: Tensor<Double>) -> Bool {
            a.shape == b.shape && zip(a.values, b.values).allSatisfy { abs($0 - $1) < 1e-7 }
        }
        #expect(isNear(found.gram, expected.gram) && isNear(found.cross, expected.cross))
        #expect(abs(found.targetSquares - expected.targetSquares) < 1e-7)
    }

    @Test func `a mean of ridges is one map that says the mean of what each says`() throws {
        let (train, validation) = (Array(3..<250), Array(280..<370))
        let ridge = JointRidge(
            train: Self.moments(train), validation: Self.moments(validation),
            task: try Self.task(), isMean: true
        ).forecaster
        var expected = [Double](repeating: 0, count: 2 * Self.horizon)
        for lag in [24, 16] {
            let task = try ForecastTask(lag: lag, horizon: Self.horizon, season: 1)
            for centring in [RidgeForecaster.Centring.last, .mean] {
                let one = RidgeForecaster.fit(
                    Self.walk.map { Double($0) }, task: task,
                    train: train.map { $0 + Self.lag - lag },
                    validation: validation.map { $0 + Self.lag - lag }, centrings: [centring])
                let said = one.forecast(Self.walk, starts: [7, 300].map { $0 + Self.lag - lag })
                for (index, value) in said.values.enumerated() {
                    expected[index] += Double(value) / 4
                }
            }
        }
        let found = ridge.forecast(Self.walk, starts: [7, 300]).values
        #expect(zip(found, expected).allSatisfy { abs(Double($0) - $1) < 1e-4 })
        // A level is taken off and added again.
        let higher = ridge.forecast(Self.walk.map { $0 + 100 }, starts: [7, 300]).values
        #expect(zip(found, higher).allSatisfy { abs($0 + 100 - $1) < 1e-3 })
    }

    /// Members that go on as they went, and one that turns back after every step.
    private static let contrary: [[Double]] = {
        var random = RandomStream(seed: 5)
        return (0..<5).map { member in
            var value = 0.0
            return (0..<1_200).map { _ in
                value = (member == 3 ? -0.95 : 0.95) * value + random.normal()
                return value
            }
        }
    }()

    private static func fitter(_ values: [[Double]]) throws -> JointFitter {
        let split = try Split(rows: 1_200, train: 800, validation: 200, test: 200)
        let series = try JointSeries(
            names: values.indices.map { "member \($0)" }, values: values,
            train: split.targets(of: .train))
        return try JointFitter(
            series, try ForecastTask(lag: 32, horizon: 6, season: 1), split,
            training: .standard, network: JointTests.small, threads: 1,
            clock: ContinuousClock())
    }

    @Test
    func `a member with a law of its own is forecast by its own ridge, and the rest by the shared`()
        throws
    {
        let fitter = try Self.fitter(Self.contrary)
        let (shared, error) = try fitter.fit(.ridgeMean, seed: 0) { _ in }
        let chosen = try JointForecaster.chosen(
            [shared, .repeatLast], names: ["ridge-mean", "repeat-last"], fitter)
        guard case .winners(let parts, let choice) = chosen.forecaster else {
            Issue.record("\(chosen.reason)")
            return
        }
        #expect(choice[3] != 0 && choice.filter { $0 == 0 }.count >= 3, "\(choice)")
        #expect(chosen.reason.contains("member 3 by ridge of its own"), "\(chosen.reason)")
        let errors = chosen.forecaster.errors(
            fitter.series, starts: fitter.validation, fitter.task, threads: 1)
        #expect(errors.all.mse < 0.99 * error)
        // Whoever is asked for is told the same as among all.
        func forecast(_ model: JointForecaster, _ members: [Int]?) -> [Float] {
            model.forecast(
                fitter.series, starts: [5, 900], fitter.task, threads: 1, of: members)
        }
        let all = forecast(chosen.forecaster, nil)
        for member in 0..<5 {
            let own = [0, 1].flatMap { window in
                let place = (window * 5 + member) * 6
                return all[place..<place + 6]
            }
            #expect(forecast(chosen.forecaster, [member]) == own)
            #expect(forecast(parts[choice[member]], [member]) == own)
        }
    }

    @Test func `members that go alike have no map of their own`() throws {
        let fitter = try Self.fitter(Array(Self.contrary[..<3]))
        let (shared, _) = try fitter.fit(.ridgeMean, seed: 0) { _ in }
        let chosen = try JointForecaster.chosen(
            [shared, .repeatLast], names: ["ridge-mean", "repeat-last"], fitter)
        guard case .ridge = chosen.forecaster else {
            Issue.record("\(chosen.reason)")
            return
        }
        #expect(chosen.reason.contains("No member is better served"))
    }

    @Test
    func `whose past a forecast rests on is told of what is forecast, not of what was fitted`()
        throws
    {
        var options = GroupFitOptions()
        (options.families, options.network) = ([.tsm2], JointTests.small)
        options.training.epochsMaximum = 1
        let task = try JointTests.task()
        let split = Split.live(rows: 1_200, task: task)
        let group = try JointSeries(
            names: ["a", "b", "c"], values: JointTests.driven, train: split.targets(of: .train))
        let mixed = try FittedGroup.fit(group, task: task, split: split, options: options)
        let fitted = FittedGroup(
            report: mixed.report,
            forecaster: .winners([.repeatLast, mixed.forecaster], choice: [0, 1, 0]),
            calibrators: mixed.calibrators)
        let history = JointTests.driven.map { Array($0.suffix(40)) }
        let found = try #require(try fitted.influences(history: history))
        let whole = try #require(try mixed.influences(history: history))
        #expect(found.weight == 1 && found.changes[1] == whole.changes[1])
        for (member, other) in [(0, 1), (0, 2), (2, 0), (2, 1)] {
            #expect(found.changes[member][other] == 0)
        }
        #expect(found.changes[0][0] > 0 && found.changes[1].allSatisfy { $0 > 0 })
        let read = try FittedGroup(decoding: fitted.encoded())
        #expect(try read.forecast(history: history) == fitted.forecast(history: history))
    }
}
