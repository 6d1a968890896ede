import Foundation
import Postgres
import Testing

/// `systole up` with its output as a pipe, so that a test can wait for a line.
private struct Service {
    let process = Process()
    private let output = Pipe()

    init(in folder: URL) throws {
        process.executableURL = URL(filePath: Executable.path)
        process.arguments = [
            "up", "--migrations", Executable.package.appending(path: "migrations").path,
        ]
        process.currentDirectoryURL = folder
        process.environment = ["PATH": "/usr/bin:/bin"]
        process.standardOutput = output
        process.standardInput = FileHandle.nullDevice
        try process.run()
    }

    /// Reads on a thread of its own until a line begins with `word`, or the output ends.
    func lines(until word: String) async -> [String] {
        let handle = output.fileHandleForReading
        return await withCheckedContinuation { continuation in
            Thread.detachNewThread {
                var text = ""
                while true {
                    let data = handle.availableData
                    text += String(decoding: data, as: UTF8.self)
                    let lines = text.split(separator: "\n").map(String.init)
                    if data.isEmpty || lines.contains(where: { $0.hasPrefix(word) }) {
                        continuation.resume(returning: lines)
                        return
                    }
                }
            }
        }
    }

    func stop() async -> Int32 {
        process.terminate()
        _ = await lines(until: "stopped")
        process.waitUntilExit()
        return process.terminationStatus
    }
}

@Suite struct UpTests {
    /// A service that is ready, in a folder of its own; what it said before, and its database.
    private struct Ready {
        let service: Service
        let folder: URL
        let lines: [String]
        let server: ConnectionConfiguration
    }

    /// Stops the service afterwards, if it still runs, and its database.
    private static func withService(_ body: (Ready) async throws -> Void) async throws {
        // Where every user may enter, since the server does not run as root.
        let folder = URL(filePath: "/tmp/systole-up-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let service = try Service(in: folder)
        let lines = await service.lines(until: "ready")
        let home = folder.path + "/.systole"
        let result: Result<Void, any Error>
        do {
            let server = try #require(try PrivateCluster.running(in: home), "\(lines)")
            try await body(
                Ready(service: service, folder: folder, lines: lines, server: server))
            result = .success(())
        } catch {
            result = .failure(error)
        }
        _ = await service.stop()
        if try PrivateCluster.running(in: home) != nil {
            let cluster = try PrivateCluster(folder: home)
            _ = try await cluster.start()
            await cluster.stop()
        }
        try result.get()
    }

    @Test func `up starts everything once, and a second one is refused with its number`()
        async throws
    {
        try await Self.withService { ready in
            #expect(ready.lines.contains { $0.hasPrefix("connect: psql ") })
            #expect(ready.lines.last?.hasPrefix("ready") == true, "\(ready.lines)")

            let second = try Executable.run(["up"], in: ready.folder)
            #expect(second.status == 1)
            #expect(second.errors.contains("process \(ready.service.process.processIdentifier)"))

            let migrations = Executable.package.appending(path: "migrations").path
            let doctor = try Executable.run(
                ["doctor", "--migrations", migrations], in: ready.folder)
            #expect(doctor.status == 0, "\(doctor.output)")
            // Ingestion has one that fetches and one that listens.
            #expect(doctor.output.contains("workers: 4 run"))

            let who = try await roles(at: ready.server)
            #expect(who.filter { $0.hasPrefix("systole-work/") } == Self.roles)

            #expect(await ready.service.stop() == 0)
            #expect(try PrivateCluster.running(in: ready.folder.path + "/.systole") == nil)
        }
    }

    @Test(.timeLimit(.minutes(4)))
    func `a private database that was killed is started again, and the workers go on and end`()
        async throws
    {
        try await Self.withService { ready in
            let before = try #require(await state(of: ready.server))
            kill(before.process, SIGKILL)
            var after = before
            while after.process == before.process || after.workers < before.workers {
                try await ContinuousClock().sleep(for: .milliseconds(200))
                after = await state(of: ready.server) ?? before
            }
            #expect(ready.service.process.isRunning)
            // The new server must not hold open what tells the workers that nobody is there any more.
            kill(ready.service.process.processIdentifier, SIGKILL)
            while await connections(of: ready.server) != 0 {
                try await ContinuousClock().sleep(for: .milliseconds(200))
            }
        }
    }

    /// How many connections workers have.
    private func connections(of server: ConnectionConfiguration) async -> Int? {
        guard let connection = try? await Connection.open(server) else { return nil }
        let row = try? await connection.run(
            """
            SELECT count(*) AS n FROM pg_stat_activity WHERE application_name LIKE 'systole-work/%'
            """
        ).only()
        await connection.close()
        return try? row?.int("n")
    }

    /// The server's process, and how many workers have shown themselves since its start; nil while it
    /// does not answer.
    private func state(
        of server: ConnectionConfiguration
    ) async -> (process: Int32, workers: Int)? {
        guard let connection = try? await Connection.open(server) else { return nil }
        let row = try? await connection.run(
            """
            SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)::integer AS process,
                (SELECT count(*) FROM systole.worker
                 WHERE beat_at > pg_postmaster_start_time()) AS workers
            """
        ).only()
        await connection.close()
        guard let process = try? row?.int("process"), let workers = try? row?.int("workers")
        else { return nil }
        return (Int32(process), workers)
    }

    /// Who works as whom; none of them as the owner of the cluster.
    private static let roles = [
        "systole-work/classify+forecast+schedule systole_worker",
        "systole-work/ingest systole_ingest",
        "systole-work/notify systole_notify", "systole-work/train systole_worker",
    ]

    private func roles(at server: ConnectionConfiguration) async throws -> [String] {
        let connection = try await Connection.open(server)
        let names = try await connection.withSession { db in
            for _ in 0..<600 {
                let names = try db.run(
                    """
                    SELECT DISTINCT regexp_replace(application_name, ' .*', '') || ' ' || usename AS line
                    FROM pg_stat_activity WHERE application_name LIKE 'systole-%' ORDER BY line
                    """
                ).allTexts("line")
                // The notifier says nothing of itself: it is there when it has connected.
                if names.contains(where: { $0.contains("notify") }) { return names }
                try db.run("SELECT pg_sleep(0.05)")
            }
            return []
        }
        await connection.close()
        return names
    }

    @Test func `doctor says what is wrong and ends with 1`() throws {
        try withTemporaryFolder { folder in
            let doctor = try Executable.run(
                ["doctor", "--json"], in: folder,
                environment: ["DATABASE_URL": "postgresql://ann:hunter2@127.0.0.1:1/plant"])
            #expect(doctor.status == 1)
            #expect(doctor.output.contains(#""state" : "wrong""#))
            #expect(!(doctor.output + doctor.errors).contains("hunter2"))
        }
    }
}
