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
    /// - Throws: `IngestError.settings` or `.settingsFlaw`.
    package init(json: String, of source: String) throws(IngestError) {
        do {
            self = try JSONDecoder().decode(Self.self, from: Data(json.utf8))
        } catch let error as DecodingError {
            throw .settingsFlaw(Self.flaw(error))
        } catch {
            throw .settings(source)
        }
        if let flaw { throw .settingsFlaw(flaw) }
    }

    /// Which field cannot be read; nothing of what stands in it.
    private static func flaw(_ error: DecodingError) -> String {
        func field(_ path: [any CodingKey], _ last: (any CodingKey)? = nil) -> String {
            let names = (path + [last].compactMap(\.self)).map { key in
                key.intValue.map { "\($0)" } ?? key.stringValue
            }
            return names.isEmpty ? "the settings" : "\"" + names.joined(separator: ".") + "\""
        }
        return switch error {
        case .keyNotFound(let key, let context): "\(field(context.codingPath, key)) is missing"
        case .typeMismatch(let type, let context), .valueNotFound(let type, let context):
            "\(field(context.codingPath)) is no \(type)"
        case .dataCorrupted(let context): "\(field(context.codingPath)) cannot be read"
        @unknown default: "they cannot be read"
        }
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
