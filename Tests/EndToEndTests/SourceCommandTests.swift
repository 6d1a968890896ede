import Foundation
import Postgres
import TestSupport
import Testing

/// A command line that is refused, and what the answer has to say.
private struct Refused: CustomTestStringConvertible, Sendable {
    let arguments: [String]
    let says: String

    init(_ arguments: String..., says: String) {
        self.arguments = arguments
        self.says = says
    }

    var testDescription: String { arguments.map { String($0.prefix(40)) }.joined(separator: " ") }
}

private let refusals: [Refused] = [
    Refused("source", "add", "ftp://x/y", says: "ftp:// is read by no connector"),
    Refused("ingest", "FTP://ann:sesame@x/y", says: "ftp:// is read by no connector"),
    Refused("source", "test", "s3://bucket/key", says: "s3:// is read by no connector"),
    Refused("source", "add", "https://", "--name", "a", "--format", "csv", says: "has no host"),
    Refused(
        "source", "add", "https://:443/", "--name", "a", "--format", "csv", says: "has no host"),
    Refused(
        "source", "add", "mqtt://", "--name", "a", "--topic", "a=number:a", says: "has no host"),
    Refused(
        "source", "add", "https://exa mple.org/t.csv", "--name", "a", "--format", "csv",
        says: "has a blank in it"),
    Refused(
        "source", "add", "http://example.org/t.csv", "--name", "a", "--format", "csv",
        says: "--allow-private"),
    Refused(
        "source", "add", "https://127.0.0.1/t.csv", "--name", "a", "--format", "csv",
        says: "--allow-private"),
    Refused(
        "source", "add", "https://ann:sesame@example.org/", "--name", "a", "--format", "csv",
        says: "user name or password"),
    Refused(
        "source", "add", "/tmp", "https://example.org/t.csv", "--name", "a", "--format", "csv",
        says: "a source of its own"),
    Refused("ingest", "mqtt://broker", "--name", "a", says: "`systole source add` registers it"),
    Refused(
        "source", "add", "/tmp", "--name", String(repeating: "x", count: 151),
        says: "at most 150 characters, found 151"),
]

/// Sources, as users tell them.
@Suite struct SourceCommandTests {
    @Test(arguments: refusals)
    fileprivate func `what no pull could read is refused before anything is opened`(
        _ refused: Refused
    ) throws {
        try withTemporaryFolder { folder in
            let outcome = try Executable.run(refused.arguments, in: folder)
            #expect(outcome.status == 2, "\(outcome.errors)")
            #expect(outcome.errors.contains(refused.says), "\(outcome.errors)")
            #expect(!outcome.errors.contains("sesame"), "\(outcome.errors)")
        }
    }

