import Foundation
import TestSupport
import Testing

/// Made-up data, as demos feed them to connectors.
@Suite struct SimulateTests {
    /// The time that a row of a table begins with.
    private static func time(_ row: Substring?) throws -> Date {
        let text = try #require(row?.split(separator: ",").first).description
        return try #require(ISO8601DateFormatter().date(from: text), "\(text)")
    }

    @Test(arguments: [
        ["plant", "--hours", "48"], ["plant", "--hours", "48", "--start", "2025-02-01"],
        ["ecg", "--seconds", "1"], ["ecg", "--seconds", "1", "--start", "2025-02-01T00:00:00Z"],
    ])
    func `a series begins where it is told, otherwise at 2024-01-01`(arguments: [String]) throws {
        try withTemporaryFolder { folder in
            let made = try Executable.run(["simulate"] + arguments, in: folder)
            #expect(made.status == 0, "\(made.errors)")
            let first = made.output.split(separator: "\n").dropFirst().first
            let start = arguments.contains("--start") ? "2025-02-01" : "2024-01-01"
            #expect(first?.hasPrefix("\(start)T00:00:00Z,") == true)
            let again = try Executable.run(["simulate"] + arguments, in: folder)
            #expect(again.output == made.output)
        }
    }

    @Test func `a series that would run ahead of the clock ends now`() throws {
        try withTemporaryFolder { folder in
            let made = try Executable.run(["simulate", "plant", "--hours", "300000"], in: folder)
            let rows = made.output.split(separator: "\n")
            #expect(rows.count == 300_001)
            let age = Date().timeIntervalSince(try Self.time(rows.last))
            #expect((0.0..<7200).contains(age), "\(age)")
        }
    }

    @Test func `a start that is no time is refused`() throws {
        try withTemporaryFolder { folder in
            let outcome = try Executable.run(
                ["simulate", "plant", "--start", "yesterday"], in: folder)
            #expect(outcome.status == 2 && outcome.output.isEmpty)
            #expect(outcome.errors.contains("--start yesterday"), "\(outcome.errors)")
        }
    }

    /// Those that write as they go, one that prints, and one that prints more than is held back.
    @Test(arguments: [
        "simulate ecg --seconds 100000", "simulate ecg --seconds 1", "simulate plant --hours 48",
        "config", "forecast plant.csv --column OT --horizon 4000 --family seasonal-naive --json",
        "classify plant.csv",
    ])
    func `output that cannot be written is one sentence`(arguments: String) throws {
        try withTemporaryFolder { folder in
            let made = try Executable.run(["simulate", "plant", "--hours", "9000"], in: folder)
            try Data(made.output.utf8).write(to: folder.appending(path: "plant.csv"))
            let outcome = try Executable.run(
                ["-c", "exec '\(Executable.path)' \(arguments) > /dev/full"], in: folder,
                path: "/bin/sh")
            #expect(outcome.status == 1)
            #expect(outcome.errors.contains("standard output"), "\(outcome.errors)")
            #expect(outcome.errors.split(separator: "\n").count == 1)
        }
    }

    @Test func `what is sent quicker than the clock is never ahead of it`() async throws {
        try await withTestBroker { broker in
            let folder = broker.folder
            let sender = try Executable.start(
                [
                    "simulate", "plant", "--mqtt", broker.url, "--topic", "plant/one", "--speed",
                    "21600", "--hours", "2000",
                ], in: folder)
            // Listens for five seconds, in which thirty hours are sent.
            let heard = try Executable.run(
                [
                    "source", "test", broker.url, "--topic", "plant/+=json:plant.{2}", "--name",
                    "plant", "--json",
                ], in: folder)
            kill(sender.process.processIdentifier, SIGKILL)
            _ = sender.outcome()
            #expect(heard.status == 0, "\(heard.errors)")
            let previews = try #require(
                try JSONSerialization.jsonObject(with: Data(heard.output.utf8))
                    as? [[String: Any]])
            let series = try #require(previews.first?["series"] as? [[String: Any]])
            #expect(
                Set(series.compactMap { $0["series"] as? String })
                    == ["plant.one.OT", "plant.one.load"])
            for one in series {
                let until = try #require(one["until"] as? String)
                #expect(try Self.time(until[...]) <= Date())
            }
        }
    }
}
