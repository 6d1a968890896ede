import Jobs
import Postgres
import TestSupport
import Testing

/// What a session remembers in `systole.ready_from` while an old snapshot makes looking expensive:
/// where the ready jobs of each kind begin.
@Suite(.timeLimit(.minutes(2))) struct ClaimMemoryTests {
    /// Lets a session remember that the jobs of a kind begin after the first of them.
    private func remember(
        _ kind: String, for seconds: Int, _ db: borrowing Session
    ) throws(PostgresError) {
        try db.run(
            """
            SELECT set_config('systole.ready_from', jsonb_build_object(
                'until', clock_timestamp() + \(seconds)::integer * interval '1 second',
                'turns', jsonb_build_object(\(kind)::text,
                    (SELECT min(j.turn_us) + 1 FROM systole.job j WHERE j.kind = \(kind))))::text, false)
            """)
    }

    /// Three jobs, a second apart.
    private func enqueueThree(_ fixture: QueueFixture, _ kind: String = "work") async throws
        -> [Int64]
    {
        var ids: [Int64] = []
        for place in 0..<3 {
            let id = try await fixture.enqueue(kind)
            try await fixture.run(
                """
                UPDATE systole.job SET run_at = now() - interval '1 hour'
                    + \(place)::integer * interval '1 second' WHERE job_id = \(id)::bigint
                """)
            ids.append(id)
        }
        return ids
    }

    @Test func `a session begins where it remembers, others begin at the start`() async throws {
        try await QueueFixture.with { fixture in
            let ids = try await enqueueThree(fixture)
            let worker = try await fixture.register()
            let remembering = try await Connection.open(fixture.database.configuration)
            let taken = try await remembering.withSession { db in
                try remember("work", for: 3600, db)
                return try fixture.queue.claim(worker: worker, kinds: ["work"], count: 1, db)
            }
            #expect(taken.map(\.jobID) == [ids[1]])
            #expect(try await fixture.claim(worker).map(\.jobID) == [ids[0]])
            await remembering.close()
        }
    }

    @Test func `when the time is over, everything is looked at`() async throws {
        try await QueueFixture.with { fixture in
            let ids = try await enqueueThree(fixture)
            let worker = try await fixture.register()
            let connection = try await Connection.open(fixture.database.configuration)
            let taken = try await connection.withSession { db in
                try remember("work", for: -1, db)
                return try fixture.queue.claim(worker: worker, kinds: ["work"], count: 1, db)
            }
            #expect(taken.map(\.jobID) == [ids[0]])
            await connection.close()
        }
    }

    @Test func `jobs that have just become due, and kinds that it knows nothing of, are seen`()
        async throws
    {
        try await QueueFixture.with { fixture in
            let ids = try await enqueueThree(fixture)
            let others = try await enqueueThree(fixture, "other")
            let worker = try await fixture.register()
            let connection = try await Connection.open(fixture.database.configuration)
            let other = try await connection.withSession { db in
                try remember("work", for: 3600, db)
                return try fixture.queue.claim(worker: worker, kinds: ["other"], count: 1, db)
            }
            #expect(other.map(\.jobID) == [others[0]])
            try await fixture.run(
                "UPDATE systole.job SET state = 'scheduled' WHERE job_id = \(ids[0])::bigint")
            let due = try await connection.withSession { db in
                try fixture.queue.claim(worker: worker, kinds: ["work"], count: 1, db)
            }
            #expect(due.map(\.jobID) == [ids[0]])
            await connection.close()
        }
    }

    @Test func `what nobody wrote for us is a clear error of that session alone`() async throws {
        try await QueueFixture.with { fixture in
            let ids = try await enqueueThree(fixture)
            let worker = try await fixture.register()
            let connection = try await Connection.open(fixture.database.configuration)
            let error = await #expect(throws: PostgresError.self) {
                try await connection.withSession { db in
                    try db.run("SELECT set_config('systole.ready_from', 'soon', false)")
                    _ = try fixture.queue.claim(worker: worker, kinds: ["work"], count: 1, db)
                }
            }
            #expect(error?.sqlState == "22P02")
            #expect(try await fixture.claim(worker).map(\.jobID) == [ids[0]])
            await connection.close()
        }
    }
}
