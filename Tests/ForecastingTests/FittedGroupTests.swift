import Forecasting
import Testing

/// What a service stores of a group: fitted, forecast from, asked and read again.
@Suite struct FittedGroupTests {
    private static func fitted(
        _ values: [[Double]] = JointTests.driven, _ families: [JointFamily] = [.ridge, .tsm2]
    ) throws -> FittedGroup {
        var options = GroupFitOptions()
        (options.families, options.network) = (families, JointTests.small)
        (options.training.epochsMaximum, options.training.rate) = (1, 5e-3)
        let task = try JointTests.task()
        let split = Split.live(rows: 1_200, task: task)
        let group = try JointSeries(
            names: values.indices.map { "member \($0)" }, values: values,
            train: split.targets(of: .train))
        return try FittedGroup.fit(group, task: task, split: split, options: options)
    }

    @Test func `a group's model is stored and read without a change in any forecast`() throws {
        let group = try Self.fitted()
        let bytes = group.encoded()
        let read = try FittedGroup(decoding: bytes)
        #expect(read.report == group.report && read.encoded() == bytes)
        let history = JointTests.driven.map { Array($0.suffix(50)) }
        let forecast = try group.forecast(history: history)
        #expect(try read.forecast(history: history) == forecast)
        #expect(forecast.values.count == 3 && forecast.values[0].count == 6)
        for member in forecast.quantiles {
            for (lower, upper) in zip(member, member.dropFirst()) {
                #expect(zip(lower, upper).allSatisfy { $0 <= $1 })
            }
        }
        let mixed = try Self.fitted(JointTests.driven, [.tsm2])
        let parts = try #require(try mixed.influences(history: history))
        #expect(parts.weight == 1 && parts.changes.count == 3)
        #expect(parts.changes.allSatisfy { $0.allSatisfy { $0 > 0 } })
        for count in stride(from: 0, to: bytes.count, by: 1_499) {
            #expect(throws: GroupDecodingError.self) {
                _ = try FittedGroup(decoding: Array(bytes[..<count]))
            }
        }
    }

    @Test func `a member that is gone is forecast from its own mean, and the others from the rest`()
        throws
    {
        let group = try Self.fitted()
        var history = JointTests.driven.map { Array($0.suffix(40)) }
        history[0] = history[0].map { _ in .nan }
        let forecast = try group.forecast(history: history)
        #expect(forecast.values.allSatisfy { $0.allSatisfy { $0.isFinite } })
        #expect(throws: ForecastError.allMissing(rows: 32)) {
            _ = try group.forecast(history: history.map { $0.map { _ in .nan } })
        }
        #expect(throws: ForecastError.seriesTooShort(found: 31, needed: 32)) {
            _ = try group.forecast(history: history.map { Array($0.prefix(31)) })
        }
    }

    @Test func `a group of one mixes nothing, and one member that never varies harms nobody`()
        throws
    {
        let one = try Self.fitted([JointTests.driven[0]], [.ridge, .tsm2, .unmixed])
        #expect(one.report.candidates.map(\.family) == [.ridge, .unmixed])
        #expect(try one.influences(history: [JointTests.driven[0]]) == nil)
        let flat = try Self.fitted([JointTests.driven[0], [Double](repeating: 7, count: 1_200)])
        #expect(flat.report.idle == [1])
        let forecast = try flat.forecast(
            history: [JointTests.driven[0], [Double](repeating: 7, count: 1_200)])
        #expect(forecast.values[1].allSatisfy { abs($0 - 7) < 1 })
    }
}
