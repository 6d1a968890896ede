import ArgumentParser
import Postgres

extension GroupCommand {
    /// `systole group train`
    struct Train: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "train",
            abstract: "Trains models of all members together, and takes the best on validation.",
            discussion: """
                Ridge of one look-back and the mean of two, TSM2, told the time of day and week or not, TSM2
                without mixing and SpaceTime; a combination of them where it gains, and for single members
                what is better for them throughout. Ctrl-C stops watching, not the training: `systole job
                watch` looks again.

                Example:
                  systole group train plant --horizon '1 day' --seed 1
                """)

        @Argument(help: "The group.") var name: String
        @Option(
            help: """
                auto, or one or several of ridge, ridge-mean, tsm2, tsm2-calendar, tsm2-unmixed, \
                spacetime, separated by commas.
                """)
        var family = "auto"
        @Option(help: "How far to forecast, such as '1 day'; a week, but 24 to 720 steps.")
        var horizon: String?
        @Option(help: "Of the first weights and the order of windows; that of the worker.")
        var seed: Int?
        @Option(help: "Cores to use, if the worker allows as many.") var threads: Int?
        @OptionGroup var database: DatabaseOptions
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            try await database.withPool { pool in
                let job = try await pool.run(
                    """
                    SELECT systole.train_group(\(name), \(family), \(horizon)::interval, \(seed)::bigint,
                        \(threads)::integer) AS job
                    """
                ).only().int64("job")
                try await JobWatch.follow(job, on: pool)
                try await QueryReport.show(
                    """
                    SELECT version, stage, round(validation_mse::numeric, 4) AS validation,
                        round(repeat_last_mse::numeric, 4) AS repeat_last,
                        round(training_seconds::numeric, 1) AS seconds, reason
                    FROM systole.group_models WHERE job_id = \(job)
                    """, on: pool, json: json, nothing: "job \(job) stored no model")
            }
        }
    }

    /// `systole group forecast`
    struct Forecast: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "forecast",
            abstract: "Forecasts all members together, once or on a schedule.",
            discussion: """
                Example:
                  systole group forecast plant
                  systole group forecast plant --every '1 hour'
                """)

        @Argument(help: "The group.") var name: String
        @Option(help: "How far; that of the model, or less.") var horizon: String?
        @Option(help: "Again and again, such as '1 hour'.") var every: String?
        @Option(help: "Again and again, such as '5 * * * *'.") var cron: String?
        @Option(help: "What --cron means.") var timeZone = "UTC"
        @OptionGroup var database: DatabaseOptions
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            try await database.withPool { pool in
                guard every == nil, cron == nil else {
                    let schedule = try await pool.run(
                        """
                        SELECT systole.schedule_group_forecast(\(name), \(horizon)::interval,
                            \(every)::interval, \(cron), \(timeZone)) AS id
                        """
                    ).only().int64("id")
                    return print("schedule \(schedule)")
                }
                let job = try await pool.run(
                    """
                    SELECT systole.request_group_forecast(\(name), \(horizon)::interval) AS job
                    """
                ).only().int64("job")
                try await JobWatch.follow(job, on: pool)
                try await QueryReport.show(
                    """
                    SELECT f.series, f.data_until, f.start_at, f.steps, f.family, f.model_version
                    FROM systole.forecasts AS f WHERE f.job_id = \(job) ORDER BY f.series
                    """, on: pool, json: json, nothing: "job \(job) stored no forecast")
            }
        }
    }

    /// `systole group models`
    struct Models: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "models", abstract: "The models of groups, and why they were taken.")

        @OptionGroup var database: DatabaseOptions
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            try await database.withPool { pool in
                try await QueryReport.show(
                    """
                    SELECT name, version, stage, cardinality(series) AS members, lag, steps,
                        round(validation_mse::numeric, 4) AS validation,
                        round(repeat_last_mse::numeric, 4) AS repeat_last, reason
                    FROM systole.group_models ORDER BY name, version
                    """, on: pool, json: json, nothing: "no group has a model")
            }
        }
    }

    /// `systole group explain`
    struct Explain: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "explain",
            abstract: "Whose past the newest forecast of each member rests on.")

        @Argument(help: "The group.") var name: String
        @OptionGroup var database: DatabaseOptions
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            try await database.withPool { pool in
                try await QueryReport.show(
                    """
                    SELECT series, rests_on, round(share::numeric, 3) AS share,
                        round(change::numeric, 4) AS change, round(weight::numeric, 3) AS weight,
                        issued_at
                    FROM systole.group_influence(\(name))
                    """, on: pool, json: json,
                    nothing: "nothing is mixed in the newest forecast of \(name), or there is none")
            }
        }
    }
}
