import Crypto
import Foundation

/// A signing secret of Standard Webhooks: 24 to 64 bytes, written as `whsec_` and base64.
///
/// Shows itself in no description or dump.
package struct WebhookSecret: Sendable, CustomStringConvertible, CustomReflectable {
    let key: SymmetricKey

    /// What is wrong with the text of a secret; never repeats any of it.
    package enum Fault: Error, Equatable, Sendable {
        case prefixMissing
        case notBase64
        case length(bytes: Int)
    }

    /// Reads a secret.
    package init(_ text: String) throws(Fault) {
        guard text.hasPrefix(Self.prefix) else { throw .prefixMissing }
        guard let bytes = Data(base64Encoded: String(text.dropFirst(Self.prefix.count))) else {
            throw .notBase64
        }
        guard (24...64).contains(bytes.count) else { throw .length(bytes: bytes.count) }
        key = SymmetricKey(data: bytes)
    }

    private static let prefix = "whsec_"

    package var description: String { "a webhook secret" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}

extension WebhookSecret.Fault: CustomStringConvertible {
    package var description: String {
        switch self {
        case .prefixMissing: "a webhook secret starts with whsec_"
        case .notBase64: "behind whsec_ a webhook secret is standard base64"
        case .length(let bytes): "a webhook secret has 24 to 64 bytes, not \(bytes)"
        }
    }
}
