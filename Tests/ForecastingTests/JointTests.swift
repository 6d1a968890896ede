import Foundation
import Forecasting
import Learning
import Models
import Tensors
import Testing

/// Models of groups of series: training, what it tells, its file, and groups that hold little.
@Suite struct JointTests {
    /// A channel that wanders, one that follows it six rows later, and one of its own.
    static let driven = made(rows: 1_200)

    static func made(rows: Int) -> [[Double]] {
        var random = RandomStream(seed: 4)
        var (driver, other): ([Double], [Double]) = ([0], [0])
        for _ in 1..<rows {
            driver.append(0.6 * driver[driver.count - 1] + random.normal())
            other.append(0.6 * other[other.count - 1] + random.normal())
        }
        let follower = driver.indices.map { row in
            (row < 6 ? 0 : driver[row - 6]) + 0.05 * random.normal()
        }
        return [driver, follower, other]
    }

    static func task() throws -> ForecastTask { try ForecastTask(lag: 32, horizon: 6, season: 1) }
    static func split() throws -> Split {
        try Split(rows: 1_200, train: 800, validation: 200, test: 200)
    }

    static var small: TSM2Configuration {
        var c = TSM2Configuration(lookback: 32, horizon: 6)
        (c.patch, c.stride, c.width, c.layers, c.states) = (8, 4, 16, 1, 4)
        (c.headRank, c.dropout) = (0, 0)
        return c
    }

    static func group(_ values: [[Double]] = driven) throws -> JointSeries {
        try JointSeries(
            names: values.indices.map { "member \($0)" }, values: values,
            train: try split().targets(of: .train))
    }

    static func train(
        _ group: JointSeries, epochs: Int, threads: Int = 1, seed: UInt64 = 0,
        _ change: (inout TSM2Configuration) -> Void = { _ in }
    ) throws -> TrainedTSM2 {
        var (c, options) = (small, TSM2TrainingOptions())
        change(&c)
        (options.batch, options.epochsMaximum, options.patience) = (32, epochs, epochs)
        (options.rate, options.threads, options.seed) = (5e-3, threads, seed)
        let split = try split()
        return try TSM2Trainer(configuration: c, options: options).train(
            group, train: group.starts(of: .train, lag: 32, horizon: 6, split),
            validation: group.starts(of: .validation, lag: 32, horizon: 6, split))
    }

    @Test func `a channel that follows another is forecast by it, and the influences say so`()
        throws
    {
        let values = Self.made(rows: 4_000)
        let split = try Split(rows: 4_000, train: 3_200, validation: 400, test: 400)
        let group = try JointSeries(
            names: ["driver", "follower", "other"], values: values,
            train: split.targets(of: .train))
        func starts(_ part: Split.Part) -> [Int] {
            group.starts(of: part, lag: 32, horizon: 6, split)
        }
        var options = TSM2TrainingOptions()
        (options.batch, options.epochsMaximum, options.rate) = (32, 6, 5e-3)
        let model = try TSM2Trainer(configuration: Self.small, options: options).train(
            group, train: starts(.train), validation: starts(.validation))
        let prepared = model.prepared()
        var errors = JointErrors(members: 3)
        let forecasts = prepared.forecast(group.windows, starts: starts(.test))
        errors.add(forecasts.values, group.windows, starts: starts(.test), lag: 32)
        // What the driver did is all there is to know of the next six rows of the follower.
        #expect(errors.members[1].mse < 0.2 * errors.members[0].mse)
        let found = prepared.influences(group.windows, starts: starts(.test))
        for (forecast, known) in [(0, 1), (0, 2), (1, 2), (2, 0), (2, 1)] {
            #expect(found[1, 0] > 4 * found[forecast, known], "\(known) on \(forecast)")
        }
    }

    @Test
    func `a training has the same bits on any number of threads, and others with another seed`()
        throws
    {
        let group = try Self.group()
        let models = try [(1, 0), (2, 0), (1, 1)].map { threads, seed in
            try Self.train(group, epochs: 1, threads: threads, seed: UInt64(seed)) {
                $0.dropout = 0.2
            }
        }
        #expect(models[0].parameters == models[1].parameters)
        #expect(models[0].parameters != models[2].parameters)
    }

