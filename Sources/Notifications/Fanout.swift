package import Postgres
import Store

/// Turns events of the outbox into deliveries.
package enum Fanout {
    /// The name under which the outbox remembers how far this reader is.
    package static let consumer = "notify"
    /// Events in one transaction.
    package static let eventsMaximum = 200

    /// Makes the deliveries for the next events, in the transaction that moves the reader on: an
    /// event is fanned out once, whatever happens.
    ///
    /// - Parameter db: A transaction.
    /// - Returns: How many events were read; 0 when there is nothing left to read.
    /// - Throws: What the database refuses.
    package static func step(in db: borrowing Session) throws -> Int {
        let events = try Outbox.read(consumer: consumer, limit: eventsMaximum, in: db)
        guard !events.isEmpty else { return 0 }
        let messages = try DeliveryStore.messages(for: events.map(\.id), in: db)
        try DeliveryStore.insert(
            messages.map { message in
                let bodies = [message.thinData, message.fullData].map { data in
                    Envelope(id: message.messageID, type: message.type, at: message.at, data: data)
                        .text
                }
                return (message, DeliveryStore.Bodies(thin: bodies[0], full: bodies[1]))
            }, in: db)
        return events.count
    }
}
