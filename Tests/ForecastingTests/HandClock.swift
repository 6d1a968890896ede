import Synchronization

/// A clock that stands until it is moved.
final class HandClock: Clock {
    struct Instant: InstantProtocol {
        let elapsed: Duration

        func advanced(by duration: Duration) -> Instant { Instant(elapsed: elapsed + duration) }
        func duration(to other: Instant) -> Duration { other.elapsed - elapsed }
        static func < (a: Instant, b: Instant) -> Bool { a.elapsed < b.elapsed }
    }

    private let elapsed = Mutex(Duration.zero)

    var now: Instant { Instant(elapsed: elapsed.withLock { $0 }) }
    var minimumResolution: Duration { .zero }

    /// Nobody waits by this clock.
    func sleep(until deadline: Instant, tolerance: Duration?) async throws {}

    func move(by duration: Duration) { elapsed.withLock { $0 += duration } }
}
