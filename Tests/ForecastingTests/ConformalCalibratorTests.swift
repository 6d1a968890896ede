@testable import Forecasting
import Series
import Tensors
import Testing

@Suite struct ConformalCalibratorTests {
    static func noise(_ steps: Int, _ windows: Int, seed: UInt64) -> [[Double]] {
        var random = RandomStream(seed: seed)
        return (0..<steps).map { _ in (0..<windows).map { _ in random.normal() } }
    }

    @Test(arguments: [ConformalCalibrator.Method.absolute, .signed])
    func `exchangeable residuals are covered as promised`(_ method: ConformalCalibrator.Method) {
        let (steps, windows, fresh) = (60, 199, 200)
        let calibrator = ConformalCalibrator(
            residuals: Self.noise(steps, windows, seed: 5), method: method)
        let truth = Self.noise(steps, fresh, seed: 6)
        for (low, high, nominal) in [(1, 2, 0.8), (0, 3, 0.95)] {
            var inside = 0
            for (step, row) in truth.enumerated() {
                let bounds = calibrator.offsets[low][step]...calibrator.offsets[high][step]
                inside += row.count { bounds.contains($0) }
            }
            let achieved = Double(inside) / Double(steps * fresh)
            // Variance of one step's coverage: that of a beta order statistic, and the binomial.
            let variance = nominal * (1 - nominal) * (1 / Double(windows + 1) + 1 / Double(fresh))
            let deviation = (variance / Double(steps)).squareRoot()
            #expect(achieved > nominal - 4 * deviation)
            #expect(achieved < nominal + 2 / Double(windows + 1) + 4 * deviation)
        }
    }

    @Test func `the rank is that of the finite-sample correction`() {
        #expect(ConformalCalibrator.rank(0.9, count: 19) == 18)
        #expect(ConformalCalibrator.rank(0.95, count: 19) == 19)
        #expect(ConformalCalibrator.rank(0.9, count: 20) == 19)
        #expect(ConformalCalibrator.rank(0.95, count: 10) == 10)
    }

    @Test func `the offsets are order statistics of the residuals`() {
        let residuals = [(1...99).map(Double.init)]
        let signed = ConformalCalibrator(residuals: residuals, method: .signed)
        #expect(signed.offsets.map { $0[0] } == [2, 10, 90, 98])
        let absolute = ConformalCalibrator(residuals: residuals, method: .absolute)
        #expect(absolute.offsets.map { $0[0] } == [-95, -80, 80, 95])
    }

    @Test func `too few residuals give the largest, and say what it promises`() {
        let few = ConformalCalibrator(residuals: [[1, -2, 3, 4]], method: .absolute)
        #expect(few.offsets.map { $0[0] } == [-4, -4, 4, 4])
        #expect(few.attainable(0.95) == 0.8)
        #expect(few.attainable(0.5) == 0.5)
    }

    @Test(arguments: [ConformalCalibrator.Method.absolute, .signed])
    func `quantiles never cross, also beyond the calibrated horizon`(
        _ method: ConformalCalibrator.Method
    ) {
        let biased = Self.noise(5, 50, seed: 9).map { $0.map { $0 + 3 } }
        let calibrator = ConformalCalibrator(residuals: biased, method: method)
        let quantiles = calibrator.quantiles(of: Self.noise(1, 40, seed: 10)[0])
        for step in 0..<40 {
            let column = quantiles.map { $0[step] }
            #expect(column == column.sorted())
        }
        let flat = calibrator.quantiles(of: [Double](repeating: 0, count: 40))
        #expect(flat[3][39] > flat[3][5], "intervals widen where nothing was calibrated")
    }

    @Test func `coverage on held-out windows is near the nominal one for steady noise`() {
        let records = CoverageRecord.heldOut(
            Self.noise(20, 1_000, seed: 3), method: .absolute, nominals: [0.8, 0.95])
        #expect(records.map(\.nominal) == [0.8, 0.95])
        #expect(records.allSatisfy { abs($0.achieved - $0.nominal) < 0.02 })
        #expect(records[0].windows == 480, "windows that share targets are left out")
    }

    @Test func `coverage on held-out windows shows a change of noise`() {
        let noise = Self.noise(1, 400, seed: 3).map { row in
            row.enumerated().map { $0 < 200 ? $1 : 3 * $1 }
        }
        let record = CoverageRecord.heldOut(noise, method: .absolute, nominals: [0.8])[0]
        #expect(record.achieved < 0.5)
    }
}
