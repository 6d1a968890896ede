import Forecasting
import Foundation
import Learning
import Series
import Tensors
import Testing

@Suite struct FittedPipelineTests {
    static func fit(
        _ family: Family, _ series: TimeSeries, horizon: Int = 24, lag: Int = 72, season: Int = 24
    ) throws -> FittedPipeline {
        let task = try ForecastTask(lag: lag, horizon: horizon, season: season)
        return try FittedPipeline.fit(
            family, series: series, task: task,
            split: .live(rows: series.values.count, task: task))
    }

    static let closedForms = [Family.seasonalNaive, .ets, .ridge]

    @Test(arguments: closedForms)
    func `a forecast starts after the last observation and its quantiles ascend`(
        _ family: Family
    ) throws {
        let series = MadeSeries.wave(1_000)
        let forecast = try Self.fit(family, series).forecast(history: series, steps: 24)
        #expect(forecast.grid.start == series.grid.end)
        #expect(forecast.dataUntil == series.grid.instant(at: 999))
        #expect(forecast.values.count == 24)
        #expect(forecast.levels == QuantileLevel.standard)
        for step in 0..<24 {
            let column = forecast.quantiles.map { $0[step] }
            #expect(column == column.sorted())
            #expect(column[1] <= forecast.values[step] && forecast.values[step] <= column[2])
        }
    }

    @Test(arguments: closedForms)
    func `intervals cover new data about as often as they promise`(_ family: Family) throws {
        let series = MadeSeries.wave(4_000)
        let pipeline = try Self.fit(family, series.slice(0..<2_000))
        var inside = 0
        var total = 0
        for origin in stride(from: 2_072, to: 3_976, by: 17) {
            let forecast = try pipeline.forecast(
                history: series.slice((origin - 72)..<origin), steps: 24)
            for step in 0..<24 {
                let truth = series.values[origin + step]
                total += 1
                inside +=
                    forecast.quantiles[1][step] <= truth && truth <= forecast.quantiles[2][step]
                    ? 1 : 0
            }
        }
        #expect(abs(Double(inside) / Double(total) - 0.8) < 0.06)
        #expect(pipeline.report.coverage.map(\.nominal).count == 2)
        #expect(pipeline.report.coverage.allSatisfy { abs($0.achieved - $0.nominal) < 0.1 })
    }

    @Test func `the naive forecast copies the last season to the bit`() throws {
        let series = MadeSeries.wave(1_000)
        let forecast = try Self.fit(.seasonalNaive, series).forecast(history: series, steps: 100)
        for step in 0..<100 { #expect(forecast.values[step] == series.values[976 + step % 24]) }
    }

    @Test func `ridge beats the naive forecast on a noisy wave, and the record says so`() throws {
        let report = try Self.fit(.ridge, MadeSeries.wave(2_000)).report
        #expect(report.validationMSE < report.seasonalNaiveMSE)
        #expect(report.seasonalNaiveMSE < report.repeatLastMSE)
        #expect(report.parameterCount == 73 * 24)
        #expect(report.validationWindows == 377)
        #expect(report.excludedWindows == 0 && report.filledRows == 0 && report.notes.isEmpty)
        #expect(report.settings.keys.sorted() == ["centring", "penalty"])
    }

    @Test(arguments: closedForms)
    func `decoding gives the same bits of forecast and the same record`(_ family: Family) throws {
        let series = MadeSeries.wave(1_000)
        let pipeline = try Self.fit(family, series)
        let bytes = pipeline.encoded()
        let decoded = try FittedPipeline(decoding: bytes)
        #expect(decoded.report == pipeline.report)
        #expect(decoded.calibrator == pipeline.calibrator)
        #expect(decoded.encoded() == bytes)
        let a = try pipeline.forecast(history: series, steps: 24)
        let b = try decoded.forecast(history: series, steps: 24)
        #expect(a.values == b.values)
        #expect(a.quantiles == b.quantiles)
        let scores = try AnomalyScorer(pipeline).score(history: series, range: 500..<1_000)
        #expect(try AnomalyScorer(decoded).score(history: series, range: 500..<1_000) == scores)
    }

    @Test func `truncated bytes are refused at every length`() throws {
        let bytes = try Self.fit(.ridge, MadeSeries.wave(300), horizon: 2, lag: 24).encoded()
        for count in stride(from: 0, to: bytes.count, by: 97) {
            #expect(throws: PipelineDecodingError.self) {
                try FittedPipeline(decoding: Array(bytes[..<count]))
            }
        }
    }

