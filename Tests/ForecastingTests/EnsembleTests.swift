@testable import Forecasting
import Series
import Tensors
import Testing

@Suite struct SimplexWeightsTests {
    @Test func `independent errors are weighted by their precision`() {
        let weights = SimplexWeights.fitted([[1, 0], [0, 4]], pull: 0)
        #expect(abs(weights[0] - 0.8) < 1e-6 && abs(weights[1] - 0.2) < 1e-6)
        let pulled = SimplexWeights.fitted([[1, 0], [0, 4]], pull: 1)
        #expect(pulled[0] < 0.8 && pulled[0] > 0.5)
    }

    @Test func `a member that only adds error gets no weight`() {
        let weights = SimplexWeights.fitted([[1, 1.5], [1.5, 4]], pull: 0)
        #expect(weights[1] < 1e-9)
    }

    @Test func `a member far behind the best is left out before the pull`() {
        let weights = SimplexWeights.robust([[1, 0, 0], [0, 1.2, 0], [0, 0, 2]])
        #expect(weights[2] == 0 && weights[0] > weights[1] && weights[1] > 0.4)
    }

    @Test func `equal members share`() {
        let weights = SimplexWeights.robust([[1, 0.5, 0.5], [0.5, 1, 0.5], [0.5, 0.5, 1]])
        for weight in weights { #expect(abs(weight - 1.0 / 3) < 1e-9) }
    }

    @Test func `no point of the simplex errs less, up to the shrinkage`() {
        var random = RandomStream(seed: 4)
        for _ in 0..<20 {
            let errors = (0..<4).map { _ in (0..<40).map { _ in random.normal() + 0.3 } }
            let gram = errors.map { a in
                errors.map { b in zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }
            }
            let pull = 2.0
            let weights = SimplexWeights.fitted(gram, pull: pull)
            func cost(_ w: [Double]) -> Double {
                SimplexWeights.squaredError(gram, w)
                    + pull * w.reduce(0) { $0 + ($1 - 0.25) * ($1 - 0.25) }
            }
            #expect(weights.allSatisfy { $0 >= 0 } && abs(weights.reduce(0, +) - 1) < 1e-9)
            for _ in 0..<50 {
                let other = SimplexWeights.projected((0..<4).map { _ in random.uniform() })
                #expect(cost(weights) <= cost(other) + 1e-9)
            }
        }
    }

    @Test(arguments: [[0.2, 0.3], [5, -3, 0.1], [-1, -2, -3], [1.0]])
    func `a projection lies on the simplex, and nearest`(point: [Double]) {
        let found = SimplexWeights.projected(point)
        #expect(found.allSatisfy { $0 >= 0 } && abs(found.reduce(0, +) - 1) < 1e-12)
        func distance(_ a: [Double]) -> Double {
            zip(a, point).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
        }
        for corner in point.indices {
            let toCorner = found.indices.map { 0.9 * found[$0] + ($0 == corner ? 0.1 : 0) }
            #expect(distance(found) <= distance(toCorner) + 1e-12)
        }
    }
}

@Suite struct EnsembleTests {
    /// A wave that naive, smoothing and ridge each miss in another way.
    static let series = MadeSeries.wave(900, noise: 0.6)

    static func members() throws -> [FittedPipeline] {
        try [Family.seasonalNaive, .ets, .ridge].map { try FittedPipelineTests.fit($0, series) }
    }

    static func ensemble() throws -> FittedPipeline {
        // Weighted by hand, so that the test of the parts needs no luck.
        let members = try members()
        let prepared = try PreparedSeries(
            .ensemble, series: series, task: members[0].task, split: members[0].report.split)
        let forecaster = EnsembleForecaster(
            members: members.map(\.forecaster), weights: [0.2, 0.3, 0.5])
        return try FittedPipeline.assembled(
            .ensemble,
            TrainedForecaster(
                forecaster: .ensemble(forecaster), settings: ["members": forecaster.recipe]),
            on: prepared, series: series, split: members[0].report.split, seconds: 0,
            options: FitOptions())
    }

    @Test func `a forecast is the weighted sum of the members' forecasts`() throws {
        let ensemble = try Self.ensemble()
        let parts = try Self.members().map {
            try $0.forecast(history: Self.series, steps: 24).values
        }
        let whole = try ensemble.forecast(history: Self.series, steps: 24).values
        for step in 0..<24 {
            let sum = 0.2 * parts[0][step] + 0.3 * parts[1][step] + 0.5 * parts[2][step]
            #expect(abs(whole[step] - sum) < 1e-4)
        }
        #expect(ensemble.stepsMaximum == 24)
        #expect(ensemble.report.settings["members"] == "0.5 ridge + 0.3 ets + 0.2 seasonal-naive")
    }

