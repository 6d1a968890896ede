import Foundation
import Jobs
import Postgres
import Series
import Store
import Testing

@testable import Workflows

/// What the tests of workflows begin with: an hourly wave in the database, and a worker of one run.
enum Plant {
    static let environment = FittingEnvironment(threads: 1, seed: 1, codeVersion: "test")
    static let end = Timestamp(unixSeconds: 1_767_225_600)

    /// Stores an hourly daily wave with a little noise that ends at `end`.
    static func storeWave(
        hours: Int, until end: Timestamp = end, on pool: Pool
    ) async throws -> SeriesID {
        try await pool.transaction { db in
            let series = try SeriesStore.ensure(
                key: "plant.wave", unit: PhysicalUnit("Cel"), stepMicroseconds: 3_600_000_000,
                in: db)
            _ = try SeriesStore.append(wave(hours: hours, until: end), to: series.id, in: db)
            return series.id
        }
    }

    static func wave(hours: Int, until end: Timestamp) -> [Observation] {
        (0..<hours).map { hour in
            let at = end + .seconds(3600 * (hour - hours + 1))
            let phase = Double(hour) / 24 * 2 * Double.pi
            let noise = sin(Double(hour) * 12.9898) * 0.3
            return Observation(at: at, value: 20 + 5 * sin(phase) + noise)
        }
    }

    /// Enqueues a job and claims it for a worker of its own.
    static func claim(
        _ kind: String, enqueue: SQL, on pool: Pool
    ) async throws -> Lease {
        _ = try await pool.run(enqueue)
        let worker = UUID()
        _ = try await pool.run(
            """
            SELECT systole.register_worker(\(worker.uuidString)::uuid, 'test', 1::bigint, 'test',
                \([kind])::text[], 1)
            """)
        let leases = try await pool.withConnection { connection in
            try await connection.withSession { db in
                try JobQueue().claim(worker: worker, kinds: [kind], count: 1, db)
            }
        }
        return try #require(leases.first)
    }

    /// Runs a claimed job as a worker does: computes, then writes effects and completion together.
    static func perform(
        _ handler: some JobHandler, _ lease: Lease, on pool: Pool
    ) async throws {
        let context = JobContext(deadline: .now + .seconds(60))
        let effects = try await handler.run(lease, context)
        try await pool.transaction { db in
            try JobQueue().complete(lease, result: context.result, db)
            try effects(db)
        }
    }

    /// Enqueues a job, claims and runs it.
    static func perform(
        _ handler: some JobHandler, enqueue: SQL, on pool: Pool
    ) async throws {
        let lease = try await claim(handler.kind, enqueue: enqueue, on: pool)
        try await perform(handler, lease, on: pool)
    }
}
