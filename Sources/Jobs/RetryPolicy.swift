/// How long a failed job waits for its next attempt: decorrelated jitter, decided by the server.
///
/// Each wait is drawn between `base` and three times the last one, and never exceeds `maximum`.
///
/// - Source: M. Brooker, "Exponential Backoff And Jitter", 2015.
package struct RetryPolicy: Equatable, Sendable {
    /// The shortest wait.
    package let base: Duration
    /// The longest wait.
    package let maximum: Duration

    package init(base: Duration = .seconds(2), maximum: Duration = .seconds(600)) {
        precondition(
            base > .zero && maximum >= base, "RetryPolicy: base \(base), maximum \(maximum)")
        self.base = base
        self.maximum = maximum
    }
}
