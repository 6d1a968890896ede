package import Postgres
import Store

/// Turns events of the outbox into deliveries.
package enum Fanout {
    /// The name under which the outbox remembers how far this reader is.
    package static let consumer = "notify"
    /// Events in one transaction.
    package static let eventsMaximum = 200
    /// Deliveries that one transaction may make, unless a single event makes more.
    package static let deliveriesMaximum = 2_000

    /// What one step did.
    package struct Step: Equatable, Sendable {
        /// How many events were read.
        package var events = 0
        /// Whether there may be more of them.
        package var isFull = false
        /// The endpoints that are owed something new.
        package var endpoints: [Int64] = []
    }

    /// Makes the deliveries for the next events, in the transaction that moves the reader on: an
    /// event is fanned out once, whatever happens.
    ///
    /// - Parameter db: A transaction.
    /// - Returns: What was done; no events where there is nothing left to read.
    /// - Throws: What the database refuses.
    package static func step(in db: borrowing Session) throws -> Step {
        // Asked first: most looks find nothing.
        guard try Outbox.hasNews(consumer, in: db) else { return Step() }
        // Where an event makes a thousand deliveries, few events make a transaction.
        let endpoints = try DeliveryStore.endpointCount(in: db)
        let limit = min(eventsMaximum, max(1, deliveriesMaximum / max(1, endpoints)))
        let events = try Outbox.read(consumer: consumer, limit: limit, in: db)
        guard !events.isEmpty else { return Step() }
        let messages = try DeliveryStore.messages(for: events.map(\.id), in: db)
        let owed = try DeliveryStore.insert(
            messages.map { message in
                func text(_ data: String) -> String {
                    Envelope(id: message.messageID, type: message.type, at: message.at, data: data)
                        .text
                }
                let (thin, full) = (text(message.thinData), text(message.fullData))
                // A receiver can ask for what is too long; it cannot ask for what never came.
                let isLong = full.utf8.count > Envelope.lengthMaximum
                return (message, DeliveryStore.Bodies(thin: thin, full: isLong ? thin : full))
            }, in: db)
        return Step(events: events.count, isFull: events.count == limit, endpoints: owed)
    }
}
