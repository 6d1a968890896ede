import Foundation
package import Logging
package import Postgres
import ServiceLifecycle
import Synchronization

/// Claims jobs, runs their handlers, and commits effects and completion together.
///
/// Stops gracefully: it claims no more, lets runs finish for a while, and gives the others back
/// without spending an attempt. Whatever else happens to the process, its runs are handed out again
/// once it has not beaten for 30 s, and what it still tries to commit then is refused.
package final class Worker: Service {
    let identity: WorkerIdentity
    let handlers: [String: any JobHandler]
    let options: WorkerOptions
    let pool: Pool
    let logger: Logger
    let queue = JobQueue()
    let registry = RunRegistry()
    let completer: Completer
    let heart: Heart
    private let isDraining = Mutex(false)
    /// Set when jobs may have become ready, until the queue is looked at.
    private let hasNews = Mutex(false)
    /// Rung when there may be something to do: news, a run that is done, a free slot, a drain.
    let bell = Bell()

    /// - Parameters:
    ///   - identity: Who this worker is; its id is new for every process start.
    ///   - handlers: What it can do; one handler for each kind.
    ///   - pool: Where claims and effects go; beside it, two connections of its own are opened.
    ///   - options: How it works.
    ///   - logger: Where it speaks.
    package init(
        identity: WorkerIdentity, handlers: [any JobHandler], pool: Pool,
        options: WorkerOptions = WorkerOptions(), logger: Logger
    ) {
        self.identity = identity
        self.handlers = Dictionary(
            handlers.map { ($0.kind, $0) },
            uniquingKeysWith: { first, _ in
                preconditionFailure("two handlers for the kind \(first.kind)")
            })
        self.options = options
        self.pool = pool
        self.logger = logger
        completer = Completer(bell: bell)
        heart = Heart(
            identity, kinds: self.handlers.keys.sorted(), options: options,
            configuration: pool.configuration, registry: registry, logger: logger)
    }

    /// Works until it is asked to stop: by graceful shutdown, by `drain()`, or by cancellation.
    ///
    /// - Throws: What the database refused when the worker made itself known.
    package func run() async throws {
        try await pool.withConnection { [heart] connection in
            try await connection.withSession { db in try heart.register(db) }
        }
        let listener = Listener(
            kinds: Set(handlers.keys), configuration: pool.configuration, logger: logger,
            onWork: { [weak self] in self?.hearNews() }, onCancel: { [heart] in heart.beatNow() })
        await withGracefulShutdownHandler {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await listener.run() }
                async let beating: Void = heart.run()
                await heart.waitForFirstBeat()
                await work()
                heart.stop()
                // The heart ends by itself once it has said goodbye; the listener goes on for ever.
                await beating
                group.cancelAll()
            }
        } onGracefulShutdown: {
            self.drain()
        }
    }

    /// Asks the worker to stop gracefully.
    package func drain() {
        isDraining.withLock { $0 = true }
        bell.ring()
    }

    var mustStop: Bool { isDraining.withLock { $0 } || Task.isCancelled }

    private func hearNews() {
        hasNews.withLock { $0 = true }
        bell.ring()
    }

    /// Whether there was news since this was last asked.
    func takeNews() -> Bool {
        hasNews.withLock { news in
            defer { news = false }
            return news
        }
    }
}
