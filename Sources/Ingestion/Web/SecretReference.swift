import Foundation

/// Where a secret is kept: `env:NAME`, an environment variable, or `file:/path`.
///
/// Settings hold the reference, never the secret; nothing prints what it leads to.
package struct SecretReference: Sendable, Hashable, Codable, CustomStringConvertible {
    package let text: String

    /// Reads a reference; nil where the text is none, which may then be the secret itself.
    package init?(_ text: String) {
        let isVariable =
            text.hasPrefix("env:") && text.utf8.count > 4
            && text.utf8.dropFirst(4).allSatisfy {
                $0 | 0x20 &- 97 < 26 || $0 &- 48 < 10 || $0 == 95
            }
        let isFile = text.hasPrefix("file:/") && text.utf8.allSatisfy { $0 >= 0x20 }
        guard isVariable || isFile, text.utf8.count <= 1000 else { return nil }
        self.text = text
    }

    package init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard let reference = SecretReference(text) else {
            throw DecodingError.dataCorrupted(
                .init(
                    codingPath: decoder.codingPath,
                    debugDescription: "a secret is named by env:NAME or file:/path"))
        }
        self = reference
    }

    package func encode(to encoder: any Encoder) throws {
        var box = encoder.singleValueContainer()
        try box.encode(text)
    }

    package var description: String { text }
}

/// Looks secrets up, anew for every pull, so that they can be changed while the service runs.
package struct SecretReader: Sendable {
    /// The largest file that holds a secret, in bytes.
    static let bytesMaximum = 64 << 10

    private let environment: [String: String]

    /// - Parameter environment: The variables of this process, as its face read them.
    package init(environment: [String: String]) {
        self.environment = environment
    }

    /// The secret behind a reference, without a line end behind it.
    ///
    /// - Parameter reference: Where it is kept.
    /// - Returns: The secret; never empty.
    /// - Throws: `IngestError.secret`, which names the reference alone.
    func read(_ reference: SecretReference) throws(IngestError) -> String {
        let found: String?
        if reference.text.hasPrefix("env:") {
            found = environment[String(reference.text.dropFirst(4))]
        } else {
            found = Self.file(String(reference.text.dropFirst(5)))
        }
        let secret = found?.trimmingCharacters(in: .newlines) ?? ""
        guard !secret.isEmpty else { throw .secret(reference.text) }
        return secret
    }

    private static func file(_ path: String) -> String? {
        guard let handle = FileHandle(forReadingAtPath: path) else { return nil }
        // A file that was only read loses nothing by a failing close.
        defer { try? handle.close() }
        // Whatever the reason, a secret that cannot be read is not there.
        let data = (try? handle.read(upToCount: bytesMaximum)) ?? nil
        return data.flatMap { String(data: $0, encoding: .utf8) }
    }
}
