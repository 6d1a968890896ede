import Postgres
import Series
import Store
import TestSupport
import Testing

@Suite struct RetentionTests {
    private func years(_ pool: Pool) async throws -> [String] {
        try await pool.run(
            """
            SELECT right(c.relname, 4) AS year FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
            WHERE i.inhparent = 'systole.observation'::regclass ORDER BY 1
            """
        ).allTexts("year")
    }

    @Test func `observations are kept for ever until somebody says for how long, then by years`()
        async throws
    {
        try await withTestDatabase { database in
            let pool = database.pool
            _ = try await pool.run("SELECT systole.ensure_partitions('2001-01-01', now())")
            let all = try await years(pool)
            _ = try await pool.run("SELECT systole.apply_retention()")
            #expect(try await years(pool) == all)
            _ = try await pool.run("SELECT systole.set_retention('observations', '3 years')")
            _ = try await pool.run("SELECT systole.apply_retention()")
            let kept = try await years(pool)
            let first = try await pool.run(
                "SELECT extract(year FROM (now() - interval '3 years') AT TIME ZONE 'UTC')::text AS y"
            ).only().text("y")
            #expect(kept.first == first)
            #expect(kept.last == all.last)
            _ = try await pool.run("SELECT systole.set_retention('observations', NULL)")
            let rows = try await pool.run("SELECT what FROM systole.retention ORDER BY what")
            #expect(try rows.allTexts("what") == ["job_history"])
        }
    }

    @Test func `recordings that ended long ago go with their chunks; others stay`() async throws {
        try await withTestDatabase { database in
            let pool = database.pool
            let now = try await pool.run("SELECT systole.epoch_us(now()) AS t").only().int64("t")
            for (key, days) in [("old", 40), ("edge", 31), ("new", 2)] {
                // Each lasts two days.
                let start = Timestamp(microseconds: now - Int64(days) * 86_400_000_000)
                let header = RecordingHeader(
                    key: key, startedAt: start,
                    channels: [
                        RecordingChannel(
                            channel: Channel(name: "II", unit: PhysicalUnit("mV")),
                            rate: SamplingRate(1), sampleCount: 172_800)
                    ])
                let chunk = WaveformChunk(
                    channel: 0, firstSample: 0, gain: 1, baseline: 0, samples: [1, 2, 3])
                try await pool.transaction { db in
                    _ = try RecordingStore.store(header, chunks: [chunk], in: db)
                }
            }
            _ = try await pool.run("SELECT systole.set_retention('recordings', '30 days')")
            _ = try await pool.run("SELECT systole.apply_retention()")
            let kept = try await pool.run("SELECT recording FROM systole.recordings ORDER BY 1")
            #expect(try kept.allTexts("recording") == ["edge", "new"])
            let chunks = try await pool.number("SELECT count(*) AS n FROM systole.waveform_chunk")
            #expect(chunks == 2)
        }
    }

    @Test(arguments: [
        "'forecasts', '1 year'", "NULL, '1 year'", "'observations', '1 hour'",
        "'job_history', '-1 day'",
    ])
    func `a retention that makes no sense is refused`(arguments: String) async throws {
        try await withTestDatabase { database in
            let error = try await database.pool.refusal(
                of: "SELECT systole.set_retention(\(raw: arguments))")
            #expect(error?.sqlState == "SY029")
            #expect(error?.hint != nil)
        }
    }

    @Test func `who holds a snapshot is named, to a worker too`() async throws {
        try await withTestDatabase { database in
            let holder = try await Connection.open(database.configuration)
            _ = try await holder.run("BEGIN ISOLATION LEVEL REPEATABLE READ")
            let process = try await holder.run("SELECT 'process ' || pg_backend_pid() AS holder")
                .only().text("holder")
            var configuration = database.configuration
            configuration["user"] = "systole_worker"
            let worker = try await Connection.open(configuration)
            let held = try await worker.run("SELECT holder FROM systole.held_snapshots")
            #expect(try held.allTexts("holder").contains(process))
            _ = try await holder.run("ROLLBACK")
            let after = try await worker.run("SELECT holder FROM systole.held_snapshots")
            #expect(try !after.allTexts("holder").contains(process))
            await worker.close()
            await holder.close()
        }
    }
}
