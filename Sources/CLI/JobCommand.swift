import ArgumentParser
import Postgres

/// `systole job`: what the workers have to do, and did.
struct JobCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "job",
        abstract: "Lists jobs, follows, cancels or retries them; pauses and limits their kinds.",
        discussion: """
            Example:
              systole job list --state running
              systole job watch 17
              systole job retry 17
              systole job redrive --kind forecast
              systole job limit train --running 1
            """,
        subcommands: [
            List.self, Show.self, Watch.self, Cancel.self, Retry.self, Dead.self, Redrive.self,
            Queues.self, Limit.self, Pause.self, Resume.self,
        ],
        defaultSubcommand: List.self)

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
            let columns: SQL =
                json
                ? "*"
                : """
                job_id, kind, state, attempt, priority,
                to_char(coalesce(finished_at, started_at, run_at), 'YYYY-MM-DD HH24:MI:SS') AS at,
                round(100 * (progress->>'fraction')::numeric) AS percent,
                coalesce(error, progress->>'note') AS note, schedule
                """
            try await database.withPool { pool in
                try await QueryReport.show(
                    """
                    SELECT \(columns) FROM systole.jobs
                    WHERE \(state)::text IS NULL OR state = \(state)
                    ORDER BY job_id DESC LIMIT \(most)
                    """, on: pool, json: json, nothing: "no such jobs")
            }
        }
    }

    /// `systole job show`
    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "show",
            abstract: "One job with its progress, and the losses of what it trains.",
            discussion: """
                Example:
                  systole job show 17
                """)

        @Argument(help: "The job's number.") var job: Int64
        @OptionGroup var database: DatabaseOptions
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            try await database.withPool { pool in
                if json { return try await showJSON(pool) }
                let rows = try await pool.run(
                    """
                    SELECT kind, state, progress, error, attempt, attempts_maximum,
                        started_at::text AS started_at, finished_at::text AS finished_at
                    FROM systole.jobs WHERE job_id = \(job)
                    """)
                guard let row = rows.first else {
                    _ = try await pool.run("SELECT systole.raise_unknown_job(\(job))")
                    return
                }
                let state = "\(try row.text("state")) (\(try row.text("kind")))"
                print(JobWatch.line(job, state, try row.optionalText("progress")))
                print("attempt \(try row.int("attempt")) of \(try row.int("attempts_maximum"))")
                for moment in ["started_at", "finished_at"] {
                    guard let at = try row.optionalText(moment) else { continue }
                    print("\(moment.replacing("_", with: " ")) \(at)")
                }
                if let error = try row.optionalText("error") { print("error: \(error)") }
                let losses = try await pool.run(
                    "SELECT FROM systole.training_epochs WHERE job_id = \(job)")
                guard !losses.isEmpty else { return }
                try await QueryReport.show(
                    """
                    SELECT family, network, epoch, round(training_loss::numeric, 5) AS training_loss,
                        round(validation_error::numeric, 5) AS validation_error,
                        round(seconds::numeric, 1) AS seconds,
                        CASE WHEN is_best THEN '*' ELSE '' END AS best
                    FROM systole.training_epochs WHERE job_id = \(job) ORDER BY network, epoch
                    """, on: pool, json: false, nothing: "")
            }
        }

        private func showJSON(_ pool: Pool) async throws {
            let rows = try await pool.run(
                """
                SELECT jsonb_pretty(to_jsonb(j) || jsonb_build_object('trainings', (
                    SELECT coalesce(jsonb_agg(to_jsonb(t)), '[]') FROM systole.trainings AS t
                    WHERE t.job_id = j.job_id))) AS answer
                FROM systole.jobs AS j WHERE j.job_id = \(job)
                """)
            guard let row = rows.first else {
                _ = try await pool.run("SELECT systole.raise_unknown_job(\(job))")
                return
            }
            print(try row.text("answer"))
        }
    }

    /// `systole job watch`
    struct Watch: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "watch",
            abstract: "Follows a job to its end; ends with 1 if it is dead or cancelled.",
            discussion: """
                Example:
                  systole job watch 17
                """)

        @Argument(help: "The job's number.") var job: Int64
        @OptionGroup var database: DatabaseOptions

        func run() async throws {
            try await database.withPool { pool in
                try await JobWatch.follow(job, on: pool) { text in
                    // A terminal has its own line for this.
                    if !ProgressLine.isTerminal { print(text) }
                    try Terminal.flush()
                }
                print("job \(job) is done")
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
