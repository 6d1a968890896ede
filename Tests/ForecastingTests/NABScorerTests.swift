import Forecasting
import Foundation
import Testing

/// Against what the benchmark itself publishes, see Fixtures/PROVENANCE.md.
@Suite struct NABScorerTests {
    struct Published: Decodable {
        struct File: Decodable {
            let file: String
            let rows: Int
            let windows: [[Int]]
            let detected: [Int]
            /// By profile.
            let scores: [Double]
            /// True and false positives, true and false negatives.
            let counts: [Int]
            /// Row, then the credit by profile.
            let credits: [[Double]]?

            var labels: LabelledRows {
                LabelledRows(name: file, count: rows, windows: windows.map { $0[0]...$0[1] })
            }
            /// 1 where the detector fires.
            var detections: [Double] {
                var scores = [Double](repeating: 0, count: rows)
                for row in detected { scores[row] = 1 }
                return scores
            }
        }
        let profiles: [String]
        let files: [File]

        static func read() throws -> Published {
            let folder = URL(filePath: #filePath).deletingLastPathComponent()
            let data = try Data(
                contentsOf: folder.appending(path: "Fixtures/nab/windowed_gaussian.json"))
            return try JSONDecoder().decode(Published.self, from: data)
        }
    }

    @Test func `scores and counts of a published detector are reproduced file by file`() throws {
        let published = try Published.read()
        #expect(published.profiles == NABProfile.all.map(\.name))
        #expect(published.files.count == 39)
        for file in published.files {
            let scorer = NABScorer(file.labels)
            for (profile, expected) in zip(NABProfile.all, file.scores) {
                let tally = scorer.tally(file.detections, threshold: 1, profile: profile)
                // Printed with twelve digits.
                #expect(abs(tally.score - expected) < 1e-9, "\(file.file) \(profile.name)")
                let counts = [
                    tally.truePositives, tally.trueNegatives, tally.falsePositives,
                    tally.falseNegatives,
                ]
                #expect(counts == file.counts, "\(file.file)")
            }
        }
    }

    @Test func `published credits of single rows are reproduced`() throws {
        var compared = 0
        for file in try Published.read().files {
            for (index, profile) in NABProfile.all.enumerated() {
                let credits = NABScorer(file.labels).credits(profile)
                for row in file.credits ?? [] {
                    #expect(abs(credits[Int(row[0])] - row[index + 1]) < 1e-9)
                    compared += 1
                }
            }
        }
        #expect(compared > 600)
    }

    @Test func `the corpus score is the published sum between silence and perfection`() throws {
        let published = try Published.read()
        let corpus = NABCorpus(published.files.map(\.labels))
        #expect(corpus.windowCount == 74)
        let detections = published.files.map(\.detections)
        // 74 windows: the sum of the published scores per file, normalised by hand.
        let expected = [42.63, 27.15, 49.59]
        for (profile, figure) in zip(NABProfile.all, expected) {
            let score = corpus.score(detections, threshold: 1, profile: profile)
            #expect(abs((score ?? 0) - figure) < 0.005)
            let optimum = corpus.optimum(detections, profile: profile)?.score
            #expect(abs((optimum ?? 0) - figure) < 0.005)
        }
    }

    @Test func `silence is worth nothing and the first rows of all windows are worth a hundred`() {
        let rows = LabelledRows(name: "made", count: 1_000, windows: [400...499, 700...709])
        let corpus = NABCorpus([rows])
        var scores = [Double](repeating: 0, count: 1_000)
        #expect(corpus.score([scores], threshold: 1, profile: .standard) == 0)
        scores[400] = 1
        scores[700] = 1
        #expect(corpus.score([scores], threshold: 1, profile: .rewardLowFN) == 100)
        // The last row of a window still counts a little, rows of it after the first nothing.
        scores[450] = 1
        #expect(corpus.score([scores], threshold: 1, profile: .standard) == 100)
        // A false alarm far from all windows costs 0.11 of the 4 between silence and perfection.
        scores[200] = 1
        let score = corpus.score([scores], threshold: 1, profile: .standard) ?? 0
        #expect(abs(score - (100 - 11.0 / 4)) < 1e-9)
        // Rows of the probationary period, 150 here, count for nothing.
        scores[149] = 1
        #expect(corpus.score([scores], threshold: 1, profile: .standard) == score)
    }

    @Test func `the best threshold is no worse than any other`() {
        let rows = [
            LabelledRows(name: "a", count: 600, windows: [300...340]),
            LabelledRows(name: "b", count: 500, windows: [100...120, 400...430]),
        ]
        let corpus = NABCorpus(rows)
        var random = SplitMix(state: 7)
        let scores = rows.map { one in (0..<one.count).map { _ in random.tenth() } }
        for profile in NABProfile.all {
            let tried = (0...11).compactMap { k in
                corpus.score(scores, threshold: Double(k) / 10 + 0.05, profile: profile)
            }
            let optimum = corpus.optimum(scores, profile: profile)
            #expect(abs((optimum?.score ?? 0) - (tried.max() ?? 1)) < 1e-9)
            let again = corpus.score(
                scores, threshold: optimum?.threshold ?? 0, profile: profile)
            #expect(abs((again ?? 0) - (optimum?.score ?? 1)) < 1e-9)
        }
    }

    @Test func `without a labelled window there is no score`() {
        let corpus = NABCorpus([LabelledRows(name: "a", count: 600, windows: [])])
        #expect(corpus.optimum([[Double](repeating: 1, count: 600)], profile: .standard) == nil)
    }

    /// Scores with ties: tenths in 0...1.
    private struct SplitMix {
        var state: UInt64
        mutating func tenth() -> Double {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Double((state >> 33) % 11) / 10
        }
    }
}
