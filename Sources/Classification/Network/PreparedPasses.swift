internal import Models
internal import Synchronization

/// Passes over one window at a time that have taken a network's weights, one for every thread that has
/// asked at once: memory, and what follows from weights alone, is made once and not with every recording.
final class PreparedPasses: Sendable {
    /// `@unchecked Sendable`: a pass lies here only while nobody works with it.
    private struct Idle: @unchecked Sendable {
        let pass: any RecordingPass<Float>
    }

    private let idle = Mutex<[Idle]>([])

    /// Calls `body` with a pass that nobody else has meanwhile.
    ///
    /// - Parameters:
    ///   - make: Makes one that has taken the weights, where none is idle.
    ///   - body: Leaves it to the next caller.
    /// - Returns: What `body` gives.
    func borrow<R>(
        _ make: () -> any RecordingPass<Float>, _ body: (any RecordingPass<Float>) -> R
    ) -> R {
        let pass = idle.withLock { $0.popLast() }?.pass ?? make()
        defer { idle.withLock { $0.append(Idle(pass: pass)) } }
        return body(pass)
    }
}
