import Testing

@testable import Series

private let grid = TimeGrid(
    start: Timestamp(microseconds: 0), rate: SamplingRate(1), count: 8)

private func series(_ values: [Double]) -> TimeSeries {
    TimeSeries(
        channel: Channel(name: "a"),
        grid: TimeGrid(start: grid.start, rate: grid.rate, count: values.count), values: values)
}

@Suite struct TimeSeriesTests {
    @Test(
        arguments: [
            ([], []), ([1, 2], []), ([.nan], [Gap(0..<1)]),
            ([.nan, 1, .nan, .nan], [Gap(0..<1), Gap(2..<4)]),
            ([1, .nan, 2], [Gap(1..<2)]), ([1, .nan, .nan], [Gap(1..<3)]),
        ] as [([Double], [Gap])])
    func `gaps are the runs of missing samples`(values: [Double], gaps: [Gap]) {
        let made = series(values)
        #expect(made.gaps == gaps)
        #expect(made.missingCount == gaps.reduce(0) { $0 + $1.range.count })
    }

    @Test func `a slice keeps values and instants`() {
        let made = series([0, 1, 2, 3, 4]).slice(2..<4)
        #expect(made.values == [2, 3])
        #expect(made.grid.start == Timestamp(microseconds: 2_000_000))
        #expect(series([1]).slice(1..<1).values == [])
    }

    @Test func `a count that differs from the grid's traps`() async {
        await #expect(processExitsWith: .failure) {
            _ = TimeSeries(channel: Channel(name: "a"), grid: grid, values: [1])
        }
    }
}

@Suite struct ForecastTests {
    private func forecast(_ levels: [QuantileLevel]) -> Forecast {
        Forecast(
            grid: TimeGrid(start: grid.start, rate: grid.rate, count: 2), dataUntil: grid.start,
            values: [1, 2], levels: levels,
            quantiles: levels.indices.map { [Double($0), Double($0) + 1] })
    }

    @Test func `quantiles are found by level`() {
        let made = forecast(QuantileLevel.standard)
        #expect(made.quantile(0.025) == [0, 1])
        #expect(made.quantile(0.975) == [3, 4])
        #expect(made.quantile(0.5) == nil)
    }

    @Test func `levels out of order trap`() async {
        await #expect(processExitsWith: .failure) {
            _ = ForecastTests().forecast([QuantileLevel(0.9), QuantileLevel(0.1)])
        }
    }

    @Test(arguments: [0.0, 1, -0.1, 1.1])
    func `a level outside 0 and 1 traps`(probability: Double) async {
        await #expect(processExitsWith: .failure) { [probability] in
            _ = QuantileLevel(probability)
        }
    }
}

@Suite struct WaveformChunkTests {
    private func chunk(_ samples: [Int32?]) -> WaveformChunk {
        WaveformChunk(channel: 0, firstSample: 0, gain: 200, baseline: 1024, samples: samples)
    }

    @Test func `physical values are (raw − baseline) / gain, and missing stays missing`() {
        let made = chunk([1024, 1224, nil])
        #expect((0..<3).map(made.physical) == [0, 1, nil])
    }

    @Test(
        arguments: [
            ([0, 32767, -32768, nil], true), ([32768], false), ([-32769], false), ([], true),
        ] as [([Int32?], Bool)])
    func `sixteen bits hold exactly what they hold`(samples: [Int32?], fits: Bool) {
        #expect(chunk(samples).fitsInt16 == fits)
    }

    @Test func `a gain of zero traps`() async {
        await #expect(processExitsWith: .failure) {
            _ = WaveformChunk(channel: 0, firstSample: 0, gain: 0, baseline: 0, samples: [])
        }
    }
}
