import Jobs
import Postgres
import Testing

@Suite(.timeLimit(.minutes(2))) struct UniqueKeyTests {
    private func request(_ arguments: String, _ conflict: JobRequest.Conflict) -> JobRequest {
        var request = JobRequest(kind: "work", arguments: arguments, uniqueKey: "k")
        request.conflict = conflict
        return request
    }

    @Test func `a living job stands for a second one with its key`() async throws {
        try await QueueFixture.with { fixture in
            let first = try await fixture.enqueue(request(#"{"n": 1}"#, .skip))
            #expect(try await fixture.enqueue(request(#"{"n": 2}"#, .skip)) == first)
            #expect(try await fixture.value("SELECT count(*) FROM systole.job") == "1")
            var other = request("{}", .skip)
            other.kind = "other"
            #expect(try await fixture.enqueue(other) != first)
        }
    }

    @Test func `concurrent requests with one key make one job`() async throws {
        try await QueueFixture.with { fixture in
            let ids = try await withThrowingTaskGroup(of: Int64.self) { group in
                for _ in 0..<20 {
                    group.addTask { try await fixture.enqueue(self.request("{}", .skip)) }
                }
                return try await group.reduce(into: Set<Int64>()) { $0.insert($1) }
            }
            #expect(ids.count == 1)
        }
    }

    @Test func `the key is free again when the job has finished`() async throws {
        try await QueueFixture.with { fixture in
            let first = try await fixture.enqueue(request("{}", .skip))
            let lease = try #require(try await fixture.claim(fixture.register()).first)
            try await fixture.pool.transaction { db in try fixture.queue.complete(lease, db) }
            #expect(try await fixture.enqueue(request("{}", .skip)) != first)
        }
    }

    @Test func `replacing gives a waiting job the new arguments`() async throws {
        try await QueueFixture.with { fixture in
            try await fixture.enqueue(request(#"{"n": 1}"#, .replace))
            try await fixture.enqueue(request(#"{"n": 2}"#, .replace))
            let leases = try await fixture.claim(fixture.register(), count: 9)
            #expect(leases.map(\.arguments) == [#"{"n": 2}"#])
        }
    }

    @Test(arguments: [true, false])
    func `replacing a running job runs it once more`(one: Bool) async throws {
        try await QueueFixture.with { fixture in
            try await fixture.enqueue(request(#"{"n": 1}"#, .replace))
            let worker = try await fixture.register()
            let lease = try #require(try await fixture.claim(worker).first)
            try await fixture.enqueue(request(#"{"n": 2}"#, .replace))
            try await fixture.enqueue(request(#"{"n": 3}"#, .replace))
            #expect(try await fixture.claim(worker).isEmpty)
            if one {
                try await fixture.pool.transaction { db in try fixture.queue.complete(lease, db) }
            } else {
                let completed = try await fixture.session { db in
                    try fixture.queue.complete([lease], db)
                }
                #expect(completed == [lease.jobID])
            }
            let again = try await fixture.claim(worker, count: 9)
            #expect(again.map(\.arguments) == [#"{"n": 3}"#])
        }
    }
}
