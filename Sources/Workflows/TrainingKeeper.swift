import Forecasting
import Logging
import Postgres
import Store

/// Keeps the states of trainings in the database while the arithmetic goes on.
struct TrainingKeeper: Sendable {
    let pool: Pool
    let run: JobRun
    /// What earlier runs of the job kept, by fingerprint.
    let states: [String: [UInt8]]
    /// The least time between two states.
    let interval: Duration
    let logger: Logger

    /// Runs `body` on a thread of its own, with a place for the states of its trainings.
    ///
    /// Only the newest state waits to be written; the training never waits for the database.
    ///
    /// - Parameter body: Long arithmetic; asks the `Cancellation` from time to time.
    /// - Returns: What `body` returns.
    /// - Throws: What `body` throws, with `ForecastError` as `PermanentJobError`.
    func run<T: Sendable>(
        _ body: @escaping @Sendable (TrainingCheckpoints, Cancellation) throws -> T
    ) async throws -> T {
        let (stream, continuation) = AsyncStream.makeStream(
            of: TrainingState.self, bufferingPolicy: .bufferingNewest(1))
        let states = states
        var checkpoints = TrainingCheckpoints(
            load: { states[$0.description] }, save: { _ = continuation.yield($0) })
        checkpoints.interval = interval
        return try await withThrowingTaskGroup(of: Void.self) { [checkpoints] group in
            group.addTask { await keep(stream) }
            defer { continuation.finish() }
            return try await Permanent.run { try body(checkpoints, $0) }
        }
    }

    private func keep(_ stream: AsyncStream<TrainingState>) async {
        for await state in stream {
            let kept = KeptTraining(
                fingerprint: state.fingerprint.description, family: Family.spacetime.rawValue,
                step: state.step, stepsMaximum: state.stepsMaximum,
                epochsMaximum: state.epochsMaximum, seconds: state.record.seconds,
                record: state.recordText, state: state.encoded())
            do {
                try await pool.transaction { [run] db in
                    try TrainingStore.keep(kept, of: run, in: db)
                }
            } catch StoreError.leaseLost {
                return  // The heartbeat stops this run, or it has just been completed.
            } catch is CancellationError {
                return
            } catch {
                logger.warning(
                    "the state of a training was not kept; the next one will be",
                    metadata: ["job": "\(run.jobID)", "error": "\(error)"])
            }
        }
    }
}
