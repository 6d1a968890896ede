import Series
import Tensors

/// Series made for tests: a daily wave with autoregressive noise, hourly from 2020-01-01.
enum MadeSeries {
    static let start = Timestamp(microseconds: 1_577_836_800_000_000)
    static let hourly = SamplingRate(1, per: 3_600)

    static func hourly(_ values: [Double]) -> TimeSeries {
        TimeSeries(
            channel: Channel(name: "made"),
            grid: TimeGrid(start: start, rate: hourly, count: values.count), values: values)
    }

    /// A sine of `season` steps and size 3 around 10, plus noise with autocorrelation 0.7.
    static func wave(_ count: Int, season: Int = 24, noise: Double = 0.5, seed: UInt64 = 1)
        -> TimeSeries
    {
        var random = RandomStream(seed: seed)
        var state = 0.0
        return hourly(
            (0..<count).map { row in
                state = 0.7 * state + noise * random.normal()
                return 10 + 3 * sine(Double(row % season) / Double(season)) + state
            })
    }

    /// sin(2π·turn) by Bhaskara's approximation: exact periods, no C library.
    static func sine(_ turn: Double) -> Double {
        let half = turn < 0.5 ? turn : turn - 0.5
        let degrees = half * 360
        let product = degrees * (180 - degrees)
        return (turn < 0.5 ? 4 : -4) * product / (40_500 - product)
    }
}

extension TimeSeries {
    /// The same series with other values in `range`.
    func changing(_ range: Range<Int>, _ change: (Double) -> Double) -> TimeSeries {
        var values = values
        for row in range { values[row] = change(values[row]) }
        return TimeSeries(channel: channel, grid: grid, values: values)
    }
}
