import Foundation
import Postgres
import Series
import TestSupport
import Testing

@testable import Store

/// Groups of series: what makes one, what does not, and what is left when it goes.
@Suite struct GroupTests {
    /// Three hourly series of plant a, and one each with another step, without one and of plant b.
    private static func plant(in db: borrowing Session) throws -> [SeriesID] {
        let members = try ["a.1", "a.2", "a.3"].map { try Fixture.series($0, in: db) }
        _ = try Fixture.series("b.1", in: db)
        _ = try SeriesStore.ensure(key: "minutes", stepMicroseconds: 60_000_000, in: db)
        _ = try SeriesStore.ensure(key: "stepless", in: db)
        try db.run(
            """
            SELECT systole.label_series(k, '{"plant": "a"}') FROM unnest('{a.1,a.2,a.3}'::text[]) k;
            """)
        try db.run(
            """
            SELECT systole.label_series('b.1', '{"plant": "b"}'),
                systole.label_series('minutes', '{"mixed": "y"}'),
                systole.label_series('a.1', '{"mixed": "y"}')
            """)
        return members
    }

    @Test
    func `the members of a group are those that have its labels when it is made or refreshed`()
        async throws
    {
        try await withTestDatabase { database in
            try await database.pool.transaction { db in
                let members = try Self.plant(in: db)
                // 00:17 past the hour: the rows of the group lie there.
                let late = Timestamp(microseconds: Fixture.at(7).microseconds + 17 * 60_000_000)
                try SeriesStore.append([Observation(at: late, value: 1)], to: members[0], in: db)
                let id = try db.run(
                    "SELECT systole.create_group('plant', labels => '{\"plant\": \"a\"}') AS id"
                ).only().int64("id")
                let group = try #require(try GroupStore.find(GroupID(id), in: db))
                #expect(group.members == members && group.strangers.isEmpty)
                #expect(group.grid.phaseMicroseconds == 17 * 60_000_000)
                #expect(group.grid.instant(of: group.grid.number(of: late)) == late)
                try db.run(
                    """
                    SELECT systole.label_series('b.1', '{"plant": "a"}'),
                        systole.label_series('a.3', '{"plant": null}')
                    """)
                #expect(try GroupStore.find(GroupID(id), in: db)?.members == members)
                let change = try db.run("SELECT joined, gone FROM systole.refresh_group('plant')")
                #expect(try change.only().int("joined") == 1)
                #expect(try change.only().int("gone") == 1)
                let shown = try db.run("SELECT members, series FROM systole.groups").only()
                #expect(try shown.texts("series") == ["a.1", "a.2", "b.1"])
            }
        }
    }

    struct Wrong: CustomTestStringConvertible, Sendable {
        let call: SQL
        let state: String
        let says: String
        var testDescription: String { says }
    }

