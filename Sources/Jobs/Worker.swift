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
    private let heart: Heart
    private let isDraining = Mutex(false)
    /// Rung when jobs may have become ready.
    private let news = Bell()
    /// Rung when a slot has become free.
    private let room = Bell()

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
        completer = Completer(
            pool: pool, attemptsMaximum: options.storeAttemptsMaximum, logger: logger)
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
            onWork: { [news] in news.ring() }, onCancel: { [heart] in heart.beatNow() })
        await withGracefulShutdownHandler {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await listener.run() }
                group.addTask { [completer] in await completer.run() }
                async let beating: Void = heart.run()
                await heart.waitForFirstBeat()
                await work()
                heart.stop()
                // The heart ends by itself once it has said goodbye; the other two go on for ever.
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
        news.ring()
        room.ring()
    }

    private var mustStop: Bool { isDraining.withLock { $0 } || Task.isCancelled }

    // MARK: - Claiming

    private func work() async {
        var isTroubled = false
        await withDiscardingTaskGroup { group in
            while !mustStop {
                let free = options.slots - registry.count
                guard free > 0 else {
                    await room.wait(atMost: options.pollInterval)
                    continue
                }
                let asked = min(free, options.claimMaximum)
                let leases = await claim(asked, &isTroubled)
                for lease in leases {
                    let control = registry.add(lease)
                    group.addTask {
                        await self.perform(lease, control)
                        self.registry.remove(lease)
                        self.room.ring()
                    }
                }
                if leases.count < asked { await news.wait(atMost: jitteredPoll) }
            }
            await finishOrGiveBack()
        }
    }

    /// Claims up to `count` jobs; none if that fails, which is logged when it begins and when it ends.
    private func claim(_ count: Int, _ isTroubled: inout Bool) async -> [Lease] {
        do {
            let kinds = Array(handlers.keys)
            let leases = try await pool.withConnection { [queue, identity] connection in
                try await connection.withSession { db in
                    try queue.claim(worker: identity.id, kinds: kinds, count: count, db)
                }
            }
            if isTroubled { logger.notice("claiming jobs works again") }
            isTroubled = false
            return leases
        } catch {
            if !isTroubled, !Task.isCancelled {
                logger.warning("claiming jobs failed", metadata: ["error": "\(error)"])
            }
            isTroubled = true
            return []
        }
    }

    /// Different for every worker, so that they do not stampede.
    private var jitteredPoll: Duration {
        let share = Double(identity.id.uuid.15) / 255
        return options.pollInterval * (0.8 + 0.4 * share)
    }

    // MARK: - Draining

    private func finishOrGiveBack() async {
        do {
            try await pool.run("SELECT systole.drain_worker(\(identity.id.uuidString)::uuid)")
        } catch {
            logger.warning("announcing the drain failed", metadata: ["error": "\(error)"])
        }
        let end = ContinuousClock.now.advanced(by: options.drainMaximum)
        while registry.count > 0, !Task.isCancelled, ContinuousClock.now < end {
            await room.wait(atMost: ContinuousClock.now.duration(to: end))
        }
        guard registry.count > 0 else { return }
        logger.notice("giving back \(registry.count) unfinished runs")
        registry.stopAll(.draining)
        // Gives everything back at once: a handler that does not listen holds up the process, not the job.
        heart.stop()
    }
}
