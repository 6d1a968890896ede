import Foundation
package import Messaging

/// What an MQTT source is told; stored as JSON with the source.
package struct MQTTSettings: SourceSettings, Equatable {
    /// `mqtt://host:1883` or `mqtts://host:8883`.
    package var url: String
    /// Under which the broker keeps the session; nobody else may have it. `systole-NAME` by default.
    package var clientID: String?
    package var version: MQTTConfiguration.Version?
    package var username: String?
    /// A file with the password, so that it stands in no settings; its last line end is left out.
    package var passwordFile: String?
    package var authorityFile: String?
    package var certificateFile: String?
    package var keyFile: String?
    /// The most messages on their way to us.
    package var inflight: Int?
    /// How long the broker keeps what it has for us while we are gone.
    package var sessionHours: Int?
    package var topics: [TopicRoute]
    /// How long messages are gathered for a transaction, and how many bytes.
    package var batchMilliseconds: Int?
    package var batchBytes: Int?
    /// How long one pull lasts before its schedule starts the next.
    package var sliceSeconds: Int?
    /// After which silence a live recording is closed.
    package var silenceSeconds: Int?

    enum CodingKeys: String, CodingKey {
        case url, version, username, inflight, topics
        case clientID = "client_id"
        case passwordFile = "password_file"
        case authorityFile = "authority_file"
        case certificateFile = "certificate_file"
        case keyFile = "key_file"
        case sessionHours = "session_hours"
        case batchMilliseconds = "batch_milliseconds"
        case batchBytes = "batch_bytes"
        case sliceSeconds = "slice_seconds"
        case silenceSeconds = "silence_seconds"
    }

    package init(url: String, topics: [TopicRoute]) {
        self.url = url
        self.topics = topics
    }

    package var flaw: String? {
        do {
            _ = try MQTTConfiguration(url: url, clientID: "x")
        } catch {
            return error.description
        }
        let ranges: [(String, Int?, ClosedRange<Int>)] = [
            ("inflight", inflight, 1...65_535), ("session_hours", sessionHours, 1...8760),
            ("batch_milliseconds", batchMilliseconds, 1...60_000),
            ("batch_bytes", batchBytes, 1000...(256 << 20)),
            ("slice_seconds", sliceSeconds, 1...3000),
            ("silence_seconds", silenceSeconds, 1...86_400),
        ]
        for (name, value, range) in ranges {
            guard let value, !range.contains(value) else { continue }
            return "\(name) is \(range.lowerBound) to \(range.upperBound), found \(value)"
        }
        guard !topics.isEmpty else { return "topics has no topic" }
        return topics.lazy.compactMap(\.flaw).first
    }

    /// How the client connects for the source of this name.
    func configuration(source: String) throws -> MQTTConfiguration {
        var configuration = try MQTTConfiguration(
            url: url, clientID: clientID ?? "systole-\(source)")
        configuration.version = version ?? .five
        configuration.username = username
        if let passwordFile {
            guard let text = try? String(contentsOfFile: passwordFile, encoding: .utf8) else {
                throw IngestError.secret("file:\(passwordFile)")
            }
            configuration.password = text.last?.isNewline == true ? String(text.dropLast()) : text
        }
        configuration.authorityFile = authorityFile
        configuration.certificateFile = certificateFile
        configuration.keyFile = keyFile
        if let sessionHours { configuration.sessionSeconds = sessionHours * 3600 }
        configuration.inflightMaximum = inflight ?? (configuration.version == .five ? 1000 : 20)
        return configuration
    }

    var limits: MQTTBatchLimits {
        var limits = MQTTBatchLimits()
        limits.window = .milliseconds(batchMilliseconds ?? 200)
        limits.bytes = batchBytes ?? 1 << 20
        return limits
    }
}
