import Synchronization

/// The runs of one worker, from the claim until their last word is committed.
final class RunRegistry: Sendable {
    private let runs = Mutex<[Lease: RunControl]>([:])

    var count: Int { runs.withLock { $0.count } }

    var all: [(lease: Lease, control: RunControl)] {
        runs.withLock { runs in runs.map { ($0.key, $0.value) } }
    }

    func add(_ lease: Lease) -> RunControl {
        let control = RunControl()
        runs.withLock { $0[lease] = control }
        return control
    }

    func remove(_ lease: Lease) {
        runs.withLock { $0[lease] = nil }
    }

    /// Asks every run to stop.
    func stopAll(_ reason: StopReason) {
        for run in all { run.control.stop(reason) }
    }
}
