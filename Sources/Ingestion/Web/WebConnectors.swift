package import Series

/// The connectors of everything that is pulled over HTTP.
package struct WebConnectors: Sendable {
    private let client: FeedClient

    /// - Parameter client: Shared by all of them.
    package init(client: FeedClient) { self.client = client }

    /// By the kind of source they read.
    package var byKind: [String: any Connector] {
        [
            HTTPConnector.kind: HTTPConnector(client: client),
            PrometheusConnector.kind: PrometheusConnector(client: client),
            FHIRConnector.kind: FHIRConnector(client: client),
            RecordListConnector.kind: RecordListConnector(client: client),
        ]
    }

    /// Checks the settings of a source before it is registered.
    ///
    /// - Parameters:
    ///   - settings: JSON.
    ///   - kind: Which connector reads them; settings of other kinds pass.
    /// - Throws: `IngestError.settings` or `.settingsFlaw`.
    package static func check(settings: String, kind: String) throws(IngestError) {
        let flaw: String?
        switch kind {
        case HTTPConnector.kind:
            flaw = (try SettingsText.read(settings, of: kind) as HTTPSettings).flaw
        case PrometheusConnector.kind:
            flaw = (try SettingsText.read(settings, of: kind) as PrometheusSettings).flaw
        case FHIRConnector.kind:
            flaw = (try SettingsText.read(settings, of: kind) as FHIRSettings).flaw
        case RecordListConnector.kind:
            flaw = (try SettingsText.read(settings, of: kind) as RecordListSettings).flaw
        default: flaw = nil
        }
        if let flaw { throw .settingsFlaw(flaw) }
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
        switch kind {
        case HTTPConnector.kind:
            [
                try await HTTPConnector(client: client).preview(
                    name: name, settings: SettingsText.read(settings, of: name), now: now)
            ]
        case PrometheusConnector.kind:
            try await PrometheusConnector(client: client).preview(
                name: name, settings: SettingsText.read(settings, of: name), now: now)
        case FHIRConnector.kind:
            [
                try await FHIRConnector(client: client).preview(
                    name: name, settings: SettingsText.read(settings, of: name), now: now)
            ]
        case RecordListConnector.kind:
            [
                try await RecordListConnector(client: client).preview(
                    name: name, settings: SettingsText.read(settings, of: name))
            ]
        default: nil
        }
    }
}
