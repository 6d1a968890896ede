import Messaging
import Series

extension MQTTConnector {
    /// How long a broker is listened to for a preview, and how many messages are looked at.
    private static let (listening, messagesMaximum) = (Duration.seconds(5), 10_000)

    /// Listens for a few seconds beside the source's own session, and stores nothing.
    func preview(
        name: String, settings: MQTTSettings, now: Timestamp
    ) async throws -> [PullPreview] {
        var configuration = try settings.configuration(source: name)
        // The broker gives a name to whom it keeps nothing for.
        configuration.clientID = ""
        configuration.keepsSession = false
        let clock = PullClock(start: now)
        let client = try MQTTClient(
            configuration, subscriptions: settings.topics.map(\.unsharedFilter))
        try await client.connect()
        var messages: [MQTTMessage] = []
        var limits = settings.limits
        limits.wait = .milliseconds(250)
        let end = ContinuousClock.now + Self.listening
        do {
            while ContinuousClock.now < end, messages.count < Self.messagesMaximum {
                messages += try await client.receive(limits)
                try await client.acknowledge()
                try Task.checkCancellation()
            }
        } catch {
            await client.disconnect()
            throw error
        }
        await client.disconnect()
        let batch = MQTTBatch(
            messages, routes: settings.topics, after: MQTTPosition(), resent: MQTTResent(),
            inflightMaximum: configuration.inflightMaximum, clock: clock, since: nil)
        return [PullPreview(batch)]
    }
}

extension TopicRoute {
    /// The filter by which nobody who shares it loses a message.
    fileprivate var unsharedFilter: String {
        let levels = filter.split(separator: "/", omittingEmptySubsequences: false)
        guard levels.first == "$share", levels.count > 2 else { return filter }
        return levels.dropFirst(2).joined(separator: "/")
    }
}

extension PullPreview {
    /// What messages would bring.
    fileprivate init(_ batch: MQTTBatch) {
        self.init(
            bytes: batch.bytes, items: batch.messages.count, badItems: batch.messagesRejected,
            reasons: batch.rejected.sorted { $0.key < $1.key }.map { "\($0.value) by \($0.key)" },
            series: batch.series.map { Series($0) },
            recordings: Set(batch.pieces.map(\.recording)).sorted())
    }
}
