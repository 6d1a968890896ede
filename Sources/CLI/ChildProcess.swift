import Foundation
import Logging
import ServiceLifecycle
import Synchronization

/// A process of this same executable that is started again when it dies.
///
/// It stops with us: gracefully by SIGTERM, and if we are killed, because its standard input, a
/// pipe from us, ends (`--with-parent`).
final class ChildProcess: Service {
    private static let pauses: [Duration] = [1, 2, 5, 10, 30, 60].map { .seconds($0) }

    let name: String
    private let arguments: [String]
    private let logger: Logger
    private let state = Mutex(State())

    private struct State {
        var processID: Int32?
        var isStopping = false
    }

    init(name: String, arguments: [String], logger: Logger) {
        self.name = name
        self.arguments = arguments
        self.logger = logger
    }

    /// The process that runs now.
    var processID: Int32? { state.withLock { $0.processID } }

    func run() async throws {
        try await withGracefulShutdownHandler {
            var deaths = 0
            while !isStopping && !Task.isCancelled {
                let startedAt = ContinuousClock.now
                let status = try await runOnce()
                if isStopping { break }
                // A child that ran for a while is no crash loop.
                deaths = ContinuousClock.now - startedAt > .seconds(60) ? 0 : deaths + 1
                let pause = Self.pauses[min(deaths, Self.pauses.count - 1)]
                logger.error(
                    "a worker process ended and is started again",
                    metadata: ["roles": "\(name)", "status": "\(status)", "in": "\(pause)"])
                await cancelWhenGracefulShutdown {
                    try? await Task.sleep(for: pause)  // Ends early only when cancelled.
                }
            }
        } onGracefulShutdown: {
            self.stop()
        }
    }

    private var isStopping: Bool { state.withLock { $0.isStopping } }

    private func stop() {
        let process = state.withLock { state in
            state.isStopping = true
            return state.processID
        }
        if let process { kill(process, SIGTERM) }
    }

    /// Starts the child and waits for its end; kills it if it does not stop when asked.
    private func runOnce() async throws -> Int32 {
        let process = Process()
        process.executableURL = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
        process.arguments = arguments
        let lifeline = Pipe()
        process.standardInput = lifeline
        let (ends, end) = AsyncStream<Int32>.makeStream()
        process.terminationHandler = { ended in
            end.yield(ended.terminationStatus)
            end.finish()
        }
        try process.run()
        let isLate = state.withLock { state in
            state.processID = process.processIdentifier
            return state.isStopping
        }
        if isLate { stop() }
        defer {
            state.withLock { $0.processID = nil }
            try? lifeline.fileHandleForWriting.close()  // Closed twice does no harm.
        }
        for await status in ends { return status }
        return -1
    }
}

/// Ends this process gracefully when the one that started it is gone.
enum Lifeline {
    /// Waits, on a thread of its own, for the end of standard input, and then asks this process to
    /// stop as SIGTERM does.
    static func hold() {
        Thread.detachNewThread {
            while !FileHandle.standardInput.availableData.isEmpty {}
            kill(getpid(), SIGTERM)
        }
    }
}
