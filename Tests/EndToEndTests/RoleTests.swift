import Foundation
import Postgres
import TestSupport
import Testing

/// The service with every part under its own role, as an installation that trusts none with more.
@Suite struct RoleTests {
    /// How a process connects as `role`.
    private func environment(_ database: TestDatabase, as role: String) -> [String: String] {
        var configuration = database.configuration
        configuration["user"] = role
        let url = configuration.parameters.map { "\($0)='\($1)'" }.joined(separator: " ")
        return ["DATABASE_URL": url, "SYSTOLE_LOG_LEVEL": "warning"]
    }

    @Test func `ingest, schedule, train, forecast, score and ask, each as who may`() async throws {
        try await withTestDatabase { database in
            let pool = database.pool
            let folder = FileManager.default.temporaryDirectory.appending(
                path: "systole-\(UUID().uuidString)")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(at: folder) }
            func systole(_ role: String, _ arguments: String...) throws -> String {
                let outcome = try Executable.run(
                    arguments, in: folder, environment: environment(database, as: role))
                #expect(outcome.status == 0, "\(role): \(arguments) \(outcome.errors)")
                return outcome.output
            }
            let plant = try Executable.run(
                ["simulate", "plant", "--hours", "500", "--seed", "1"], in: folder)
            try plant.output.write(
                to: folder.appending(path: "plant.csv"), atomically: true, encoding: .utf8)
            _ = try systole("systole_ingest", "ingest", "plant.csv")

            let worker = try Executable.start(
                ["work", "--role", "forecast,train,schedule"], in: folder,
                environment: environment(database, as: "systole_worker"))
            let notifier = try Executable.start(
                ["work", "--role", "notify"], in: folder,
                environment: environment(database, as: "systole_notify"))
            let key = try await pool.run("SELECT min(series) AS key FROM systole.series_list")
                .only().text("key")
            _ = try systole(
                "systole_api", "webhook", "add", "http://127.0.0.1:9/hook", "--events",
                "forecast.completed")
            _ = try systole(
                "systole_api", "schedule", "add", key, "--horizon", "24 hours", "--every",
                "1 second")
            _ = try await pool.run("SELECT systole.watch(\(key))")
            try await waitUntil("a forecast, a model, scores and a delivery are there", on: pool) {
                """
                SELECT EXISTS (SELECT FROM systole.forecasts) AND EXISTS (SELECT FROM systole.models)
                    AND EXISTS (SELECT FROM systole.job_history WHERE kind = 'score' AND state = 'done')
                    AND EXISTS (SELECT FROM systole.webhook_log WHERE attempt IS NOT NULL) AS holds
                """
            }
            let jobs = try systole("systole_reader", "job", "list", "--json")
            #expect(jobs.contains("forecast"))
            _ = try systole("systole_reader", "doctor", "--invariants")
            for process in [worker, notifier] {
                process.process.terminate()
                let end = process.outcome()
                #expect(end.status == 0, "\(end.errors)")
                #expect(!end.errors.contains("42501"), "\(end.errors)")
            }
            let failures = try await pool.run(
                "SELECT kind || ': ' || error AS line FROM systole.dead_jobs")
            #expect(try failures.allTexts("line").isEmpty)
        }
    }
}
