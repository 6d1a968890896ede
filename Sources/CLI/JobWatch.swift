import Foundation
import Postgres

/// Follows a job to its end.
enum JobWatch {
    /// The job ended without doing what it was for.
    struct Failed: Error, CustomStringConvertible {
        let job: Int64
        let state: String
        let reason: String
        var description: String {
            reason.isEmpty ? "job \(job) is \(state)" : "job \(job) is \(state): \(reason)"
        }
    }

    /// Waits until a job is done, and shows how far it is.
    ///
    /// - Parameters:
    ///   - job: Its number.
    ///   - pool: Where it is asked after, twice a second.
    ///   - say: Gets the line whenever it changes; the progress line of a terminal apart from that.
    /// - Throws: `Failed` where it is given up or cancelled, `PostgresError` SY020 where there is none,
    ///   and what `say` throws.
    static func follow(
        _ job: Int64, on pool: Pool, say: (String) throws -> Void = { _ in }
    ) async throws {
        let line = ProgressLine()
        defer { line.end() }
        var said = ""
        while true {
            let rows = try await pool.run(
                """
                SELECT state, progress, error, kind, EXISTS (
                    SELECT FROM systole.worker AS w
                    WHERE j.kind = ANY (w.kinds) AND w.beat_at > now() - interval '30 seconds')
                    AS is_served
                FROM systole.jobs AS j WHERE job_id = \(job)
                """)
            guard let row = rows.first else {
                _ = try await pool.run("SELECT systole.raise_unknown_job(\(job))")
                return
            }
            let state = try row.text("state")
            switch state {
            case "done": return
            case "dead", "cancelled":
                throw Failed(job: job, state: state, reason: try row.optionalText("error") ?? "")
            default:
                var text = Self.line(job, state, try row.optionalText("progress"))
                if try !row.bool("is_served") {
                    text += "; no worker does \(try row.text("kind")) jobs: see `systole work`"
                }
                line.show(text)
                if text != said { try say(text) }
                said = text
                try await Task.sleep(for: .milliseconds(500))
            }
        }
    }

    /// A line such as `job 17 is running: fitting spacetime: 40 %`.
    static func line(_ job: Int64, _ state: String, _ progress: String?) -> String {
        let fit = progress.flatMap { text in
            // Jobs of other kinds may say other things; then the state has to do.
            try? JSONDecoder().decode(FitLine.self, from: Data(text.utf8))
        }
        return fit.map { "job \(job) is \(state): \($0.text)" } ?? "job \(job) is \(state)"
    }
}
