import Foundation
import Ingestion
import Messaging
import Postgres
import Series
import Signals
import Store
import Synchronization

/// A ward whose monitors send by MQTT, the connector that stores what they send, and a reader who looks how
/// old the newest sample is that a query finds.
final class LiveWard: Sendable {
    static let monitors = 100
    static let hertz = 500
    /// Samples of each lead in a piece: a fifth of a second.
    static let pieceSamples = 100
    private static let leads = ECGModel.leads.count
    /// Parts of a fifth of a second, each with the pieces of some monitors.
    private static let turns = 10

    private let pool: Pool
    private let source: Source
    private let url: String
    /// Little-endian, a lead after the other, of twenty seconds.
    private let signal: [[UInt8]]
    private let ages = Mutex<[Double]>([])
    /// How long each look took.
    private let queries = Mutex<[Double]>([])
    private let residents = Mutex<[Double]>([])
    private let isOver = Mutex(false)
    private let hasBegun = Mutex(false)

    init(pool: Pool, url: String) async throws {
        self.pool = pool
        self.url = url
        var settings = MQTTSettings(
            url: url, topics: [TopicRoute(filter: "ward/+", form: .waveform, key: "ward/{2}")])
        settings.sliceSeconds = 3000
        let json = try settings.json()
        source = try await pool.transaction { db in
            try SourceStore.findOrAdd(
                name: "ward", kind: MQTTConnector.kind, settings: json, in: db)
        }
        signal = Self.signal()
    }

    private static func signal() -> [[UInt8]] {
        var model = ECGModel(ECGModel.Options())
        var sample = [Float](repeating: 0, count: leads)
        var bytes = [[UInt8]](repeating: [], count: leads)
        for _ in 0..<20 * hertz {
            model.next(into: &sample)
            for lead in 0..<leads {
                let raw = Int16(clamping: Int((sample[lead] * 1000).rounded()))
                bytes[lead].append(UInt8(truncatingIfNeeded: raw))
                bytes[lead].append(UInt8(truncatingIfNeeded: raw >> 8))
            }
        }
        return bytes
    }

    /// The piece of a monitor that begins at a sample.
    private func piece(_ monitor: Int, _ number: Int, startedAt: Int64) -> (String, [UInt8]) {
        let first = number * Self.pieceSamples
        let names = ECGModel.leads.map { "\"\($0)\"" }.joined(separator: ",")
        let head =
            "{\"channels\":[\(names)],\"unit\":\"mV\",\"gain\":1000,\"rate\":\(Self.hertz),"
            + "\"first\":\(first),\"at_us\":\(startedAt + Int64(first) * 1_000_000 / Int64(Self.hertz)),"
            + "\"form\":\"int16\"}\n"
        var payload = Array(head.utf8)
        let pieces = 20 * Self.hertz / Self.pieceSamples
        let place = (number + monitor * 7) % pieces * 2 * Self.pieceSamples
        for lead in signal { payload += lead[place..<place + 2 * Self.pieceSamples] }
        return ("ward/\(monitor)", payload)
    }

