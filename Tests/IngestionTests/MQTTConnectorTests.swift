import Foundation
import Messaging
import Postgres
import Series
import Store
import Testing
import TestSupport

@testable import Ingestion

@Suite struct MQTTConnectorTests {
    private let topics = [
        TopicRoute(filter: "n/+", form: .number, key: "n.{2}"),
        TopicRoute(filter: "j/#", form: .json, key: "{topic}"),
        TopicRoute(filter: "ward/+", form: .waveform, key: "ward/{2}"),
    ]

    private func piece(_ first: Int, _ samples: [Int], more: String = "") -> String {
        """
        {"channels": ["I"], "unit": "mV", "gain": 1000, "rate": 100, "first": \(first), \
        "at": "2026-11-21T10:00:00Z", "samples": [\(samples)]\(more)}
        """
    }

    @Test func `every form finds its series or its recording`() async throws {
        try await withMQTTSource(topics: topics) { plant in
            try await plant.publish("n/a", "1.5", " 2 ")
            try await plant.publish(
                "j/b/c", #"{"time": "2026-11-21T10:00:00Z", "x": 1, "y": 2.5, "name": "pump"}"#,
                #"{"ts": 1795255201, "x": 3, "y": null}"#)
            try await plant.publish("ward/7", piece(0, [1, 2, 3]), piece(3, [4, 5]))
            let report = try await plant.pull(messages: 6)
            #expect(report.stored == 5)
            #expect(report.missing == 1)
            #expect(report.recordings == 1)
            #expect(
                try await plant.observations() == [
                    "j.b.c.x 1", "j.b.c.x 3", "j.b.c.y 2.5", "n.a 1.5",
                ] + ["n.a 2"])
            let values = try await plant.pool.run(
                "SELECT value FROM systole.waveform('ward/7', 'I')"
            ).allDoubles("value")
            #expect(values == [0.001, 0.002, 0.003, 0.004, 0.005])
            #expect(try await plant.rejections() == [:])
        }
    }

