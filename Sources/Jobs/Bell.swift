import Synchronization

/// Wakes one waiting task; a ring that nobody hears is kept for the next wait.
final class Bell: Sendable {
    private struct State {
        var isRung = false
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    func ring() {
        let waiter = state.withLock { state in
            let waiter = state.waiter
            state.waiter = nil
            state.isRung = waiter == nil
            return waiter
        }
        waiter?.resume()
    }

    /// Returns at the next ring, after `limit`, or when the task is cancelled.
    ///
    /// One task may wait at a time.
    func wait(atMost limit: Duration) async {
        async let _: Void = ring(after: limit)
        await heard()
        // Leaving cancels the alarm and waits for it; a cancelled alarm does not ring.
    }

    private func ring(after limit: Duration) async {
        // Cancelled because something was heard before.
        guard (try? await Task.sleep(for: limit)) != nil else { return }
        ring()
    }

    private func heard() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isRung = state.withLock { state in
                    precondition(state.waiter == nil, "two tasks wait at one bell")
                    if state.isRung || Task.isCancelled {
                        state.isRung = false
                        return true
                    }
                    state.waiter = continuation
                    return false
                }
                if isRung { continuation.resume() }
            }
        } onCancel: {
            ring()
        }
    }
}
