/// How much a deliverer does at once, and how patient it is.
package struct DelivererOptions: Sendable {
    /// Deliveries under way in this process.
    package var concurrency: Int
    /// Deliveries of one endpoint under way in all processes together.
    package var concurrencyPerEndpoint: Int
    /// How long a claim holds; four times the client's total time limit by default, so that the
    /// slowest endpoint does not get a delivery twice.
    package var lease: Duration
    /// How long it sleeps when nothing is due.
    package var pollInterval: Duration
    /// How often deliveries past their age are deleted.
    package var pruneInterval: Duration

    package init(
        concurrency: Int = 32, concurrencyPerEndpoint: Int = 4, lease: Duration = .seconds(60),
        pollInterval: Duration = .seconds(1), pruneInterval: Duration = .seconds(3600)
    ) {
        precondition(concurrency > 0 && concurrencyPerEndpoint > 0, "a deliverer without places")
        self.concurrency = concurrency
        self.concurrencyPerEndpoint = concurrencyPerEndpoint
        self.lease = lease
        self.pollInterval = pollInterval
        self.pruneInterval = pruneInterval
    }
}
