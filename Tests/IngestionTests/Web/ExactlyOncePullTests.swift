import Foundation
import Postgres
import Series
import Signals
import Store
import Synchronization
import TestSupport
import Testing

@testable import Ingestion

/// Chance that is the same for the same seed.
struct SeededChance: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}

/// What goes wrong while a source is pulled, by chance.
enum Mishap: CaseIterable, Sendable {
    /// The receiver cuts the connection in the middle of an answer.
    case cut
    /// The receiver has no time.
    case busy
    /// The pull's task is cancelled while it waits for an answer.
    case cancelledBefore
    /// The pull is stopped right after a page was stored.
    case stoppedAfter
    /// The database ends the pull's connections.
    case databaseGone
}

/// Pulls again and again while everything goes wrong, until the source is stored whole.
struct Ordeal {
    let source: WebSource
    let connector: any Connector
    let kind: String
    let settings: String
    /// Shared with the receiver, which calls `strike` at every request.
    let trouble: Trouble

    /// What the receiver and the pull share.
    final class Trouble: Sendable {
        struct State {
            var chance: SeededChance
            var isOn = true
            var task: Task<IngestReport?, Never>?
            var mishaps: [Mishap] = []
        }

        let state: Mutex<State>

        init(seed: UInt64) { state = Mutex(State(chance: SeededChance(state: seed))) }

        /// What is to go wrong now; nil for nothing.
        func strike() -> Mishap? {
            state.withLock { state in
                guard state.isOn, Int.random(in: 0..<3, using: &state.chance) == 0,
                    let mishap = Mishap.allCases.randomElement(using: &state.chance)
                else { return nil }
                state.mishaps.append(mishap)
                if mishap == .cancelledBefore { state.task?.cancel() }
                return mishap
            }
        }

        /// The answer with what goes wrong on its way.
        func on(_ answer: Conduct, databaseGone: () -> Void) -> Conduct {
            switch strike() {
            case .cut:
                guard case .answer(_, _, let body) = answer else { return answer }
                let half = String(decoding: body.prefix(body.count / 2), as: UTF8.self)
                return .send("HTTP/1.1 200 OK\r\nContent-Length: \(body.count)\r\n\r\n\(half)")
            case .busy: return .answer(status: 500)
            case .databaseGone:
                databaseGone()
                return answer
            case .cancelledBefore, .stoppedAfter, nil: return answer
            }
        }
    }

    /// Pulls until a pull brings nothing and nothing went wrong; returns the number of pulls.
    func run(pullsMaximum: Int) async throws -> Int {
        for count in 1...pullsMaximum {
            // The last pulls are left in peace, so that the end is reached.
            if count == pullsMaximum - 20 { trouble.state.withLock { $0.isOn = false } }
            let report = await pull(at: WebSource.now + .seconds(120 * Int64(count)))
            if count > pullsMaximum - 20, let report, report.filesWaiting == 0,
                report.rejected == 0
            {
                return count
            }
        }
        return pullsMaximum
    }

    /// One pull; nil where it was ended.
    private func pull(at now: Timestamp) async -> IngestReport? {
        let (source, connector, kind, settings, trouble) = (
            source, connector, kind, settings, trouble
        )
        let task = Task<IngestReport?, Never> {
            // However it ended, the next pull goes on.
            try? await source.pull(
                connector, kind, settings, now: now,
                progress: { _ in
                    if trouble.strike() == .stoppedAfter { throw CancellationError() }
                })
        }
        trouble.state.withLock { $0.task = task }
        return await task.value
    }
}

/// Ends the connections of a pool whenever it is told to, from any thread.
final class Terminator: Sendable {
    private let wanted = AsyncStream<Void>.makeStream()
    private let task: Task<Void, Never>

    init(_ configuration: ConnectionConfiguration) {
        let stream = wanted.stream
        task = Task {
            guard let admin = try? await Connection.open(configuration) else { return }
            for await _ in stream {
                // Whatever the reason, a connection that is gone already needs no ending.
                _ = try? await admin.run(
                    """
                    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                    WHERE datname = current_database() AND pid <> pg_backend_pid()
                    """)
            }
            await admin.close()
        }
    }

    func strike() { wanted.continuation.yield() }

    func stop() async {
        wanted.continuation.finish()
        await task.value
    }
}

