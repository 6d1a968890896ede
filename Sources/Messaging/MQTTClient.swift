import Threads

/// A client of an MQTT broker that acknowledges when it is told to, with quality of service 1.
///
/// What `receive` hands out stays with the broker until `acknowledge`: a process that ends between
/// the two, or a connection that does, gets it again. Nothing is read between the two either, so that
/// a slow taker holds the broker up and no memory here grows.
package actor MQTTClient {
    private let thread = ThreadExecutor(name: "mqtt")
    private let link: MQTTLink
    /// Whether messages were handed out and not acknowledged.
    private var owes = false

    /// - Parameters:
    ///   - configuration: Which broker, and as whom.
    ///   - subscriptions: Topic filters.
    /// - Throws: `MQTTError.library` for settings that make no sense.
    package init(
        _ configuration: MQTTConfiguration, subscriptions: [String] = []
    ) throws(MQTTError) {
        link = try MQTTLink(configuration, subscriptions: subscriptions)
    }

    /// The client's own thread: its calls block.
    package nonisolated var unownedExecutor: UnownedSerialExecutor {
        unsafe thread.asUnownedSerialExecutor()
    }

    /// Connects, once; a client whose connection has ended is replaced by another.
    ///
    /// - Returns: Whether the broker had kept our session.
    /// - Throws: `MQTTError`.
    @discardableResult
    package func connect() throws(MQTTError) -> Bool {
        try link.connect()
        return link.hadSession
    }

    /// The next messages, in the order of the broker; none where none came in time.
    ///
    /// - Parameter limits: How many are handed out together, and how long they are waited for.
    /// - Returns: The messages; `acknowledge` comes before the next call where there are any.
    /// - Throws: `MQTTError`; what was not acknowledged will come again.
    package func receive(_ limits: MQTTBatchLimits = MQTTBatchLimits()) throws(MQTTError)
        -> [MQTTMessage]
    {
        precondition(!owes, "MQTTClient.receive before acknowledge")
        let count = link.configuration.inflightMaximum
        var end = ContinuousClock.now + limits.wait
        if link.messages.isEmpty { try link.keepAlive() }
        while true {
            let had = !link.messages.isEmpty
            link.read(bytes: limits.bytes, count: count)
            if let failure = link.failure { throw failure }
            if !had, !link.messages.isEmpty { end = .now + limits.window }
            let left = ContinuousClock.now.duration(to: end)
            let isFull = link.messageBytes >= limits.bytes || link.messages.count >= count
            if isFull || left <= .zero { break }
            link.wait(atMost: left)
        }
        owes = !link.messages.isEmpty
        return link.takeMessages()
    }

    /// Tells the broker that everything handed out is stored.
    ///
    /// - Throws: `MQTTError`; the broker may then send it again.
    package func acknowledge() throws(MQTTError) {
        try link.flush()
        owes = false
    }

    /// Sends messages, to be acknowledged by the broker.
    ///
    /// - Parameters:
    ///   - messages: Topics and payloads.
    ///   - retain: Whether the broker keeps them for those who subscribe later.
    /// - Throws: `MQTTError`.
    package func publish(
        _ messages: [(topic: String, payload: [UInt8])], retain: Bool = false
    ) throws(MQTTError) {
        precondition(!owes, "MQTTClient.publish before acknowledge")
        for message in messages {
            try link.publish(message.topic, message.payload, retain: retain)
        }
        try link.flush()
        link.read()
        // What the broker's acknowledgements have made room for.
        try link.flush()
    }

    /// Waits until the broker has acknowledged all that was sent.
    ///
    /// - Parameter limit: How long at most.
    /// - Returns: Whether it has.
    /// - Throws: `MQTTError`.
    package func settle(within limit: Duration = .seconds(10)) throws(MQTTError) -> Bool {
        let end = ContinuousClock.now + limit
        while link.unsettled > 0, ContinuousClock.now < end {
            try link.keepAlive()
            link.wait(atMost: .milliseconds(100))
            link.read()
            if let failure = link.failure { throw failure }
        }
        return link.unsettled == 0
    }

    /// Ends the connection; what is not acknowledged stays with the broker.
    package func disconnect() {
        link.disconnect(silently: owes || !link.messages.isEmpty)
        owes = false
    }
}
