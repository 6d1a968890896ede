import Postgres
import Series
import TestSupport
import Testing

@testable import Store

@Suite struct OutboxTests {
    private static func read(
        _ database: TestDatabase, limit: Int = 100, consumer: String = "reader"
    ) async throws -> [String] {
        try await database.pool.transaction { db in
            try Outbox.read(consumer: consumer, limit: limit, in: db).map(\.subject)
        }
    }

    private static func append(_ subject: String, to connection: Connection) async throws {
        try await connection.run("SELECT systole.emit('ping', \(subject), '{}'::jsonb)")
    }

    @Test func `events come once, in order, in batches`() async throws {
        try await withTestDatabase { database in
            for number in 1...5 {
                try await database.pool.transaction { db in
                    _ = try Outbox.append(
                        type: "series.extended", subject: "s\(number)", data: #"{"rows": 1}"#,
                        in: db)
                }
            }
            #expect(try await Self.read(database, limit: 2) == ["s1", "s2"])
            #expect(try await Self.read(database, limit: 2) == ["s3", "s4"])
            #expect(try await Self.read(database, limit: 2) == ["s5"])
            #expect(try await Self.read(database, limit: 2) == [])
            #expect(try await Self.read(database, consumer: "other").count == 5)
        }
    }

    @Test func `an event carries what was given`() async throws {
        try await withTestDatabase { database in
            let id = try await database.pool.transaction { db in
                try Outbox.append(type: "ping", subject: "a", data: #"{"x": [1, 2]}"#, in: db)
            }
            let events = try await database.pool.transaction { db in
                try Outbox.read(consumer: "c", limit: 9, in: db)
            }
            #expect(events.count == 1)
            #expect(events.first?.id == id)
            #expect(events.first?.data == #"{"x": [1, 2]}"#)
        }
    }

    @Test func `commits in reversed order skip nothing`() async throws {
        try await withTestDatabase { database in
            let early = try await Connection.open(database.configuration.holding)
            let late = try await Connection.open(database.configuration.holding)
            // `early` takes the lower number and transaction id, but commits last.
            try await early.run("BEGIN")
            try await Self.append("early", to: early)
            try await late.run("BEGIN")
            try await Self.append("late", to: late)
            try await late.run("COMMIT")
            #expect(try await Self.read(database) == [])
            try await early.run("COMMIT")
            #expect(try await Self.read(database) == ["early", "late"])
            #expect(try await Self.read(database) == [])

            // A transaction that began early but appends only after a later one committed.
            try await early.run("BEGIN")
            try await early.run("SELECT pg_current_xact_id()")
            try await Self.append("second", to: late)
            #expect(try await Self.read(database) == [])
            try await Self.append("first", to: early)
            try await early.run("COMMIT")
            #expect(try await Self.read(database) == ["first", "second"])
            await early.close()
            await late.close()
        }
    }

    @Test func `a writer in another database holds nothing up`() async throws {
        try await withTestDatabase { other in
            let foreign = try await Connection.open(other.configuration.holding)
            try await foreign.run("BEGIN")
            try await foreign.run("SELECT pg_current_xact_id()")
            try await withTestDatabase { database in
                let connection = try await Connection.open(database.configuration)
                try await Self.append("a", to: connection)
                #expect(try await Self.read(database) == ["a"])
                await connection.close()
            }
            try await foreign.run("COMMIT")
            await foreign.close()
        }
    }

    @Test func `many writers and one reader: each event exactly once`() async throws {
        try await withTestDatabase { database in
            let writers = 4
            let each = 40
            let seen = try await withThrowingTaskGroup(of: Void.self) { group in
                for writer in 0..<writers {
                    group.addTask {
                        for number in 0..<each {
                            try await database.pool.transaction { db in
                                _ = try Outbox.append(
                                    type: "ping", subject: "\(writer)-\(number)", data: "{}",
                                    in: db)
                            }
                        }
                    }
                }
                var seen: [String] = []
                while seen.count < writers * each {
                    seen += try await Self.read(database, limit: 7)
                }
                try await group.waitForAll()
                return seen + (try await Self.read(database))
            }
            #expect(seen.count == writers * each)
            #expect(Set(seen).count == seen.count)
            for writer in 0..<writers {
                let own = seen.filter { $0.hasPrefix("\(writer)-") }
                #expect(own == (0..<each).map { "\(writer)-\($0)" })
            }
        }
    }

    @Test func `a reader that rolls back gets the same events again`() async throws {
        struct Stop: Error {}
        try await withTestDatabase { database in
            let connection = try await Connection.open(database.configuration)
            try await Self.append("a", to: connection)
            await #expect(throws: Stop.self) {
                try await database.pool.transaction { db in
                    #expect(try Outbox.read(consumer: "reader", limit: 9, in: db).count == 1)
                    throw Stop()
                }
            }
            #expect(try await Self.read(database) == ["a"])
            await connection.close()
        }
    }

    @Test func `an event with a known dedupe key is not told again`() async throws {
        try await withTestDatabase { database in
            let ids = try await database.pool.transaction { db in
                try (0..<2).map { _ in
                    try Outbox.append(
                        type: "ping", subject: "a", data: "{}", dedupeKey: "k", in: db)
                }
            }
            #expect(ids[0] != nil && ids[1] == nil)
        }
    }

    @Test func `an idle reader writes nothing`() async throws {
        try await withTestDatabase { database in
            let connection = try await Connection.open(database.configuration)
            try await Self.append("a", to: connection)
            _ = try await Self.read(database)
            let isUntouched = try await database.pool.transaction { db in
                _ = try Outbox.read(consumer: "reader", limit: 9, in: db)
                return try db.run("SELECT pg_current_xact_id_if_assigned() IS NULL AS yes")
                    .only().bool("yes")
            }
            #expect(isUntouched)
            await connection.close()
        }
    }

    @Test(arguments: ["", "Ping", "a b", "a..b"])
    func `a malformed type is refused`(_ type: String) async throws {
        try await withTestDatabase { database in
            let error = try await database.pool.refusal(
                of: "SELECT systole.emit(\(type), 'a', '{}')")
            #expect(error?.constraint == "outbox_type_usable")
        }
    }
}
