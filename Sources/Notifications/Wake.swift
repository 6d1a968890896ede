import Synchronization

/// Lets one waiter sleep until it is signalled; a signal that comes early is kept.
final class Wake: Sendable {
    private struct State {
        var isSignalled = false
        /// Of the current wait, set where its time is over before its waiter is there.
        var isOver = false
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    /// Ends the current wait, or else the next one at once.
    func signal() {
        let waiter = state.withLock { state in
            state.isSignalled = state.waiter == nil
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume()
    }

    /// Waits for a signal, at most for `limit`; a cancelled task does not wait.
    ///
    /// Traps if another task waits already.
    func wait(atMost limit: Duration) async {
        state.withLock { $0.isOver = false }
        await withTaskGroup { group in
            group.addTask {
                // Ends early with a cancelled task, and once the signal has come: then nobody waits.
                try? await Task.sleep(for: limit)
                self.end()
            }
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    precondition(state.waiter == nil, "two tasks wait for one signal")
                    guard !state.isSignalled, !state.isOver else {
                        state.isSignalled = false
                        return true
                    }
                    state.waiter = continuation
                    return false
                }
                if isOver { continuation.resume() }
            }
            group.cancelAll()
        }
    }

    /// Ends the current wait; unlike a signal, never a later one.
    private func end() {
        let waiter = state.withLock { state in
            state.isOver = true
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume()
    }
}
