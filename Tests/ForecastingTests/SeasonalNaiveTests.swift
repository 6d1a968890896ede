import Forecasting
import Series
import Testing

@Suite struct SeasonalNaiveTests {
    @Test func `the last season is repeated to the bit`() {
        let values = MadeSeries.wave(100).values
        let forecast = SeasonalNaive(season: 24).forecast(values, origin: 90, steps: 60)
        for step in 0..<60 { #expect(forecast[step] == values[67 + step % 24]) }
    }

    @Test func `a season of one repeats the last value`() {
        #expect(SeasonalNaive.repeatLast.forecast([3, 1, 4], origin: 2, steps: 4) == [4, 4, 4, 4])
    }

    @Test func `an exactly periodic series is forecast without error`() {
        let values = (0..<100).map { Double($0 % 7) }
        let forecast = SeasonalNaive(season: 7).forecast(values, origin: 49, steps: 50)
        #expect(forecast == Array(values[50...]))
    }
}
