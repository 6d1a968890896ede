import Forecasting
import Foundation
import Learning
import Tensors
import Testing

/// Against the NumPy reference; see Fixtures/PROVENANCE.md.
@Suite struct AccuracyTests {
    /// One golden file.
    struct Golden {
        let checkpoint: Checkpoint
        let season: Int

        init(_ name: String) throws {
            let folder = URL(filePath: #filePath).deletingLastPathComponent()
            let file = folder.appending(path: "Fixtures/metrics/\(name).safetensors")
            checkpoint = try Checkpoint(decoding: [UInt8](Data(contentsOf: file)))
            struct Fixture: Decodable {
                struct Config: Decodable { let season: Int }
                let config: Config
            }
            let text = try #require(checkpoint.metadata["fixture"])
            season = try JSONDecoder().decode(Fixture.self, from: Data(text.utf8)).config.season
        }

        func values(_ name: String) throws -> [Double] {
            try checkpoint.tensor(name, of: Double.self).values
        }

        /// The rows of a matrix.
        func rows(_ name: String) throws -> [[Double]] {
            let tensor = try checkpoint.tensor(name, of: Double.self)
            let width = tensor.shape[1]
            return (0..<tensor.shape[0]).map {
                Array(tensor.values[($0 * width)..<(($0 + 1) * width)])
            }
        }

        /// `[levels][targets]`.
        func quantiles() throws -> [[Double]] {
            let tensor = try checkpoint.tensor("in/quantiles", of: Double.self)
            let count = tensor.shape[2]
            return (0..<count).map { level in
                stride(from: level, to: tensor.count, by: count).map { tensor.values[$0] }
            }
        }
    }

    static func agree(_ a: Double, _ b: Double) -> Bool { abs(a - b) <= 1e-12 * max(1, abs(b)) }

    @Test(arguments: ["four_series", "one_series"])
    func `errors of point forecasts agree with the reference`(_ name: String) throws {
        let golden = try Golden(name)
        let (f, y) = (try golden.values("in/prediction"), try golden.values("in/target"))
        #expect(Self.agree(Accuracy.mse(f, y), try golden.values("out/mse")[0]))
        #expect(Self.agree(Accuracy.mae(f, y), try golden.values("out/mae")[0]))
        #expect(Self.agree(Accuracy.smape(f, y), try golden.values("out/smape")[0]))
    }

    @Test(arguments: ["four_series", "one_series"])
    func `scaled errors agree with the reference for every series`(_ name: String) throws {
        let golden = try Golden(name)
        let (f, y) = (try golden.rows("in/prediction"), try golden.rows("in/target"))
        let train = try golden.rows("in/train")
        let (mase, rmsse) = (try golden.values("out/mase"), try golden.values("out/rmsse"))
        for row in f.indices {
            let a = Accuracy.mase(f[row], y[row], train: train[row], season: golden.season)
            #expect(Self.agree(try #require(a), mase[row]))
            let b = Accuracy.rmsse(f[row], y[row], train: train[row], season: golden.season)
            #expect(Self.agree(try #require(b), rmsse[row]))
        }
    }

    @Test(arguments: ["four_series", "one_series"])
    func `errors of quantile forecasts agree with the reference`(_ name: String) throws {
        let golden = try Golden(name)
        let (y, levels) = (try golden.values("in/target"), try golden.values("in/levels"))
        let quantiles = try golden.quantiles()
        let pinball = try golden.values("out/pinball")
        for (row, level) in levels.enumerated() {
            #expect(Self.agree(Accuracy.pinball(quantiles[row], y, level: level), pinball[row]))
        }
        let crps = Accuracy.crps(quantiles: quantiles, y, levels: levels)
        #expect(Self.agree(crps, try golden.values("out/crps_quantiles")[0]))
        let weighted = Accuracy.meanWeightedQuantileLoss(
            quantiles: quantiles, y, levels: levels)
        #expect(
            Self.agree(
                try #require(weighted), try golden.values("out/mean_weighted_quantile_loss")[0]))
        for (nominal, key) in [(0.9, "out/coverage_90"), (0.5, "out/coverage_50")] {
            let low = try #require(levels.firstIndex { abs($0 - (1 - nominal) / 2) < 1e-9 })
            let high = try #require(levels.firstIndex { abs($0 - (1 + nominal) / 2) < 1e-9 })
            let coverage = Accuracy.coverage(lower: quantiles[low], upper: quantiles[high], y)
            #expect(Self.agree(coverage, try golden.values(key)[0]))
        }
    }

    @Test func `scales that do not exist give nil`() {
        #expect(Accuracy.mase([1], [2], train: [5, 5, 5], season: 1) == nil)
        #expect(Accuracy.rmsse([1], [2], train: [5, 6], season: 2) == nil)
        #expect(
            Accuracy.meanWeightedQuantileLoss(quantiles: [[1]], [0], levels: [0.5]) == nil)
        #expect(Accuracy.smape([0], [0]) == 0)
    }
}
