@testable import Forecasting
import Series
import Tensors
import Testing

@Suite struct CollectionTests {
    /// Monthly series with a season and a trend of their own, of different sizes.
    static func made(_ count: Int, rows: Int = 72, noise: Double = 0.03) -> SeriesCollection {
        var random = RandomStream(seed: 9)
        let series = (0..<count).map { index in
            let size = 10 * Double(index + 1)
            return (0..<rows).map { row -> Double in
                let season = 1 + 0.2 * MadeSeries.sine(Double(row % 12) / 12)
                let level = size * (1 + 0.004 * Double(row))
                return level * season * (1 + noise * random.normal())
            }
        }
        return SeriesCollection(name: "made", horizon: 6, season: 12, lag: 24, series: series)
    }

    static func run(_ collection: SeriesCollection, threads: Int = 1) throws -> CollectionReport {
        var evaluation = CollectionEvaluation()
        evaluation.trainsNetworks = false
        evaluation.threads = threads
        return try evaluation.run(collection)
    }

    @Test func `the naive score is the MASE by definition`() throws {
        let collection = Self.made(12)
        let report = try Self.run(collection)
        var sum = 0.0
        for series in collection.series {
            let train = Array(series.dropLast(6))
            let forecast = (0..<6).map { train[train.count - 12 + $0] }
            sum += Accuracy.mase(forecast, Array(series.suffix(6)), train: train, season: 12) ?? 0
        }
        let naive = try #require(report.scores.first)
        #expect(naive.method == "seasonal-naive")
        #expect(abs(naive.mase - sum / 12) < 1e-9)
        #expect(report.series == 12 && report.scores.last?.method == "auto")
    }

    @Test func `a model shared by all series beats the naive forecast, and auto does too`() throws {
        let report = try Self.run(Self.made(30))
        let scores = Dictionary(uniqueKeysWithValues: report.scores.map { ($0.method, $0.mase) })
        let naive = try #require(scores["seasonal-naive"])
        #expect(try #require(scores["ridge"]) < naive)
        #expect(try #require(scores["auto"]) < naive)
        #expect(report.reason.contains("did not choose"))
    }

    @Test func `the number of threads changes nothing`() throws {
        let collection = Self.made(6)
        let (one, two) = (try Self.run(collection), try Self.run(collection, threads: 2))
        #expect(one.scores.map(\.mase) == two.scores.map(\.mase))
    }

    @Test func `nothing of the test rows is learnt from`() throws {
        let collection = Self.made(8)
        let changed = SeriesCollection(
            name: "changed", horizon: 6, season: 12, lag: 24,
            series: collection.series.map { $0.dropLast(6) + [Double](repeating: 1e6, count: 6) })
        let stage = collection.validation
        for isLogarithmic in [false, true] {
            let a = try #require(
                PooledSeries(collection, stage, isLogarithmic: isLogarithmic))
            let b = try #require(PooledSeries(changed, stage, isLogarithmic: isLogarithmic))
            #expect(a.values == b.values && a.trainStarts == b.trainStarts)
            #expect(a.allStarts == b.allStarts && a.validationStarts == b.validationStarts)
        }
        #expect(
            collection.seasonalNaive(collection.test).values
                == changed.seasonalNaive(changed.test).values)
        #expect(collection.scale(of: 3) == changed.scale(of: 3))
    }

    @Test func `validation ends where the test begins, and has several origins where rows suffice`()
    {
        let few = Self.made(1, rows: 400)
        let origins = few.validation.origins
        #expect(origins.count == 16 && origins.last?.row == 400 - 12)
        #expect(few.validation.cuts == [origins[0].row])
        let many = Self.made(30)
        #expect(many.validation.origins.count == 60)
        #expect(many.validation.origins.allSatisfy { $0.row + 6 <= 66 && $0.row >= 54 })
    }

    @Test func `windows never reach over the border of two series`() throws {
        let collection = Self.made(5)
        let pool = try #require(
            PooledSeries(collection, collection.validation, isLogarithmic: false))
        for start in pool.trainStarts + pool.allStarts {
            #expect(start / 66 == (start + 24 + 6 - 1) / 66)
        }
        #expect(pool.allStarts.count == 5 * (66 - 30 + 1))
    }

    @Test func `a series too short for the shared model falls back, and is counted`() throws {
        var series = Self.made(20).series
        series[3] = Array(series[3].suffix(25))
        let collection = SeriesCollection(
            name: "ragged", horizon: 6, season: 12, lag: 24, series: series)
        let report = try Self.run(collection)
        let ridge = try #require(report.scores.first { $0.method == "ridge" })
        #expect(ridge.fallbacks == 1 && report.series == 20)
    }

    @Test func `a constant series has no MASE and is left out`() throws {
        var series = Self.made(12).series
        series[5] = [Double](repeating: 7, count: 72)
        let report = try Self.run(
            SeriesCollection(name: "still", horizon: 6, season: 12, lag: 24, series: series))
        #expect(report.constantSeries == 1 && report.series == 11)
        #expect(report.scores.allSatisfy { $0.mase.isFinite })
    }
}

@Suite struct CollectionBlendTests {
    static func table(_ forecasts: [[Double]], truth: [Double]) -> CollectionBlend.Table {
        CollectionBlend.Table(
            forecasts: forecasts, truth: truth, horizon: 1,
            names: forecasts.indices.map { "m\($0)" })
    }

    @Test func `two that err to opposite sides are joined`() {
        var random = RandomStream(seed: 2)
        let truth = (0..<80).map { _ in random.normal() }
        let blend = CollectionBlend(
            choosingOn: Self.table([truth.map { $0 + 1 }, truth.map { $0 - 1 }], truth: truth))
        #expect(abs(blend.weights[0] - 0.5) < 0.06 && abs(blend.weights.reduce(0, +) - 1) < 1e-9)
    }

    @Test func `one that is far better stands alone`() {
        var random = RandomStream(seed: 3)
        let truth = (0..<80).map { _ in random.normal() }
        let good = truth.map { $0 + 0.1 * random.normal() }
        let bad = truth.map { $0 + 2 * random.normal() }
        let blend = CollectionBlend(choosingOn: Self.table([bad, good], truth: truth))
        #expect(blend.weights[1] > 0.9)
    }
}
