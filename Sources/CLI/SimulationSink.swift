import ArgumentParser
import Foundation
import Messaging
import Series
import Signals

/// Where simulated data go, and when they begin.
struct SimulationSink: ParsableArguments {
    /// How data stand in the output.
    enum Format: String, ExpressibleByArgument, CaseIterable {
        case csv, ndjson
    }

    @Option(help: "csv or ndjson, on standard output.") var format = Format.csv
    @Option(
        help: """
            When the series begins, such as 2026-01-01. Otherwise nothing is ever ahead of the clock: on \
            standard output it begins at 2024-01-01, or so much earlier that it ends now; to a broker \
            what comes last is sent as it happens.
            """)
    var start: String?
    @Option(help: "Send JSON to this broker instead, as it happens: mqtt://HOST:PORT.")
    var mqtt: String?
    @Option(help: "The topic of the messages; otherwise plant or ecg, as the generator is called.")
    var topic: String?
    @Option(
        help: """
            How much faster than the clock they are sent, from 0.001 to 1000000; 1 is real time. Above it \
            the series begins in the past, and catches up with the clock at its end.
            """)
    var speed = 1.0
    @Option(help: "The broker's user.") var username: String?
    @Option(name: .customLong("password-file"), help: "A file with the user's password.")
    var passwordFile: String?

    func validate() throws {
        guard (0.001...1_000_000).contains(speed) else {
            throw ValidationError("--speed \(speed) is outside 0.001 to 1000000")
        }
        _ = try startAt()
    }

    /// Whether data are written as JSON.
    var isJSON: Bool { mqtt != nil || format == .ndjson }

    private func startAt() throws -> Timestamp? {
        guard let start else { return nil }
        guard let time = Timestamp(iso8601: start) else {
            throw ValidationError("--start \(start): expected a time such as 2026-01-01T00:00:00Z")
        }
        return time
    }

    /// Opens the sink.
    ///
    /// - Parameters:
    ///   - defaultTopic: Where messages go unless another topic is told.
    ///   - span: From the first datum to the last.
    ///   - step: What the start is a multiple of, since 1970, where it is not told.
    /// - Returns: The open sink.
    /// - Throws: Why the broker cannot be reached.
    func open(
        defaultTopic: String, span: Duration, step: Duration
    ) async throws -> SimulationOutlet {
        let now = Timestamp(unixSeconds: Date().timeIntervalSince1970)
        let start = try startAt() ?? latestStart(span, step, now)
        guard let mqtt else { return SimulationOutlet(start: start) }
        var configuration = try MQTTConfiguration(url: mqtt, clientID: "")
        configuration.keepsSession = false
        configuration.username = username
        if let passwordFile {
            configuration.password = try String(contentsOfFile: passwordFile, encoding: .utf8)
                .trimmingCharacters(in: .newlines)
        }
        let client = try MQTTClient(configuration)
        try await client.connect()
        return SimulationOutlet(
            start: start, client: client, topic: topic ?? defaultTopic, speed: speed)
    }

    /// The latest start by which nothing is ahead of the clock.
    ///
    /// What happens `t` after the start is sent `t / speed` from now, so that the last datum is the one
    /// that could be ahead. What is not sent but written should be the same whenever it is written.
    private func latestStart(
        _ span: Duration, _ step: Duration, _ now: Timestamp
    ) -> Timestamp {
        // On standard output all is there at once.
        let share = mqtt == nil ? 1 : max(0, 1 - 1 / speed)
        let back = Int64((Double(span.wholeMicroseconds) * share).rounded(.up))
        let stepMicroseconds = step.wholeMicroseconds
        let steps = (now.microseconds - back).flooredQuotient(by: stepMicroseconds)
        let latest = Timestamp(microseconds: steps * stepMicroseconds)
        return mqtt == nil ? min(PlantModel.start, latest) : latest
    }
}

/// An open sink.
struct SimulationOutlet {
    /// When the first datum happens.
    let start: Timestamp
    private var client: MQTTClient?
    private var topic = ""
    private var speed = 1.0
    private let began = ContinuousClock.now
    /// What is not yet written to standard output.
    private var lines: [UInt8] = []

    /// How much is written at once, in bytes.
    private static let blockBytes = 1 << 16

    init(start: Timestamp) {
        self.start = start
    }

    init(start: Timestamp, client: MQTTClient, topic: String, speed: Double) {
        self.start = start
        self.client = client
        self.topic = topic
        self.speed = speed
    }

    /// Whether data are sent when they happen.
    var isLive: Bool { client != nil }

    /// Writes a line, or sends it when its second has come.
    mutating func write(_ line: String, at second: Double) async throws {
        guard let client else {
            lines += line.utf8
            lines.append(UInt8(ascii: "\n"))
            if lines.count >= Self.blockBytes { try flush() }
            return
        }
        let due = Duration.seconds(second / speed)
        let early = due - began.duration(to: .now)
        if early > .zero { try await ContinuousClock().sleep(for: early) }
        try await client.publish([(topic: topic, payload: Array(line.utf8))])
    }

    /// Hands on what is not yet written or confirmed.
    mutating func close() async throws {
        guard let client else { return try flush() }
        let isTaken = try await client.settle(within: .seconds(30))
        await client.disconnect()
        guard isTaken else { throw NotAcknowledged() }
    }

    /// The broker says nothing of what it was sent last.
    private struct NotAcknowledged: Error, CustomStringConvertible {
        let description =
            "the broker has not acknowledged all that it was sent; what it has is not known"
    }

    private mutating func flush() throws {
        try Terminal.write(all: lines)
        lines.removeAll(keepingCapacity: true)
    }
}
