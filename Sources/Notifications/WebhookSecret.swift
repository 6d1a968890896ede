import Crypto
import Foundation

/// What one endpoint's webhooks are signed with, by Standard Webhooks: 24 to 64 bytes, written as
/// `whsec_` and base64 (`v1`), or an Ed25519 key, written as `whsk_` and base64 (`v1a`).
///
/// Shows itself in no description or dump.
package struct WebhookSecret: Sendable, CustomStringConvertible, CustomReflectable {
    /// A version of signatures, as the header names it.
    package enum Scheme: String, Sendable, CaseIterable {
        /// HMAC-SHA256; the receiver knows the secret.
        case v1
        /// Ed25519; the receiver knows the public key.
        case v1a
    }

    enum Key: Sendable {
        case symmetric(SymmetricKey)
        case asymmetric(Curve25519.Signing.PrivateKey)
    }

    let key: Key

    /// What is wrong with the text of a secret; never repeats any of it.
    package enum Fault: Error, Equatable, Sendable {
        case prefixMissing
        case notBase64
        case length(bytes: Int)
        /// The public half of an asymmetric key is not that of its private half.
        case halvesDiffer
    }

    /// Reads a secret. An asymmetric one is its 32 private bytes, and may be followed by the 32
    /// public ones.
    package init(_ text: String) throws(Fault) {
        if text.hasPrefix(Self.privatePrefix) {
            let bytes = try Self.bytes(of: text, after: Self.privatePrefix)
            guard bytes.count == 32 || bytes.count == 64,
                // Fails for another length alone.
                let read = try? Curve25519.Signing.PrivateKey(rawRepresentation: bytes.prefix(32))
            else { throw .length(bytes: bytes.count) }
            guard bytes.count == 32 || read.publicKey.rawRepresentation == bytes.suffix(32) else {
                throw .halvesDiffer
            }
            key = .asymmetric(read)
        } else {
            let bytes = try Self.bytes(of: text, after: Self.sharedPrefix)
            guard (24...64).contains(bytes.count) else { throw .length(bytes: bytes.count) }
            key = .symmetric(SymmetricKey(data: bytes))
        }
    }

    /// A new secret.
    ///
    /// - Parameters:
    ///   - scheme: What it signs by.
    ///   - chance: 32 bytes of the system's strong randomness.
    package init(_ scheme: Scheme, from chance: [UInt8]) {
        precondition(chance.count == 32, "a webhook secret from \(chance.count) bytes")
        switch scheme {
        case .v1: key = .symmetric(SymmetricKey(data: chance))
        case .v1a:
            // Fails for another length alone.
            guard let made = try? Curve25519.Signing.PrivateKey(rawRepresentation: chance) else {
                preconditionFailure("any 32 bytes are an Ed25519 key")
            }
            key = .asymmetric(made)
        }
    }

    package var scheme: Scheme {
        switch key {
        case .symmetric: .v1
        case .asymmetric: .v1a
        }
    }

    /// The secret as text, for the one who may have it.
    package var revealed: String {
        switch key {
        case .symmetric(let key):
            unsafe key.withUnsafeBytes { bytes in
                unsafe Self.sharedPrefix + Data(bytes).base64EncodedString()
            }
        case .asymmetric(let key):
            Self.privatePrefix
                + (key.rawRepresentation + key.publicKey.rawRepresentation).base64EncodedString()
        }
    }

    /// What receivers verify `v1a` with; nil for `v1`.
    package var publicKey: WebhookPublicKey? {
        switch key {
        case .symmetric: nil
        case .asymmetric(let key): WebhookPublicKey(key: key.publicKey)
        }
    }

    fileprivate static func bytes(
        of text: String, after prefix: String
    ) throws(Fault) -> Data {
        guard text.hasPrefix(prefix) else { throw .prefixMissing }
        guard let bytes = Data(base64Encoded: String(text.dropFirst(prefix.count))) else {
            throw .notBase64
        }
        return bytes
    }

    private static let sharedPrefix = "whsec_"
    private static let privatePrefix = "whsk_"

    package var description: String { "a webhook secret" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}

/// The public half of an asymmetric secret, written as `whpk_` and base64.
package struct WebhookPublicKey: Sendable {
    let key: Curve25519.Signing.PublicKey

    init(key: Curve25519.Signing.PublicKey) {
        self.key = key
    }

    /// Reads a public key.
    package init(_ text: String) throws(WebhookSecret.Fault) {
        let bytes = try WebhookSecret.bytes(of: text, after: Self.prefix)
        // Fails for another length alone.
        guard bytes.count == 32,
            let read = try? Curve25519.Signing.PublicKey(rawRepresentation: bytes)
        else { throw .length(bytes: bytes.count) }
        key = read
    }

    /// As receivers are given it.
    package var text: String { Self.prefix + key.rawRepresentation.base64EncodedString() }

    private static let prefix = "whpk_"
}

extension WebhookSecret.Fault: CustomStringConvertible {
    package var description: String {
        switch self {
        case .prefixMissing: "a webhook secret starts with whsec_ or whsk_, a public key with whpk_"
        case .notBase64: "behind its prefix a webhook secret is standard base64"
        case .length(let bytes):
            "a webhook secret has 24 to 64 bytes, an asymmetric one 32 or 64, not \(bytes)"
        case .halvesDiffer: "the public half of the key is not that of its private half"
        }
    }
}
