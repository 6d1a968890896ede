import Foundation
import Postgres
import Store

/// Looks at the database: is it there, is its schema ours, is it well.
struct ServerExamination {
    let configuration: Configuration

    /// The findings, up to the first thing without which the next ones make no sense.
    func findings() async -> [Finding] {
        let server: ConnectionConfiguration
        do {
            if let external = try Database.external(configuration) {
                server = external
            } else if let running = try PrivateCluster.running(in: configuration.folder) {
                server = running
            } else {
                return [noDatabase()]
            }
        } catch {
            return [unreachable(error)]
        }
        let connection: Connection
        do {
            connection = try await Connection.open(server)
        } catch {
            return [unreachable(error)]
        }
        var findings = await reached(connection, server)
        let schema = await schema(connection)
        findings.append(schema)
        var examinations = HealthExamination.ofServer
        if schema.state == .fine { examinations += HealthExamination.ofService }
        for examination in examinations { findings.append(await examination.run(connection)) }
        await connection.close()
        return findings
    }

    private func noDatabase() -> Finding {
        if let missing = PrivateCluster.missingPrograms() {
            return Finding(
                "database", .wrong, "none is configured, and \(missing)",
                advice: "or set DATABASE_URL to a database that is there")
        }
        return Finding(
            "database", .note, "none runs in \(configuration.folder)",
            advice: "`systole up` starts it")
    }

    private func unreachable(_ error: any Error) -> Finding {
        Finding(
            "database", .wrong, Failure.sentence(for: error),
            advice: "check DATABASE_URL, or the PG* variables; `systole config` shows them")
    }

    private func reached(
        _ connection: Connection, _ server: ConnectionConfiguration
    ) async -> [Finding] {
        let version = await connection.serverVersion ?? 0
        var findings = [
            version >= 150_000
                ? Finding("database", .fine, "PostgreSQL \(version / 10_000) answers")
                : Finding(
                    "database", .wrong, "PostgreSQL \(version / 10_000) is too old",
                    advice: "use PostgreSQL 15 or newer")
        ]
        if !server.isLocal, let mode = server["sslmode"], mode != "verify-full" {
            findings.append(
                Finding(
                    "encryption", .note, "the server's certificate is not verified in full",
                    advice: "take sslmode=\(mode) out of the connection's text"))
        }
        return findings
    }

    private func schema(_ connection: Connection) async -> Finding {
        do {
            let status = try await Database.migrator(configuration).status(connection)
            guard let first = status.pending.first else {
                return Finding(
                    "schema", .fine, "all \(status.applied.count) migrations are applied")
            }
            return Finding(
                "schema", .wrong,
                "\(status.pending.count) migrations are missing, from \(first) on",
                advice: "run `systole migrate`")
        } catch is Database.NoMigrations {
            return await schemaNumber(connection)
        } catch {
            return Finding("schema", .wrong, Failure.sentence(for: error))
        }
    }

    /// What can be said where the files of the migrations are not at hand.
    private func schemaNumber(_ connection: Connection) async -> Finding {
        do {
            try await Database.requireVersion(connection)
            return Finding(
                "schema", .fine, "its number is \(Schema.versionNeeded), as needed")
        } catch StoreError.schemaDiffers(let found, let needed) where found < needed {
            return Finding(
                "schema", .wrong, "its number is \(found), and \(needed) is needed",
                advice: "run `systole migrate --migrations FOLDER`")
        } catch {
            return Finding("schema", .wrong, Failure.sentence(for: error))
        }
    }
}
