import Forecasting
import Series
import Testing

@Suite struct StandardiserTests {
    @Test func `scaled training rows have mean 0 and population deviation 1`() throws {
        let rows = MadeSeries.wave(500).values
        let scaled = try Standardiser(fitting: rows).scale(rows)
        let mean = scaled.reduce(0, +) / 500
        let variance = scaled.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 500
        #expect(abs(mean) < 1e-12)
        #expect(abs(variance - 1) < 1e-12)
    }

    @Test func `unscale undoes scale`() throws {
        let rows = MadeSeries.wave(500).values
        let standardiser = try Standardiser(fitting: rows)
        for value in rows + [-1e6, 0, 1e6] {
            #expect(
                abs(standardiser.unscale(standardiser.scale(value)) - value)
                    <= 1e-12 * max(1, abs(value)))
        }
    }

    @Test func `missing rows are passed over, and stay missing`() throws {
        let gappy: [Double] = [1, .nan, 3, .nan, 5]
        let standardiser = try Standardiser(fitting: gappy)
        #expect(standardiser == (try Standardiser(fitting: [1.0, 3, 5])))
        #expect(standardiser.scale(gappy).map(\.isNaN) == [false, true, false, true, false])
    }

    @Test func `a constant series and one without values are refused`() {
        #expect(throws: ForecastError.constantSeries(rows: 3)) {
            try Standardiser(fitting: [0.1, 0.1, 0.1])
        }
        #expect(throws: ForecastError.constantSeries(rows: 1_000)) {
            try Standardiser(fitting: [Double](repeating: 1e9 / 3, count: 1_000))
        }
        #expect(throws: ForecastError.allMissing(rows: 2)) {
            try Standardiser(fitting: [Double.nan, .nan])
        }
    }
}
