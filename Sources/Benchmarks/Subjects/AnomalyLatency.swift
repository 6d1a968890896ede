import Forecasting
import Foundation
import Jobs
import Logging
import Notifications
import Postgres
import Series
import Store
import Synchronization
import Tensors
import WebClient
import Workflows

/// From an observation to a signed webhook in a receiver's hands: from before the transaction that
/// stores the second value out of the ordinary until its receiver has verified the signature.
///
/// All series are watched by a shared ridge model, and every one gets a new value twice a second; ten
/// times a second one of them leaves what is expected for two values.
enum AnomalyLatency {
    static let series = 1_000
    static let perSecond = 2_000
    static let seconds = 10
    /// Transactions a second, each with the values of a tenth of the series.
    private static let ticks = 20
    /// Rows of history, whole waves of 24; enough to look back on and to choose a threshold from.
    private static let historyRows = 408
    private static let stepMicroseconds: Int64 = 500_000

    static let benchmark = Benchmark("anomalies.latency") { setting in
        let database = try await setting.databases.make()
        let waits = WaitTally()
        let secret = Mutex<WebhookSecret?>(nil)
        let receiver = try LoopbackReceiver { bytes in
            waits.received(bytes, number: seriesNumber) { _ in secret.withLock { $0 } }
        }
        try await store(in: database)
        let text = try await database.pool.run(
            "SELECT systole.add_webhook(\("\(receiver.root)/"), '{anomaly.opened}') AS s"
        ).only().text("s")
        let known = try WebhookSecret(text)
        secret.withLock { $0 = known }
        let crew = try Crew(database)
        try await watchAll(in: database)
        let stream = Stream(database, start: try await start(in: database))
        return Contest(
            what: """
                \(perSecond) observations/s into \(series) watched series for \(seconds) s, one shared \
                ridge model, 10 incidents/s; router, scorer and deliverer in one process; the waits \
                are of all runs together
                """,
            work: Work(perSecond * seconds, "observations"),
            ours: Contestant("from the insert to the verified webhook") {
                try await stream.run(waits)
            },
            opponents: [], figures: { waits.figures() },
            finish: {
                try await crew.dismiss()
                receiver.stop()
                try await database.drop()
            })
    }

    private static func seriesNumber(_ text: String) -> Int? {
        text.firstMatch(of: /"series_id": ?([0-9]+)/).flatMap { Int($0.1) }
    }

    private static func start(in database: Database) async throws -> Timestamp {
        let newest = try await database.pool.run("SELECT max(at) AS at FROM systole.observation")
        return Timestamp(microseconds: try newest.only().epochMicroseconds("at"))
    }

