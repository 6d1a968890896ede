import Foundation
import Logging
import Postgres

extension Worker {
    /// Completes and claims until the worker is asked to stop and its runs have ended or are given
    /// back.
    func work() async {
        var intake = Intake(
            slots: options.slots, claimMaximum: options.claimMaximum, pollInterval: jitteredPoll)
        var isTroubled = false
        var drainEnd: ContinuousClock.Instant?
        await withDiscardingTaskGroup { group in
            while !Task.isCancelled {
                if mustStop {
                    if drainEnd == nil { drainEnd = await announceDrain() }
                    if registry.count == 0 { break }
                    if let end = drainEnd, ContinuousClock.now >= end { giveBackTheRest() }
                }
                if takeNews() { intake.heardNews() }
                let done = completer.waiting
                let action = intake.action(
                    runs: registry.count, done: done.count, doneSince: done.since,
                    isDraining: mustStop, at: .now)
                switch action {
                case .wait(let time):
                    let left = drainEnd.map { ContinuousClock.now.duration(to: $0) }
                    await bell.wait(atMost: left.map { $0 > .zero ? min($0, time) : time } ?? time)
                case .look(let asked):
                    let leases = await look(claim: asked, &isTroubled)
                    intake.looked(claimed: leases.count, of: asked, at: .now)
                    for lease in leases {
                        let control = registry.add(lease)
                        group.addTask {
                            await self.perform(lease, control)
                            self.registry.remove(lease)
                            self.bell.ring()
                        }
                    }
                }
            }
            completer.close()
        }
    }

    /// Completes what is done and claims up to `count` jobs, in one statement.
    ///
    /// - Parameters:
    ///   - count: How many it claims; 0 for none.
    ///   - isTroubled: Whether the last try failed, which is logged when it begins and when it ends.
    /// - Returns: The new runs; none if it failed.
    private func look(claim count: Int, _ isTroubled: inout Bool) async -> [Lease] {
        let batch = completer.take()
        let done = batch.map(\.lease)
        let kinds = Array(handlers.keys)
        do {
            let answer = try await pool.withConnection { [queue, identity] connection in
                try await connection.withSession { db in
                    try queue.completeAndClaim(
                        done, worker: identity.id, kinds: kinds, count: count, db)
                }
            }
            if isTroubled { logger.notice("claiming jobs works again") }
            isTroubled = false
            // Their places are free from now on, and the heart has nothing to say of them.
            for lease in done { registry.remove(lease) }
            completer.settle(batch) { !answer.lost.contains($0) }
            return answer.claimed
        } catch {
            if !isTroubled, !Task.isCancelled {
                logger.warning("claiming jobs failed", metadata: ["error": "\(error)"])
            }
            isTroubled = true
            if !batch.isEmpty {
                let completed = await completeAlone(done)
                completer.settle(batch) { completed.contains($0) }
            }
            return []
        }
    }

    /// After a COMMIT whose answer was lost, the jobs are found gone, and count as lost.
    private func completeAlone(_ done: [Lease]) async -> Set<Int64> {
        do {
            return try await retrying(options.storeAttemptsMaximum) { [pool, queue] in
                try await pool.withConnection { connection in
                    try await connection.withSession { db in try queue.complete(done, db) }
                }
            }
        } catch {
            // The deadline, or the rescue of this worker's runs, hands them out again.
            logger.error("completing \(done.count) runs failed", metadata: ["error": "\(error)"])
            return []
        }
    }

    /// Different for every worker, so that they do not stampede.
    private var jitteredPoll: Duration {
        let share = Double(identity.id.uuid.15) / 255
        return options.pollInterval * (0.8 + 0.4 * share)
    }

    // MARK: - Draining

    /// - Returns: Until when runs may end by themselves.
    private func announceDrain() async -> ContinuousClock.Instant {
        do {
            try await pool.run("SELECT systole.drain_worker(\(identity.id.uuidString)::uuid)")
        } catch {
            logger.warning("announcing the drain failed", metadata: ["error": "\(error)"])
        }
        return ContinuousClock.now.advanced(by: options.drainMaximum)
    }

    /// Gives everything back at once: a handler that does not listen holds up the process, not the
    /// job.
    private func giveBackTheRest() {
        let runs = registry.all
        guard runs.contains(where: { $0.control.stopReason == nil }) else { return }
        logger.notice("giving back \(runs.count) unfinished runs")
        registry.stopAll(.draining)
        heart.stop()
    }
}
