import Foundation

/// What a source is told; stored as JSON with the source.
package protocol SourceSettings: Codable, Sendable {
    /// What is wrong with the settings; nil where they can be used.
    var flaw: String? { get }
}

extension SourceSettings {
    /// The settings in the JSON of a source.
    ///
    /// - Parameters:
    ///   - json: An object.
    ///   - source: The source's name, for the error.
    /// - Throws: `IngestError.settings` for what cannot be read, `.settingsFlaw` for what cannot be used.
    package init(json: String, of source: String) throws(IngestError) {
        do {
            self = try JSONDecoder().decode(Self.self, from: Data(json.utf8))
        } catch {
            throw .settings(source)
        }
        if let flaw { throw .settingsFlaw(flaw) }
    }

    /// As JSON, always the same text for the same settings.
    package func json() throws -> String { try StableJSON.text(self) }
}

/// JSON that is the same text for the same value.
enum StableJSON {
    static func text(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }
}
