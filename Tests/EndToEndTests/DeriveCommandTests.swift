import Foundation
import Postgres
import TestSupport
import Testing

/// From recordings to a sensor model to derived series, as a newcomer does it.
@Suite struct DeriveCommandTests {
    /// A recording of two axes at 100 Hz that both see a slow quantity, which stands beside them.
    private static func recording(_ number: Int, rows: Int) -> String {
        var state = UInt64(number + 1) &* 0x9e37_79b9_7f4a_7c15
        func noise() -> Double {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Double(state >> 11) / Double(UInt64(1) << 53) - 0.5
        }
        var (level, lines) = (0.0, ["time,ax,ay,speed"])
        for row in 0..<rows {
            level = 0.99 * level + 0.3 * noise()
            let time = 1_750_000_000 + Double(1_000 * number) + Double(row) / 100
            let (ax, ay) = (level + noise(), -level + noise())
            lines.append(
                [time, ax, ay, level].map { String(format: "%.6f", $0) }.joined(separator: ","))
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func write(_ text: String, _ name: String, in folder: URL) throws {
        try text.write(to: folder.appending(path: name), atomically: true, encoding: .utf8)
    }

    private typealias Systole = ([String]) throws -> Executable.Outcome

    /// Trains on five recordings, and says what a file of 4,000 rows gives.
    private static func train(_ systole: Systole, in folder: URL) throws -> [Float] {
        let names = (0..<5).map { "r\($0).csv" }
        for (number, name) in names.enumerated() {
            try write(recording(number, rows: 1_500), name, in: folder)
        }
        let trained = try systole(
            ["train", "hiss"] + names + [
                "--inputs", "ax,ay", "--target", "speed", "--width", "16", "--stretch", "30",
                "--epochs", "8", "--rate", "0.005", "--out", "m.safetensors", "--store",
                "hiss-wrist",
            ])
        #expect(trained.status == 0, "\(trained.errors)")
        #expect(trained.output.contains("test (r4.csv)"), "\(trained.output)")
        #expect(trained.output.contains("hiss-wrist: model 1 is live"), "\(trained.output)")
        try write(recording(7, rows: 4_000), "whole.csv", in: folder)
        let run = try systole(["derive", "run", "m.safetensors", "whole.csv"])
        #expect(run.status == 0, "\(run.errors)")
        return run.output.split(separator: "\n").dropFirst().compactMap {
            Float($0.split(separator: ",")[2])
        }
    }

    /// Kills a worker that has derived what comes, and waits to store it.
    private static func killBeforeStoring(
        _ worker: Executable.Running, _ database: TestDatabase, ingesting: () throws -> Void
    ) async throws {
        let blocker = try await Connection.open(database.configuration.holding)
        _ = try await blocker.run("BEGIN")
        _ = try await blocker.run("SELECT FROM systole.derivation FOR UPDATE")
        try ingesting()
        try await waitUntil("the worker waits for the row", on: database.pool) {
            """
            SELECT EXISTS (SELECT FROM pg_stat_activity
                WHERE wait_event_type = 'Lock' AND query LIKE '%systole.derivation%') AS holds
            """
        }
        kill(worker.process.processIdentifier, SIGKILL)
        _ = worker.outcome()
        _ = try await blocker.run("ROLLBACK")
        await blocker.close()
        _ = try await database.pool.run(
            "UPDATE systole.worker SET beat_at = beat_at - interval '1 minute'")
        _ = try await database.pool.run("UPDATE systole.leader SET expires_at = now()")
    }

    @Test func `a model of files derives in the database what it derives from a file, over a kill`()
        async throws
    {
        try await withTestDatabase { database in
            let pool = database.pool
            let folder = FileManager.default.temporaryDirectory.appending(
                path: "systole-\(UUID().uuidString)")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(at: folder) }
            let environment = ["DATABASE_URL": database.url]
            func systole(_ arguments: [String]) throws -> Executable.Outcome {
                try Executable.run(arguments, in: folder, environment: environment)
            }
            let expected = try Self.train(systole, in: folder)
            #expect(expected.count == 400)

            // The first half is derived; a kill comes while the second is, before it is stored.
            let whole = Self.recording(7, rows: 4_000)
            let half = whole.split(separator: "\n").prefix(2_001).joined(separator: "\n") + "\n"
            try Self.write(half, "imu.csv", in: folder)
            let ingest = ["ingest", "imu.csv", "--name", "wrist.imu"]
            #expect(try systole(ingest).status == 0)
            let added = try systole(
                ["derive", "add", "wrist.imu", "--model", "hiss-wrist", "--output", "wrist.speed"])
            #expect(added.status == 0, "\(added.errors)")
            #expect(added.output.contains("from wrist.imu.ax, wrist.imu.ay"), "\(added.output)")
            let arguments = ["work", "--role", "forecast,schedule"]
            let first = try Executable.start(arguments, in: folder, environment: environment)
            try await Self.waitForRows(200, on: pool)
            try await Self.killBeforeStoring(first, database) {
                try Self.write(whole, "imu.csv", in: folder)
                #expect(try systole(ingest).status == 0)
            }
            let second = try Executable.start(arguments, in: folder, environment: environment)
            try await Self.waitForRows(400, on: pool)
            second.process.terminate()
            #expect(second.outcome().status == 0)

            let stored = try await pool.run(
                "SELECT value FROM systole.observations WHERE series = 'wrist.speed' ORDER BY at"
            ).map { row in Float(try row.double("value")) }
            #expect(stored == expected, "bit for bit what the file gives")
            let notes = try systole(["derive", "notes", "wrist.speed"])
            #expect(notes.output.contains("begins without a past"), "\(notes.output)")
            #expect(!notes.output.contains("late"), "\(notes.output)")
            let list = try systole(["derive", "list"])
            #expect(list.output.contains("wrist.speed") && list.output.contains("ok"))
            let promises = try systole(["doctor", "--invariants"])
            #expect(promises.status == 0, "\(promises.output)")
        }
    }

    private static func waitForRows(_ count: Int, on pool: Pool) async throws {
        try await waitUntil("\(count) rows are derived", on: pool) {
            """
            SELECT count(*) >= \(count) AS holds FROM systole.observations
            WHERE series = 'wrist.speed'
            """
        }
    }

    @Test func `what cannot be trained or run is one sentence`() throws {
        try withTemporaryFolder { folder in
            func failure(_ arguments: String...) throws -> String {
                let outcome = try Executable.run(arguments, in: folder)
                #expect(outcome.status != 0 && outcome.output.isEmpty, "\(arguments)")
                return outcome.errors
            }
            try Self.write(Self.recording(0, rows: 300), "short.csv", in: folder)
            #expect(
                try failure(
                    "train", "hiss", "short.csv", "--inputs", "ax", "--target", "speed", "--out",
                    "m"
                ).contains("outputs with a known target; at least 100 are needed"))
            #expect(
                try failure(
                    "train", "hiss", "short.csv", "--inputs", "az", "--target", "speed", "--out",
                    "m"
                ).contains("az"))
            #expect(
                try failure("train", "hiss", "short.csv", "--inputs", "ax", "--target", "speed")
                    .contains("give --out FILE or --store NAME"))
            #expect(
                try failure("derive", "run", "short.csv", "short.csv")
                    .contains("no whole safetensors file"))
            #expect(try failure("derive", "run", "absent", "short.csv").contains("cannot be read"))
        }
    }
}
