import Messaging
import Postgres
import Series
import Testing
import TestSupport

@testable import Ingestion

/// What comes again over another connection, and who may store it.
@Suite struct MQTTSessionTests {
    private let topics = [TopicRoute(filter: "n/+", form: .number, key: "n.{2}")]

    private func slowly(_ settings: inout MQTTSettings) { settings.batchMilliseconds = 3 }

    /// Waits until so many statements wait for a lock.
    private func waitForWaiting(_ count: Int, _ watcher: Connection) async throws {
        var waiting = 0
        while waiting < count {
            try await ContinuousClock().sleep(for: .milliseconds(20))
            waiting = try await watcher.run(
                """
                SELECT count(*) AS n FROM pg_stat_activity
                WHERE datname = current_database() AND wait_event_type = 'Lock'
                """
            ).only().int("n")
        }
    }

    @Test func `of two workers with the same messages one stores them`() async throws {
        try await withMQTTSource(topics: topics, change: slowly) { plant in
            let holder = try await Connection.open(plant.pool.configuration.holding)
            let watcher = try await Connection.open(plant.pool.configuration)
            try await plant.publish("n/a", "1", "2", "3")
            // Both get the messages, and neither can commit before both have them.
            try await holder.run("BEGIN")
            try await holder.run("LOCK TABLE systole.source_cursor IN SHARE MODE")
            let worker = plant.worker
            async let first = worker.pull(messages: 3)
            try await waitForWaiting(1, watcher)
            async let second = worker.pull(messages: 3)
            try await waitForWaiting(2, watcher)
            try await holder.run("COMMIT")
            let reports = try await [first, second]
            await holder.close()
            await watcher.close()
            #expect(reports.map(\.stored).sorted() == [0, 3])
            let refused = try #require(reports.first { $0.stored == 0 })
            #expect(refused.trouble == IngestError.overtaken.description)
            // What was stored and not acknowledged comes again, and is known.
            #expect(try await plant.pull(messages: .max).stored == 0)
            #expect(try await plant.observations() == ["n.a 1", "n.a 2", "n.a 3"])
        }
    }

    @Test func `a broker that comes back after an hour sends nothing that counts twice`()
        async throws
    {
        try await withMQTTSource(topics: topics, change: slowly) { plant in
            let before = MQTTSource.now + .seconds(-3600)
            try await plant.publish("n/a", "1", "2", "3")
            // Stored, and the worker ends before it can say so.
            var cut = plant
            cut.connector.committed = { throw MQTTSource.Killed() }
            await #expect(throws: MQTTSource.Killed.self) {
                try await cut.pull(messages: 3, now: before)
            }
            plant.broker.stop()
            #expect(
                try await plant.pull(messages: 1).trouble == MQTTError.unreachable.description)
            try await plant.broker.start()
            try await plant.publish("n/a", "4")
            let early = try await stored(before, plant)
            #expect(early > 0)
            let late = try await plant.pull(messages: 4).stored
            #expect(early + late == 4)
            #expect(try await plant.observations() == ["n.a 1", "n.a 2", "n.a 3", "n.a 4"])
        }
    }

    /// How many observations were stored with the time of the first pull.
    private func stored(_ before: Timestamp, _ plant: MQTTSource) async throws -> Int {
        try await plant.pool.run(
            """
            SELECT count(*) AS n FROM systole.observations
            WHERE at < \(before + .seconds(600))
            """
        ).only().int("n")
    }

    @Test(.timeLimit(.minutes(2)), arguments: ["pause_source", "drop_source"])
    func `a source that is paused or dropped is let go of while it is listened to`(
        function: String
    ) async throws {
        let change = { (settings: inout MQTTSettings) in settings.sliceSeconds = 600 }
        try await withMQTTSource(topics: topics, change: change) { plant in
            let (worker, pool) = (plant.worker, plant.pool)
            async let end: Void = worker.listen()
            try await plant.publish("n/a", "1")
            while try await plant.observations().isEmpty {
                try await ContinuousClock().sleep(for: .milliseconds(20))
            }
            try await pool.run(SQL(raw: "SELECT systole.\(function)('plant')"))
            try await end
            #expect(try await plant.observations() == ["n.a 1"])
            // The broker has it again for whoever comes next.
            if function == "pause_source" {
                try await pool.run("SELECT systole.resume_source('plant')")
                try await plant.publish("n/a", "2")
                #expect(try await plant.pull(messages: 1).stored == 1)
            }
        }
    }

    @Test(.timeLimit(.minutes(2)))
    func `a source is well while its broker is heard, before anything has come`() async throws {
        let change = { (settings: inout MQTTSettings) in settings.sliceSeconds = 4 }
        try await withMQTTSource(topics: topics, change: change) { plant in
            func state() async throws -> String {
                try await plant.pool.run("SELECT state FROM systole.sources").only().text("state")
            }
            #expect(try await state() == "new")
            let slice = plant.worker
            async let first = slice.connector.pull(
                slice.source, into: slice.pool, now: MQTTSource.now
            ) { _ in }
            while try await state() == "new" {
                try await ContinuousClock().sleep(for: .milliseconds(20))
            }
            _ = try await first
            try await plant.pool.run("UPDATE systole.source_figures SET trouble = 'no broker'")
            #expect(try await state() == "troubled")
            _ = try await slice.connector.pull(
                slice.source, into: slice.pool, now: MQTTSource.now
            ) { _ in }
            #expect(try await state() == "well")
        }
    }

    @Test func `arrivals are kept as text, and forgotten once they cannot matter`() throws {
        var position = MQTTPosition()
        for id in 1...5 {
            let at = Int64(id) * 1_000_000
            position.keep(.init(id: UInt16(id), digest: .max - UInt32(id), at: at), limit: 4)
        }
        position.messages = 7
        let json = try position.json()
        #expect(json.contains(#""2:1z141z1:2000000""#))
        #expect(MQTTPosition.decode(json) == position)
        position.forget(before: Timestamp(microseconds: 4_000_000))
        #expect(position.arrivals.map(\.id) == [4, 5])
        #expect(MQTTPosition.decode(#"{"arrivals": ["1:x"], "messages": 2}"#) == MQTTPosition())
    }
}
