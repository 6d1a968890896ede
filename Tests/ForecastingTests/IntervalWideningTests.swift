@testable import Forecasting
import Series
import Tensors
import Testing

@Suite struct IntervalWideningTests {
    static func outcome(_ range: Int, _ nominal: Double, _ realised: Int, _ missed: Int)
        -> IntervalWidening.Outcome
    {
        .init(
            range: HorizonRange.all[range], nominal: nominal, realised: realised, missed: missed)
    }

    @Test func `intervals that miss too often widen, and those that never miss narrow`() {
        let widening = IntervalWidening([
            Self.outcome(0, 0.8, 100, 50), Self.outcome(0, 0.95, 100, 0),
            Self.outcome(1, 0.8, 600, 120),
        ])
        // 30 misses too many, 5 per cent each; five too few.
        #expect(abs(widening.factor(step: 1, nominal: 0.8) - 4.4817) < 1e-3)
        #expect(abs(widening.factor(step: 1, nominal: 0.95) - 0.7788) < 1e-3)
        #expect(abs(widening.factor(step: 4, nominal: 0.8) - 1) < 0.01)
        #expect(IntervalWidening.none.factor(step: 1, nominal: 0.8) == 1)
    }

    @Test func `a range takes over the factor before it, less and less as its own truth comes`() {
        func factor(_ realised: Int) -> Double {
            IntervalWidening([
                Self.outcome(2, 0.8, 1_800, 720),
                Self.outcome(3, 0.8, realised, realised / 5),
            ]).factor(step: 40, nominal: 0.8)
        }
        let before = IntervalWidening([Self.outcome(2, 0.8, 1_800, 720)])
        #expect(before.factor(step: 24, nominal: 0.8) > 2)
        // Of steps whose truth is still to come nothing else is known.
        #expect(before.factor(step: 40, nominal: 0.8) == before.factor(step: 24, nominal: 0.8))
        #expect(before.factor(step: 6, nominal: 0.8) == 1)
        let factors = [0, 1_000, 5_000, 50_000].map(factor)
        #expect(factors == factors.sorted(by: >) && abs(factors[3] - 1) < 1e-3, "\(factors)")
    }

    @Test func `what comes true late moves the width less, and nothing moves it without end`() {
        let near = IntervalWidening([Self.outcome(2, 0.8, 180, 180)])
        let far = IntervalWidening([Self.outcome(5, 0.8, 1_680, 1_680)])
        #expect(near.factor(step: 24, nominal: 0.8) > far.factor(step: 169, nominal: 0.8))
        #expect(far.factor(step: 169, nominal: 0.8) > 1)
        let wild = IntervalWidening([
            Self.outcome(0, 0.8, 1 << 40, 1 << 40), Self.outcome(0, 0.95, 1 << 40, 0),
        ])
        let bound = IntervalWidening.bound
        #expect(abs(wild.factor(step: 1, nominal: 0.8) / bound - 1) < 1e-12)
        #expect(abs(wild.factor(step: 1, nominal: 0.95) * bound - 1) < 1e-12)
    }

    @Test(arguments: [ConformalCalibrator.Method.absolute, .signed])
    func `quantiles never cross, however different the factors`(
        _ method: ConformalCalibrator.Method
    ) {
        let residuals = ConformalCalibratorTests.noise(30, 80, seed: 3).map { $0.map { $0 + 1 } }
        let calibrator = ConformalCalibrator(residuals: residuals, method: method)
        var random = RandomStream(seed: 8)
        for _ in 0..<50 {
            let outcomes = (0..<4).flatMap { range in
                [0.8, 0.95].map { nominal in
                    Self.outcome(range, nominal, 2_000, Int.random(in: 0...2_000, using: &random))
                }
            }
            let rows = calibrator.quantiles(
                of: [Double](repeating: 0, count: 40), widening: IntervalWidening(outcomes))
            for (low, high) in zip(rows, rows.dropFirst()) {
                #expect(zip(low, high).allSatisfy { $0 <= $1 && $0.isFinite && $1.isFinite })
            }
        }
    }

    @Test func `nothing is changed where nothing is known`() {
        let calibrator = ConformalCalibrator(
            residuals: ConformalCalibratorTests.noise(5, 60, seed: 2), method: .absolute)
        #expect(
            calibrator.quantiles(of: [1, 2, 3, 4, 5])
                == calibrator.quantiles(
                    of: [1, 2, 3, 4, 5],
                    widening: IntervalWidening([Self.outcome(0, 0.8, 0, 0)])))
    }

    @Test func `every step has one range, in order`() {
        #expect(HorizonRange.all[0].first == 1)
        for (before, after) in zip(HorizonRange.all, HorizonRange.all.dropFirst()) {
            #expect(before.last + 1 == after.first)
        }
        for (index, range) in HorizonRange.all.enumerated() {
            #expect(HorizonRange.index(of: range.first) == index)
            #expect(HorizonRange.index(of: range.last) == index)
        }
    }

    /// Noise that doubles where the test rows begin.
    static func growing(seed: UInt64) -> TimeSeries {
        let series = MadeSeries.wave(6_000, seed: seed)
        var random = RandomStream(seed: seed + 100)
        return series.changing(4_800..<6_000) { $0 + 0.8 * random.normal() }
    }

    @Test(arguments: [11, 12] as [UInt64])
    func `adaptive intervals keep their promise where the noise grows`(seed: UInt64) throws {
        let series = Self.growing(seed: seed)
        let split = Split.informer(rows: series.values.count)
        let task = try ForecastTask(lag: 72, horizon: 12, season: 24)
        let pipeline = try FittedPipeline.fit(.ridge, series: series, task: task, split: split)
        let rows = try IntervalTrial(series, pipeline, split: split).rows()
        for nominal in [0.8, 0.95] {
            let found = rows.filter { $0.nominal == nominal }
            #expect(found.map(\.intervals) == ["split", "adaptive"])
            #expect(found[0].coverage < nominal - 0.04, "\(found[0].coverage)")
            #expect(abs(found[1].coverage - nominal) < 0.025, "\(found[1].coverage)")
            #expect(found[1].width > found[0].width)
        }
    }

    @Test func `after a shift of the level coverage comes back, and the rows are counted`() throws {
        let series = MadeSeries.wave(6_000, seed: 21)
        let split = Split.informer(rows: series.values.count)
        let task = try ForecastTask(lag: 72, horizon: 12, season: 24)
        let pipeline = try FittedPipeline.fit(.ridge, series: series, task: task, split: split)
        let rows = try IntervalTrial(series, pipeline, split: split, shift: .init(size: 3)).rows()
        let (split80, adaptive80) = (rows[0], rows[2])
        let after = try #require(split80.coverageAfterShift)
        let mended = try #require(adaptive80.coverageAfterShift)
        #expect(after < 0.75 && mended > after)
        #expect(try #require(adaptive80.recoveryRows) <= 60)
    }
}
