import Foundation
import Ingestion
import Postgres

/// A hundred monitors of twelve leads at 500 Hz through a broker into the database: 600,000 samples a
/// second.
///
/// `live.ecg` sends at the pace of the monitors and tells how old the newest sample is that a query finds;
/// `live.capacity` sends as fast as the broker takes it. The time of the first is that of the monitors.
/// `SYSTOLE_LIVE_SECONDS` makes it longer.
enum LiveECG {
    static let benchmarks = [
        benchmark("live.ecg", isPaced: true), benchmark("live.capacity", isPaced: false),
    ]

    private static func benchmark(_ name: String, isPaced: Bool) -> Benchmark {
        Benchmark(name) { setting in
            let told = ProcessInfo.processInfo.environment["SYSTOLE_LIVE_SECONDS"]
            let seconds = isPaced ? told.flatMap { Int($0) } ?? 20 : 10
            let database = try await setting.databases.make()
            let broker = try LiveBroker(setting.folder.path)
            try await broker.start()
            let ward = try await LiveWard(pool: database.pool, url: broker.url)
            let samples = seconds * LiveWard.hertz * 12 * LiveWard.monitors
            var ours = Contestant(measuring: "MQTTConnector.pull") { repetitions in
                var total = 0.0
                for _ in 0..<repetitions {
                    try await database.pool.run(
                        "TRUNCATE systole.recording, systole.waveform_chunk, systole.waveform_tail CASCADE"
                    )
                    total += try await ward.run(seconds: seconds, isPaced: isPaced)
                }
                return total
            }
            ours.isLong = seconds > 60
            return Contest(
                what: """
                    \(LiveWard.monitors) monitors of 12 leads at \(LiveWard.hertz) Hz for \(seconds) s, \
                    \(isPaced ? "as they come" : "as fast as they can be stored"): published with QoS 1, \
                    stored, acknowledged
                    """,
                work: Work(samples, "samples"),
                ours: ours, opponents: [], figures: { try await ward.figures() },
                finish: {
                    broker.stop()
                    try await database.drop()
                })
        }
    }
}
