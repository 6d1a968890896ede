package import Foundation

/// A mosquitto broker of one test: on its own loopback port, with a folder of its own where it keeps
/// sessions and messages, so that it can be stopped and started again.
package final class TestBroker {
    package let port: Int
    /// Where its configuration and what it keeps lie.
    package let folder: URL
    private var process: Process?

    /// Makes a broker that does not run yet.
    ///
    /// - Parameter settings: Further lines of its configuration.
    /// - Throws: What the file system refuses.
    package init(settings: [String] = []) throws {
        port = try Self.freePort()
        folder = FileManager.default.temporaryDirectory.appending(
            path: "systole-broker-\(ProcessInfo.processInfo.processIdentifier)-\(port)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let lines =
            [
                "listener \(port) 127.0.0.1", "allow_anonymous true", "persistence true",
                "persistence_location \(folder.path)/", "autosave_interval 3600",
                "set_tcp_nodelay true",
                "max_queued_messages 0", "log_type none",
                // Started by root, it would become a user that may not write here.
                "user \(NSUserName())",
            ] + settings
        try Data(lines.joined(separator: "\n").utf8).write(to: configuration)
    }

    private var configuration: URL { folder.appending(path: "mosquitto.conf") }

    /// Where it listens.
    package var url: String { "mqtt://127.0.0.1:\(port)" }

    /// Starts it; returns once it listens.
    package func start() async throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/sbin/mosquitto")
        process.arguments = ["-c", configuration.path]
        process.standardError = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        try Self.run(process)
        self.process = process
        for _ in 0..<200 {
            if Self.listens(on: port) { return }
            try await ContinuousClock().sleep(for: .milliseconds(50))
        }
        throw BrokerError()
    }

    /// Threads that Dispatch makes take no signals, and what they start would inherit that: it could not
    /// be told to stop.
    private static func run(_ process: Process) throws {
        var none = sigset_t()
        var before = sigset_t()
        unsafe sigemptyset(&none)
        unsafe pthread_sigmask(SIG_SETMASK, &none, &before)
        defer { unsafe pthread_sigmask(SIG_SETMASK, &before, nil) }
        try process.run()
    }

    /// Stops it; what it keeps stays.
    ///
    /// - Parameter isKilled: Whether it is given no time to write down what it has.
    package func stop(killing isKilled: Bool = false) {
        guard let process else { return }
        self.process = nil
        if !isKilled {
            process.terminate()
            for _ in 0..<250 where process.isRunning { usleep(20_000) }
        }
        kill(process.processIdentifier, SIGKILL)
        for _ in 0..<250 where process.isRunning { usleep(20_000) }
    }

    /// Stops it and forgets what it keeps.
    package func remove() {
        stop(killing: true)
        // What cannot be removed is in a temporary folder.
        try? FileManager.default.removeItem(at: folder)
    }

    private static func address(_ port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
        return address
    }

    /// A port that nobody listens on, handed out by the system.
    private static func freePort() throws -> Int {
        let socket = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(socket) }
        var address = address(0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                unsafe bind(socket, pointer, length) == 0
                    && getsockname(socket, pointer, &length) == 0
            }
        }
        guard isBound else { throw BrokerError() }
        return Int(in_port_t(bigEndian: address.sin_port))
    }

    private static func listens(on port: Int) -> Bool {
        let socket = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(socket) }
        var address = address(port)
        return unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                unsafe connect(socket, pointer, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }
}

/// The broker did not start.
package struct BrokerError: Error {
    package init() {}
}

/// Lends a broker that runs.
///
/// - Parameters:
///   - settings: Further lines of its configuration.
///   - body: The test.
/// - Returns: What `body` returns.
/// - Throws: What `body` throws.
package func withTestBroker<T>(
    settings: [String] = [], _ body: (TestBroker) async throws -> T
) async throws -> T {
    let broker = try TestBroker(settings: settings)
    defer { broker.remove() }
    try await broker.start()
    return try await body(broker)
}
