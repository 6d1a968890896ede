import Forecasting
import Foundation
import Jobs
import Logging
import Postgres
import Series
import Store
import Workflows

/// Many series forecast by one shared model: jobs by labels, a worker, and every run with its
/// intervals, event and completion committed.
///
/// Limit: the server. Each series costs it the rows of one look-back window out, and in a row of the
/// ledger with four indexes and two checks, an event, and the lock of its accuracy. There is no
/// opponent that does as much.
enum ForecastsByLabels {
    static let lag = 96
    static let horizon = 24
    /// Series of one measured run.
    static let portion = 10_000

    static let benchmarks = [
        benchmark("forecasts.batch.ridge", .ridge, portions: 10),
        benchmark("forecasts.batch.spacetime", .spacetime, portions: 2),
        whole("forecasts.all.ridge", .ridge), whole("forecasts.all.spacetime", .spacetime),
    ]

    /// Series under one schedule in the benchmarks of a whole fire.
    static let seriesOfAll = 100_000

    /// One fire of one schedule over all series, from the decision to the last commit. Its memory is
    /// held against that of a tenth of the series.
    private static func whole(_ name: String, _ family: Family) -> Benchmark {
        Benchmark(name) { setting in
            let database = try await setting.databases.make()
            try await store(series: seriesOfAll, in: database)
            try await share(try fitted(family), in: database)
            let worker = try worker(database)
            let work = Task { try await worker.run() }
            PeakMemory.reset()
            try await forecast(portion: 0, in: database)
            let few = PeakMemory.bytes()
            let made = Tally()
            return Contest(
                what:
                    "\(seriesOfAll) series under one schedule, lag \(lag), horizon \(horizon), four "
                    + "quantiles, by one shared \(family.rawValue) model, stored and committed",
                work: Work(seriesOfAll, "forecasts"),
                ours: Contestant("one fire, IssueForecast, one worker with two slots") {
                    PeakMemory.reset()
                    made.add(try await fireAll(database), of: 1)
                },
                opponents: [],
                figures: {
                    [
                        "jobs_made_seconds": made.mean ?? 0, "peak_bytes_of_a_tenth": Double(few),
                        "peak_bytes": Double(PeakMemory.bytes()),
                    ]
                },
                finish: {
                    worker.drain()
                    try await work.value
                    try await database.drop()
                })
        }
    }

    /// - Returns: The seconds that the decision of the fire and its jobs took.
    private static func fireAll(_ database: Database) async throws -> Double {
        let start = ContinuousClock.now
        try await database.pool.transaction { db in
            try db.run(
                """
                SELECT systole.schedule_forecasts('{}', '24 hours', every => '1 hour', name => 'all')
                """)
            try db.run("SELECT systole.trigger_schedule('all')")
            try db.run("SELECT systole.pause_schedule('all')")
        }
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        try await waitUntilEmpty(database)
        try await database.pool.run("SELECT systole.delete_schedule('all')")
        return seconds
    }

    private static func benchmark(
        _ name: String, _ family: Family, portions: Int
    ) -> Benchmark {
        Benchmark(name) { setting in
            let database = try await setting.databases.make()
            try await store(series: portions * portion, in: database)
            try await share(try fitted(family), in: database)
            let worker = try worker(database)
            let work = Task { try await worker.run() }
            var next = 0
            return Contest(
                what: "\(portion) of \(portions * portion) series, lag \(lag), horizon \(horizon), "
                    + "four quantiles, by one shared \(family.rawValue) model, stored and committed",
                work: Work(portion, "forecasts"),
                ours: Contestant("IssueForecast, one worker with two slots") {
                    next = (next + 1) % portions
                    try await forecast(portion: next, in: database)
                },
                opponents: [],
                stages: [
                    Contestant("the jobs of all \(portions * portion) series made by a fire") {
                        try await fire(database)
                    }
                ],
                finish: {
                    worker.drain()
                    try await work.value
                    try await database.drop()
                })
        }
    }

