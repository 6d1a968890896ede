import ArgumentParser
import Postgres

extension JobCommand {
    /// `systole job dead`
    struct Dead: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "dead",
            abstract: "Jobs that were given up and not tried again since, with the last error.",
            discussion: """
                Example:
                  systole job dead --kind forecast
                """)

        @Option(help: "Only jobs of this kind, such as forecast, train, score, classify.")
        var kind: String?
        @Option(help: "How many, from 1 to 10000.") var most = 50
        @OptionGroup var database: DatabaseOptions
        @Flag(help: "Print JSON.") var json = false

        func validate() throws {
            guard (1...10_000).contains(most) else {
                throw ValidationError("--most \(most) is outside 1 to 10000")
            }
        }

        func run() async throws {
            let columns: SQL =
                json
                ? "*"
                : """
                job_id, kind, attempts, error_class, error,
                to_char(finished_at, 'YYYY-MM-DD HH24:MI:SS') AS at, schedule
                """
            try await database.withPool { pool in
                try await QueryReport.show(
                    """
                    SELECT \(columns) FROM systole.dead_jobs
                    WHERE \(kind)::text IS NULL OR kind = \(kind)
                    ORDER BY finished_at DESC, job_id DESC LIMIT \(most)
                    """, on: pool, json: json, nothing: "no dead jobs")
            }
        }
    }

    /// `systole job redrive`
    struct Redrive: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "redrive",
            abstract: "Tries dead jobs again, oldest first.",
            discussion: """
                Example:
                  systole job redrive --kind forecast --since '2026-11-20 08:00+00'
                """)

        @Option(help: "Only jobs of this kind.") var kind: String?
        @Option(help: "Only jobs whose last error had this class, as `job dead` shows it.")
        var errorClass: String?
        @Option(help: "Only jobs dead since this instant.") var since: String?
        @Option(help: "How many, from 1 to 100000.") var most = 1000
        @OptionGroup var database: DatabaseOptions

        func run() async throws {
            try await database.withPool { pool in
                let rows = try await pool.run(
                    """
                    SELECT systole.redrive_jobs(\(kind), \(errorClass), \(since)::timestamptz,
                        \(most)::integer) AS driven
                    """)
                print("\(try rows.only().int("driven")) dead jobs are tried again")
            }
        }
    }

    /// `systole job queues`
    struct Queues: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "queues",
            abstract: "How many jobs of each kind wait and run, and the limits of the kind.")

        @OptionGroup var database: DatabaseOptions
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            try await database.withPool { pool in
                try await QueryReport.show(
                    "SELECT * FROM systole.queues ORDER BY kind", on: pool, json: json,
                    nothing: "no jobs wait or run, and no kind is paused or limited")
            }
        }
    }

    /// `systole job limit`
    struct Limit: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "limit",
            abstract: "Limits how many jobs of a kind run at a time, and for how long.",
            discussion: """
                The limits hold over all workers. What is left out is not limited.

                Example:
                  systole job limit train --running 1 --time '2 hours'
                  systole job limit train
                """)

        @Argument(help: "The kind, such as forecast, train, score, classify.") var kind: String
        @Option(help: "The most that run at a time.") var running: Int?
        @Option(help: "The longest that one run may last: '10 minutes'.") var time: String?
        @OptionGroup var database: DatabaseOptions

        func run() async throws {
            try await database.withPool { pool in
                _ = try await pool.run(
                    """
                    SELECT systole.limit_kind(\(kind), \(running)::integer, \(time)::interval)
                    """)
                let limits = [running.map { "\($0) at a time" }, time].compactMap(\.self)
                print("\(kind): \(limits.isEmpty ? "no limit" : limits.joined(separator: ", "))")
            }
        }
    }

    /// `systole job pause`
    struct Pause: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "pause",
            abstract: "Stops the jobs of a kind from being begun; what runs goes on.")

        @Argument(help: "The kind, such as forecast, train, score, classify.") var kind: String
        @OptionGroup var database: DatabaseOptions

        func run() async throws {
            try await database.withPool { pool in
                _ = try await pool.run("SELECT systole.pause_kind(\(kind))")
                print("\(kind) is paused")
            }
        }
    }

    /// `systole job resume`
    struct Resume: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "resume", abstract: "Lets the jobs of a paused kind be begun again.")

        @Argument(help: "The kind, such as forecast, train, score, classify.") var kind: String
        @OptionGroup var database: DatabaseOptions

        func run() async throws {
            try await database.withPool { pool in
                _ = try await pool.run("SELECT systole.resume_kind(\(kind))")
                print("\(kind) goes on")
            }
        }
    }
}
