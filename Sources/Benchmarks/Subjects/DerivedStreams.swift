import Forecasting
import Foundation
import Jobs
import Learning
import Logging
import Models
import Postgres
import Series
import Store
import Synchronization
import Tensors
import Workflows

/// Live streams of six axes at 100 Hz, each read by a hierarchical model of the default sizes, with
/// everything in the database: samples in, states, values out.
///
/// `derive.live` sends at the pace of the sensors and tells how long a second of samples takes from its
/// commit to the stored values; `derive.capacity` sends as fast as it can.
enum DerivedStreams {
    static let devices = 200
    private static let axes = 6
    private static let rate = 100
    /// Transactions a second, each with a second of some devices.
    private static let ticks = 10
    private static let model = "hiss-bench"

    static let benchmarks = [
        benchmark("derive.live", seconds: 10, isPaced: true),
        benchmark("derive.capacity", seconds: 5, isPaced: false),
    ]

    private static func benchmark(_ name: String, seconds: Int, isPaced: Bool) -> Benchmark {
        Benchmark(name) { setting in
            let database = try await setting.databases.make()
            try await store(in: database)
            let crew = try Crew(database)
            let streams = Streams(database, seconds: seconds, isPaced: isPaced)
            let samples = devices * rate * seconds
            return Contest(
                what: """
                    \(devices) streams of \(axes) axes at \(rate) Hz for \(seconds) s, \
                    \(isPaced ? "as they come" : "as fast as they can be stored"): samples stored, \
                    derived at 10 Hz by a model of 92,034 parameters, states and values stored
                    """,
                work: Work(samples, "samples"),
                ours: Contestant("from the samples to the derived values") {
                    try await streams.run()
                },
                opponents: [], figures: { await streams.figures() },
                finish: {
                    try await crew.dismiss()
                    try await database.drop()
                })
        }
    }

    /// Makes the model, the inputs and the derivations.
    private static func store(in database: Database) async throws {
        let configuration = HiSSConfiguration.standard(inputs: axes, outputs: 1)
        var random = RandomStream(seed: 9)
        let parameters: Parameters<Float> = HiSSNetwork(configuration).begin(&random)
        let noise = (0..<axes).map { _ in (0..<100).map { _ in random.normal() } }
        let sequence = SensorSequence(
            name: "noise", inputs: noise, targets: [(0..<10).map { _ in random.normal() }],
            ratio: 10)
        let names = (0..<axes).map { "axis\($0)" }
        let sensor = SensorModel(
            inputs: names.map { Channel(name: $0) }, outputs: [Channel(name: "speed")],
            stepMicroseconds: 10_000, memory: 1_500,
            trained: TrainedHiSS(
                configuration: configuration, parameters: parameters,
                scaling: SensorScaling([sequence])), card: nil)
        try await database.pool.transaction { db in
            let id = try SensorModelStore.add(
                NewSensorModel(
                    name: model, family: "hiss", inputs: names, outputs: sensor.outputs,
                    stepMicroseconds: 10_000, ratio: 10, memory: 1_500, card: "{}",
                    weights: sensor.encoded()), in: db)
            try db.run("SELECT systole.promote_sensor_model(\(id))")
        }
        try await database.pool.run(
            """
            INSERT INTO systole.series (key, step_us)
            SELECT 'device' || d || '.axis' || a, 10000
            FROM generate_series(0, \(devices)::integer - 1) d,
                generate_series(0, \(axes)::integer - 1) a ORDER BY d, a
            """)
        try await database.pool.run(
            "SELECT systole.ensure_partitions(now() - interval '1 day', now() + interval '1 day')")
        try await database.pool.run(
            """
            SELECT systole.derive('device' || d, \(model), 'speed' || d)
            FROM generate_series(0, \(devices)::integer - 1) d
            """)
        try await database.pool.run("ANALYZE")
    }

