import ArgumentParser
import Notifications
import Postgres

/// The commands that do one thing to one endpoint or delivery.
extension WebhookCommand {
    /// `systole webhook test`
    struct Test: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "test", abstract: "Sends a ping to one endpoint.")

        @Argument(help: "The endpoint's number.") var endpoint: Int64
        @OptionGroup var database: DatabaseOptions

        func run() async throws {
            try await database.withPool { pool in
                let event = try await pool.run(
                    "SELECT systole.test_webhook(\(endpoint)) AS event"
                ).only().int64("event")
                print(
                    "ping \(event) is on its way; `systole webhook log \(endpoint)` shows the answer"
                )
            }
        }
    }

    /// `systole webhook replay`
    struct Replay: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "replay",
            abstract: "Sends again: one delivery, or all that an endpoint did not get.",
            discussion: """
                Example:
                  systole webhook replay --delivery 17
                  systole webhook replay --endpoint 1 --since '2026-11-20 12:00+00'
                Without --since, everything given up since the endpoint's last success. With
                --accepted also what it got, as after a receiver has lost its data. Ids and bodies
                are those of before.
                """)

        @Option(help: "The delivery's number.") var delivery: Int64?
        @Option(help: "The endpoint's number.") var endpoint: Int64?
        @Option(help: "From when on, as PostgreSQL writes times.") var since: String?
        @Option(help: "Until when; now unless given.") var until: String?
        @Flag(help: "Also what was accepted; needs --since.") var accepted = false
        @OptionGroup var database: DatabaseOptions

        func validate() throws {
            guard (delivery == nil) != (endpoint == nil) else {
                throw ValidationError("give either --delivery or --endpoint")
            }
            guard endpoint != nil || (since == nil && until == nil && !accepted) else {
                throw ValidationError("--since, --until and --accepted go with --endpoint")
            }
            guard since != nil || !accepted else {
                throw ValidationError("--accepted needs --since")
            }
        }

        func run() async throws {
            try await database.withPool { pool in
                if let delivery {
                    _ = try await pool.run("SELECT systole.replay_webhook(\(delivery))")
                    print("delivery \(delivery) is sent again")
                } else {
                    let count = try await pool.run(
                        """
                        SELECT systole.replay_webhooks(\(endpoint), \(since)::timestamptz,
                            \(until)::timestamptz, \(accepted)) AS count
                        """
                    ).only().int64("count")
                    print("\(count) deliveries are sent again")
                }
            }
        }
    }

    /// `systole webhook rotate`
    struct Rotate: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "rotate",
            abstract: "Gives an endpoint a new secret and prints it, once.",
            discussion: """
                Until the overlap ends every webhook is signed by both, so that the receiver can
                change over without losing one; also from one scheme to the other.

                Example:
                  systole webhook rotate 1 --overlap '7 days'
                """)

        @Argument(help: "The endpoint's number.") var endpoint: Int64
        @Option(help: "How long both secrets sign, up to '7 days'.") var overlap = "24 hours"
        @Option(help: "v1 or v1a; as before unless given.") var signature: WebhookSecret.Scheme?
        @OptionGroup var database: DatabaseOptions

        func run() async throws {
            let keys = try database.resolved().sealingKeys()
            let made = try await database.withPool { pool in
                let present = try await pool.run(
                    "SELECT signature FROM systole.webhooks WHERE endpoint_id = \(endpoint)"
                ).first?.text("signature")
                // An endpoint that is not there is refused below, in the words of the function.
                let scheme = signature ?? present.flatMap { WebhookSecret.Scheme(rawValue: $0) }
                let made = MadeSecret(scheme ?? .v1, keys: keys)
                try await pool.run(
                    """
                    SELECT systole.rotate_webhook(\(endpoint), \(overlap)::interval,
                        \((scheme ?? .v1).rawValue), \(made.stored), \(made.publicKey))
                    """)
                return made
            }
            print(made.forReceiver)
        }
    }

    /// `systole webhook disable`
    struct Disable: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "disable", abstract: "Stops sending to an endpoint; its events are kept.")

        @Argument(help: "The endpoint's number.") var endpoint: Int64
        @Option(help: "Why, for those who look at it.") var reason = "disabled by hand"
        @OptionGroup var database: DatabaseOptions

        func run() async throws {
            try await database.withPool { pool in
                _ = try await pool.run("SELECT systole.disable_webhook(\(endpoint), \(reason))")
                print("endpoint \(endpoint) is disabled")
            }
        }
    }

    /// `systole webhook enable`
    struct Enable: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "enable", abstract: "Sends to an endpoint again, what was kept first.")

        @Argument(help: "The endpoint's number.") var endpoint: Int64
        @OptionGroup var database: DatabaseOptions

        func run() async throws {
            try await database.withPool { pool in
                _ = try await pool.run("SELECT systole.enable_webhook(\(endpoint))")
                print("endpoint \(endpoint) is enabled")
            }
        }
    }

    /// `systole webhook remove`
    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "remove", abstract: "Forgets an endpoint; its log stays.")

        @Argument(help: "The endpoint's number.") var endpoint: Int64
        @OptionGroup var database: DatabaseOptions

        func run() async throws {
            try await database.withPool { pool in
                _ = try await pool.run("SELECT systole.remove_webhook(\(endpoint))")
                print("endpoint \(endpoint) is removed")
            }
        }
    }
}