    @Test func `what a source gives is one JSON array`() throws {
        try withTemporaryFolder { folder in
            let table = "time,load\n2026-01-01T00:00:00Z,1\n2026-01-01T01:00:00Z,2\n"
            try Data(table.utf8).write(to: folder.appending(path: "plant.csv"))
            let outcome = try Executable.run(
                ["source", "test", "./plant.csv", "--name", "plant", "--json"], in: folder)
            #expect(outcome.status == 0, "\(outcome.errors)")
            let previews = try #require(
                try JSONSerialization.jsonObject(with: Data(outcome.output.utf8))
                    as? [[String: Any]])
            #expect(previews.count == 1)
            let series = try #require(previews.first?["series"] as? [[String: Any]])
            #expect(series.map { $0["series"] as? String } == ["plant.load"])
        }
    }

    @Test func `a source that is not there yet is registered, noted and shown a line a field`()
        async throws
    {
        try await withTestDatabase { database in
            try await withFolder { folder in
                func systole(_ arguments: String...) throws -> Executable.Outcome {
                    try Executable.run(
                        arguments, in: folder, environment: ["DATABASE_URL": database.url])
                }
                let added = try systole("source", "add", "/no/such/dir", "--name", "later")
                #expect(added.status == 0, "\(added.errors)")
                #expect(added.errors.contains("nothing is at /no/such/dir now"), "\(added.errors)")
                let here = try systole("source", "add", folder.path, "--name", "here")
                #expect(here.status == 0 && here.errors.isEmpty, "\(here.errors)")

                let shown = try systole("source", "show", "later")
                #expect(shown.status == 0, "\(shown.errors)")
                let fields = shown.output.split(separator: "\n").map {
                    $0.split(separator: " ", omittingEmptySubsequences: true).map(String.init)
                }
                #expect(fields.count > 20, "\(shown.output)")
                #expect(fields.contains(["name", "later"]) && fields.contains(["kind", "folder"]))
                let json = try systole("source", "show", "later", "--json")
                #expect(json.output.hasPrefix("["), "\(json.output)")

                let part = try systole("source", "cursor", "later", "--part", "zz")
                #expect(part.status == 1, "\(part.output)")
                #expect(part.errors.contains("nothing of it is stored yet"), "\(part.errors)")
            }
        }
    }

    @Test func `a part that is not there fails and names others; negative sentinels are missing`()
        async throws
    {
        try await withTestDatabase { database in
            try await withFolder { folder in
                func systole(_ arguments: String...) throws -> Executable.Outcome {
                    try Executable.run(
                        arguments, in: folder, environment: ["DATABASE_URL": database.url])
                }
                let rows = (0..<24).map { hour in
                    "2026-01-01T\(hour < 10 ? "0" : "")\(hour):00:00Z,\(hour == 7 ? -999 : hour)"
                }
                let table = "time,load\n" + rows.joined(separator: "\n") + "\n"
                try Data(table.utf8).write(to: folder.appending(path: "plant.csv"))
                let stored = try systole(
                    "ingest", "plant.csv", "--name", "plant", "--missing", "-999")
                #expect(stored.status == 0, "\(stored.errors)")
                let lowest = try await database.pool.run(
                    "SELECT min(value) AS value FROM systole.observations"
                ).only().double("value")
                #expect(lowest == 0)

                let known = try systole("source", "cursor", "plant")
                #expect(known.status == 0 && known.output.contains("plant.csv"))
                for arguments in [["--part", "zz"], ["--part", "zz", "--json"]] {
                    let unknown = try Executable.run(
                        ["source", "cursor", "plant"] + arguments, in: folder,
                        environment: ["DATABASE_URL": database.url])
                    #expect(unknown.status == 1 && unknown.output.isEmpty, "\(unknown.output)")
                    #expect(unknown.errors.contains("has no part zz"), "\(unknown.errors)")
                    #expect(unknown.errors.contains("plant.csv"), "\(unknown.errors)")
                }
            }
        }
    }

    @Test func `away from the migrations the number of the schema decides`() async throws {
        try await withTestDatabase { database in
            try await withFolder { folder in
                let copy = folder.appending(path: "systole")
                try FileManager.default.copyItem(at: URL(filePath: Executable.path), to: copy)
                func systole(_ arguments: String...) throws -> Executable.Outcome {
                    try Executable.run(
                        arguments, in: folder,
                        environment: ["DATABASE_URL": database.url], path: copy.path)
                }
                let empty = try systole("source", "list")
                #expect(empty.status == 0, "\(empty.errors)")
                let known = try systole("doctor")
                #expect(known.output.contains("as needed"), "\(known.output)")
                try await database.pool.run(
                    """
                    DELETE FROM systole.schema_migration
                    WHERE number = (SELECT max(number) FROM systole.schema_migration)
                    """)
                let wrong = try systole("doctor")
                #expect(wrong.status == 1)
                #expect(wrong.output.contains("is needed"), "\(wrong.output)")
                let older = try systole("source", "list")
                #expect(older.status == 1)
                #expect(older.errors.contains("this executable needs"), "\(older.errors)")
                #expect(older.errors.split(separator: "\n").count == 1)
            }
        }
    }
}
