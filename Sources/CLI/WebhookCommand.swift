import ArgumentParser
import Foundation
import Notifications
import Postgres

/// `systole webhook`: who is told about events, and what became of it.
struct WebhookCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "webhook",
        abstract: "Registers webhooks; tests, replays and rotates them; shows their log.",
        discussion: """
            Example:
              systole webhook add https://example.org/hook --events anomaly.opened,anomaly.resolved
              systole webhook test 1
              systole webhook log
            """,
        subcommands: [
            Add.self, List.self, Log.self, Test.self, Replay.self, Rotate.self, Disable.self,
            Enable.self, Remove.self, Sign.self,
        ],
        defaultSubcommand: List.self)

    /// `systole webhook add`
    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "add",
            abstract: "Registers a receiver; prints its secret, which is not shown again.",
            discussion: """
                The number of the endpoint goes to the error stream, so that
                `systole webhook add URL > secret` keeps the secret alone. With --signature v1a it
                is the public key, which is no secret and which `systole webhook list --json` shows
                again. With webhooks.key_file the secret is sealed before it goes to the database.
                """)

        @Argument(help: "Where to: https://HOST/PATH.") var url: String
        @Option(help: "Event types, with commas between.")
        var events = "anomaly.opened,anomaly.resolved"
        @Option(help: "What it is for.") var description: String?
        @Flag(help: "Send all of an event's data, not its identifiers and states alone.")
        var full = false
        @Option(help: "v1: a shared secret; v1a: a key pair, whose public key receivers verify by.")
        var signature = WebhookSecret.Scheme.v1
        @OptionGroup var database: DatabaseOptions
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            let types = events.split(separator: ",").map {
                $0.trimmingCharacters(in: .whitespaces)
            }
            let made = try MadeSecret(signature, keys: database.resolved().sealingKeys())
            let endpoint = try await database.withPool { pool in
                try await pool.transaction { db in
                    try db.run(
                        """
                        SELECT systole.add_webhook(\(url), \(types), \(description),
                            \(full ? "full" : "thin"), \(signature.rawValue), \(made.stored),
                            \(made.publicKey))
                        """)
                    return try db.run(
                        """
                        SELECT max(endpoint_id) AS endpoint_id FROM systole.webhooks
                        WHERE created_at = now() AND url = \(url)
                        """
                    ).only().int64("endpoint_id")
                }
            }
            if json {
                print(#"{"endpoint_id":\#(endpoint),\#(made.json)}"#)
            } else {
                Terminal.complain("endpoint \(endpoint); \(made.inWords):")
                print(made.forReceiver)
            }
        }
    }

    /// `systole webhook list`
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list", abstract: "Every endpoint and how it does.")

        @OptionGroup var database: DatabaseOptions
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            let all: SQL = "SELECT * FROM systole.webhooks ORDER BY endpoint_id"
            let short: SQL = """
                SELECT endpoint_id, url, array_to_string(events, ',') AS events, signature, state, owed,
                    failures_consecutive AS failures, accepted_last_at
                FROM systole.webhooks ORDER BY endpoint_id
                """
            try await database.withPool { pool in
                try await QueryReport.show(
                    json ? all : short, on: pool, json: json,
                    nothing: "no webhooks yet; `systole webhook add` makes one")
            }
        }
    }

    /// `systole webhook log`
    struct Log: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "log", abstract: "The newest attempts and what was answered.")

        @Argument(help: "The endpoint's number; all of them unless given.") var endpoint: Int64?
        @Option(help: "How many attempts, from 1 to 10000.") var limit = 20
        @OptionGroup var database: DatabaseOptions
        @Flag(help: "Print JSON.") var json = false

        func validate() throws {
            guard (1...10_000).contains(limit) else {
                throw ValidationError("--limit is \(limit); accepted: 1 to 10000")
            }
        }

        func run() async throws {
            let query: SQL = """
                SELECT delivery_id, endpoint_id, event_type, state, attempt, at, status,
                    error_class, reason, milliseconds, next_try_at
                FROM systole.webhook_log
                WHERE \(endpoint)::bigint IS NULL OR endpoint_id = \(endpoint)::bigint
                ORDER BY coalesce(at, created_at) DESC, delivery_id DESC LIMIT \(limit)
                """
            try await database.withPool { pool in
                try await QueryReport.show(
                    query, on: pool, json: json, nothing: "nothing was sent yet")
            }
        }
    }

    /// `systole webhook sign`
    struct Sign: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "sign",
            abstract: "Prints the headers that sign a body, to try a receiver with; no database.",
            discussion: """
                Example:
                  systole webhook sign --secret-file secret --id msg_1 body.json > headers
                  curl -H @headers --data-binary @body.json http://127.0.0.1:8080/hook
                """)

        @Option(help: "A file with one secret a line; there are two during a rotation.")
        var secretFile: String
        @Option(help: "The message's id: letters, digits, _ and -.") var id: String
        @Option(help: "The time of the attempt in Unix seconds; now unless given.")
        var unixTime: Int64?
        @Argument(help: "The file with the body.") var body: String

        func validate() throws {
            guard !id.isEmpty, id.utf8.allSatisfy(Signature.isIDByte) else {
                throw ValidationError("--id has other characters than letters, digits, _ and -")
            }
        }

        func run() async throws {
            let lines = try Self.read(secretFile).split { $0 == 0x0a || $0 == 0x0d || $0 == 0x20 }
            let secrets = try lines.map { try WebhookSecret(String(decoding: $0, as: UTF8.self)) }
            guard !secrets.isEmpty else { throw Unusable(file: secretFile, why: "has no secret") }
            let headers = Signature.headers(
                id: id, unixSeconds: unixTime ?? Int64(Date().timeIntervalSince1970),
                body: Array(try Self.read(body)), secrets: secrets)
            for (name, value) in headers.sorted(by: { $0.key < $1.key }) {
                print("\(name): \(value)")
            }
        }

        private static func read(_ path: String) throws -> Data {
            do {
                return try Data(contentsOf: URL(filePath: path))
            } catch {
                throw Unusable(file: path, why: "cannot be read")
            }
        }

        /// A file that cannot serve.
        private struct Unusable: Error, CustomStringConvertible {
            let file: String
            let why: String
            var description: String { "\(file) \(why)" }
        }
    }
}

extension WebhookSecret.Scheme: ExpressibleByArgument {}

/// A secret that a command makes, so that the database never sees it in the clear where a key to
/// seal it is at hand.
struct MadeSecret {
    private let secret: WebhookSecret
    /// For the database.
    let stored: String
    /// For the database; nil for a shared secret.
    let publicKey: String?

    init(_ scheme: WebhookSecret.Scheme, keys: SealingKeys) {
        var chance = SystemRandomNumberGenerator()
        secret = WebhookSecret(scheme, from: (0..<32).map { _ in chance.next() })
        stored = keys.seal(secret.revealed)
        publicKey = secret.publicKey?.text
    }

    /// What the receiver verifies with.
    var forReceiver: String { publicKey ?? secret.revealed }

    var inWords: String {
        publicKey == nil ? "its secret, shown this once" : "its public key, for the receiver"
    }

    /// As a member of a JSON object.
    var json: String {
        publicKey.map { #""public_key":"\#($0)""# } ?? #""secret":"\#(secret.revealed)""#
    }
}
