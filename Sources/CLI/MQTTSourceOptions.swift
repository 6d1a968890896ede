import ArgumentParser
import Ingestion
import Messaging
import Postgres
import Store

/// What `systole source add mqtt://…` is told besides.
struct MQTTSourceOptions: ParsableArguments {
    @Option(
        name: .customLong("topic"),
        help: """
            For an MQTT broker: FILTER=FORM:KEY, may be given several times. FORM is number, json or \
            waveform; in KEY {2} is the second level of the topic.
            """)
    var topics: [String] = []
    @Option(name: .customLong("client-id"), help: "The broker's name for the session.")
    var clientID: String?
    @Option(name: .customLong("mqtt-user"), help: "The broker's user.") var user: String?
    @Option(name: .customLong("mqtt-password-file"), help: "A file with the user's password.")
    var passwordFile: String?
    @Option(name: .customLong("mqtt-version"), help: "5 or 3.1.1.") var version = "5"

    /// Whether a path is the address of a broker.
    static func isBroker(_ path: String) -> Bool {
        SourceAddress.scheme(of: path).map { SourceAddress.brokers.contains($0) } ?? false
    }

    /// How long after the end of one pull, which lasts for minutes, the next begins at the latest.
    static let every = Duration.seconds(5)

    /// The settings for the broker at `url`.
    func settings(url: String) throws -> MQTTSettings {
        var settings = MQTTSettings(url: url, topics: try topics.map(Self.route))
        guard let version = MQTTConfiguration.Version(rawValue: version) else {
            throw ValidationError("--mqtt-version \(self.version) is neither 5 nor 3.1.1")
        }
        settings.version = version
        settings.clientID = clientID
        settings.username = user
        settings.passwordFile = passwordFile
        if let flaw = settings.flaw {
            throw ValidationError(IngestError.settingsFlaw(flaw).description)
        }
        return settings
    }

    /// `ward/+=waveform:ward/{2}`
    private static func route(_ text: String) throws -> TopicRoute {
        guard let equals = text.lastIndex(of: "=") else {
            throw ValidationError("--topic \(text) is not FILTER=FORM:KEY")
        }
        let parts = text[text.index(after: equals)...].split(separator: ":", maxSplits: 1)
        guard let form = parts.first.flatMap({ TopicRoute.Form(rawValue: String($0)) }) else {
            throw ValidationError("--topic \(text) has no form: number, json or waveform")
        }
        return TopicRoute(
            filter: String(text[..<equals]), form: form,
            key: parts.count > 1 ? String(parts[1]) : nil)
    }

    /// Registers the broker as a source.
    func register(
        url: String, name: String, isRevisable: Bool, in pool: Pool
    ) async throws -> Source {
        let json = try settings(url: url).json()
        return try await pool.transaction { db in
            try SourceStore.register(
                name: name, kind: MQTTConnector.kind, settings: json, every: Self.every,
                isRevisable: isRevisable, in: db)
        }
    }
}