    @Test func `a message that is none is counted with a reason, and the rest goes on`()
        async throws
    {
        try await withMQTTSource(topics: topics) { plant in
            try await plant.publish("n/a", "warm", "", "1")
            try await plant.publish("n/b ", "1")
            try await plant.publish("j/x", "[1]", "{", #"{"time": "noon", "v": 1}"#, #"{"v": 2}"#)
            try await plant.publish(
                "ward/1", "{}", piece(0, [1]), #"{"channels": [], "rate": 1}"#,
                piece(0, [1, 2], more: #", "end": 7"#), "\u{1}\u{2}")
            try await plant.publish("ward/1", piece(1, [2], more: #", "form": "float32""#))
            let report = try await plant.pull(messages: 14)
            #expect(report.stored == 2)
            #expect(
                try await plant.rejections() == [
                    "payload": 8, "key": 1, "time": 1, "piece": 1,
                ])
            #expect(report.badRows == 11)
            // All are acknowledged: none comes again, save where the last word was lost on its way.
            let again = try await plant.pull(messages: 0)
            #expect(again.stored == 0)
            #expect(try await plant.pull(messages: 0).rows == 0)
        }
    }

    @Test func `what is retained is taken once, and only where it has a time`() async throws {
        try await withMQTTSource(topics: topics) { plant in
            try await plant.publish(
                "j/x", #"{"time": "2026-11-21T10:00:00Z", "v": 1}"#, retain: true)
            try await plant.publish("n/a", "5", retain: true)
            // They come as they are published; and again, as retained, with a session that is new.
            #expect(try await plant.pull(messages: 2).stored == 2)
            for id in ["one", "two"] {
                var settings = try MQTTSettings(json: plant.source.settings, of: "plant")
                settings.clientID = id
                let json = try settings.json()
                try await plant.pool.run(
                    "UPDATE systole.source SET settings = \(json)::jsonb")
                let source = try await plant.pool.transaction { db in
                    try SourceStore.find(name: "plant", in: db)
                }
                var other = plant
                other = MQTTSource(other, source: source)
                let report = try await other.pull(messages: 2)
                #expect(report.stored == 0)
                #expect(report.duplicates == 1)
            }
            #expect(try await plant.observations().count == 2)
            #expect(try await plant.rejections() == ["retained": 2])
        }
    }

    @Test func `a clock that is ahead parks its values`() async throws {
        try await withMQTTSource(topics: topics) { plant in
            let ahead = try await plant.pool.run(
                "SELECT extract(epoch FROM now() + interval '6 minutes')::bigint AS at"
            ).only().int64("at")
            try await plant.publish("j/x", "{\"ts\": \(ahead), \"v\": 1}", #"{"ts": 1, "v": 2}"#)
            let report = try await plant.pull(messages: 2)
            #expect(report.parked == 1)
            #expect(report.stored == 1)
        }
    }

    @Test func `a broker that is gone is told, and what it kept is taken when it is back`()
        async throws
    {
        try await withMQTTSource(topics: topics) { plant in
            try await plant.publish("n/a", "1", "2", "3")
            plant.broker.stop()
            let report = try await plant.pull(messages: 1)
            #expect(report.trouble == MQTTError.unreachable.description)
            try await plant.broker.start()
            #expect(try await plant.pull(messages: 3).stored == 3)
        }
    }

    @Test(arguments: [MQTTConfiguration.Version.three, .five])
    func `whatever is cut off wherever, everything is stored once`(
        version: MQTTConfiguration.Version
    ) async throws {
        let change = { (settings: inout MQTTSettings) in
            settings.version = version
            settings.inflight = 20
            settings.batchMilliseconds = 3
        }
        try await withMQTTSource(topics: topics, change: change) { plant in
            let count = 450
            try await plant.publish((0..<count).map { message($0) })
            var random = UInt64(version == .five ? 7 : 11)
            func next(_ bound: Int) -> Int {
                random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return Int(random >> 33) % bound
            }
            var (cuts, idle) = (0, 0)
            while cuts < 400, idle < 3 {
                // The worker ends between a commit and its acknowledgement; now and then the broker
                // does too, or the server ends our connections.
                var cut = plant
                let fuse = Fuse(next(2))
                cut.connector.committed = { try fuse.burn() }
                do {
                    let report = try await cut.pull(messages: .max)
                    idle = report.rows == 0 && report.trouble == nil ? idle + 1 : 0
                } catch is MQTTSource.Killed {
                    idle = 0
                } catch let error as PostgresError where error.isTransient {}
                cuts += 1
                switch next(12) {
                case 0:
                    plant.broker.stop(killing: false)
                    try await plant.broker.start()
                case 1: try await plant.cutConnections()
                default: break
                }
            }
            #expect(cuts > 15)
            #expect(try await plant.observations().count == count / 3 * 2)
            let values = try await plant.pool.run(
                """
                SELECT count(*) AS n, count(DISTINCT value) AS different FROM systole.observations
                WHERE series = 'n.a'
                """
            ).only()
            #expect(try values.int("n") == count / 3)
            #expect(try values.int("different") == count / 3)
            let samples = try await plant.pool.run(
                "SELECT value FROM systole.waveform('ward/1', 'I')"
            ).allDoubles("value")
            #expect(samples == (0..<count).map { Double($0 % 1000) / 1000 })
            let live = try await plant.pool.run("SELECT conflicts FROM systole.live_recordings")
            #expect(try live.map { try $0.int("conflicts") } == [0])
        }
    }

    /// One of three kinds of message, by its number.
    private func message(_ index: Int) -> (topic: String, payload: [UInt8]) {
        let turn = index / 3
        switch index % 3 {
        case 0: return ("n/a", Array("\(turn)".utf8))
        case 1: return ("j/b", Array("{\"ts\": \(1_795_255_200 + turn), \"v\": \(turn)}".utf8))
        default:
            return (
                "ward/1",
                Array(piece(turn * 3, (0..<3).map { (turn * 3 + $0) % 1000 }).utf8)
            )
        }
    }

    @Test func `a broken database is waited for, and a refused message is not sent for ever`()
        async throws
    {
        try await withMQTTSource(topics: topics) { plant in
            try await plant.publish("n/a", "1")
            // The source is gone: its cursor cannot move, and nothing is acknowledged.
            try await plant.pool.run("DELETE FROM systole.source")
            await #expect(throws: (any Error).self) { try await plant.pull(messages: 1) }
            #expect(try await plant.observations() == [])
        }
    }

    @Test func `what comes without a time has that of its arrival, and no two have the same`() {
        let (clock, now) = (PullClock(start: MQTTSource.now), ContinuousClock.now)
        let messages = [0, 0, 200, 200, 400].enumerated().map { index, milliseconds in
            MQTTMessage(
                topic: "n/a", payload: Array("\(index)".utf8), packetID: UInt16(index + 1),
                arrivedAt: now + .milliseconds(milliseconds))
        }
        func batch(_ part: ArraySlice<MQTTMessage>, since: Timestamp?) -> MQTTBatch {
            MQTTBatch(
                Array(part), routes: topics, after: MQTTPosition(), resent: MQTTResent(),
                inflightMaximum: 10, clock: clock, since: since)
        }
        let first = batch(messages[..<3], since: nil)
        let second = batch(messages[3...], since: first.arrivedUntil)
        let times = (first.series + second.series).flatMap(\.observations).map(\.at.microseconds)
        let steps = zip(times, times.dropFirst()).map { $1 - $0 }
        #expect(steps == [1, 199_999, 1, 199_999])
    }

    struct Match: Sendable, CustomTestStringConvertible {
        let filter: String
        let topic: String
        let fits: Bool
        var testDescription: String { "\(filter) and \(topic)" }
    }

    @Test(arguments: [
        Match(filter: "a/b", topic: "a/b", fits: true),
        Match(filter: "a/b", topic: "a/b/c", fits: false),
        Match(filter: "a/+", topic: "a/b", fits: true),
        Match(filter: "a/+", topic: "a", fits: false),
        Match(filter: "a/#", topic: "a", fits: true),
        Match(filter: "a/#", topic: "a/b/c", fits: true),
        Match(filter: "#", topic: "a/b", fits: true),
        Match(filter: "#", topic: "$SYS/x", fits: false),
        Match(filter: "+/x", topic: "$SYS/x", fits: false),
        Match(filter: "+/+", topic: "/x", fits: true),
        Match(filter: "$share/g/a/+", topic: "a/b", fits: true),
    ])
    func `a filter takes the topics that the protocol says`(match: Match) {
        let route = TopicRoute(filter: match.filter, form: .number, key: "k")
        #expect(route.matches(match.topic) == match.fits)
    }

    @Test func `settings survive their JSON, and what makes no sense is refused`() throws {
        var settings = MQTTSettings(url: "mqtts://h", topics: topics)
        settings.username = "u"
        settings.passwordFile = "/run/secret"
        #expect(try MQTTSettings(json: settings.json(), of: "x") == settings)
        for json in [
            "{}", #"{"url": "mqtt://h", "topics": []}"#, #"{"url": "http://h", "topics": []}"#,
            #"{"url": "mqtt://h", "topics": [{"filter": "a/#/b", "form": "number", "key": "k"}]}"#,
            #"{"url": "mqtt://h", "topics": [{"filter": "a", "form": "number"}]}"#,
            #"{"url": "mqtt://h", "topics": [{"filter": "a", "form": "tea", "key": "k"}]}"#,
            #"{"url": "mqtt://h", "inflight": 0, "topics": [{"filter": "a", "form": "waveform"}]}"#,
        ] {
            #expect(throws: (any Error).self, "\(json)") { try MQTTSettings(json: json, of: "x") }
        }
    }

    @Test(arguments: ["53100", "42501"])
    func `what the database has no room for stays with the broker`(state: String) async throws {
        try await withMQTTSource(topics: topics) { plant in
            try await plant.pool.run(
                SQL(
                    raw: """
                        CREATE FUNCTION public.full() RETURNS trigger LANGUAGE plpgsql AS $$
                        BEGIN RAISE 'no room' USING ERRCODE = '\(state)'; END $$
                        """))
            try await plant.pool.run(
                """
                CREATE TRIGGER full_disk BEFORE INSERT ON systole.observation
                FOR EACH STATEMENT EXECUTE FUNCTION public.full()
                """)
            try await plant.publish("n/a", "1", "2", "3")
            let error = await #expect(throws: PostgresError.self) {
                try await plant.pull(messages: 3)
            }
            #expect(error?.sqlState == state)
            try await plant.pool.run("DROP TRIGGER full_disk ON systole.observation")
            #expect(try await plant.pull(messages: 3).stored == 3)
            #expect(try await plant.rejections() == [:])
        }
    }

    @Test func `a waveform's source says how far it is, and what it held in memory`() async throws {
        try await withMQTTSource(topics: topics) { plant in
            try await plant.publish("ward/7", piece(0, [1, 2, 3]))
            _ = try await plant.pull(messages: 1)
            let row = try await plant.pool.run(
                """
                SELECT extract(epoch FROM data_until)::float8 AS until, buffered_bytes
                FROM systole.sources
                """
            ).only()
            #expect(try row.double("until") == 1_795_255_200.03)
            #expect(try row.int("buffered_bytes") == 6 + piece(0, [1, 2, 3]).utf8.count)
        }
    }

    @Test func `truth values are neither times nor numbers`() async throws {
        try await withMQTTSource(topics: topics) { plant in
            try await plant.publish(
                "j/b", #"{"ts": true, "v": 1}"#, #"{"ts": 1, "v": 1, "ok": true, "no": false}"#)
            #expect(try await plant.pull(messages: 2).stored == 1)
            #expect(try await plant.observations() == ["j.b.v 1"])
            #expect(try await plant.rejections() == ["time": 1])
        }
    }

    @Test func `a preview listens beside the session, and takes nothing from it`() async throws {
        try await withMQTTSource(topics: topics) { plant in
            let settings = try MQTTSettings(json: plant.source.settings, of: "plant")
            try await plant.publish(
                "j/b", #"{"ts": 1795255200, "v": 1}"#, "warm", retain: true)
            let preview = try await MQTTConnector().preview(
                name: "plant", settings: settings, now: MQTTSource.now)
            // A broker keeps the newest of a topic.
            #expect(preview.first?.items == 1 && preview.first?.badItems == 1)
            #expect(try await plant.pull(messages: 2).rows >= 2)
        }
    }

    @Test func `a password that is not there is told by its file`() async throws {
        let change = { (settings: inout MQTTSettings) in
            settings.username = "u"
            settings.passwordFile = "/nowhere/password"
        }
        await #expect(throws: IngestError.secret("file:/nowhere/password")) {
            try await withMQTTSource(topics: topics, change: change) { _ in }
        }
    }
}
