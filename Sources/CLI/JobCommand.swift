import ArgumentParser
import Postgres

/// `systole job`: what the workers have to do, and did.
struct JobCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "job",
        abstract: "Lists jobs, cancels or retries one.",
        discussion: """
            Example:
              systole job list --state running
              systole job retry 17
            """,
        subcommands: [List.self, Cancel.self, Retry.self], defaultSubcommand: List.self)

    /// `systole job list`
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list", abstract: "The newest jobs, waiting, running and ended.")

        @OptionGroup var database: DatabaseOptions
        @Option(help: "Only jobs in this state, such as ready, running, done, dead.")
        var state: String?
        @Option(help: "How many, from 1 to 10000.") var most = 50
        @Flag(help: "Print JSON.") var json = false

        func validate() throws {
            guard (1...10_000).contains(most) else {
                throw ValidationError("--most \(most) is outside 1 to 10000")
            }
        }

        func run() async throws {
            try await database.withPool { pool in
                try await QueryReport.show(
                    """
                    SELECT * FROM systole.jobs
                    WHERE \(state)::text IS NULL OR state = \(state)
                    ORDER BY job_id DESC LIMIT \(most)
                    """, on: pool, json: json, nothing: "no such jobs")
            }
        }
    }

    /// `systole job cancel`
    struct Cancel: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "cancel", abstract: "Cancels a job, also one that runs.")

        @Argument(help: "The job's number.") var job: Int64
        @OptionGroup var database: DatabaseOptions

        func run() async throws {
            try await database.withPool { pool in
                _ = try await pool.run("SELECT systole.cancel_job(\(job))")
                print("job \(job) is cancelled")
            }
        }
    }

    /// `systole job retry`
    struct Retry: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "retry", abstract: "Runs a job again that failed for good.")

        @Argument(help: "The job's number.") var job: Int64
        @OptionGroup var database: DatabaseOptions

        func run() async throws {
            try await database.withPool { pool in
                _ = try await pool.run("SELECT systole.retry_job(\(job))")
                print("job \(job) is ready again")
            }
        }
    }
}
