package import Series

/// A connector of a kind of source that is pulled over HTTP.
protocol WebConnector: Connector {
    associatedtype Settings: SourceSettings

    /// What sources of this connector have as their kind.
    static var kind: String { get }

    /// - Parameter client: Fetches the answers.
    init(client: FeedClient)

    /// Fetches and reads what a source gives first, and stores nothing.
    ///
    /// - Parameters:
    ///   - name: What the source is called.
    ///   - settings: How it is reached and read.
    ///   - now: The time on this machine's clock.
    /// - Returns: What would be stored.
    /// - Throws: Why nothing can be read.
    func preview(name: String, settings: Settings, now: Timestamp) async throws -> [PullPreview]
}

extension WebConnector {
    fileprivate static func check(_ json: String) throws(IngestError) {
        _ = try Settings(json: json, of: kind)
    }

    fileprivate func preview(
        name: String, json: String, now: Timestamp
    ) async throws -> [PullPreview] {
        try await preview(name: name, settings: Settings(json: json, of: name), now: now)
    }
}

/// The connectors of everything that is pulled over HTTP.
package struct WebConnectors: Sendable {
    private static let kinds: [String: any WebConnector.Type] = [
        HTTPConnector.kind: HTTPConnector.self,
        PrometheusConnector.kind: PrometheusConnector.self,
        FHIRConnector.kind: FHIRConnector.self,
        RecordListConnector.kind: RecordListConnector.self,
    ]

    private let client: FeedClient

    /// - Parameter client: Shared by all of them.
    package init(client: FeedClient) { self.client = client }

    /// By the kind of source they read.
    package var byKind: [String: any Connector] {
        Self.kinds.mapValues { $0.init(client: client) }
    }

    /// Checks the settings of a source before it is registered.
    ///
    /// - Parameters:
    ///   - settings: JSON.
    ///   - kind: Which connector reads them; settings of other kinds pass.
    /// - Throws: `IngestError.settings` or `.settingsFlaw`.
    package static func check(settings: String, kind: String) throws(IngestError) {
        try kinds[kind]?.check(settings)
    }

    /// Fetches and reads what a source gives first, and stores nothing.
    ///
    /// - Parameters:
    ///   - name: What the source is called.
    ///   - kind: Which connector reads it.
    ///   - settings: JSON.
    ///   - now: The time on this machine's clock.
    /// - Returns: What would be stored; nil for a kind that is not pulled over HTTP.
    /// - Throws: Why nothing can be read.
    package func preview(
        name: String, kind: String, settings: String, now: Timestamp
    ) async throws -> [PullPreview]? {
        try await Self.kinds[kind]?.init(client: client).preview(
            name: name, json: settings, now: now)
    }
}