    /// Sends for so long at the pace of the monitors, or at once where `isPaced` is false; returns how
    /// long it took until all was stored, in seconds.
    func run(seconds: Int, isPaced: Bool) async throws -> Double {
        isOver.withLock { $0 = false }
        let rounds = seconds * Self.hertz / Self.pieceSamples
        let samples = rounds * Self.pieceSamples * Self.leads * Self.monitors
        let before = try await stored()
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await self.take() }
            while !hasBegun.withLock({ $0 }) { try await pause(.milliseconds(20)) }
            let began = ContinuousClock.now
            if isPaced { group.addTask { try await self.look() } }
            try await send(rounds: rounds, isPaced: isPaced)
            while try await stored() - before < samples {
                guard began.duration(to: .now) < .seconds(seconds + 60) else {
                    throw BenchmarkError("live.ecg: not all samples were stored")
                }
                try await pause(.milliseconds(20))
            }
            let took = began.duration(to: .now) / .seconds(1)
            isOver.withLock { $0 = true }
            try await group.waitForAll()
            return took
        }
    }

    private func pause(_ duration: Duration) async throws {
        try await ContinuousClock().sleep(for: duration)
    }

    private func stored() async throws -> Int {
        try await pool.run(
            "SELECT coalesce(sum(stored), 0)::bigint AS n FROM systole.live_recording"
        ).only().int("n")
    }

    private func take() async throws {
        struct Over: Error {}
        do {
            _ = try await MQTTConnector().pull(
                source, into: pool, now: Timestamp(unixSeconds: Date().timeIntervalSince1970)
            ) { _ in
                self.hasBegun.withLock { $0 = true }
                if self.isOver.withLock({ $0 }) { throw Over() }
            }
        } catch is Over {}
    }

    private func send(rounds: Int, isPaced: Bool) async throws {
        var configuration = try MQTTConfiguration(url: url, clientID: "")
        configuration.keepsSession = false
        let client = try MQTTClient(configuration)
        try await client.connect()
        let began = ContinuousClock.now
        let startedAt = Timestamp(unixSeconds: Date().timeIntervalSince1970).microseconds
        for round in 0..<rounds {
            for turn in 0..<Self.turns {
                if isPaced {
                    // A piece is sent when its last sample is there.
                    let due = Duration.milliseconds(
                        200 * (round + 1) + 200 * turn / Self.turns)
                    let left = began.duration(to: .now) - due
                    if left < .zero { try await pause(.zero - left) }
                }
                let share = Self.monitors / Self.turns
                // A monitor that sends later began later.
                let start = startedAt + Int64(200_000 * turn / Self.turns)
                try await client.publish(
                    (turn * share..<(turn + 1) * share).map { monitor in
                        let (topic, payload) = piece(monitor, round, startedAt: start)
                        return (topic: topic, payload: payload)
                    })
            }
            if !isPaced { _ = try await client.settle() }
        }
        _ = try await client.settle()
        await client.disconnect()
    }

    /// Looks, again and again, how old the newest sample of a lead is.
    private func look() async throws {
        var monitor = 0
        let began = ContinuousClock.now
        while !isOver.withLock({ $0 }) {
            try await pause(.milliseconds(250))
            monitor = (monitor + 37) % Self.monitors
            let second = began.duration(to: .now) / .seconds(1)
            guard second > 3 else { continue }
            let asked = ContinuousClock.now
            let age = try await pool.run(
                """
                SELECT extract(epoch FROM clock_timestamp() - max(at))::float8 AS age
                FROM systole.waveform(\("ward/\(monitor)"), 'II', from_second => \(max(0, second - 20)))
                """
            ).first?.optionalDouble("age")
            queries.withLock { $0.append(asked.duration(to: .now) / .seconds(1)) }
            ages.withLock { $0.append(age ?? 20) }
            residents.withLock { $0.append(Self.resident()) }
        }
    }

    /// What this process holds in memory, in MiB.
    private static func resident() -> Double {
        // Where the system does not say, nothing is told.
        let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)
        let pages = text?.split(separator: " ").dropFirst().first.flatMap { Double($0) } ?? .nan
        return pages * 4096 / 1_048_576
    }

    /// Ages in seconds, and memory and tables in MiB.
    func figures() async throws -> [String: Double] {
        let isLate = ages.withLock { $0.map { $0 > 2 } }
        let queries = queries.withLock { $0.sorted() }
        let ages = ages.withLock { $0.sorted() }
        let residents = residents.withLock { $0 }
        guard ages.count > 10 else { return [:] }
        let row = try await pool.run(
            """
            SELECT pg_total_relation_size('systole.waveform_tail') / 1048576.0 AS tail,
                pg_total_relation_size('systole.live_recording') / 1048576.0 AS live,
                coalesce(pg_total_relation_size('systole.waveform_chunk')
                    / sum(sample_count)::float8, 'NaN') AS bytes
            FROM systole.waveform_chunk
            """
        ).only()
        return [
            "age_p50_s": ages[ages.count / 2], "age_p99_s": ages[ages.count * 99 / 100],
            "age_max_s": ages[ages.count - 1], "looks": Double(ages.count),
            "looks_over_2_s": Double(isLate.count { $0 }),
            "stretches_over_2_s": Double(zip([false] + isLate, isLate).count { !$0 && $1 }),
            "query_p50_s": queries[queries.count / 2],
            "query_max_s": queries[queries.count - 1],
            "memory_early_mib": residents[residents.count / 4],
            "memory_late_mib": residents[residents.count - 1],
            "tail_mib": try row.double("tail"), "live_rows_mib": try row.double("live"),
            "chunk_bytes_per_sample": try row.double("bytes"),
        ]
    }
}