    /// Makes the series, their history until an hour ago, and the model that all share.
    private static func store(in database: Database) async throws {
        try await database.pool.run(
            """
            INSERT INTO systole.series (key, unit, step_us)
            SELECT 'bench.' || i, 'kW', \(stepMicroseconds) FROM generate_series(1, \(series)::integer) i
            """)
        try await database.pool.run(
            "SELECT systole.ensure_partitions(now() - interval '2 hours', now() + interval '2 hours')"
        )
        try await database.pool.run(
            """
            INSERT INTO systole.observation (series_id, at, value)
            SELECT s.series_id,
                date_trunc('minute', now()) - interval '1 hour' - h * interval '500 milliseconds',
                10 + sin((\(historyRows)::integer - h) * pi() / 12) + 0.1 * random()
            FROM systole.series s, generate_series(0, \(historyRows)::integer - 1) h ORDER BY 1, 2
            """)
        let pipeline = try fitted()
        try await database.pool.transaction { db in
            let source = try SeriesStore.find(key: "bench.1", in: db)
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
        try await database.pool.run("ANALYZE")
    }

    private static func fitted() throws -> FittedPipeline {
        let task = try ForecastTask(lag: 96, horizon: 24, season: 24)
        var random = RandomStream(seed: 1)
        let values = (0..<3_000).map { row in
            10 + sin(Double(row) * .pi / 12) + 0.1 * random.uniform()
        }
        let grid = TimeGrid(
            start: Timestamp(microseconds: 1_577_836_800_000_000),
            rate: SamplingRate(stepMicroseconds: stepMicroseconds), count: values.count)
        return try FittedPipeline.fit(
            .ridge, series: TimeSeries(channel: Channel(name: "bench"), grid: grid, values: values),
            task: task, split: Split.live(rows: values.count, task: task), options: FitOptions())
    }

    /// Watches every series, and waits until each has a threshold.
    private static func watchAll(in database: Database) async throws {
        try await database.pool.run("SELECT systole.watch(key, 2) FROM systole.series")
        let deadline = ContinuousClock.now + .seconds(120)
        while try await database.pool.run(
            "SELECT count(*) AS n FROM systole.watch WHERE threshold IS NULL"
        ).only().int("n") > 0 {
            guard ContinuousClock.now < deadline else {
                throw BenchmarkError("anomalies.latency: not all series were watched in 2 minutes")
            }
            try await Task.sleep(for: .milliseconds(50))
        }
    }

    /// Everybody between the observation and the webhook.
    private struct Crew {
        private let worker: Worker
        private let tasks: [Task<Void, any Error>]

        init(_ database: Database) throws {
            var logger = Logger(label: "bench")
            logger.logLevel = .error
            var options = WorkerOptions()
            options.slots = 2
            let worker = Worker(
                identity: WorkerIdentity(
                    id: UUID(), host: "bench", process: ProcessInfo.processInfo.processIdentifier,
                    version: "bench"),
                handlers: [DetectAnomalies(pool: database.pool)], pool: database.pool,
                options: options, logger: logger)
            let router = NewsRouter(pool: database.pool, logger: logger)
            let deliverer = Deliverer(
                pool: database.pool, client: WebClient(WebConfiguration(policy: .withLoopback)),
                chance: { 0 }, logger: logger)
            self.worker = worker
            tasks = [
                Task { try await worker.run() }, Task { try await router.run() },
                Task { try await deliverer.run() },
            ]
        }

        func dismiss() async throws {
            worker.drain()
            for task in tasks.dropFirst() { task.cancel() }
            for task in tasks { try await task.value }
        }
    }

    /// The values that come in, row by row; time goes on from run to run.
    private actor Stream {
        private let database: Database
        private let start: Timestamp
        private var row: Int64 = 1
        /// Series that are at fault, and since which row.
        private var faults: [Int: Int64] = [:]
        private var random = RandomStream(seed: 2)

        init(_ database: Database, start: Timestamp) {
            self.database = database
            self.start = start
        }

        func run(_ waits: WaitTally) async throws {
            let begin = ContinuousClock.now
            let parts = AnomalyLatency.ticks * AnomalyLatency.series / AnomalyLatency.perSecond
            for tick in 0..<(AnomalyLatency.ticks * AnomalyLatency.seconds) {
                try await Task.sleep(
                    until: begin + .seconds(1) / AnomalyLatency.ticks * tick)
                try await append(part: tick % parts, of: parts, waits)
                if tick % parts == parts - 1 { row += 1 }
            }
            while waits.isOwed {
                guard ContinuousClock.now < begin + .seconds(60) else {
                    throw BenchmarkError("anomalies.latency: not all incidents came in a minute")
                }
                try await Task.sleep(for: .milliseconds(10))
            }
        }

        /// Stores one row of every series of a part; one of them begins to be at fault.
        private func append(part: Int, of parts: Int, _ waits: WaitTally) async throws {
            let at = start + .microseconds(row * AnomalyLatency.stepMicroseconds)
            let size = AnomalyLatency.series / parts
            if row % 2 == 0 {
                // In turn, so that nobody is at fault again before it was resolved.
                faults[1 + part * size + Int(row / 2) * 37 % size] = row
            }
            let wave = 10 + sin(Double(row) * .pi / 12)
            var batches: [(SeriesID, [Observation])] = []
            var told: [Int] = []
            for number in (1 + part * size)...((part + 1) * size) {
                let since = faults[number].map { row - $0 }
                if since == 1 { told.append(number) }
                let isFaulty = since == 0 || since == 1
                let value = wave + 0.1 * random.uniform() + (isFaulty ? 8 : 0)
                batches.append(
                    (SeriesID(Int64(number)), [Observation(at: at, value: value)]))
            }
            let rows = batches
            for number in told { waits.sent(number) }
            try await database.pool.transaction { db in
                _ = try SeriesStore.append(rows, onConflict: .keep, in: db)
            }
        }
    }
}
