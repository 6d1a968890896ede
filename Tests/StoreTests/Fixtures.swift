import Postgres
import Series
import TestSupport

@testable import Store

/// What most tests begin with: an hourly series.
enum Fixture {
    /// 2016-07-01T00:00:00Z.
    static let start = Timestamp(microseconds: 1_467_331_200_000_000)
    static let hour: Int64 = 3_600_000_000

    /// The instant `hours` after `start`.
    static func at(_ hours: Int) -> Timestamp {
        Timestamp(microseconds: start.microseconds + Int64(hours) * hour)
    }

    /// One observation an hour from `first` on; the value is the number of the hour, plus `offset`.
    static func hourly(_ count: Int, from first: Int = 0, offset: Double = 0) -> [Observation] {
        (first..<first + count).map { Observation(at: at($0), value: Double($0) + offset) }
    }

    /// The hourly series `key`.
    static func series(
        _ key: String = "plant.oil_temp", in db: borrowing Session
    ) throws -> SeriesID {
        try SeriesStore.ensure(
            key: key, unit: PhysicalUnit("Cel"), stepMicroseconds: hour, in: db
        ).id
    }

    /// A candidate with few weights.
    static func model(
        of series: SeriesID, family: String = "ridge", weights: [UInt8] = [1, 2, 3],
        run: JobRun? = nil, in db: borrowing Session
    ) throws -> ModelID {
        var model = NewModel(
            series: series, family: family,
            data: TrainingData(digest: digest(of: [7]), from: start, until: at(100)),
            weights: weights)
        model.naive = NaiveScale(seasonSteps: 24, meanAbsoluteError: 2, rootMeanSquareError: 4)
        model.run = run
        return try ModelStore.insert(model, in: db)
    }

    /// A forecast of `steps` hours after `lastHour`: `value` at every step, 80 % ± 1, 95 % ± 2.
    static func forecast(
        after lastHour: Int, steps: Int, value: Double = 10
    ) -> Forecast {
        Forecast(
            grid: TimeGrid(
                start: at(lastHour + 1), rate: SamplingRate(stepMicroseconds: hour), count: steps),
            dataUntil: at(lastHour), values: Array(repeating: value, count: steps),
            levels: QuantileLevel.standard,
            quantiles: [-2, -1, 1, 2].map { Array(repeating: value + $0, count: steps) })
    }
}

extension Pool {
    /// The SQLSTATE with which the database refuses `sql`; nil where it does not.
    func refusal(of sql: SQL) async throws -> PostgresError? {
        do {
            try await run(sql)
            return nil
        } catch let error as PostgresError {
            return error
        }
    }

    /// The only number that `sql`, with a column `n`, returns.
    func number(_ sql: SQL) async throws -> Int { try await run(sql).only().int("n") }
}
