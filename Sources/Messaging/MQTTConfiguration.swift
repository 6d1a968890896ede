/// Where a broker is, and as whom we speak to it.
package struct MQTTConfiguration: Sendable, Equatable {
    /// Which version of the protocol is spoken.
    package enum Version: String, Sendable, Codable {
        case three = "3.1.1"
        case five = "5"
    }

    package var host: String
    package var port: Int
    /// Whether the connection is encrypted and the broker's certificate checked.
    package var usesTLS: Bool
    package var version = Version.five
    /// Under which the broker keeps the session: fixed for a source, and nobody else's.
    package var clientID: String
    package var username: String?
    package var password: String?
    /// The certificates of those whose word is taken; nil for those that the system trusts.
    package var authorityFile: String?
    /// Our own certificate and its key, where the broker asks for one.
    package var certificateFile: String?
    package var keyFile: String?
    /// How long the broker keeps the session, and what it has for us, while we are gone.
    package var sessionSeconds = 7 * 86_400
    /// Whether the broker keeps the session at all; a publisher needs none.
    package var keepsSession = true
    /// How long the line may be silent before it is tried whether the broker is there.
    package var keepAliveSeconds = 60
    /// The most messages that the broker has on their way to us, 1 to 65535. Version 5 tells it; in
    /// version 3.1.1 the broker has a limit of its own, which this must not exceed: mosquitto's is 20.
    package var inflightMaximum = 1000
    /// How long connecting may take.
    package var connectMaximum = Duration.seconds(10)

    package init(host: String, port: Int, usesTLS: Bool = false, clientID: String) {
        self.host = host
        self.port = port
        self.usesTLS = usesTLS
        self.clientID = clientID
    }

    /// Reads `mqtt://host:1883` or `mqtts://host:8883`; the ports may be left out.
    ///
    /// - Parameters:
    ///   - url: Without user, password and path: what is secret does not stand in an address.
    ///   - clientID: Under which the broker keeps the session.
    /// - Throws: `MQTTError.address`.
    package init(url: String, clientID: String) throws(MQTTError) {
        let schemes = [("mqtt://", false), ("mqtts://", true)]
        guard let (scheme, usesTLS) = schemes.first(where: { url.lowercased().hasPrefix($0.0) })
        else { throw .address }
        var rest = url.dropFirst(scheme.count)
        if rest.last == "/" { rest = rest.dropLast() }
        var port = usesTLS ? 8883 : 1883
        // An IPv6 address stands in brackets, since it has colons of its own.
        let colon = rest.lastIndex(of: ":")
        if let colon, !rest.hasSuffix("]") {
            guard let told = Int(rest[rest.index(after: colon)...]), (1...65_535).contains(told)
            else { throw .address }
            port = told
            rest = rest[..<colon]
        }
        if rest.hasPrefix("["), rest.hasSuffix("]") { rest = rest.dropFirst().dropLast() }
        let isUsable =
            !rest.isEmpty && rest.utf8.count <= 255
            && rest.utf8.allSatisfy {
                $0 > 0x20 && $0 < 0x7f && !Array("@/?#\\".utf8).contains($0)
            }
        guard isUsable else { throw .address }
        self.init(host: String(rest), port: port, usesTLS: usesTLS, clientID: clientID)
    }
}

/// A message that came.
package struct MQTTMessage: Sendable, Equatable {
    package let topic: String
    package let payload: [UInt8]
    /// The broker's number for it until it is acknowledged, from 1; 0 where it wants no
    /// acknowledgement.
    package let packetID: UInt16
    /// Whether the broker kept it for those who subscribe later, and we have just done so.
    package let isRetained: Bool
    /// When it came, which is nothing that it says.
    package let arrivedAt: ContinuousClock.Instant

    package init(
        topic: String, payload: [UInt8], packetID: UInt16 = 0, isRetained: Bool = false,
        arrivedAt: ContinuousClock.Instant = .now
    ) {
        self.topic = topic
        self.payload = payload
        self.packetID = packetID
        self.isRetained = isRetained
        self.arrivedAt = arrivedAt
    }

    /// Whether two say the same, whenever they came.
    package static func == (a: MQTTMessage, b: MQTTMessage) -> Bool {
        a.topic == b.topic && a.payload == b.payload && a.packetID == b.packetID
            && a.isRetained == b.isRetained
    }
}

/// How much of what comes is handed out together.
package struct MQTTBatchLimits: Sendable, Equatable {
    /// How long the first message is waited for.
    package var wait = Duration.milliseconds(200)
    /// How long others are waited for after the first.
    package var window = Duration.milliseconds(200)
    /// Payload and topics; one message may exceed it.
    package var bytes = 1 << 20

    package init() {}
}

/// Why there is no connection, or none any more.
package enum MQTTError: Error, Equatable, Sendable {
    /// An address that is none.
    case address
    /// The name or the address does not answer, or not in time.
    case unreachable
    /// The broker said no; its reason code.
    case refused(code: Int)
    /// TLS could not be agreed on: certificate, name, version.
    case encryption
    /// The broker does not let us have this topic.
    case subscription(topic: String)
    /// It is no topic, or no topic filter.
    case topic(String)
    /// The connection ended; the broker's reason code, where it gave one.
    case lost(code: Int?)
    /// The library refused a setting, or has no memory; its code.
    case library(code: Int)

    /// Whether somebody else connected with our client id.
    package var isTakeover: Bool { self == .lost(code: 0x8E) }
}

extension MQTTError: CustomStringConvertible {
    /// One sentence without anything that a message carried.
    package var description: String {
        switch self {
        case .address:
            "the address of the broker cannot be read; accepted are mqtt://HOST:PORT and "
                + "mqtts://HOST:PORT, without user and password"
        case .unreachable: "the broker does not answer"
        case .refused(let code): "the broker refused the connection (reason \(code))"
        case .encryption: "no encrypted connection to the broker could be agreed on"
        case .subscription(let topic): "the broker refused the subscription to \(topic)"
        case .topic(let topic): "\(topic) is no topic"
        case .lost(let code):
            "the connection to the broker ended" + (code.map { " (reason \($0))" } ?? "")
        case .library(let code): "libmosquitto refused (error \(code))"
        }
    }
}