    @Test(arguments: [
        Wrong(
            call: "systole.create_group('g', labels => '{\"plant\": \"none\"}')", state: "SY028",
            says: "No series has the labels"),
        Wrong(
            call: "systole.create_group('g', labels => '[1]')", state: "SY028",
            says: "Labels are a JSON object"),
        Wrong(
            call: "systole.create_group('g', labels => '{\"plant\": \"b\"}')", state: "SY036",
            says: "A group has 2 to 1000 members; found 1."),
        Wrong(
            call: "systole.create_group('g', series => '{a.1,a.1}')", state: "SY036",
            says: "A group has 2 to 1000 members; found 1."),
        Wrong(
            call: "systole.create_group('g', series => '{}')", state: "SY036",
            says: "A group has 2 to 1000 members; found 0."),
        Wrong(
            call: "systole.create_group('g', series => '{a.1,nobody}')", state: "SY001",
            says: "There is no series 'nobody'."),
        Wrong(
            call: "systole.create_group('g', labels => '{\"mixed\": \"y\"}')", state: "SY036",
            says: "'a.1' has 01:00:00, and these have others: 'minutes'."),
        Wrong(
            call: "systole.create_group('g', series => '{a.1,stepless}')", state: "SY006",
            says: "The step of these series is not known: 'stepless'."),
        Wrong(
            call: "systole.create_group('g')", state: "SY036",
            says: "A group is of named series, or"),
        Wrong(
            call: "systole.create_group('g', labels => '{}', series => '{a.1}')", state: "SY036",
            says: "A group is of named series"),
        Wrong(
            call: "systole.create_group('plant', series => '{a.1,a.2}')", state: "SY036",
            says: "There is a group 'plant' already."),
        Wrong(
            call: "systole.create_group('', series => '{a.1,a.2}')", state: "SY036",
            says: "A group cannot be called ''."),
        Wrong(
            call: "systole.create_group(E'a\\nb', series => '{a.1,a.2}')", state: "SY036",
            says: "A group cannot be called"),
        Wrong(
            call: "systole.create_group(NULL, series => '{a.1,a.2}')", state: "SY036",
            says: "A group cannot be called NULL."),
        Wrong(
            call: "systole.create_group(repeat('x', 201), series => '{a.1,a.2}')", state: "SY036",
            says: "A group cannot be called"),
        Wrong(
            call: "systole.refresh_group('named')", state: "SY036",
            says: "The members of group 'named' were named, and stay."),
        Wrong(
            call: "systole.drop_group('none')", state: "SY036", says: "There is no group 'none'."),
        Wrong(call: "systole.drop_group(NULL)", state: "SY036", says: "There is no group NULL."),
        Wrong(call: "systole.watch_group('none')", state: "SY036", says: "There is no group"),
        Wrong(
            call: "systole.watch_group('plant', alerts_per_week => 0)", state: "SY011",
            says: "0 alerts a week cannot be aimed at."),
        Wrong(
            call: "systole.watch_group('plant', share => 1.1)", state: "SY036",
            says: "Rows cannot wait for a share of 1.1"),
        Wrong(
            call: "systole.watch_group('plant', share => 'NaN')", state: "SY036",
            says: "Rows cannot wait for a share of NaN"),
        Wrong(
            call: "systole.watch_group('plant', lateness => '-1 hour')", state: "SY036",
            says: "Members cannot be -01:00:00 late."),
        Wrong(call: "systole.unwatch_group('none')", state: "SY036", says: "There is no group"),
        Wrong(call: "systole.group_scores('none')", state: "SY036", says: "There is no group"),
    ])
    func `what cannot be a group is refused with a sentence`(_ wrong: Wrong) async throws {
        try await withTestDatabase { database in
            let error = await #expect(throws: PostgresError.self) {
                try await database.pool.transaction { db in
                    _ = try Self.plant(in: db)
                    try db.run("SELECT systole.create_group('plant', '{\"plant\": \"a\"}')")
                    try db.run("SELECT systole.create_group('named', series => '{a.1,a.2}')")
                    try db.run("SELECT \(wrong.call)")
                }
            }
            #expect(error?.sqlState == wrong.state)
            #expect(error?.message.contains(wrong.says) == true, "\(String(describing: error))")
            #expect(error?.hint != nil || wrong.state == "SY028")
        }
    }

    @Test(arguments: ["'; DROP SCHEMA systole; --", "a\"b\\c", "größe 工場 🏭", "{a,b}", "%s %I"])
    func `a group may be called anything that can be read`(_ name: String) async throws {
        try await withTestDatabase { database in
            try await database.pool.transaction { db in
                _ = try Self.plant(in: db)
                try db.run("SELECT systole.create_group(\(name), series => '{a.1,a.2}')")
                try db.run("SELECT systole.watch_group(\(name))")
                #expect(try db.run("SELECT name FROM systole.groups").allTexts("name") == [name])
                try db.run("SELECT systole.drop_group(\(name))")
                #expect(try db.run("SELECT name FROM systole.groups").isEmpty)
            }
        }
    }

    @Test func `a member that is deleted leaves its groups`() async throws {
        try await withTestDatabase { database in
            try await database.pool.transaction { db in
                let members = try Self.plant(in: db)
                let id = try db.run("SELECT systole.create_group('g', '{\"plant\": \"a\"}') AS id")
                    .only().int64("id")
                try db.run("DELETE FROM systole.series WHERE key = 'a.2'")
                let group = try GroupStore.find(GroupID(id), in: db)
                #expect(group?.members == [members[0], members[2]])
                try db.run("UPDATE systole.series SET step_us = 60000000 WHERE key = 'a.3'")
                #expect(try GroupStore.find(GroupID(id), in: db)?.strangers == ["a.3"])
            }
        }
    }

    private static func peak(
        _ members: [SeriesID], score: Double = 5, at: Int = 5
    ) -> GroupIncidentPeak {
        GroupIncidentPeak(
            at: Fixture.at(at), score: score, pValue: 1e-5,
            contributions: IncidentContributions(
                members: members, shares: [0.7, 0.3], observed: [41.5, 42.5],
                expected: [30.5, 31.5]))
    }

    @Test func `incidents of groups are numbered with those of their series, and tell no sample`()
        async throws
    {
        try await withTestDatabase { database in
            let pool = database.pool
            try await pool.transaction { db in
                let members = try Self.plant(in: db)
                let model = try Fixture.model(of: members[0], in: db)
                let first = IncidentPeak(
                    at: Fixture.at(1), score: 6, observed: 1, expected: 2, pValue: 1e-6)
                _ = try IncidentStore.open(
                    NewIncident(
                        series: members[0], openedAt: Fixture.at(1), peak: first,
                        threshold: 3, model: model), in: db)
                // One group with each member, so that both may have an incident open on the first.
                for name in ["g", "h"] {
                    let id = try db.run(
                        "SELECT systole.create_group(\(name), '{\"plant\": \"a\"}') AS id"
                    ).only().int64("id")
                    let group = try #require(try GroupStore.find(GroupID(id), in: db))
                    try IncidentStore.open(
                        of: group, detector: 7, openedAt: Fixture.at(4),
                        peak: Self.peak([members[0], members[1]]), threshold: 3, in: db)
                }
            }
            let shown = try await pool.run(
                """
                SELECT series, seq, kind, group_name, contributions ->> 0 AS first
                FROM systole.anomalies ORDER BY seq
                """)
            #expect(try shown.map { try $0.int64("seq") } == [1, 2, 3])
            #expect(try shown.map { try $0.optionalText("group_name") } == [nil, "g", "h"])
            let events = try await pool.run(
                """
                SELECT data::text AS data, systole.webhook_thin(data)::text AS thin
                FROM systole.outbox WHERE type = 'anomaly.opened' AND data->>'kind' = 'group'
                """)
            for row in events {
                for text in [try row.text("data"), try row.text("thin")] {
                    #expect(!text.contains("41.5") && !text.contains("30.5"))
                    #expect(text.contains("\"group\": ") && text.contains("\"share\": 0.7"))
                }
            }
            #expect(events.count == 2)
            let broken = try await pool.run(
                "SELECT promise FROM systole.invariants() WHERE violations > 0")
            #expect(try broken.allTexts("promise").isEmpty)
        }
    }

    @Test func `a peak is raised, and the end of a group ends its incident`() async throws {
        try await withTestDatabase { database in
            let pool = database.pool
            try await pool.transaction { db in
                let members = try Self.plant(in: db)
                let id = GroupID(
                    try db.run("SELECT systole.create_group('g', '{\"plant\": \"a\"}') AS id")
                        .only().int64("id"))
                let group = try #require(try GroupStore.find(id, in: db))
                let pair = [members[0], members[1]]
                try IncidentStore.open(
                    of: group, detector: 7, openedAt: Fixture.at(4), peak: Self.peak(pair),
                    threshold: 3, in: db)
                try IncidentStore.raisePeak(
                    of: id, to: Self.peak([members[1], members[0]], score: 8, at: 6), in: db)
                try IncidentStore.raisePeak(of: id, to: Self.peak(pair, score: 7, at: 7), in: db)
                let raised = try db.run(
                    """
                    SELECT series, peak_score, observed, contributions -> 0 ->> 'series' AS first
                    FROM systole.anomalies
                    """
                ).only()
                #expect(try raised.double("peak_score") == 8 && raised.text("series") == "a.1")
                // What is shown is that of the series it was told of.
                #expect(try raised.double("observed") == 42.5 && raised.text("first") == "a.2")
                try db.run("SELECT systole.drop_group('g')")
            }
            let left = try await pool.run("SELECT state, group_name FROM systole.anomalies").only()
            #expect(try left.text("state") == "resolved" && left.text("group_name") == "g")
            let events = try await pool.run(
                "SELECT type FROM systole.outbox WHERE type LIKE 'anomaly.%' ORDER BY event_id")
            #expect(try events.allTexts("type") == ["anomaly.opened", "anomaly.resolved"])
        }
    }

    @Test func `rows hold what is nearest, and what is not to be trained on is missing`()
        async throws
    {
        try await withTestDatabase { database in
            try await database.pool.transaction { db in
                let members = try Self.plant(in: db)
                let second = Int64(1_000_000)
                try SeriesStore.append(Fixture.hourly(48), to: members[0], in: db)
                try SeriesStore.append(
                    [-40, 10, 3_000].map {
                        Observation(
                            at: Timestamp(microseconds: Fixture.at(3).microseconds + $0 * second),
                            value: Double($0))
                    }, to: members[1], in: db)
                let id = try db.run("SELECT systole.create_group('g', '{\"plant\": \"a\"}') AS id")
                    .only().int64("id")
                let group = try #require(try GroupStore.find(GroupID(id), in: db))
                let first = group.grid.number(of: Fixture.at(0))
                let rows = try GroupStore.rows(group, first...first + 47, in: db)
                #expect(rows.values[0] == (0..<48).map(Double.init))
                #expect(rows.values[1][3] == 10 && rows.values[1][4] == 3_000)
                #expect(rows.values[1].count { $0.isNaN } == 46)
                #expect(rows.values[2].allSatisfy { $0.isNaN })
                try db.run(
                    """
                    SELECT systole.silence('a.1', '3 hours', starts_at => \(Fixture.at(20)),
                        maintenance => true)
                    """)
                let masked = try GroupStore.rows(
                    group, first...first + 47, forTraining: true, in: db)
                let missing = masked.values[0].indices.filter { masked.values[0][$0].isNaN }
                #expect(missing == Array(20...23))
                let part = try GroupStore.rows(
                    group, first + 22...first + 25, forTraining: true, in: db)
                #expect(part.values[0].map(\.isNaN) == [true, true, false, false])
            }
        }
    }
}
