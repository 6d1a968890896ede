import Foundation
import Jobs
import Logging
import Postgres
import Series
import Signals
import Store
import Synchronization
import Testing
import TestSupport

@testable import Ingestion

@Suite struct IngestSourceTests {
    private func handler(_ pool: Pool) -> IngestSource {
        IngestSource(pool: pool, now: { SourceFolder.now }, logger: Logger(label: "test"))
    }

    private func context() -> JobContext {
        JobContext(deadline: ContinuousClock.now + .seconds(60))
    }

    private func lease(_ arguments: String) -> Lease {
        Lease(jobID: 1, number: 1, kind: "ingest", arguments: arguments)
    }

    @Test func `a registered source is pulled by its job, and has a schedule`() async throws {
        try await withSourceFolder { folder in
            try folder.write("a.csv", "time,a\n2020-01-01,1\n2020-01-02,2\n2020-01-03,3\n")
            let settings = folder.settings
            let source = try await folder.pool.transaction { db in
                try SourceStore.register(
                    name: "plant", kind: FolderConnector.kind, settings: settings.json(),
                    every: .seconds(60), in: db)
            }
            _ = try await handler(folder.pool).run(
                lease("{\"source_id\": \(source.id)}"), context())
            #expect(try await folder.observations().count == 3)
            let schedules = try await folder.pool.run(
                "SELECT kind, args ->> 'source_id' AS source FROM systole.schedules")
            #expect(try schedules.map { try $0.text("kind") } == ["ingest"])
            #expect(try schedules.map { try $0.text("source") } == ["\(source.id)"])
        }
    }

    @Test func `a paused source is left alone`() async throws {
        try await withSourceFolder { folder in
            try folder.write("a.csv", "time,a\n2020-01-01,1\n")
            let settings = folder.settings
            let source = try await folder.pool.transaction { db in
                let source = try SourceStore.register(
                    name: "plant", kind: FolderConnector.kind, settings: settings.json(),
                    every: .seconds(60), in: db)
                try SourceStore.setPaused(true, name: "plant", in: db)
                return source
            }
            _ = try await handler(folder.pool).run(
                lease("{\"source_id\": \(source.id)}"), context())
            #expect(try await folder.observations() == [])
        }
    }

    @Test func `a removed source has no schedule, and its job is given up`() async throws {
        try await withSourceFolder { folder in
            let settings = folder.settings
            let source = try await folder.pool.transaction { db in
                let source = try SourceStore.register(
                    name: "plant", kind: FolderConnector.kind, settings: settings.json(),
                    every: .seconds(60), in: db)
                try SourceStore.remove(name: "plant", in: db)
                return source
            }
            let left = try await folder.pool.run("SELECT name FROM systole.schedules")
            #expect(left.isEmpty)
            await #expect(throws: PermanentJobError.self) {
                try await handler(folder.pool).run(
                    lease("{\"source_id\": \(source.id)}"), context())
            }
        }
    }

    @Test(arguments: ["{}", "[]", "{\"source_id\": \"x\"}", "{\"source_id\": 99}"])
    func `arguments that make no sense are not tried again`(arguments: String) async throws {
        try await withSourceFolder { folder in
            await #expect(throws: PermanentJobError.self) {
                try await handler(folder.pool).run(lease(arguments), context())
            }
        }
    }

    @Test func `a source of an unknown kind is not tried again`() async throws {
        try await withSourceFolder { folder in
            let source = try await folder.pool.transaction { db in
                try SourceStore.add(name: "x", kind: "pigeon", settings: "{}", in: db)
            }
            let error = await #expect(throws: PermanentJobError.self) {
                try await handler(folder.pool).run(
                    lease("{\"source_id\": \(source.id)}"), context())
            }
            #expect(error?.message.contains("pigeon") == true)
        }
    }

    @Test func `settings survive their JSON, and what is not told has its default`() throws {
        var settings = FolderSettings(paths: ["/a"], renames: ["OT": "oil_temp"])
        settings.csv.delimiter = ";"
        settings.settleSeconds = 0
        #expect(try FolderSettings(json: settings.json(), of: "x") == settings)
        #expect(
            try FolderSettings(json: #"{"paths": ["/a"]}"#, of: "x")
                == FolderSettings(paths: ["/a"]))
    }

    @Test(.timeLimit(.minutes(2)), arguments: ["pause_source", "drop_source"])
    func `a pull ends at its next part once its source is paused or dropped`(
        function: String
    ) async throws {
        let pages = Mutex(0)
        try await withWebSource({ _ in
            let page = pages.withLock { pages in
                pages += 1
                return pages
            }
            usleep(20_000)
            return .text("m a=\(page) \(1_735_689_600 + page)\n", "Link: </\(page)>; rel=next")
        }) { web in
            var settings = HTTPSettings(access: web.access(), format: .lineProtocol)
            settings.precision = .seconds
            settings.paging = .link
            settings.pagesMaximum = 100_000
            let json = try settings.json()
            let source = try await web.pool.transaction { db in
                try SourceStore.add(
                    name: "plant", kind: HTTPConnector.kind, settings: json, in: db)
            }
            let handler = IngestSource(
                pool: web.pool, connectors: [HTTPConnector.kind: HTTPConnector(client: web.client)],
                now: { WebSource.now }, logger: Logger(label: "test"))
            let (context, lease) = (context(), lease("{\"source_id\": \(source.id)}"))
            async let effects = handler.run(lease, context)
            while try await web.observations().isEmpty {
                try await ContinuousClock().sleep(for: .milliseconds(20))
            }
            try await web.pool.run(SQL(raw: "SELECT systole.\(function)('plant')"))
            _ = try await effects
            // It was at its last part: nobody asks for more.
            let count = web.receiver.received.count
            try await ContinuousClock().sleep(for: .milliseconds(200))
            #expect(web.receiver.received.count == count && count < 10_000)
        }
    }
}
