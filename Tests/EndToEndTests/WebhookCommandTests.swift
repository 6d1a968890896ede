import Foundation
import Postgres
import TestSupport
import Testing

/// Secrets that commands make.
@Suite struct WebhookCommandTests {
    /// Runs commands as the role that answers users, with a key file or without.
    private func withCommands(
        key: String?,
        _ body: (TestDatabase, (String...) throws -> Executable.Outcome) async throws -> Void
    ) async throws {
        try await withTestDatabase { database in
            let folder = FileManager.default.temporaryDirectory.appending(
                path: "systole-\(UUID().uuidString)")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            // A folder that is left over harms nobody.
            defer { try? FileManager.default.removeItem(at: folder) }
            var configuration = database.configuration
            configuration["user"] = "systole_api"
            let url = configuration.parameters.map { "\($0)='\($1)'" }.joined(separator: " ")
            var environment = ["DATABASE_URL": url]
            if let key {
                try key.write(
                    to: folder.appending(path: "keys"), atomically: true, encoding: .utf8)
                environment["SYSTOLE_WEBHOOKS_KEY_FILE"] = "keys"
            }
            try await body(database) { [environment] (arguments: String...) in
                try Executable.run(["webhook"] + arguments, in: folder, environment: environment)
            }
        }
    }

    private static let key = Data(repeating: 4, count: 32).base64EncodedString()

    @Test func `with a key file no secret ever lies open`() async throws {
        try await withCommands(key: Self.key + "\n") { database, webhook in
            let shared = try webhook("add", "https://a.example/")
            #expect(shared.output.hasPrefix("whsec_") && shared.status == 0)
            let pair = try webhook("add", "https://b.example/", "--signature", "v1a")
            #expect(pair.output.hasPrefix("whpk_"))
            let rotated = try webhook("rotate", "2")
            #expect(rotated.output.hasPrefix("whpk_") && rotated.output != pair.output)
            let changed = try webhook("rotate", "1", "--signature", "v1a", "--overlap", "0")
            #expect(changed.output.hasPrefix("whpk_"))
            let row = try await database.pool.run(
                """
                SELECT bool_and(w.is_sealed) AS sealed, string_agg(e::text, ' ') AS rows,
                    string_agg(w.public_key, ' ' ORDER BY w.endpoint_id) AS keys
                FROM systole.webhooks AS w JOIN systole.webhook_endpoint AS e USING (endpoint_id)
                """
            ).only()
            #expect(try row.bool("sealed"))
            let rows = try row.text("rows")
            #expect(!rows.contains("whsec_") && !rows.contains("whsk_"))
            let told = [changed, rotated].map {
                $0.output.trimmingCharacters(in: .whitespacesAndNewlines)
            }
            #expect(try row.text("keys") == told.joined(separator: " "))
            let refused = try webhook("rotate", "77")
            #expect(refused.status == 1 && refused.errors.contains("no webhook endpoint 77"))
        }
    }

    @Test(arguments: ["", "c2hvcnQ=\n"])
    func `a key file that is none gets one sentence, and nothing is made`(text: String) async throws
    {
        try await withCommands(key: text) { database, webhook in
            let outcome = try webhook("add", "https://a.example/")
            #expect(outcome.status == 1 && outcome.errors.contains("keys cannot be used"))
            #expect(!outcome.errors.contains("c2hv"))
            let count = try await database.pool.run("SELECT count(*) AS n FROM systole.webhooks")
            #expect(try count.only().int("n") == 0)
        }
    }
}
