import Foundation

/// A mosquitto broker on a loopback port of its own.
final class LiveBroker {
    private let port: Int
    private let configuration: String
    private let process = Process()

    init(_ folder: String) throws {
        port = 21_883 + Int(ProcessInfo.processInfo.processIdentifier % 10_000)
        configuration = folder + "/mosquitto.conf"
        let lines = [
            "listener \(port) 127.0.0.1", "allow_anonymous true", "max_queued_messages 0",
            // One sender stands for a hundred monitors, each of which would have a connection.
            "max_inflight_messages 2000", "set_tcp_nodelay true",
            "log_type none", "user \(NSUserName())",
        ]
        try Data(lines.joined(separator: "\n").utf8).write(to: URL(fileURLWithPath: configuration))
    }

    var url: String { "mqtt://127.0.0.1:\(port)" }

    func start() async throws {
        process.executableURL = URL(fileURLWithPath: "/usr/sbin/mosquitto")
        process.arguments = ["-c", configuration]
        try process.run()
        try await ContinuousClock().sleep(for: .milliseconds(500))
        guard process.isRunning else { throw BenchmarkError("mosquitto did not start") }
    }

    func stop() { kill(process.processIdentifier, SIGKILL) }
}
