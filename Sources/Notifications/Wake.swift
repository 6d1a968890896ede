import Synchronization

/// Lets one waiter sleep until it is signalled; a signal that comes early is kept.
final class Wake: Sendable {
    private struct State {
        var isSignalled = false
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
        await withTaskGroup { group in
            group.addTask {
                // Cancelled once the signal has come: then there is nobody left to wake.
                guard (try? await Task.sleep(for: limit)) != nil || Task.isCancelled else { return }
                self.signal()
            }
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    precondition(state.waiter == nil, "two tasks wait for one signal")
                    guard !state.isSignalled else {
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
}