    @Test func `it comes back from bytes to the bit, and scores`() throws {
        let ensemble = try Self.ensemble()
        let bytes = ensemble.encoded()
        let decoded = try FittedPipeline(decoding: bytes)
        #expect(decoded.report == ensemble.report)
        #expect(decoded.encoded() == bytes)
        let a = try ensemble.forecast(history: Self.series, steps: 24)
        let b = try decoded.forecast(history: Self.series, steps: 24)
        #expect(a.values == b.values && a.quantiles == b.quantiles)
        let scores = try AnomalyScorer(ensemble).score(history: Self.series, range: 700..<900)
        #expect(
            try AnomalyScorer(decoded).score(history: Self.series, range: 700..<900) == scores)
        #expect(scores.allSatisfy { $0.score != nil })
    }

    /// Errors whose mean products on each stretch are these.
    static func errors(_ stretches: [[[Double]]]) -> MemberErrors {
        MemberErrors(
            stretches: stretches,
            all: (0..<2).map { row in
                (0..<2).map { column in
                    stretches.reduce(0) { $0 + $1[row][column] } / Double(stretches.count)
                }
            })
    }

    @Test func `a member that is better on every stretch stays alone`() {
        let better = [[1.0, 1.2], [1.2, 2.0]]
        let comparison = Self.errors([better, better, better, better]).comparison([0.5, 0.5])
        #expect(comparison.stretchesWon == 0 && !comparison.isWorthIt)
    }

    @Test func `one stretch that the best member would lose makes a combination`() {
        let better = [[1.0, 0.9], [0.9, 1.1]]
        let worse = [[1.2, 0.6], [0.6, 1.2]]
        let comparison = Self.errors([better, better, better, worse]).comparison([0.5, 0.5])
        #expect(comparison.stretchesWon >= 1 && comparison.isWorthIt)
        #expect(comparison.sentence.contains("of 4 stretches"))
    }

    @Test func `a combination that costs more than a twentieth is not made`() {
        let better = [[1.0, 1.5], [1.5, 4.0]]
        let worse = [[1.0, 0.1], [0.1, 1.0]]
        let comparison = Self.errors([better, better, better, worse]).comparison([0.5, 0.5])
        #expect(comparison.stretchesWon == 1 && !comparison.isWorthIt)
    }

    @Test func `the stretches of windows add up to all of them`() throws {
        let members = try Self.members()
        let prepared = try PreparedSeries(
            .ensemble, series: Self.series, task: members[0].task, split: members[0].report.split)
        let errors = MemberErrors(members.map(\.forecaster), on: prepared)
        #expect(errors.stretches.count == 4)
        for (index, member) in members.enumerated() {
            #expect(abs(errors.all[index][index] - member.report.validationMSE) < 1e-6)
            let parts = errors.stretches.map { $0[index][index] }
            #expect(try #require(parts.min()) <= errors.all[index][index])
            #expect(try #require(parts.max()) >= errors.all[index][index])
        }
    }

    @Test func `models that miss in different ways are combined`() throws {
        var random = RandomStream(seed: 3)
        var level = 0.0
        let series = MadeSeries.hourly(
            (0..<900).map { _ in
                level += random.normal()
                return level + random.normal()
            })
        let members = try [Family.seasonalNaive, .ets, .ridge].map {
            try FittedPipelineTests.fit($0, series)
        }
        let outcome = try FittedPipeline.combined(members, series: series)
        guard case .fitted(let pipeline) = outcome else {
            Issue.record("\(outcome)")
            return
        }
        let best = try #require(members.map(\.report.validationMSE).min())
        #expect(pipeline.report.validationMSE <= best * 1.05)
        let selection = ModelSelection((members + [pipeline]).map(\.report))
        #expect(selection.winner == 3)
        #expect(selection.reason.contains("It is 0."))
        #expect(selection.reason.contains("stretches of the windows"))
    }

    @Test func `one member is no ensemble, and copies of one are none either`() throws {
        let ridge = try FittedPipelineTests.fit(.ridge, Self.series)
        guard case .declined = try FittedPipeline.combined([ridge], series: Self.series) else {
            Issue.record("a single member was combined")
            return
        }
        guard case .declined = try FittedPipeline.combined([ridge, ridge], series: Self.series)
        else {
            Issue.record("a model was combined with itself")
            return
        }
    }
}
