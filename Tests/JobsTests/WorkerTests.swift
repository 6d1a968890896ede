import Foundation
import Jobs
import Logging
import Postgres
import ServiceLifecycle
import Synchronization
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(3))) struct WorkerTests {
    struct Broken: Error {}

    private let insert: SQL = "INSERT INTO public.result DEFAULT VALUES"
    private let count: SQL = "SELECT count(*) FROM public.result"

    private func makeResultTable(_ fixture: QueueFixture) async throws {
        try await fixture.run("CREATE TABLE public.result (n bigint GENERATED ALWAYS AS IDENTITY)")
    }

    @Test func `as a service, with a leader, it does scheduled and enqueued jobs to the end`()
        async throws
    {
        try await QueueFixture.with { fixture in
            try await makeResultTable(fixture)
            let done = Mailbox<String>()
            let worker = fixture.worker(
                ClosureHandler { lease, context in
                    context.report(fraction: 0.5, note: "half")
                    done.send(lease.arguments)
                    return { db in try db.run(insert) }
                })
            let leader = Leader(holder: UUID(), pool: fixture.pool, logger: .silent)
            let services = ServiceGroup(services: [worker, leader], logger: .silent)
            async let running: Void = services.run()
            try await fixture.enqueue(JobRequest(kind: "work", arguments: #"{"n": 1}"#))
            #expect(await done.next() == #"{"n": 1}"#)
            try await fixture.run(
                "SELECT systole.create_schedule('s', 'work', '{\"n\": 2}', every => '1 second')")
            #expect(await done.next() == #"{"n": 2}"#)
            await services.triggerGracefulShutdown()
            try await running

            let states = try await fixture.run("SELECT DISTINCT state FROM systole.jobs")
            #expect(try Set(states.allTexts("state")).isSubset(of: ["done", "ready"]))
            let results = try await fixture.value(count)
            let completed = try await fixture.value(
                "SELECT count(*) FROM systole.jobs WHERE state = 'done'")
            #expect(results == completed)
            #expect(try await fixture.value("SELECT count(*) FROM systole.worker") == "0")
        }
    }

    @Test func `effects and completion are one`() async throws {
        try await QueueFixture.with { fixture in
            try await makeResultTable(fixture)
            let tries = Mailbox<Int>()
            let worker = fixture.worker(
                ClosureHandler { lease, _ in
                    { db in
                        try db.run(insert)
                        tries.send(lease.attempt)
                        if lease.attempt == 1 { throw Broken() }
                    }
                })
            let job = try await fixture.enqueue("work")
            try await fixture.whileRunning(worker) { _ = await tries.next() }
            #expect(try await fixture.value(count) == "0")
            #expect(try await fixture.state(job) == "retrying")
            #expect(try await fixture.value("SELECT error_class FROM systole.job") == "Broken")

            try await fixture.makeDue(job)
            let second = fixture.worker(
                ClosureHandler { lease, _ in
                    { db in
                        try db.run(insert)
                        tries.send(lease.attempt)
                    }
                })
            try await fixture.whileRunning(second) { #expect(await tries.next() == 2) }
            #expect(try await fixture.value(count) == "1")
            #expect(try await fixture.state(job) == "done")
        }
    }

    @Test func `a permanent error is not tried again, and its epitaph is written with it`()
        async throws
    {
        struct Doomed: JobHandler {
            let kind = "work"
            let tried: Mailbox<Void>

            func run(_ lease: Lease, _ context: JobContext) async throws -> Effects {
                tried.send(())
                throw PermanentJobError("There is no such series.")
            }

            func abandonment(of lease: Lease, because failure: JobFailure) -> Effects? {
                { db in try db.run("INSERT INTO public.result DEFAULT VALUES") }
            }
        }
        try await QueueFixture.with { fixture in
            try await makeResultTable(fixture)
            let tried = Mailbox<Void>()
            let job = try await fixture.enqueue("work")
            try await fixture.whileRunning(fixture.worker(Doomed(tried: tried))) {
                await tried.next()
            }
            let row = try await fixture.run(
                "SELECT state, error FROM systole.jobs WHERE job_id = \(job)::bigint"
            ).only()
            #expect(try row.text("state") == "dead")
            #expect(try row.text("error") == "There is no such series.")
            #expect(try await fixture.value(count) == "1")
        }
    }

    @Test func `cancelling a job reaches its handler`() async throws {
        try await QueueFixture.with { fixture in
            let events = Mailbox<String>()
            let worker = fixture.worker(
                ClosureHandler { _, context in
                    events.send("started")
                    do {
                        try await waitForever()
                    } catch {
                        events.send(context.stopReason?.rawValue ?? "none")
                        throw error
                    }
                    return { _ in }
                })
            let job = try await fixture.enqueue("work")
            try await fixture.whileRunning(worker) {
                #expect(await events.next() == "started")
                _ = try await fixture.session { db in
                    try fixture.queue.cancel(jobID: job, db)
                }
                #expect(await events.next() == "cancelled")
            }
            #expect(try await fixture.state(job) == "cancelled")
        }
    }

    @Test func `a run that lost its lease is stopped and leaves nothing`() async throws {
        try await QueueFixture.with { fixture in
            try await makeResultTable(fixture)
            let events = Mailbox<String>()
            let worker = fixture.worker(
                ClosureHandler { lease, context in
                    events.send("started \(lease.number)")
                    if lease.number == 1 {
                        // Deaf: finishes although it is told to stop.
                        try? await waitForever()
                        events.send(context.stopReason?.rawValue ?? "none")
                    }
                    return { db in try db.run(insert) }
                })
            let job = try await fixture.enqueue("work")
            try await fixture.whileRunning(worker) {
                #expect(await events.next() == "started 1")
                // What a rescue by others does.
                try await fixture.run(
                    """
                    SELECT systole.release_jobs(\([job])::bigint[], '{1}'), pg_notify('systole_wake',
                        'cancel')
                    """)
                let both = [await events.next(), await events.next()]
                #expect(Set(both) == ["started 2", "lost"])
            }
            #expect(try await fixture.value(count) == "1")
            #expect(try await fixture.state(job) == "done")
            #expect(try await fixture.value("SELECT lease_no FROM systole.job_history") == "2")
        }
    }

    @Test func `draining gives unfinished runs back without spending an attempt`() async throws {
        try await QueueFixture.with { fixture in
            var options = WorkerOptions()
            options.drainMaximum = .milliseconds(50)
            let events = Mailbox<String>()
            let worker = Worker(
                identity: WorkerIdentity(id: UUID(), host: "test", process: 1, version: "test"),
                handlers: [
                    ClosureHandler { _, context in
                        events.send("started")
                        do {
                            try await waitForever()
                        } catch {
                            events.send(context.stopReason?.rawValue ?? "none")
                            throw error
                        }
                        return { _ in }
                    }
                ], pool: fixture.pool, options: options, logger: .silent)
            let job = try await fixture.enqueue("work")
            try await fixture.whileRunning(worker) {
                #expect(await events.next() == "started")
            }
            #expect(await events.next() == "draining")
            let row = try await fixture.run(
                "SELECT state, attempt FROM systole.jobs WHERE job_id = \(job)::bigint"
            ).only()
            #expect(try row.text("state") == "ready")
            #expect(try row.int("attempt") == 0)
            #expect(try await fixture.value("SELECT count(*) FROM systole.worker") == "0")
        }
    }

    @Test func `draining lets a run finish that can`() async throws {
        try await QueueFixture.with { fixture in
            try await makeResultTable(fixture)
            let started = Mailbox<Void>()
            let goOn = Mailbox<Void>()
            let worker = fixture.worker(
                ClosureHandler { _, _ in
                    started.send(())
                    _ = await goOn.next()
                    return { db in try db.run(insert) }
                })
            let job = try await fixture.enqueue("work")
            async let running: Void = worker.run()
            await started.next()
            worker.drain()
            goOn.send(())
            try await running
            #expect(try await fixture.state(job) == "done")
            #expect(try await fixture.value(count) == "1")
        }
    }

    @Test func `the heart beats while handlers keep every thread of the pool busy`() async throws {
        try await QueueFixture.with { fixture in
            var options = WorkerOptions()
            options.slots = 2 * ProcessInfo.processInfo.activeProcessorCount
            options.beatInterval = .milliseconds(20)
            let identity = WorkerIdentity(id: UUID(), host: "test", process: 1, version: "test")
            let release = Atomic(false)
            let blocked = Mailbox<Void>()
            let worker = Worker(
                identity: identity,
                handlers: [
                    ClosureHandler { _, _ in
                        blocked.send(())
                        while !release.load(ordering: .acquiring) {}
                        return { _ in }
                    }
                ], pool: fixture.pool, options: options, logger: .silent)
            let watcher = try await Connection.open(fixture.database.configuration)
            // On its own thread from here to its end, as the heart is.
            async let beats = watcher.withSession { db in
                defer { release.store(true, ordering: .releasing) }
                while try db.run("SELECT count(*) AS n FROM systole.job WHERE state = 'running'")
                    .only().int("n") < 2
                { try db.run("SELECT pg_sleep(0.01)") }
                let query: SQL = "SELECT beat_at FROM systole.worker"
                let first = try db.run(query).only().epochMicroseconds("beat_at")
                for _ in 0..<500 {
                    try db.run("SELECT pg_sleep(0.01)")
                    let next = try db.run(query).only().epochMicroseconds("beat_at")
                    if next > first { return true }
                }
                return false
            }
            try await fixture.enqueue(count: options.slots)
            try await fixture.whileRunning(worker) {
                await blocked.next()
            }
            #expect(try await beats)
            await watcher.close()
        }
    }

    @Test func `progress is shown and a worker taken for dead comes back`() async throws {
        try await QueueFixture.with { fixture in
            let started = Mailbox<Void>()
            let goOn = Mailbox<Void>()
            let worker = fixture.worker(
                ClosureHandler { _, context in
                    context.report(fraction: 0.25, note: "epoch 3")
                    started.send(())
                    _ = await goOn.next()
                    return { _ in }
                })
            try await fixture.enqueue("work")
            try await fixture.whileRunning(worker) {
                await started.next()
                let listener = try await Connection.open(fixture.database.configuration)
                try await fixture.run("DELETE FROM systole.worker")
                let watched: SQL =
                    """
                    SELECT (SELECT count(*) FROM systole.worker) = 1 AND EXISTS (
                        SELECT FROM systole.job WHERE progress ->> 'note' = 'epoch 3') AS seen
                    """
                try await fixture.run("SELECT pg_notify('systole_wake', 'cancel')")
                let seen = try await listener.withSession { db in
                    for _ in 0..<1000 {
                        if try db.run(watched).only().bool("seen") { return true }
                        try db.run("SELECT pg_sleep(0.01)")
                    }
                    return false
                }
                #expect(seen)
                await listener.close()
                goOn.send(())
            }
        }
    }

    @Test(arguments: [true, false])
    func `two workers do many jobs, each once`(hasEffects: Bool) async throws {
        try await QueueFixture.with { fixture in
            try await makeResultTable(fixture)
            let jobs = 300
            try await fixture.enqueue(count: jobs)
            let left = Atomic(jobs)
            let finished = Mailbox<Void>()
            let handler = ClosureHandler(hasEffects: hasEffects) { _, _ in
                if left.subtract(1, ordering: .relaxed).newValue == 0 { finished.send(()) }
                return { db in try db.run(insert) }
            }
            let first = fixture.worker(handler, slots: 4)
            let second = fixture.worker(handler, slots: 20)
            try await fixture.whileRunning(first) {
                try await fixture.whileRunning(second) { await finished.next() }
            }
            let done = try await fixture.value(
                """
                SELECT count(*) || ' ' || count(DISTINCT job_id) || ' ' || max(lease_no)
                FROM systole.job_history WHERE state = 'done'
                """)
            #expect(done == "\(jobs) \(jobs) 1")
            #expect(try await fixture.value(count) == (hasEffects ? "\(jobs)" : "0"))
        }
    }
}
