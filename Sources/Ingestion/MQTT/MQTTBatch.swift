import Foundation
import Messaging
import Series

/// What a source has stored of its session: its cursor.
///
/// The broker sends what it does not know to be acknowledged again, under the same number. A value
/// without a time of its own has the time at which its message came; that time is kept here as long as
/// the message may come again, so that it then means the same observation, and changes nothing. An
/// acknowledgement that was sent may be lost with the connection, and a broker that crashes may have
/// forgotten some, so that more are kept than the broker has on their way at most.
struct MQTTPosition: Codable, Equatable, Sendable {
    /// A message whose time of arrival matters.
    struct Arrival: Equatable, Sendable {
        /// The broker's number.
        let id: UInt16
        /// What tells it from another message of the same number.
        let digest: UInt32
        /// Microseconds since 1970.
        let at: Int64
    }

    /// Of the newest messages, the newest last.
    private(set) var arrivals: [Arrival] = []
    /// Messages that were stored or refused, since the source was registered.
    var messages = 0

    /// For how many messages more than the broker has on their way arrivals are kept.
    static let arrivalsBeyondInflight = 1000
    /// How long an acknowledgement may be on its way before the broker, silent for the time of two
    /// keep-alives, counts as gone.
    static let acknowledgedAfter = Duration.seconds(180)

    /// Keeps an arrival, and no more than `limit` of them.
    mutating func keep(_ arrival: Arrival, limit: Int) {
        arrivals.append(arrival)
        if arrivals.count > limit { arrivals.removeFirst(arrivals.count - limit) }
    }

    /// Forgets arrivals of messages that the broker knows to be acknowledged.
    mutating func forget(before time: Timestamp) {
        arrivals.removeAll { $0.at < time.microseconds }
    }

    static func decode(_ json: String?) -> MQTTPosition {
        // One that this version cannot read only makes a message that comes again another one.
        let data = Data((json ?? "").utf8)
        return (try? JSONDecoder().decode(MQTTPosition.self, from: data)) ?? MQTTPosition()
    }

    func json() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        return String(decoding: try encoder.encode(self), as: UTF8.self)
    }

    /// FNV-1a over topic and payload.
    static func digest(of message: MQTTMessage) -> UInt32 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        func take(_ byte: UInt8) { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        for byte in message.topic.utf8 { take(byte) }
        take(0)
        for byte in message.payload { take(byte) }
        return UInt32(truncatingIfNeeded: hash ^ (hash >> 32))
    }
}

/// As `number:digest:time`, since a cursor is written with every batch.
extension MQTTPosition.Arrival: Codable {
    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let parts = try container.decode(String.self).split(separator: ":")
        guard parts.count == 3, let id = UInt16(parts[0]), let digest = UInt32(parts[1], radix: 36),
            let at = Int64(parts[2])
        else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "an arrival is number:digest:time")
        }
        self.init(id: id, digest: digest, at: at)
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode("\(id):\(String(digest, radix: 36)):\(at)")
    }
}

/// Messages that may come again over a connection: those before it whose acknowledgements may be lost.
///
/// The broker sends them before all others. So the first one that is not among them ends it, and no
/// later message of the same number and the same bytes is taken for one of them.
struct MQTTResent: Sendable {
    private var arrivals: [UInt16: MQTTPosition.Arrival] = [:]

    init() {}

    /// Whether everything that comes is new.
    var isOver: Bool { arrivals.isEmpty }

    init(_ position: MQTTPosition) {
        for arrival in position.arrivals { arrivals[arrival.id] = arrival }
    }

    /// When a message came first; nil where it is new.
    func arrival(of message: MQTTMessage) -> Timestamp? {
        guard let known = arrivals[message.packetID],
            known.digest == MQTTPosition.digest(of: message)
        else { return nil }
        return Timestamp(microseconds: known.at)
    }
}

/// What the messages of a transaction bring.
struct MQTTBatch: Sendable {
    let messages: [MQTTMessage]
    /// What they take in memory.
    var bytes: Int { messages.reduce(0) { $0 + $1.topic.utf8.count + $1.payload.count } }
    /// Each series once in each unit.
    private(set) var series: [SeriesPiece] = []
    private(set) var pieces: [WaveformPiece] = []
    /// What could not be used, how much by reason.
    private(set) var rejected: [String: Int] = [:]
    /// Messages of which nothing could be used.
    private(set) var messagesRejected = 0
    /// The cursor, once this is stored.
    private(set) var position: MQTTPosition
    /// What may still come again.
    private(set) var resent: MQTTResent
    /// The newest time of ours that a message has, or would have.
    private(set) var arrivedUntil: Timestamp?
    private let arrivalsMaximum: Int

    /// - Parameters:
    ///   - messages: In the order in which they came.
    ///   - routes: What topics mean; the first that fits.
    ///   - before: The cursor.
    ///   - resent: What may come again.
    ///   - inflightMaximum: The most messages that the broker has on their way.
    ///   - clock: Ours, by which messages came.
    ///   - until: The newest time of ours before them.
    init(
        _ messages: [MQTTMessage], routes: [TopicRoute], after before: MQTTPosition,
        resent: MQTTResent, inflightMaximum: Int, clock: PullClock, since until: Timestamp?
    ) {
        self.messages = messages
        self.resent = resent
        arrivalsMaximum = inflightMaximum + MQTTPosition.arrivalsBeyondInflight
        position = before
        arrivedUntil = until
        if resent.isOver {
            position.forget(before: clock.now + (.zero - MQTTPosition.acknowledgedAfter))
        }
        position.messages += messages.count
        var places: [Channel: Int] = [:]
        for message in messages {
            // Those that come together come one after the other all the same.
            var own = clock.time(of: message.arrivedAt)
            if let last = arrivedUntil, own <= last { own = last + .microseconds(1) }
            arrivedUntil = own
            do throws(PayloadFault) {
                try take(message, routes, own, &places)
            } catch {
                messagesRejected += 1
                rejected[error.rawValue, default: 0] += 1
            }
        }
    }

    private mutating func take(
        _ message: MQTTMessage, _ routes: [TopicRoute], _ now: Timestamp,
        _ places: inout [Channel: Int]
    ) throws(PayloadFault) {
        guard let route = routes.first(where: { $0.matches(message.topic) }) else { throw .topic }
        let known = resent.arrival(of: message)
        let payload = try TopicPayload(
            message.payload, topic: message.topic, route: route, receivedAt: known ?? now)
        if payload.usesReceiveTime {
            guard !message.isRetained else { throw .retained }
            if known == nil { resent = MQTTResent() }
            let arrival = MQTTPosition.Arrival(
                id: message.packetID, digest: MQTTPosition.digest(of: message),
                at: (known ?? now).microseconds)
            position.keep(arrival, limit: arrivalsMaximum)
        }
        if let piece = payload.piece { pieces.append(piece) }
        for (fault, count) in payload.faults { rejected[fault.rawValue, default: 0] += count }
        for value in payload.values {
            let channel = Channel(name: value.key, unit: payload.unit)
            let place = places[channel] ?? series.count
            if place == series.count {
                places[channel] = place
                series.append(SeriesPiece(key: value.key, unit: payload.unit, observations: []))
            }
            series[place].append(value.value, at: value.at)
        }
    }
}
