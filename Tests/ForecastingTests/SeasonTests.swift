import Forecasting
import Series
import Tensors
import Testing

@Suite struct SeasonTests {
    struct Case: CustomTestStringConvertible, Sendable {
        let rate: SamplingRate
        let season: Int
        var testDescription: String { "\(rate.stepSeconds) s" }
    }

    @Test(arguments: [
        Case(rate: SamplingRate(1, per: 3_600), season: 24),
        Case(rate: SamplingRate(1, per: 900), season: 96),
        Case(rate: SamplingRate(1, per: 60), season: 1_440),
        Case(rate: SamplingRate(1, per: 10), season: 360),
        Case(rate: SamplingRate(1, per: 86_400), season: 7),
        Case(rate: SamplingRate(1, per: 604_800), season: 52),
        Case(rate: SamplingRate(1, per: 2_629_800), season: 12),
        Case(rate: SamplingRate(1, per: 31_557_600), season: 1),
        Case(rate: SamplingRate(360), season: 1),
        Case(rate: SamplingRate(1, per: 7_000), season: 1),
    ])
    func `the calendar suggests a season for a step`(_ c: Case) {
        #expect(Season.calendar(step: c.rate) == c.season)
    }

    @Test func `a daily wave is found in hourly rows, also with missing ones`() {
        let wave = MadeSeries.wave(2_000)
        #expect(Season.detected(in: wave) == 24)
        #expect(Season.detected(in: wave.changing(100..<400) { _ in .nan }) == 24)
    }

    @Test func `a week is found only where it stands out above its days`() {
        let wave = MadeSeries.wave(3_000)
        #expect(Season.detected(in: wave) == 24)
        var weekly = wave.values
        for row in weekly.indices where row / 24 % 7 >= 5 { weekly[row] -= 5 }
        #expect(Season.detected(in: MadeSeries.hourly(weekly)) == 168)
    }

    @Test func `a random walk has no season`() {
        var random = RandomStream(seed: 4)
        var level = 0.0
        let walk = MadeSeries.hourly(
            (0..<3_000).map { _ in
                level += random.normal()
                return level
            })
        #expect(Season.detected(in: walk) == nil)
        #expect(Season.inferred(for: walk) == 24)
    }

    @Test func `the suggested look-back holds whole seasons and shrinks on short series`() throws {
        let long = try ForecastTask.suggested(for: MadeSeries.wave(5_000), horizon: 48)
        #expect([long.lag, long.horizon, long.season] == [336, 48, 24])
        let short = try ForecastTask.suggested(for: MadeSeries.wave(300), horizon: 24)
        #expect([short.lag, short.season] == [72, 24])
    }
}
