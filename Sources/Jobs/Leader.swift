package import Foundation
package import Logging
package import Postgres
import ServiceLifecycle
import Synchronization

/// Something that one process at a time should do. Doing it twice at once must do no harm.
package protocol Duty: Sendable {
    /// For the log.
    var name: String { get }
    /// How often it is done.
    var interval: Duration { get }
    /// Does it once, in one transaction.
    func perform(_ db: borrowing Session) throws
}

/// Competes for the lead with its peers and, while it has it, performs the duties.
package actor Leader: Service {
    private let holder: UUID
    private let name: String
    private let pool: Pool
    private let duties: [any Duty]
    private let logger: Logger
    private let bell = Bell()
    private var leadership = Leadership()
    private var performedAt: [ContinuousClock.Instant?]
    private nonisolated let isStopping = Mutex(false)

    /// - Parameters:
    ///   - holder: Who competes; new for every process start.
    ///   - name: For what.
    ///   - pool: Where.
    ///   - duties: What the leader does.
    ///   - logger: Where it speaks.
    package init(
        holder: UUID, name: String = "jobs", pool: Pool,
        duties: [any Duty] = [Scheduler(), Rescuer(), Upkeep()], logger: Logger
    ) {
        self.holder = holder
        self.name = name
        self.pool = pool
        self.duties = duties
        self.logger = logger
        performedAt = duties.map { _ in nil }
    }

    /// Competes and performs until it is asked to stop; then it resigns.
    package func run() async throws {
        await withGracefulShutdownHandler {
            while !isStopping.withLock({ $0 }), !Task.isCancelled {
                await step(at: .now)
                await bell.wait(atMost: .seconds(1))
            }
            await resign()
        } onGracefulShutdown: {
            self.stop()
        }
    }

    private nonisolated func stop() {
        isStopping.withLock { $0 = true }
        bell.ring()
    }

    /// Asks for the lead if it is time to, then performs the duties that are due.
    ///
    /// - Parameter now: On this machine's clock; only differences count.
    /// - Returns: Whether this process leads.
    @discardableResult
    package func step(at now: ContinuousClock.Instant) async -> Bool {
        if leadership.action(at: now) == .ask { await ask(at: now) }
        for (index, duty) in duties.enumerated() where leadership.leads(at: now) {
            if let last = performedAt[index], last.duration(to: now) < duty.interval { continue }
            performedAt[index] = now
            await perform(duty)
        }
        return leadership.leads(at: now)
    }

    private func ask(at now: ContinuousClock.Instant) async {
        let before = leadership.term
        do {
            let term = try await pool.run(
                """
                SELECT systole.lead(\(name), \(holder.uuidString)::uuid,
                    \(Leadership.timeToLive.sqlInterval)::interval) AS term
                """
            ).only().optionalInt64("term")
            leadership.answered(term: term, askedAt: now)
            if term != before {
                let text = term.map { "leading, term \($0)" } ?? "no longer leading"
                logger.info("\(text)", metadata: ["lead": "\(name)"])
            }
        } catch {
            // The lead, if there is one, runs out by itself.
            logger.warning("asking for the lead failed", metadata: ["error": "\(error)"])
        }
    }

    private func perform(_ duty: any Duty) async {
        do {
            try await pool.transaction { db in try duty.perform(db) }
        } catch {
            logger.error(
                "a duty failed", metadata: ["duty": "\(duty.name)", "error": "\(error)"])
        }
    }

    private func resign() async {
        do {
            try await pool.run(
                "SELECT systole.resign(\(name), \(holder.uuidString)::uuid)")
        } catch {
            // It runs out by itself.
            logger.info("resigning failed", metadata: ["error": "\(error)"])
        }
    }
}