    /// A worker of two slots, and who tells it what to do.
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
                handlers: [DeriveSeries(pool: database.pool)], pool: database.pool,
                options: options, logger: logger)
            let router = NewsRouter(pool: database.pool, logger: logger)
            self.worker = worker
            tasks = [Task { try await worker.run() }, Task { try await router.run() }]
        }

        func dismiss() async throws {
            worker.drain()
            for task in tasks.dropFirst() { task.cancel() }
            for task in tasks { try await task.value }
        }
    }

    /// The samples that come in; time goes on from run to run.
    private actor Streams {
        private let database: Database
        private let seconds: Int
        private let isPaced: Bool
        private let start: Timestamp
        private var second = 0
        private var random = RandomStream(seed: 2)
        /// When a second of a device was committed, by the device and the end of that second.
        private var owed: [Int: [(until: Timestamp, since: ContinuousClock.Instant)]] = [:]
        private var waits: [Double] = []

        init(_ database: Database, seconds: Int, isPaced: Bool) {
            self.database = database
            self.seconds = seconds
            self.isPaced = isPaced
            // Far enough back that no run ends in the future.
            let now = Int64(Date().timeIntervalSince1970) - 43_200
            start = Timestamp(microseconds: now * 1_000_000)
        }

        func run() async throws {
            let begin = ContinuousClock.now
            let size = DerivedStreams.devices / DerivedStreams.ticks
            let watch = Task { try await self.watch(begin) }
            for tick in 0..<DerivedStreams.ticks * seconds {
                if isPaced {
                    try await Task.sleep(until: begin + .seconds(1) / DerivedStreams.ticks * tick)
                }
                let part = tick % DerivedStreams.ticks
                try await append(part * size..<(part + 1) * size)
                if part == DerivedStreams.ticks - 1 { second += 1 }
            }
            isDone = true
            try await watch.value
            isDone = false
        }

        private var isDone = false

        /// Looks how far every stream is until all is derived.
        private func watch(_ begin: ContinuousClock.Instant) async throws {
            while !isDone || owed.values.contains(where: { !$0.isEmpty }) {
                guard ContinuousClock.now < begin + .seconds(120) else {
                    throw BenchmarkError("derive: not everything was derived in two minutes")
                }
                try await Task.sleep(for: .milliseconds(50))
                let rows = try await database.pool.run(
                    """
                    SELECT substring(output FROM 6)::integer AS device, derived_until
                    FROM systole.derivation WHERE derived_until IS NOT NULL
                    """)
                let now = ContinuousClock.now
                for row in rows {
                    let device = try row.int("device")
                    let until = Timestamp(
                        microseconds: try row.epochMicroseconds("derived_until"))
                    let done = owed[device, default: []].prefix { $0.until <= until }
                    waits += done.map { (now - $0.since) / .milliseconds(1) }
                    owed[device]?.removeFirst(done.count)
                }
            }
        }

        /// Stores a second of some devices.
        private func append(_ devices: Range<Int>) async throws {
            let first = start.microseconds + Int64(second) * 1_000_000
            var batches: [(SeriesID, [Observation])] = []
            for device in devices {
                for axis in 0..<DerivedStreams.axes {
                    batches.append(
                        (
                            SeriesID(Int64(device * DerivedStreams.axes + axis + 1)),
                            (0..<DerivedStreams.rate).map { row in
                                Observation(
                                    at: Timestamp(microseconds: first + Int64(row) * 10_000),
                                    value: random.uniform())
                            }
                        ))
                }
            }
            let rows = batches
            try await database.pool.transaction { db in
                _ = try SeriesStore.append(rows, onConflict: .keep, in: db)
            }
            let now = ContinuousClock.now
            for device in devices {
                owed[device, default: []].append(
                    (Timestamp(microseconds: first + 1_000_000), now))
            }
        }

        /// Quantiles in milliseconds.
        func figures() -> [String: Double] {
            let sorted = waits.sorted()
            guard let longest = sorted.last else { return [:] }
            func quantile(_ p: Double) -> Double { sorted[Int(p * Double(sorted.count - 1))] }
            return [
                "wait_p50_ms": quantile(0.5), "wait_p95_ms": quantile(0.95),
                "wait_p99_ms": quantile(0.99), "wait_longest_ms": longest,
                "seconds_of_streams": Double(sorted.count),
            ]
        }
    }
}