    /// Hourly series with a daily season, each of its own level and size, and 96 to 168 rows.
    private static func store(series count: Int, in database: Database) async throws {
        let end: SQL = "timestamptz '2026-01-01 00:00:00+00'"
        try await database.pool.run(
            """
            INSERT INTO systole.series (key, unit, step_us, labels)
            SELECT 'bench.' || i, 'kW', 3600000000, jsonb_build_object('portion', i / \(portion)::integer)
            FROM generate_series(0, \(count)::integer - 1) i
            """)
        try await database.pool.run(
            """
            SELECT systole.ensure_partitions(\(end) - interval '1 year', \(end) + interval '1 hour')
            """)
        // In parts, each well within the time that a statement may take.
        for part in 0..<(count / portion) {
            try await database.pool.run(
                """
                INSERT INTO systole.observation (series_id, at, value)
                SELECT s.series_id, \(end) - h * interval '1 hour',
                    (s.series_id % 97 + 1) * (10 + 3 * sin(h * pi() / 12 + s.series_id) + random())
                FROM systole.series s, generate_series(0, \(lag)::integer - 1 + (s.series_id % 73)::integer) h
                WHERE s.labels = jsonb_build_object('portion', \(part)::integer) ORDER BY 1, 2
                """)
        }
        try await database.pool.run(
            """
            INSERT INTO systole.accuracy_state (series_id, counted_until)
            SELECT series_id, \(end) FROM systole.series
            """)
        try await database.pool.run("ANALYZE")
    }

    /// A model of one made-up series. The network is trained for one short epoch: forecasts by other
    /// weights take as long.
    private static func fitted(_ family: Family) throws -> FittedPipeline {
        let task = try ForecastTask(lag: lag, horizon: horizon, season: 24)
        let values = (0..<1500).map { hour -> Double in
            let (wave, noise) = (sin(Double(hour) * .pi / 12), sin(Double(hour) * 12.9898))
            return 10 + 3 * wave + noise / 3
        }
        let grid = TimeGrid(
            start: Timestamp(microseconds: 1_577_836_800_000_000), rate: SamplingRate(1, per: 3600),
            count: values.count)
        var options = FitOptions()
        options.training.epochsMaximum = 1
        return try FittedPipeline.fit(
            family, series: TimeSeries(channel: Channel(name: "bench"), grid: grid, values: values),
            task: task, split: Split.live(rows: values.count, task: task), options: options)
    }

    private static func share(_ pipeline: FittedPipeline, in database: Database) async throws {
        try await database.pool.transaction { db in
            let source = try SeriesStore.find(key: "bench.0", in: db)
            let end = Timestamp(microseconds: 1_767_225_600_000_000)
            var model = NewModel(
                series: source.id, family: pipeline.family.rawValue,
                data: TrainingData(digest: [UInt8](repeating: 0, count: 32), from: end, until: end),
                weights: pipeline.encoded())
            model.stepsMaximum = pipeline.stepsMaximum
            let id = try ModelStore.insert(model, in: db)
            try ModelStore.promote(id, in: db)
            try db.run("SELECT systole.share_model(\(id), '{}')")
        }
        try await database.pool.run("ANALYZE systole.model")
    }

    private static func worker(_ database: Database) throws -> Worker {
        var options = WorkerOptions()
        options.slots = 2
        var logger = Logger(label: "bench")
        logger.logLevel = .warning
        let environment = FittingEnvironment(threads: 1, seed: 1, codeVersion: "bench")
        return Worker(
            identity: WorkerIdentity(
                id: UUID(), host: "bench", process: ProcessInfo.processInfo.processIdentifier,
                version: "bench"),
            handlers: [IssueForecast(pool: database.pool, environment: environment)],
            pool: database.pool, options: options, logger: logger)
    }

    private static func forecast(portion: Int, in database: Database) async throws {
        try await database.pool.run(
            """
            SELECT systole.request_forecasts(jsonb_build_object('portion', \(portion)::integer), '24 hours')
            """)
        try await waitUntilEmpty(database)
    }

    private static func waitUntilEmpty(_ database: Database) async throws {
        let deadline = ContinuousClock.now + .seconds(300)
        while try await !isEmpty(database) {
            guard ContinuousClock.now < deadline else {
                throw BenchmarkError("the forecasts were not done within five minutes")
            }
            // Long against the query, short against a batch.
            try await Task.sleep(for: .milliseconds(10))
        }
    }

    private static func isEmpty(_ database: Database) async throws -> Bool {
        try await database.pool.run("SELECT NOT EXISTS (SELECT FROM systole.job) AS done")
            .only().bool("done")
    }

    /// Decides a fire whose jobs nobody may have yet, and takes them back.
    private static func fire(_ database: Database) async throws {
        try await database.pool.run("SELECT systole.pause_kind('forecast')")
        try await database.pool.transaction { db in
            try db.run(
                """
                SELECT systole.schedule_forecasts('{}', '24 hours', every => '1 hour', name => 'all')
                """)
            try db.run("SELECT systole.trigger_schedule('all')")
            try db.run("SELECT systole.delete_schedule('all')")
        }
        try await database.pool.run("DELETE FROM systole.job")
        try await database.pool.run("SELECT systole.resume_kind('forecast')")
    }
}
