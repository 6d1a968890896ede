/// How much a deliverer does at once, and how patient it is.
package struct DelivererOptions: Sendable {
    /// Deliveries under way in this process whose receivers may be prompt: the ones younger than
    /// `slowAfter`. Slower ones make place for others.
    package var concurrency: Int
    /// All deliveries under way in this process, the slow ones too.
    package var concurrencyMaximum: Int
    /// From when on a delivery under way counts as slow; its endpoint gets no further one meanwhile.
    package var slowAfter: Duration
    /// Deliveries of one endpoint under way in all processes together.
    package var concurrencyPerEndpoint: Int
    /// How long a claim holds; four times the client's total time limit by default, so that the
    /// slowest endpoint does not get a delivery twice.
    package var lease: Duration
    /// How long it sleeps when nothing is due, and how often it looks at every endpoint.
    package var pollInterval: Duration
    /// How often it looks for events when there have been none for a while: what an event waits at
    /// most. After an event it looks again eight times as soon, and then less and less often.
    package var fanOutInterval: Duration
    /// How often deliveries past their age are deleted.
    package var pruneInterval: Duration
    /// The keys under which secrets lie in the database.
    package var sealingKeys: SealingKeys

    package init(
        concurrency: Int = 256, concurrencyMaximum: Int = 640,
        slowAfter: Duration = .milliseconds(100), concurrencyPerEndpoint: Int = 4,
        lease: Duration = .seconds(60), pollInterval: Duration = .seconds(1),
        fanOutInterval: Duration = .milliseconds(200), pruneInterval: Duration = .seconds(3600),
        sealingKeys: SealingKeys = .none
    ) {
        precondition(concurrency > 0 && concurrencyPerEndpoint > 0, "a deliverer without places")
        self.concurrency = concurrency
        self.concurrencyMaximum = max(concurrency, concurrencyMaximum)
        self.slowAfter = slowAfter
        self.concurrencyPerEndpoint = concurrencyPerEndpoint
        self.lease = lease
        self.pollInterval = pollInterval
        self.fanOutInterval = fanOutInterval
        self.pruneInterval = pruneInterval
        self.sealingKeys = sealingKeys
    }
}