@Suite struct ExactlyOncePullTests {
    /// How many seeds each connector is tried with; `SYSTOLE_ORDEALS` for a long run.
    static let seeds =
        0..<(ProcessInfo.processInfo.environment["SYSTOLE_ORDEALS"].flatMap { UInt64($0) } ?? 6)

    /// Thirty pages of ten observations of two series.
    private static func page(_ number: Int) -> String {
        (0..<10).map { row in
            let at = 1_735_689_600 + number * 10 + row
            return "m a=\(number * 10 + row).5,b=\(at % 7) \(at)\n"
        }.joined()
    }

    private func digest(_ lines: [String]) -> String {
        Digest.hexadecimal(of: Array(lines.joined(separator: "\n").utf8))
    }

    @Test(arguments: seeds)
    func `whatever goes wrong, pages are stored once each`(seed: UInt64) async throws {
        try await withTestDatabase { database in
            let trouble = Ordeal.Trouble(seed: seed)
            let terminator = Terminator(database.configuration)
            let source = try WebSource(database) { request in
                let page = request.parameter("p").flatMap { Int($0) } ?? 0
                let headers = page < 29 ? ["Link: </data?p=\(page + 1)>; rel=next"] : []
                return trouble.on(
                    .answer(status: 200, headers: headers, body: Array(Self.page(page).utf8)),
                    databaseGone: terminator.strike)
            }
            defer { source.receiver.stop() }
            var settings = HTTPSettings(access: source.access(), format: .lineProtocol)
            settings.precision = .seconds
            settings.paging = .link
            settings.pagesMaximum = 7
            let ordeal = Ordeal(
                source: source, connector: HTTPConnector(client: source.client),
                kind: HTTPConnector.kind, settings: try settings.json(), trouble: trouble)
            _ = try await ordeal.run(pullsMaximum: 60)
            await terminator.stop()
            let expected = (0..<30).flatMap { page in
                Self.page(page).split(separator: "\n").flatMap { line in
                    let parts = line.split(whereSeparator: { " ,=".contains($0) })
                    return ["a \(parts[5]) \(parts[2])", "b \(parts[5]) \(parts[4])"]
                }
            }.sorted()
            let stored = try await source.pool.run(
                """
                SELECT right(series, 1) || ' ' || extract(epoch FROM at)::bigint || ' ' || value AS line
                FROM systole.observations
                """
            ).map { try $0.text("line") }.sorted()
            #expect(digest(stored) == digest(expected))
            #expect(stored.count == 600)
            // Events and figures add up to what is there: nothing was counted that was undone.
            let sums = try await source.pool.run(
                """
                SELECT (SELECT sum((data ->> 'rows')::bigint) FROM systole.outbox
                    WHERE type = 'series.extended')::bigint AS told,
                    (SELECT sum(stored) FROM systole.source_figures)::bigint AS figured
                """
            ).only()
            #expect(try sums.int64("told") == 600 && sums.int64("figured") == 600)
            #expect(
                try await source.position().dataUntil?.microseconds == 1_735_689_899_000_000)
            #expect(trouble.state.withLock { $0.mishaps.count } > 0)
        }
    }

    @Test(arguments: seeds)
    func `whatever goes wrong, stretches of Prometheus are stored once each`(seed: UInt64)
        async throws
    {
        try await withTestDatabase { database in
            let trouble = Ordeal.Trouble(seed: seed ^ 0x5eed)
            let terminator = Terminator(database.configuration)
            let server = FakePrometheus()
            server.state.withLock { $0.begin = 1_759_990_000 }
            let source = try WebSource(database) { request in
                trouble.on(server.answer(request), databaseGone: terminator.strike)
            }
            defer { source.receiver.stop() }
            var settings = PrometheusSettings(
                access: source.access("/prom"), queries: [.init(expression: "up")],
                stepSeconds: 15)
            settings.startAt = Timestamp(microseconds: 1_759_990_000_000_000)
            settings.pointsMaximum = 40
            settings.overlapSeconds = 60
            let ordeal = Ordeal(
                source: source, connector: PrometheusConnector(client: source.client),
                kind: PrometheusConnector.kind, settings: try settings.json(), trouble: trouble)
            _ = try await ordeal.run(pullsMaximum: 50)
            await terminator.stop()
            let expected = stride(from: 1_759_990_005, through: 1_760_000_000, by: 15)
                .filter { $0 / 15 % 50 != 0 }.map { "\($0) \($0 / 15 % 1000)" }
            let stored = try await source.pool.run(
                """
                SELECT extract(epoch FROM at)::bigint || ' ' || value AS line
                FROM systole.observations ORDER BY at
                """
            ).map { try $0.text("line") }
            #expect(digest(stored) == digest(expected))
            let figured = try await source.pool.run("SELECT stored FROM systole.source_figures")
            #expect(try figured.only().int64("stored") == Int64(expected.count))
        }
    }

    @Test(arguments: seeds)
    func `whatever goes wrong, records of a folder are stored once each`(seed: UInt64) async throws
    {
        try await withTestDatabase { database in
            let trouble = Ordeal.Trouble(seed: seed ^ 0xf01de4)
            let terminator = Terminator(database.configuration)
            let folder = FakeFolder.counting(records: 12)
            let source = try WebSource(database) { request in
                trouble.on(folder.answer(request), databaseGone: terminator.strike)
            }
            defer { source.receiver.stop() }
            var settings = RecordListSettings(access: source.access("/db/"))
            settings.recordsMaximum = 5
            settings.recheckSeconds = 600
            let ordeal = Ordeal(
                source: source, connector: RecordListConnector(client: source.client),
                kind: RecordListConnector.kind, settings: try settings.json(), trouble: trouble)
            _ = try await ordeal.run(pullsMaximum: 60)
            await terminator.stop()
            let rows = try await source.pool.run(
                """
                SELECT r.key || ' ' || string_agg(s.sample::text, ',' ORDER BY w.first_sample, s.place) AS line
                FROM systole.recording r JOIN systole.waveform_chunk w USING (recording_id)
                CROSS JOIN unnest(w.samples) WITH ORDINALITY AS s (sample, place)
                GROUP BY r.key ORDER BY r.key
                """)
            let expected = (0..<12).map { record in
                "plant/r\(record) " + (0..<120).map { "\($0 + record)" }.joined(separator: ",")
            }.sorted()
            let stored = try rows.map { try $0.text("line") }.sorted()
            #expect(digest(stored) == digest(expected))
            let figured = try await source.pool.run("SELECT samples FROM systole.source_figures")
            #expect(try figured.only().int64("samples") == 12 * 120)
        }
    }

    @Test(arguments: seeds)
    func `whatever goes wrong, observations of a search are stored once each`(seed: UInt64)
        async throws
    {
        try await withTestDatabase { database in
            let trouble = Ordeal.Trouble(seed: seed ^ 0xf41e)
            let terminator = Terminator(database.configuration)
            let port = Mutex(0)
            let source = try WebSource(database) { request in
                let page = request.parameter("page").flatMap { Int($0) } ?? 0
                let host = "http://127.0.0.1:\(port.withLock { $0 })"
                let body = bundle(page: page, pages: 10, host: host)
                return trouble.on(
                    .answer(status: 200, body: Array(body.utf8)), databaseGone: terminator.strike)
            }
            defer { source.receiver.stop() }
            port.withLock { $0 = source.receiver.port }
            var settings = FHIRSettings(access: source.access("/Observation"))
            settings.pagesMaximum = 4
            let ordeal = Ordeal(
                source: source, connector: FHIRConnector(client: source.client),
                kind: FHIRConnector.kind, settings: try settings.json(), trouble: trouble)
            _ = try await ordeal.run(pullsMaximum: 60)
            await terminator.stop()
            let stored = try await source.pool.run(
                """
                SELECT extract(epoch FROM at)::bigint || ' ' || value AS line
                FROM systole.observations ORDER BY at
                """
            ).map { try $0.text("line") }
            let expected = (0..<40).map { "\(1_735_689_610 + $0) \($0)" }
            #expect(digest(stored) == digest(expected))
            let counts = try await source.pool.run(
                """
                SELECT (SELECT count(*) FROM systole.recording) AS recordings,
                    (SELECT count(*) FROM systole.waveform_chunk) AS chunks, stored, samples
                FROM systole.source_figures
                """
            ).only()
            #expect(try counts.int64("recordings") == 10 && counts.int64("chunks") == 10)
            #expect(try counts.int64("stored") == 40 && counts.int64("samples") == 5000)
        }
    }
}
