import Forecasting
import Learning
import Models
import Series
import Testing

/// The spacetime family through the whole pipeline, with a network small enough for a test.
@Suite struct SpaceTimeFamilyTests {
    static let series = MadeSeries.wave(700, noise: 0.2)

    static func fit(progress: (FitProgress) throws -> Void = { _ in }) throws -> FittedPipeline {
        let task = try ForecastTask(lag: 48, horizon: 12, season: 24)
        var options = FitOptions()
        options.seed = 3
        options.network = SpaceTimeConfiguration.cpuDefault(lag: 48, horizon: 12)
        options.network?.groups = 1
        options.network?.d = 24
        options.training = TrainingOptions(batch: 32, epochsMaximum: 3, rate: 5e-3)
        return try FittedPipeline.fit(
            .spacetime, series: series, task: task, split: .live(rows: 700, task: task),
            options: options, progress: progress)
    }

    @Test func `it trains, forecasts any horizon and comes back from bytes`() throws {
        var fractions: [Double] = []
        let pipeline = try Self.fit { fractions.append($0.fraction) }
        #expect(fractions == fractions.sorted() && fractions.last == 1)
        #expect(pipeline.report.seed == 3)
        #expect(pipeline.report.validationMSE < pipeline.report.repeatLastMSE)
        #expect(pipeline.report.parameterCount > 0)
        let decoded = try FittedPipeline(decoding: pipeline.encoded())
        #expect(decoded.report == pipeline.report)
        for steps in [1, 12, 40] {
            let a = try pipeline.diagnosedForecast(history: Self.series, steps: steps)
            let b = try decoded.diagnosedForecast(history: Self.series, steps: steps)
            #expect(a.forecast.values == b.forecast.values)
            #expect(a.forecast.quantiles == b.forecast.quantiles)
            #expect(a.uncalibratedSteps == max(0, steps - 12))
        }
    }

    @Test func `as a stream it expects what comes next, the same from stored bytes at any cut`()
        throws
    {
        let pipeline = try Self.fit()
        let values = Self.series.values.map { Float($0) }
        func streamed(cuts: [Int]) throws -> (pieces: [Int64], values: [Float]) {
            var stream = DerivedStream(channels: 1, next: 0)
            var outcome: (pieces: [Int64], values: [Float]) = ([], [])
            for (begin, end) in zip([0] + cuts, cuts + [values.count]) {
                let computer = try #require(ForecastStream(pipeline))
                let part = try stream.advance(
                    Array(values[begin..<end]), from: Int64(begin), with: computer)
                stream = try DerivedStream(bytes: stream.bytes, channels: 1)
                outcome.pieces += part.pieces
                outcome.values += part.values
            }
            return outcome
        }
        let whole = try streamed(cuts: [])
        #expect(whole.pieces == Array(0..<700))
        let cut = try streamed(cuts: [1, 2, 60, 333, 699])
        #expect(cut.values == whole.values)
        // About as good as windows that are computed anew, on rows that it was not trained on.
        var (streamSquares, windowSquares): (Float, Float) = (0, 0)
        for row in 650..<690 {
            let window = try pipeline.forecast(
                history: Self.series.slice(0..<row + 1), steps: 1)
            windowSquares += pow2(Float(window.values[0]) - values[row + 1])
            streamSquares += pow2(whole.values[row] - values[row + 1])
        }
        #expect(streamSquares < 2 * windowSquares, "\(streamSquares), \(windowSquares)")
        let ridge = try FittedPipeline.fit(
            .ridge, series: Self.series, task: pipeline.task,
            split: .live(rows: 700, task: pipeline.task), options: FitOptions())
        #expect(ForecastStream(ridge) == nil, "other families keep nothing of a stream")
    }

    private func pow2(_ value: Float) -> Float { value * value }

    @Test func `scores in batches are those of one batch`() throws {
        let scorer = AnomalyScorer(try Self.fit())
        let faulty = Self.series.changing(600..<606) { $0 + 20 }
        let whole = try scorer.score(history: faulty, range: 560..<700)
        var state = ScoringState()
        var parts: [ScoredObservation] = []
        for first in stride(from: 560, to: 700, by: 7) {
            parts += try scorer.score(
                history: faulty, range: first..<min(first + 7, 700), state: &state)
        }
        #expect(parts.map(\.at) == whole.map(\.at))
        for (a, b) in zip(parts, whole) {
            let (scoreA, scoreB) = (try #require(a.score), try #require(b.score))
            #expect(abs(scoreA - scoreB) < 1e-2 * max(1, scoreB))
        }
        #expect(whole[40..<46].allSatisfy { ($0.score ?? 0) > 4 })
    }

    @Test func `a backtest trains it once for every seed`() throws {
        var options = FitOptions()
        options.network = SpaceTimeConfiguration.cpuDefault(lag: 48, horizon: 12)
        options.network?.groups = 1
        options.network?.d = 8
        options.training = TrainingOptions(batch: 64, epochsMaximum: 1)
        let report = try Backtest(
            lag: 48, season: 24, horizons: [12], families: [.spacetime], seeds: [1, 2],
            split: .informer(rows: 700), options: options
        ).run(Self.series)
        #expect(report.results.map(\.family) == ["repeat-last", "spacetime", "spacetime"])
        #expect(report.results[1].mse != report.results[2].mse)
        #expect(report.results.map(\.windows) == [129, 129, 129])
    }

    @Test func `weights that are no numbers are refused`() throws {
        var checkpoint = try Checkpoint(decoding: try Self.fit().encoded())
        let key = try #require(
            checkpoint.tensors.keys.filter {
                !["standardiser", "calibration.offsets", "scoring.residuals"].contains($0)
                    && !$0.hasPrefix("buffer")
            }.min())
        let entry = try #require(checkpoint.tensors[key])
        checkpoint.tensors[key] = .init(
            shape: entry.shape,
            values: .float([Float](repeating: .nan, count: entry.values.count)))
        #expect(throws: PipelineDecodingError.tensor("spacetime")) {
            try FittedPipeline(decoding: checkpoint.encoded())
        }
    }
}
