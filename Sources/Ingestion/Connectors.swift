package import Series

/// A connector of one kind of source that can be told, and tried out.
protocol SourceConnector: Connector {
    associatedtype Settings: SourceSettings

    /// What sources of this connector have as their kind.
    static var kind: String { get }

    /// Reads what a source gives first, and stores nothing.
    ///
    /// - Parameters:
    ///   - name: What the source is called.
    ///   - settings: How it is reached and read.
    ///   - now: The time on this machine's clock.
    /// - Returns: What would be stored.
    /// - Throws: Why nothing can be read.
    func preview(name: String, settings: Settings, now: Timestamp) async throws -> [PullPreview]
}

extension SourceConnector {
    fileprivate func preview(
        name: String, json: String, now: Timestamp
    ) async throws -> [PullPreview] {
        try await preview(name: name, settings: Settings(json: json, of: name), now: now)
    }
}

/// The connectors of all kinds of sources.
package struct Connectors: Sendable {
    private let all: [String: any SourceConnector]

    /// - Parameter client: Shared by all that pull over HTTP.
    package init(client: FeedClient) {
        all = [
            FolderConnector.kind: FolderConnector(),
            MQTTConnector.kind: MQTTConnector(),
            HTTPConnector.kind: HTTPConnector(client: client),
            PrometheusConnector.kind: PrometheusConnector(client: client),
            FHIRConnector.kind: FHIRConnector(client: client),
            RecordListConnector.kind: RecordListConnector(client: client),
        ]
    }

    /// By the kind of source they read.
    package var byKind: [String: any Connector] { all.mapValues { $0 } }

    /// Reads what a source gives first, and stores nothing.
    ///
    /// - Parameters:
    ///   - name: What the source is called.
    ///   - kind: Which connector reads it.
    ///   - settings: JSON.
    ///   - now: The time on this machine's clock.
    /// - Returns: What would be stored; nil for a kind that no connector reads.
    /// - Throws: Why nothing can be read.
    package func preview(
        name: String, kind: String, settings: String, now: Timestamp
    ) async throws -> [PullPreview]? {
        try await all[kind]?.preview(name: name, json: settings, now: now)
    }
}
