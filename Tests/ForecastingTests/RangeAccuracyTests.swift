import Forecasting
import Foundation
import Testing

/// Golden values by NumPy, see Fixtures/PROVENANCE.md.
@Suite struct RangeAccuracyTests {
    struct Golden: Decodable {
        let scores: [Double]
        let windows: [[Int]]
        let buffer: Int
        let volume: Double
        let averagePrecision: Double

        var rows: LabelledRows {
            LabelledRows(
                name: "golden", count: scores.count, windows: windows.map { $0[0]...$0[1] })
        }
    }

    @Test func `volume and average precision agree with their definitions`() throws {
        let folder = URL(filePath: #filePath).deletingLastPathComponent()
        let data = try Data(contentsOf: folder.appending(path: "Fixtures/range/golden.json"))
        let cases = try JSONDecoder().decode([Golden].self, from: data)
        #expect(cases.count == 4)
        for golden in cases {
            let volume = RangeAccuracy.volume(golden.scores, golden.rows, buffer: golden.buffer)
            #expect(abs((volume ?? 0) - golden.volume) < 1e-12)
            let precision = RangeAccuracy.averagePrecision(golden.scores, golden.rows)
            #expect(abs((precision ?? 0) - golden.averagePrecision) < 1e-12)
        }
    }

    @Test func `a perfect ranking has all of the area without a buffer`() {
        let rows = LabelledRows(name: "made", count: 250, windows: [50...99])
        let scores = rows.isAnomalous.map { $0 ? 1.0 : 0 }
        #expect(RangeAccuracy.averagePrecision(scores, rows) == 1)
        #expect(RangeAccuracy.volume(scores, rows, buffer: 0) == 1)
        #expect((RangeAccuracy.volume(scores, rows, buffer: 40) ?? 0) > 0.8)
    }

    @Test func `without labels there is no accuracy`() {
        let rows = LabelledRows(name: "made", count: 10, windows: [])
        let scores = [Double](repeating: 1, count: 10)
        #expect(RangeAccuracy.averagePrecision(scores, rows) == nil)
        #expect(RangeAccuracy.volume(scores, rows, buffer: 4) == nil)
    }

    @Test func `ranges found in part, in pieces and in vain are counted as by hand`() {
        let rows = LabelledRows(name: "made", count: 100, windows: [10...19, 40...49, 80...89])
        var scores = [Double](repeating: 0, count: 100)
        // Half of the first window; two pieces of the second, six rows of ten; nothing of the third;
        // ten rows in vain.
        for row in 15...19 { scores[row] = 1 }
        for row in Array(40...42) + Array(47...49) { scores[row] = 1 }
        for row in 60...69 { scores[row] = 1 }
        var count = RangeCount()
        count.add(scores, threshold: 1, rows)
        #expect(abs(count.recall - (0.5 + 0.3 + 0) / 3) < 1e-12)
        #expect(abs(count.precision - (1 + 1 + 1 + 0) / 4) < 1e-12)
    }
}
