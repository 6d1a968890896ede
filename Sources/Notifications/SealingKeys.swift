import Crypto
import Foundation

/// The keys under which signing secrets lie in the database: AES-256-GCM, the newest key first.
///
/// A sealed secret is `sealed:KEY:` and base64 of nonce, ciphertext and tag, where `KEY` is the id
/// of the key: the first eight bytes of its SHA-256. The key itself is in a file beside the
/// notifier and never in the database, so that a dump, a replica or a stolen disk of the database
/// signs nothing.
package struct SealingKeys: Sendable, CustomStringConvertible, CustomReflectable {
    private let keys: [(id: String, key: SymmetricKey)]

    /// Why a secret cannot be had; never repeats any of it.
    package enum Fault: Error, Equatable, Sendable {
        /// A line of a key file is not 32 bytes in base64.
        case key(line: Int)
        /// The secret is sealed under a key that this process does not have.
        case keyMissing(id: String)
        /// The sealed text was changed, or cut off.
        case damaged
    }

    /// No keys: secrets lie as they are, and sealed ones cannot be opened.
    package static let none = SealingKeys()

    private init() { keys = [] }

    /// Reads a key file: one key a line, 32 bytes in base64; empty lines and those with `#` are
    /// passed over. The first key seals, all of them open.
    package init(_ text: String) throws(Fault) {
        var keys: [(id: String, key: SymmetricKey)] = []
        for (index, line) in text.split(
            omittingEmptySubsequences: false, whereSeparator: \.isNewline
        ).enumerated() {
            let line = line.trimmingCharacters(in: .whitespaces)
            guard !line.isEmpty, !line.hasPrefix("#") else { continue }
            guard let bytes = Data(base64Encoded: line), bytes.count == 32 else {
                throw .key(line: index + 1)
            }
            let digest = SHA256.hash(data: bytes).prefix(8)
            let id = digest.map { byte in
                (byte < 16 ? "0" : "") + String(byte, radix: 16)
            }.joined()
            keys.append((id, SymmetricKey(data: bytes)))
        }
        self.keys = keys
    }

    /// The ids of the keys, the one that seals first.
    package var ids: [String] { keys.map(\.id) }

    /// Seals a secret; without keys it stays as it is.
    package func seal(_ secret: String) -> String {
        guard let newest = keys.first else { return secret }
        // A nonce of 96 bits from the system's strong randomness, as `AES.GCM` draws it; it fails
        // for keys and nonces of another length alone.
        guard
            let box = try? AES.GCM.seal(
                Data(secret.utf8), using: newest.key, authenticating: Self.purpose),
            let combined = box.combined
        else { preconditionFailure("AES-256-GCM seals any bytes") }
        return "\(Self.prefix)\(newest.id):\(combined.base64EncodedString())"
    }

    /// Opens what was sealed; a secret that never was is returned as it is.
    package func open(_ stored: String) throws(Fault) -> String {
        guard stored.hasPrefix(Self.prefix) else { return stored }
        let parts = stored.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 3, let bytes = Data(base64Encoded: String(parts[2])) else {
            throw .damaged
        }
        guard let key = keys.first(where: { $0.id == parts[1] })?.key else {
            throw .keyMissing(id: String(parts[1]))
        }
        // Whatever it is that does not fit, the secret cannot be had.
        guard let box = try? AES.GCM.SealedBox(combined: bytes),
            let opened = try? AES.GCM.open(box, using: key, authenticating: Self.purpose)
        else { throw .damaged }
        return String(decoding: opened, as: UTF8.self)
    }

    /// Whether a stored secret is to be sealed, or sealed anew under the newest key.
    func shouldSeal(_ stored: String) -> Bool {
        guard let newest = keys.first else { return false }
        return !stored.hasPrefix("\(Self.prefix)\(newest.id):")
    }

    private static let prefix = "sealed:"
    /// Bound into every seal, so that nothing sealed for another end opens as a secret.
    private static let purpose = Data("systole webhook secret".utf8)

    package var description: String { "\(keys.count) sealing keys" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}

extension SealingKeys.Fault: CustomStringConvertible {
    package var description: String {
        switch self {
        case .key(let line): "line \(line) of the key file is not 32 bytes in base64"
        case .keyMissing(let id): "the secret is sealed under the key \(id), which is not at hand"
        case .damaged: "the sealed secret does not open"
        }
    }
}
