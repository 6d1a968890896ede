import Logging
import Postgres

extension Worker {
    /// Runs one job and sees to its last word.
    func perform(_ lease: Lease, _ control: RunControl) async {
        guard let handler = handlers[lease.kind] else {
            preconditionFailure("claimed a job of the kind \(lease.kind), which was not asked for")
        }
        let context = JobContext(
            deadline: ContinuousClock.now.advanced(by: lease.timeLimit), control: control)
        // A task of its own, awaited at once: the run can be cancelled, its last word cannot.
        let task = Task { try await handler.run(lease, context) }
        control.onStop { task.cancel() }
        let result = await withTaskCancellationHandler {
            await task.result
        } onCancel: {
            control.stop(.draining)
        }
        switch (result, control.stopReason) {
        case (_, .lost):
            logLost(lease)
        case (.success(let effects), _):
            await store(effects, of: lease, context.result, handler)
        case (.failure, .draining):
            await giveBack(lease)
        case (.failure, .deadline):
            await fail(lease, .deadline(lease.timeLimit), handler)
        case (.failure(let error), _):
            await fail(lease, JobFailure(error), handler)
        }
    }

    /// Commits the effects and the completion, both or neither.
    private func store(
        _ effects: @escaping Effects, of lease: Lease, _ result: String?, _ handler: any JobHandler
    ) async {
        guard handler.hasEffects else {
            if await !completer.complete(lease) { logLost(lease) }
            return
        }
        do {
            // After a COMMIT whose answer was lost, the second try finds the job gone: LeaseLost.
            try await retrying(options.storeAttemptsMaximum) { [pool, queue] in
                try await pool.transaction { db in
                    try queue.complete(lease, result: result, db)
                    try effects(db)
                }
            }
        } catch is LeaseLost {
            logLost(lease)
        } catch {
            await fail(lease, JobFailure(error), handler)
        }
    }

    private func fail(_ lease: Lease, _ failure: JobFailure, _ handler: any JobHandler) async {
        do {
            let after = try await retrying(options.storeAttemptsMaximum) { [pool, queue] in
                try await pool.transaction { db in
                    let after = try queue.fail(lease, failure, handler.retry, db)
                    if after == .dead,
                        let effects = handler.abandonment(of: lease, because: failure)
                    {
                        try effects(db)
                    }
                    return after
                }
            }
            var metadata = Self.metadata(lease)
            metadata["class"] = "\(failure.errorClass)"
            metadata["error"] = "\(failure.message)"
            metadata["then"] = "\(after.rawValue)"
            logger.warning("a run failed", metadata: metadata)
        } catch is LeaseLost {
            logLost(lease)
        } catch {
            // Its deadline, or the rescue of this worker's runs, hands the job out again.
            var metadata = Self.metadata(lease)
            metadata["error"] = "\(error)"
            logger.error("a failure could not be stored", metadata: metadata)
        }
    }

    private func giveBack(_ lease: Lease) async {
        do {
            try await pool.withConnection { [queue] connection in
                try await connection.withSession { db in _ = try queue.release([lease], db) }
            }
        } catch {
            // The heart's last act gives back whatever is left.
            logger.info("giving a run back failed", metadata: Self.metadata(lease))
        }
    }

    private func logLost(_ lease: Lease) {
        logger.notice("a run lost its lease and left nothing", metadata: Self.metadata(lease))
    }

    private static func metadata(_ lease: Lease) -> Logger.Metadata {
        [
            "job": "\(lease.jobID)", "lease": "\(lease.number)", "kind": "\(lease.kind)",
            "attempt": "\(lease.attempt)",
        ]
    }
}