    @Test func `damaged bytes are refused or still make a working pipeline`() throws {
        let series = MadeSeries.wave(300)
        let bytes = try Self.fit(.ridge, series, horizon: 2, lag: 24).encoded()
        var random = RandomStream(seed: 11)
        var refused = 0
        for _ in 0..<400 {
            var damaged = bytes
            // The header and the record are in front; most damage is done there.
            let place = random.integer(below: min(bytes.count, 4_000))
            damaged[place] = UInt8(truncatingIfNeeded: random.next())
            do throws(PipelineDecodingError) {
                let pipeline = try FittedPipeline(decoding: damaged)
                do throws(ForecastError) {
                    _ = try pipeline.forecast(history: series, steps: 1)
                } catch {
                    #expect(!error.description.isEmpty)
                }
            } catch {
                refused += 1
            }
        }
        #expect(refused > 100)
    }

    @Test func `a newer format, a missing tensor and a wrong shape are told apart`() throws {
        let series = MadeSeries.wave(300)
        let bytes = try Self.fit(.ridge, series, horizon: 2, lag: 24).encoded()
        let good = try Checkpoint(decoding: bytes)
        func error(_ change: (inout Checkpoint) -> Void) -> PipelineDecodingError? {
            var checkpoint = good
            change(&checkpoint)
            do throws(PipelineDecodingError) {
                _ = try FittedPipeline(decoding: checkpoint.encoded())
                return nil
            } catch {
                return error
            }
        }
        #expect(error { _ in } == nil)
        #expect(error { $0.metadata = [:] } == .description)
        #expect(error { $0.metadata["systole.pipeline"] = "{}" } == .description)
        #expect(error { $0.metadata["systole.pipeline"] = #"{"format":7}"# } == .format(found: 7))
        #expect(
            error { $0.tensors["ridge.weights"] = nil } == .checkpoint(.missing("ridge.weights")))
        #expect(
            error { $0.set("ridge.weights", Tensor<Float>(zeros: [3, 2])) }
                == .tensor("ridge.weights"))
        #expect(
            error { $0.set("standardiser", Tensor<Double>([2], [0, .nan])) }
                == .tensor("standardiser"))
        #expect(
            error {
                $0.set("calibration.offsets", Tensor<Double>([4, 2], [1, 1, 0, 0, 0, 0, 0, 0]))
            }
                == .tensor("calibration.offsets"), "quantiles that cross")
        #expect(
            error { $0.set("scoring.residuals", Tensor<Double>(zeros: [0, 70])) }
                == .tensor("scoring.residuals"))
    }

    @Test func `a model stored in format 1 still forecasts`() throws {
        let series = MadeSeries.wave(300)
        let pipeline = try Self.fit(.ridge, series, horizon: 2, lag: 24)
        var checkpoint = try Checkpoint(decoding: pipeline.encoded())
        let text = try #require(checkpoint.metadata["systole.pipeline"])
        let read = try JSONSerialization.jsonObject(with: Data(text.utf8))
        var description = try #require(read as? [String: Any])
        let forecaster = try #require(description["forecaster"] as? [String: Any])
        description["forecaster"] = nil
        description["format"] = 1
        description["centring"] = forecaster["centring"]
        description["penalty"] = forecaster["penalty"]
        let old = try JSONSerialization.data(withJSONObject: description)
        checkpoint.metadata["systole.pipeline"] = String(decoding: old, as: UTF8.self)
        let decoded = try FittedPipeline(decoding: checkpoint.encoded())
        #expect(
            try decoded.forecast(history: series, steps: 2).values
                == pipeline.forecast(history: series, steps: 2).values)
    }

    @Test(arguments: closedForms)
    func `missing inputs within the budget are filled and counted`(_ family: Family) throws {
        let series = MadeSeries.wave(1_000)
        let pipeline = try Self.fit(family, series)
        let gappy = series.changing(980..<985) { _ in .nan }
        let result = try pipeline.diagnosedForecast(history: gappy, steps: 24)
        #expect(result.filled == 5)
        #expect(result.forecast.values.allSatisfy { $0.isFinite })
        let full = try pipeline.diagnosedForecast(history: series, steps: 24)
        #expect(full.filled == 0)
        #expect(full.forecast.values != result.forecast.values)
    }

    @Test func `rows missing at the end move the start of the forecast`() throws {
        let series = MadeSeries.wave(1_000)
        let pipeline = try Self.fit(.ridge, series)
        let late = series.changing(997..<1_000) { _ in .nan }
        let forecast = try pipeline.forecast(history: late, steps: 24)
        #expect(forecast.dataUntil == series.grid.instant(at: 996))
        #expect(forecast.grid.start == series.grid.instant(at: 997))
        let earlier = try pipeline.forecast(history: series.slice(0..<997), steps: 24)
        #expect(forecast.values == earlier.values)
    }

    @Test func `more gaps than the budget are refused with the counts`() throws {
        let series = MadeSeries.wave(1_000)
        let pipeline = try Self.fit(.ridge, series)
        let gappy = series.changing(950..<960) { _ in .nan }
        #expect(
            throws: ForecastError.tooManyGaps(
                missing: 10, longest: 10, window: 72, missingMaximum: 7, runMaximum: 24)
        ) { try pipeline.forecast(history: gappy, steps: 24) }
        #expect(throws: ForecastError.allMissing(rows: 1_000)) {
            try pipeline.forecast(
                history: series.changing(0..<1_000) { _ in .nan }, steps: 24)
        }
    }

    @Test func `what cannot be forecast is refused by name`() throws {
        let series = MadeSeries.wave(1_000)
        let ridge = try Self.fit(.ridge, series)
        #expect(throws: ForecastError.horizonNotPositive(found: 0)) {
            try ridge.forecast(history: series, steps: 0)
        }
        #expect(throws: ForecastError.horizonBeyondModel(found: 25, trained: 24)) {
            try ridge.forecast(history: series, steps: 25)
        }
        #expect(throws: ForecastError.horizonTooLong(found: 10_001, maximum: 10_000)) {
            try ridge.forecast(history: series, steps: 10_001)
        }
        #expect(throws: ForecastError.historyTooShort(found: 71, needed: 72)) {
            try ridge.forecast(history: series.slice(0..<71), steps: 24)
        }
        let daily = TimeSeries(
            channel: series.channel,
            grid: TimeGrid(
                start: MadeSeries.start, rate: SamplingRate(1, per: 86_400), count: 1_000),
            values: series.values)
        #expect(throws: ForecastError.stepMismatch(foundSeconds: 86_400, modelSeconds: 3_600)) {
            try ridge.forecast(history: daily, steps: 24)
        }
    }

    @Test func `a horizon beyond calibration is said for the naive family`() throws {
        let series = MadeSeries.wave(1_000)
        let result = try Self.fit(.seasonalNaive, series)
            .diagnosedForecast(history: series, steps: 100)
        #expect(result.uncalibratedSteps == 76)
    }

    @Test func `what cannot be fitted is refused by name`() throws {
        #expect(throws: ForecastError.seriesTooShort(found: 147, needed: 148)) {
            try Self.fit(.ridge, MadeSeries.wave(147))
        }
        #expect(try Self.fit(.ridge, MadeSeries.wave(148)).report.trainWindows == 20)
        #expect(throws: ForecastError.allMissing(rows: 500)) {
            try Self.fit(.ridge, MadeSeries.wave(500).changing(0..<500) { _ in .nan })
        }
        #expect(throws: ForecastError.constantSeries(rows: 400)) {
            try Self.fit(.ridge, MadeSeries.wave(500).changing(0..<500) { _ in 4 })
        }
        let sparse = MadeSeries.wave(500).changing(100..<500) { _ in .nan }
        #expect(
            throws: ForecastError.tooFewWindows(
                part: .train, found: 5, needed: 20, excluded: 300)
        ) { try Self.fit(.ridge, sparse) }
    }

    @Test func `a constant series gets the baseline, which says so`() throws {
        let constant = MadeSeries.wave(500).changing(0..<500) { _ in 4 }
        let pipeline = try Self.fit(.seasonalNaive, constant)
        #expect(pipeline.report.notes.count == 1)
        let forecast = try pipeline.forecast(history: constant, steps: 24)
        #expect(forecast.values.allSatisfy { $0 == 4 })
        #expect(forecast.quantiles.allSatisfy { $0.allSatisfy { abs($0 - 4) < 1e-9 } })
    }

    @Test func `scattered missing rows do not stop a fit`() throws {
        var values = MadeSeries.wave(2_000).values
        for row in stride(from: 7, to: 2_000, by: 41) { values[row] = .nan }
        let pipeline = try Self.fit(.ridge, MadeSeries.hourly(values))
        #expect(pipeline.report.filledRows == 49)
        #expect(pipeline.report.notes.count == 1)
        #expect(pipeline.report.validationMSE < pipeline.report.seasonalNaiveMSE)
    }

    @Test func `few calibration windows are said`() throws {
        let pipeline = try Self.fit(.seasonalNaive, MadeSeries.wave(148))
        #expect(pipeline.report.calibrationWindows == 10)
        #expect(
            pipeline.report.notes == [
                "With 10 calibration windows the 95.0 % interval promises only 90.9 %."
            ])
    }

    @Test func `what progress throws ends the fit`() throws {
        let series = MadeSeries.wave(1_000)
        let task = try ForecastTask(lag: 72, horizon: 24, season: 24)
        #expect(throws: CancellationError.self) {
            try FittedPipeline.fit(
                .ridge, series: series, task: task, split: .live(rows: 1_000, task: task)
            ) { _ in throw CancellationError() }
        }
    }

    @Test func `errors are one sentence without samples`() {
        let errors: [ForecastError] = [
            .horizonNotPositive(found: 0), .seriesTooShort(found: 5, needed: 9),
            .constantSeries(rows: 3), .allMissing(rows: 3), .diverged(.spacetime),
            .stepMismatch(foundSeconds: 60, modelSeconds: 3_600),
        ]
        for error in errors {
            #expect(error.description.hasSuffix("."))
            #expect(error.description.count { $0 == "." } <= 3)
        }
    }
}
