import Foundation
import TestSupport
import Testing

@testable import Postgres

/// One suite, one at a time: each test starts a server, and the machine is small.
@Suite(.serialized) struct PrivateClusterTests {
    /// A folder that every user may enter, as the server's has to be; deleted in the end.
    private func withFolder(_ body: (String) async throws -> Void) async throws {
        let folder = "/tmp/systole-cluster-\(UUID().uuidString.prefix(8))"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try await body(folder + "/.systole")
    }

    private func count(_ configuration: ConnectionConfiguration) async throws -> Int {
        let connection = try await Connection.open(configuration)
        let count = try await connection.run("SELECT count(*) AS n FROM public.t").only().int("n")
        await connection.close()
        return count
    }

    @Test func `a database is made, kept over restarts, and owned by one process`() async throws {
        try await withFolder { folder in
            let cluster = try PrivateCluster(folder: folder)
            #expect(try PrivateCluster.running(in: folder) == nil)
            let first = try await cluster.start()
            let connection = try await Connection.open(first)
            let row = try await connection.run(
                """
                SELECT current_setting('data_checksums') AS checksums,
                    current_setting('server_encoding') AS encoding,
                    current_setting('log_error_verbosity') AS verbosity,
                    current_setting('listen_addresses') AS address, current_user AS me,
                    (SELECT datcollate FROM pg_database WHERE datname = current_database()) AS sort
                """
            ).only()
            #expect(try row.text("checksums") == "on" && row.text("encoding") == "UTF8")
            #expect(try row.text("verbosity") == "terse" && row.text("address") == "127.0.0.1")
            #expect(try row.text("me") == "systole" && row.text("sort") == "C.UTF-8")
            try await connection.run("CREATE TABLE public.t AS SELECT 1 AS n")
            await connection.close()

            // Known to other commands, and refused to a second owner.
            #expect(try PrivateCluster.running(in: folder) == first)
            #expect(cluster.psqlCommand.contains("dbname=systole"))
            let second = try PrivateCluster(folder: folder)
            let own = ProcessInfo.processInfo.processIdentifier
            await #expect(
                throws: ClusterError.owned(folder: second.folder, process: own)
            ) { try await second.start() }
            await second.stop()
            #expect(try PrivateCluster.running(in: folder) != nil)

            // Over TCP nobody comes in without the password.
            let port = try #require(first["port"])
            var other = try ConnectionConfiguration(
                "host=127.0.0.1 port=\(port) user=systole dbname=systole passfile=/nonexistent")
            let refusal = await #expect(throws: PostgresError.self) {
                try await Connection.open(other)
            }
            #expect(refusal?.sqlState == "28P01")
            other["passfile"] = folder + "/pgpass"
            #expect(try await count(other) == 1)

            await cluster.stop()
            #expect(try PrivateCluster.running(in: folder) == nil)
            let again = try await second.start()
            let kept = try await count(again)
            #expect(kept == 1)
            await second.stop()
        }
    }

    @Test func `a server that was killed recovers, with its number taken by another`() async throws
    {
        try await withFolder { folder in
            let cluster = try PrivateCluster(folder: folder)
            let configuration = try await cluster.start()
            let connection = try await Connection.open(configuration)
            try await connection.run("CREATE TABLE public.t AS SELECT 1 AS n")
            await connection.close()
            let data = folder + "/postgres/data"
            let state = try #require(ServerState.read(data: data))
            kill(state.process, SIGKILL)
            // Gone once its socket refuses; the kernel tells at once.
            while state.isAlive(data: data) { await Task.yield() }
            try #expect(PrivateCluster.running(in: folder) == nil)
            await cluster.stop()
            // Process 1 lives for ever and is no server.
            let file = data + "/postmaster.pid"
            let text = try String(contentsOfFile: file, encoding: .utf8)
            let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
            try (["1"] + lines.dropFirst()).joined(separator: "\n")
                .write(toFile: file, atomically: false, encoding: .utf8)
            let again = try await cluster.start()
            #expect(cluster.messages.contains { $0.contains("recovers") })
            let kept = try await count(again)
            #expect(kept == 1)
            await cluster.stop()
        }
    }

    @Test func `a server that was left running is taken over`() async throws {
        try await withFolder { folder in
            let cluster = try PrivateCluster(folder: folder)
            let first = try await cluster.start()
            cluster.releaseLock()
            let second = try PrivateCluster(folder: folder)
            let taken = try await second.start()
            #expect(taken == first)
            #expect(second.messages == ["a database that was left running was taken over"])
            await second.stop()
        }
    }

    @Test func `a folder that cannot be written is refused`() async throws {
        let cluster = try PrivateCluster(folder: "/proc/systole")
        await #expect(throws: ClusterError.self) { try await cluster.start() }
    }

    @Test(arguments: ["/tmp/a\"b", "/tmp/a$(b)", "/tmp/a`b`", "/tmp/a\nb", "/tmp/it's"])
    func `a name that a shell would understand is refused`(folder: String) {
        #expect(throws: ClusterError.folderName(folder)) { try PrivateCluster(folder: folder) }
    }
}

@Suite struct ClusterPlaceTests {
    @Test func `a folder that others may not enter is recognised`() throws {
        let base = "/tmp/systole-place-\(UUID().uuidString.prefix(8))"
        defer { try? FileManager.default.removeItem(atPath: base) }
        try FileManager.default.createDirectory(
            atPath: base, withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o755])
        let stranger: (uid_t, gid_t) = (64_123, 64_123)
        #expect(ClusterPlace.canEnter(base + "/x/.systole", account: stranger))
        try FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: base)
        #expect(!ClusterPlace.canEnter(base + "/x/.systole", account: stranger))
    }

    @Test func `a long path does without a socket`() throws {
        let short = try ClusterPlace(folder: "/tmp/a")
        let long = try ClusterPlace(folder: "/tmp/" + String(repeating: "a", count: 100))
        #expect(short.hasSocket && !long.hasSocket)
    }

    @Test func `memory decides the buffers within limits`() {
        func buffers(_ gigabytes: UInt64) -> Bool {
            ServerSettings(port: 1, sockets: nil, memoryBytes: gigabytes << 30).configuration
                .contains("shared_buffers = \(min(1024, max(64, gigabytes * 128)))MB")
        }
        #expect(buffers(0) && buffers(2) && buffers(512))
    }
}