    @Test func `a streamable model trains with contexts, and a stored one is the same`() throws {
        let group = try Self.group()
        let model = try Self.train(group, epochs: 1) {
            ($0.isStreamable, $0.contextMaximum) = (true, 4)
        }
        let bytes = model.encoded()
        let read = try TrainedTSM2(decoding: bytes)
        #expect(read.parameters == model.parameters && read.configuration == model.configuration)
        #expect(read.names == model.names && read.standardisers == model.standardisers)
        #expect(read.options == model.options && read.record == model.record)
        #expect(read.encoded() == bytes)
        for count in stride(from: 0, to: bytes.count, by: 997) {
            #expect(throws: GroupDecodingError.self) {
                _ = try TrainedTSM2(decoding: Array(bytes[..<count]))
            }
        }
    }

    @Test func `a file whose sizes make no sense is refused`() throws {
        let model = try Self.train(try Self.group(), epochs: 1)
        let text = String(decoding: model.encoded(), as: UTF8.self)
        #expect(text.contains("\\\"stride\\\":4"))
        // Same length, so that the tensors still lie where the header says.
        let bytes = Array(model.encoded())
        let pattern = Array("\\\"stride\\\":4".utf8)
        let place = try #require(
            (0..<bytes.count - pattern.count).first {
                Array(bytes[$0..<$0 + pattern.count]) == pattern
            })
        var broken = bytes
        broken[place + pattern.count - 1] = UInt8(ascii: "0")
        #expect(throws: GroupDecodingError.description) {
            _ = try TrainedTSM2(decoding: broken)
        }
    }

    /// A group that holds little.
    struct Meagre: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let values: [[Double]]
        let idle: [Int]
    }

    @Test(arguments: [
        Meagre(testDescription: "one member", values: [driven[0]], idle: []),
        Meagre(
            testDescription: "one member without a value",
            values: [driven[0], driven[1].map { _ in .nan }], idle: [1]),
        Meagre(
            testDescription: "one member always the same",
            values: [driven[0], driven[1].map { _ in 42 }], idle: [1]),
        Meagre(
            testDescription: "holes",
            values: driven.enumerated().map { member, own in
                own.enumerated().map { $0 % 17 == member || (100..<140).contains($0) ? .nan : $1 }
            }, idle: []),
    ])
    func `a group that holds little is trained all the same`(_ own: Meagre) throws {
        let group = try Self.group(own.values)
        #expect(group.idle == own.idle)
        let model = try Self.train(group, epochs: 1)
        #expect(model.record.bestError.isFinite)
        let forecasts = model.prepared().forecast(group.windows, starts: [0, 90, 1_168])
        #expect(forecasts.values.allSatisfy { $0.isFinite })
    }

    @Test func `a group without anything to learn is refused`() {
        let nothing = [Double](repeating: .nan, count: 1_200)
        let flat = [Double](repeating: 3, count: 1_200)
        #expect(throws: ForecastError.allMissing(rows: 1_200)) {
            _ = try Self.group([nothing, nothing])
        }
        #expect(throws: ForecastError.constantSeries(rows: 800)) {
            _ = try Self.group([nothing, flat])
        }
    }

    @Test func `of many members a step draws some, and all have forecasts`() throws {
        var options = TSM2TrainingOptions()
        (options.batch, options.epochsMaximum, options.variatesMaximum) = (16, 1, 2)
        let (group, split) = (try Self.group(), try Self.split())
        let model = try TSM2Trainer(configuration: Self.small, options: options).train(
            group, train: group.starts(of: .train, lag: 32, horizon: 6, split),
            validation: group.starts(of: .validation, lag: 32, horizon: 6, split))
        let forecasts = model.prepared().forecast(group.windows, starts: [3])
        #expect(forecasts.shape == [1, 3, 6])
    }

    @Test func `of hundreds of members all are trained and forecast, and few windows judge`() throws
    {
        var random = RandomStream(seed: 21)
        let values = (0..<150).map { member -> [Double] in
            var value = 0.0
            return (0..<2_600).map { row in
                value = 0.8 * value + random.normal()
                return value + Double((row + member) % 24 < 12 ? 1 : -1)
            }
        }
        let split = try Split(rows: 2_600, train: 600, validation: 2_000, test: 0)
        let group = try JointSeries(
            names: values.indices.map { "member \($0)" }, values: values,
            train: split.targets(of: .train))
        var options = GroupFitOptions()
        (options.families, options.network) = ([.ridge, .tsm2], Self.small)
        (options.training.epochsMaximum, options.training.windowsPerEpochMaximum) = (1, 512)
        options.training.validationWindowsMaximum = 32
        let fitted = try FittedGroup.fit(
            group, task: try Self.task(), split: split, options: options)
        // 1,995 windows of 150 members would be 299,250 of single ones.
        #expect(fitted.report.validationWindows == 998)
        #expect(fitted.report.validationMSE < fitted.report.repeatLastMSE)
        let history = values.map { Array($0.suffix(32)) }
        let forecast = try fitted.forecast(history: history)
        #expect(forecast.values.count == 150)
        #expect(forecast.values.allSatisfy { $0.allSatisfy { $0.isFinite } })
        #expect(try fitted.influences(history: history) == nil)
    }

    @Test func `a backtest judges every family, and a combination is no worse than its worst`()
        throws
    {
        var backtest = JointBacktest(horizons: [6], split: try Self.split())
        (backtest.lag, backtest.network, backtest.seeds) = (32, Self.small, [0, 1])
        backtest.families = [.ridge, .tsm2, .ensemble]
        (backtest.training.epochsMaximum, backtest.training.rate) = (2, 5e-3)
        let report = try backtest.run(try Self.group())
        #expect(
            report.results.map(\.family) == [
                "repeat-last", "ridge", "tsm2", "tsm2", "ensemble", "ensemble",
                "ensemble-of-seeds",
            ])
        #expect(report.results.allSatisfy { $0.windows == 195 && $0.memberMSE.count == 3 })
        for row in report.results {
            let mean = row.memberMSE.compactMap { $0 }.reduce(0, +) / 3
            #expect(abs(mean - row.mse) < 1e-9)
        }
        let singles = report.results.filter { ["ridge", "tsm2"].contains($0.family) }
        let worst = singles.map(\.mse).max() ?? 0
        #expect(report.results.suffix(3).allSatisfy { $0.mse <= worst })
        // No window is left out: what repeats the last value errs as by hand.
        let group = try Self.group()
        var (squares, count) = (0.0, 0)
        for start in 968..<1_163 {
            for (member, values) in Self.driven.enumerated() {
                let scaled = group.standardisers[member].scale(values)
                for step in 0..<6 {
                    let error = scaled[start + 31] - scaled[start + 32 + step]
                    squares += error * error
                    count += 1
                }
            }
        }
        #expect(abs(report.results[0].mse - squares / Double(count)) < 1e-6)
    }
}
