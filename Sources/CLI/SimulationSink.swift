import ArgumentParser
import Foundation
import Messaging
import Series

/// Where simulated data go.
struct SimulationSink: ParsableArguments {
    /// How data stand in the output.
    enum Format: String, ExpressibleByArgument, CaseIterable {
        case csv, ndjson
    }

    @Option(help: "csv or ndjson, on standard output.") var format = Format.csv
    @Option(help: "Send to this broker instead, as it happens: mqtt://HOST:PORT.") var mqtt: String?
    @Option(help: "The topic of the messages.") var topic: String?
    @Option(help: "How much faster than the clock they are sent; 1 is real time.") var speed = 1.0
    @Option(help: "The broker's user.") var username: String?
    @Option(name: .customLong("password-file"), help: "A file with the user's password.")
    var passwordFile: String?

    func validate() throws {
        guard (0.001...1_000_000).contains(speed) else {
            throw ValidationError("--speed \(speed) is outside 0.001 to 1000000")
        }
    }

    /// Whether data are written as JSON.
    var isJSON: Bool { mqtt != nil || format == .ndjson }

    func open(defaultTopic: String) async throws -> SimulationOutlet {
        guard let mqtt else { return SimulationOutlet() }
        var configuration = try MQTTConfiguration(url: mqtt, clientID: "")
        configuration.keepsSession = false
        configuration.username = username
        if let passwordFile {
            configuration.password = try String(contentsOfFile: passwordFile, encoding: .utf8)
                .trimmingCharacters(in: .newlines)
        }
        let client = try MQTTClient(configuration)
        try await client.connect()
        return SimulationOutlet(client: client, topic: topic ?? defaultTopic, speed: speed)
    }
}

/// An open sink.
struct SimulationOutlet {
    private var client: MQTTClient?
    private var topic = ""
    private var speed = 1.0
    private let began = ContinuousClock.now
    /// When the first datum happens, on this machine's clock.
    let startedAt = Timestamp(unixSeconds: Date().timeIntervalSince1970)

    init() {}

    init(client: MQTTClient, topic: String, speed: Double) {
        self.client = client
        self.topic = topic
        self.speed = speed
    }

    /// Whether data are sent when they happen.
    var isLive: Bool { client != nil }

    /// Writes a line, or sends it when its second has come.
    mutating func write(_ line: String, at second: Double) async throws {
        guard let client else {
            print(line)
            return
        }
        let due = Duration.seconds(second / speed)
        let early = due - began.duration(to: .now)
        if early > .zero { try await ContinuousClock().sleep(for: early) }
        try await client.publish([(topic: topic, payload: Array(line.utf8))])
    }

    func close() async throws {
        guard let client else { return }
        _ = try await client.settle()
        await client.disconnect()
    }
}
