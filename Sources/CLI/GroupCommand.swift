import ArgumentParser
import Postgres

/// `systole group`: series that are looked at together.
struct GroupCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "group",
        abstract: "Makes groups of series, and watches whether their members go together.",
        discussion: """
            Example:
              systole group add plant --labels '{"plant": "a"}'
              systole group watch plant --alerts-per-week 2
              systole group show plant
              systole group train plant --horizon '1 day'; systole group forecast plant --every '1 hour'
            """,
        subcommands: [
            Add.self, List.self, Show.self, Refresh.self, Remove.self, Watch.self, Unwatch.self,
            Train.self, Forecast.self, Models.self, Explain.self,
        ],
        defaultSubcommand: List.self)

    /// `systole group add`
    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "add",
            abstract: "Makes a group of the series that have some labels now, or of named ones.",
            discussion: """
                2 to 1000 members that share one step.

                Example:
                  systole group add plant --labels '{"plant": "a"}'
                  systole group add pumps --series pump.1,pump.2,pump.3
                """)

        @Argument(help: "What it is to be called.") var name: String
        @Option(help: "All series with these labels, as JSON.") var labels: String?
        @Option(help: "Series, separated by commas.") var series: String?
        @OptionGroup var database: DatabaseOptions

        func validate() throws {
            guard (series == nil) != (labels == nil) else {
                throw ValidationError("give --labels or --series, and not both")
            }
        }

        func run() async throws {
            let keys = series?.split(separator: ",").map { String($0) }
            try await database.withPool { pool in
                let row = try await pool.transaction { db in
                    try db.run(
                        "SELECT systole.create_group(\(name), \(labels)::jsonb, \(keys)::text[])")
                    return try db.run(
                        "SELECT members FROM systole.groups WHERE name = \(name)"
                    ).only().int("members")
                }
                print("group \(name) has \(row) members")
            }
        }
    }

    /// `systole group list`
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list", abstract: "All groups, and how far they are scored.")

        @OptionGroup var database: DatabaseOptions
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            try await database.withPool { pool in
                try await QueryReport.show(
                    """
                    SELECT g.name, g.members, g.labels, g.step,
                        CASE WHEN w.group_id IS NULL THEN 'no'
                            WHEN w.paused_at IS NULL THEN 'yes' ELSE 'paused' END AS watched,
                        w.alerts_per_week, w.scored_until, w.note
                    FROM systole.groups AS g LEFT JOIN systole.group_watches AS w USING (group_id)
                    ORDER BY g.name
                    """, on: pool, json: json, nothing: "no groups yet")
            }
        }
    }

    /// `systole group show`
    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "show",
            abstract: "The newest scores of a group, with the members behind them.")

        @Argument(help: "The group.") var name: String
        @Flag(help: "A row for each member, with its share.") var members = false
        @Option(help: "How many rows, from 1 to 10000.") var most = 20
        @OptionGroup var database: DatabaseOptions
        @Flag(help: "Print JSON.") var json = false

        func validate() throws {
            guard (1...10_000).contains(most) else {
                throw ValidationError("--most \(most) is outside 1 to 10000")
            }
        }

        func run() async throws {
            try await database.withPool { pool in
                let group = try await pool.run(
                    """
                    SELECT array_to_string(series, ', ') AS series, members
                    FROM systole.groups WHERE group_id = systole.group_id_of(\(name))
                    """
                ).only()
                if !json {
                    print("\(try group.int("members")) members: \(try group.text("series"))")
                }
                let since: SQL = """
                    coalesce((SELECT scored_until - \(most) * step FROM systole.group_watches
                        JOIN systole.groups USING (group_id, name) WHERE name = \(name)), 'infinity')
                    """
                let query: SQL =
                    members
                    ? """
                    SELECT at, series, round(contribution::numeric, 3) AS contribution,
                        round(surprise::numeric, 2) AS surprise, round(score::numeric, 2) AS score
                    FROM systole.group_score(\(name), \(since))
                    ORDER BY at DESC, contribution DESC LIMIT \(most)
                    """
                    : """
                    SELECT at, round(score::numeric, 2) AS score, p_value, series,
                        round(contribution::numeric, 3) AS contribution
                    FROM systole.group_scores(\(name), \(since)) ORDER BY at DESC LIMIT \(most)
                    """
                try await QueryReport.show(
                    query, on: pool, json: json, nothing: "no scores yet")
            }
        }
    }

    /// `systole group refresh`
    struct Refresh: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "refresh", abstract: "Looks anew which series have the labels of a group.")

        @Argument(help: "The group.") var name: String
        @OptionGroup var database: DatabaseOptions

        func run() async throws {
            try await database.withPool { pool in
                let change = try await pool.run(
                    "SELECT joined, gone FROM systole.refresh_group(\(name))"
                ).only()
                print("\(try change.int("joined")) joined, \(try change.int("gone")) are gone")
            }
        }
    }

    /// `systole group remove`
    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "remove",
            abstract: "Removes a group with its scores; its series and incidents stay.")

        @Argument(help: "The group.") var name: String
        @OptionGroup var database: DatabaseOptions

        func run() async throws {
            try await database.withPool { pool in
                _ = try await pool.run("SELECT systole.drop_group(\(name))")
            }
            print("group \(name) is removed")
        }
    }

    /// `systole group watch`
    struct Watch: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "watch",
            abstract: "Opens an incident where the members do not go together as they used to.",
            discussion: """
                A row is scored when all members have reported it; members that are --lateness behind
                the --share of them that reported most are waited for no longer.

                Example:
                  systole group watch plant --alerts-per-week 2
                """)

        @Argument(help: "The group.") var name: String
        @Option(help: "About how many incidents ordinary data may open.") var alertsPerWeek = 2.0
        @Option(help: "The share of the members without which no row is scored.") var share = 0.5
        @Option(help: "How late a member may be, such as '1 day'; three steps, an hour at least.")
        var lateness: String?
        @OptionGroup var database: DatabaseOptions

        func run() async throws {
            try await database.withPool { pool in
                let row = try await pool.run(
                    """
                    SELECT systole.watch_group(\(name), \(alertsPerWeek), \(share),
                        \(lateness)::interval) AS job_id
                    """
                ).only()
                print("job \(try row.int64("job_id"))")
            }
        }
    }

    /// `systole group unwatch`
    struct Unwatch: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "unwatch", abstract: "Stops scoring a group; scores and incidents stay.")

        @Argument(help: "The group.") var name: String
        @OptionGroup var database: DatabaseOptions

        func run() async throws {
            try await database.withPool { pool in
                _ = try await pool.run("SELECT systole.unwatch_group(\(name))")
            }
            print("group \(name) is no longer watched")
        }
    }
}
