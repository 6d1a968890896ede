import Foundation
import Postgres
import ServiceLifecycle
import TestSupport
import Testing
import WebClient

@testable import Notifications

/// Many endpoints, many of them dead.
@Suite struct CrowdTests {
    @Test func `of a thousand endpoints three hundred are dead, and the others notice nothing`()
        async throws
    {
        try await Office.open { office in
            let (arrivals, arrival) = AsyncStream.makeStream(of: Void.self)
            let prompt = try (0..<7).map { _ in
                try WebReceiver { _ in
                    arrival.yield()
                    return .answer(status: 204)
                }
            }
            let silent = try WebReceiver { _ in .stall }
            let gone = try WebReceiver(status: 204)
            gone.stop()
            defer { for receiver in prompt + [silent] { receiver.stop() } }
            var roots = (0..<700).map { prompt[$0 % prompt.count].root }
            roots += (0..<300).map { ($0.isMultiple(of: 2) ? silent : gone).root }
            // The dead are mixed in evenly.
            try await office.run(
                """
                SELECT systole.add_webhook(root || '/' || place, '{anomaly.opened}')
                FROM unnest(\(roots)::text[]) WITH ORDINALITY AS t (root, place)
                ORDER BY place * 7919 % 1000
                """)
            for _ in 0..<3 { try await office.emit() }
            // Silent ones keep their places to the end of this test.
            let deliverer = office.deliverer(
                DelivererOptions(pollInterval: .milliseconds(100)))
            let services = ServiceGroup(services: [deliverer], logger: office.log.logger)
            await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await services.run() }
                var count = 0
                for await _ in arrivals {
                    count += 1
                    if count == 2100 { break }
                }
                // The silent ones are given up with the service.
                group.cancelAll()
            }
            let ids = prompt.flatMap { $0.received.map { $0.headers["webhook-id"] } }
            #expect(Set(ids).count == 3)
            let paths = prompt.flatMap { $0.received.map(\.requestLine) }
            #expect(Set(paths).count == 700 && paths.count == 2100)
            // Who never answered was sent one, and no second.
            #expect(silent.received.count <= 150)
        }
    }
}
