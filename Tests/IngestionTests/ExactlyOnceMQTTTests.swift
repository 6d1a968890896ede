import Foundation
import Messaging
import Postgres
import Series
import Signals
import TestSupport
import Testing

@testable import Ingestion

/// What goes wrong while messages are taken.
private enum Blow: CaseIterable {
    /// The worker ends between what it has stored and what it says to the broker.
    case unacknowledged
    /// The worker ends anywhere.
    case cancelled
    /// The database ends the connections anywhere.
    case databaseGone
    /// The broker stops, and comes back.
    case brokerGone
    /// Another worker takes the session over.
    case overtaken
}

@Suite struct ExactlyOnceMQTTTests {
    private let topics = [
        TopicRoute(filter: "n/+", form: .number, key: "n.{2}"),
        TopicRoute(filter: "j/+", form: .json, key: "j.{2}"),
    ]

    /// Numbers, which are stored at the time they come, and one message in three with its own time.
    private func messages(_ numbers: Range<Int>) -> [(topic: String, payload: [UInt8])] {
        numbers.map { number in
            number % 3 == 0
                ? ("j/x", Array(#"{"ts": \#(1_735_689_600 + number), "v": \#(number)}"#.utf8))
                : ("n/\(number % 2)", Array("\(number)".utf8))
        }
    }

    /// Pulls until the source is struck; whatever it stored, the next pull goes on.
    private func pull(
        _ plant: MQTTSource, _ blow: Blow, _ terminator: Terminator, _ chance: inout SeededChance
    ) async throws {
        var plant = plant
        if blow == .unacknowledged {
            let fuse = Fuse(.random(in: 0..<3, using: &chance))
            plant.connector.committed = { try fuse.burn() }
        }
        let worker = plant.worker
        let task = Task { _ = try? await worker.pull(messages: .max) }
        try await Task.sleep(for: .microseconds(.random(in: 0..<60_000, using: &chance)))
        switch blow {
        case .unacknowledged: break
        case .cancelled: task.cancel()
        case .databaseGone: terminator.strike()
        case .brokerGone:
            plant.broker.stop()
            try await plant.broker.start()
        case .overtaken:
            let other = Task { _ = try? await worker.pull(messages: .max) }
            try await Task.sleep(for: .microseconds(.random(in: 0..<60_000, using: &chance)))
            other.cancel()
            await other.value
        }
        await task.value
    }

    @Test(arguments: ExactlyOncePullTests.seeds)
    func `whatever goes wrong, messages are stored once each`(seed: UInt64) async throws {
        let change = { (settings: inout MQTTSettings) in settings.batchMilliseconds = 3 }
        try await withMQTTSource(topics: topics, change: change) { plant in
            var chance = SeededChance(state: seed ^ 0x3077)
            let terminator = Terminator(plant.pool.configuration)
            var published = 0
            for _ in 0..<8 {
                let count = Int.random(in: 1...30, using: &chance)
                try await plant.publish(messages(published..<published + count))
                published += count
                let blow = Blow.allCases.randomElement(using: &chance) ?? .cancelled
                try await pull(plant, blow, terminator, &chance)
            }
            await terminator.stop()
            // The first may find a connection that was ended, or a broker that has just come back.
            var isDone = false
            for _ in 0..<10 where !isDone {
                guard let report = try? await plant.pull(messages: .max) else { continue }
                isDone = report.rows == 0 && report.trouble == nil
            }
            #expect(isDone)
            let stored = try await plant.pool.run(
                "SELECT value::bigint AS value FROM systole.observations ORDER BY value"
            ).map { try $0.int("value") }
            #expect(stored == Array(0..<published))
            let figured = try await plant.pool.run("SELECT stored FROM systole.source_figures")
            #expect(try figured.only().int("stored") == published)
            #expect(try await plant.rejections() == [:])
        }
    }
}
