import Foundation
import Logging
import Series

/// Log lines as JSON objects on standard error, one a line.
struct LogFormat: LogHandler {
    var metadata: Logger.Metadata = [:]
    var logLevel: Logger.Level
    private let label: String

    /// Makes this the format of every logger of the process; called once.
    static func start(level: Logger.Level) {
        LoggingSystem.bootstrap { LogFormat(label: $0, logLevel: level) }
    }

    private init(label: String, logLevel: Logger.Level) {
        self.label = label
        self.logLevel = logLevel
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var fields = metadata.merging(event.metadata ?? [:]) { _, new in new }
            .mapValues { "\($0)" }
        fields["at"] = Timestamp(unixSeconds: Date().timeIntervalSince1970).description
        fields["level"] = event.level.rawValue
        fields["message"] = "\(event.message)"
        fields["logger"] = label
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard var line = try? encoder.encode(fields) else { return }  // Texts always encode.
        line.append(0x0A)
        FileHandle.standardError.write(line)
    }
}
