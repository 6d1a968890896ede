import Crypto
import Foundation

/// The signature of one attempt, by Standard Webhooks 1.0.0, versions `v1` and `v1a`.
///
/// The signed content is the message id, a dot, the attempt's time in whole Unix seconds, a dot, and
/// the exact bytes of the body; over it goes HMAC-SHA256 (`v1`) or Ed25519 (`v1a`).
///
/// - Source: standard-webhooks, `spec/standard-webhooks.md`, version 1.0.0.
package enum Signature {
    /// The names of the three headers.
    package enum Header {
        package static let id = "webhook-id"
        package static let timestamp = "webhook-timestamp"
        package static let signature = "webhook-signature"
    }

    /// How far a receiver lets the time of an attempt differ from its own clock.
    package static let tolerance = Duration.seconds(300)

    /// Signs an attempt.
    ///
    /// Traps for an id with a character outside `A–Z a–z 0–9 _ -`: a dot would let two different
    /// messages have the same signed content.
    ///
    /// - Parameters:
    ///   - id: The message's id.
    ///   - unixSeconds: The time of this attempt.
    ///   - body: The exact bytes to be sent.
    ///   - secrets: At least one; during a rotation the new one and the old one.
    /// - Returns: The three headers.
    package static func headers(
        id: String, unixSeconds: Int64, body: [UInt8], secrets: [WebhookSecret]
    ) -> [String: String] {
        precondition(!secrets.isEmpty, "a webhook signed by nothing")
        precondition(!id.isEmpty && id.utf8.allSatisfy(isIDByte), "the message id \(id)")
        let content = signedContent(id: id, timestamp: String(unixSeconds), body: body)
        let signatures = secrets.map { secret in
            "\(secret.scheme.rawValue)," + code(secret.key, content).base64EncodedString()
        }
        return [
            Header.id: id, Header.timestamp: String(unixSeconds),
            Header.signature: signatures.joined(separator: " "),
        ]
    }

    /// Checks the headers of a webhook as its receiver does.
    ///
    /// - Parameters:
    ///   - headers: By lower-case name.
    ///   - body: The exact bytes received.
    ///   - secret: The receiver's secret.
    ///   - now: The receiver's clock, in Unix seconds.
    /// - Throws: The first thing that is wrong.
    package static func verify(
        headers: [String: String], body: [UInt8], secret: WebhookSecret, now: Int64
    ) throws(Fault) {
        switch secret.key {
        case .symmetric(let key):
            try verify(headers, body, .v1, now) { code, content in
                HMAC<SHA256>.isValidAuthenticationCode(code, authenticating: content, using: key)
            }
        case .asymmetric(let key):
            let publicKey = WebhookPublicKey(key: key.publicKey)
            try verify(headers: headers, body: body, publicKey: publicKey, now: now)
        }
    }

    /// Checks the headers of a webhook as a receiver does that knows the public key alone.
    ///
    /// - Parameters:
    ///   - headers: By lower-case name.
    ///   - body: The exact bytes received.
    ///   - publicKey: The endpoint's.
    ///   - now: The receiver's clock, in Unix seconds.
    /// - Throws: The first thing that is wrong.
    package static func verify(
        headers: [String: String], body: [UInt8], publicKey: WebhookPublicKey, now: Int64
    ) throws(Fault) {
        try verify(headers, body, .v1a, now) { code, content in
            publicKey.key.isValidSignature(code, for: content)
        }
    }

    private static func verify(
        _ headers: [String: String], _ body: [UInt8], _ scheme: WebhookSecret.Scheme, _ now: Int64,
        isValid: (_ code: Data, _ content: Data) -> Bool
    ) throws(Fault) {
        guard let id = headers[Header.id], let timestamp = headers[Header.timestamp],
            let signatures = headers[Header.signature]
        else { throw .headerMissing }
        guard let sent = Int64(timestamp) else { throw .timestampUnreadable }
        let (difference, isOverflow) = now.subtractingReportingOverflow(sent)
        let allowed = UInt64(tolerance.components.seconds)
        guard !isOverflow, difference.magnitude <= allowed else { throw .timestampTooFar }
        let content = signedContent(id: id, timestamp: timestamp, body: body)
        let prefix = scheme.rawValue + ","
        let isSigned = signatures.split(separator: " ").contains { signature in
            // Other versions are not ours to judge.
            guard signature.hasPrefix(prefix),
                let code = Data(base64Encoded: String(signature.dropFirst(prefix.count)))
            else { return false }
            return isValid(code, content)
        }
        guard isSigned else { throw .noSignatureMatches }
    }

    private static func code(_ key: WebhookSecret.Key, _ content: Data) -> Data {
        switch key {
        case .symmetric(let key):
            return Data(HMAC<SHA256>.authenticationCode(for: content, using: key))
        case .asymmetric(let key):
            // Has no way to fail.
            guard let code = try? key.signature(for: content) else {
                preconditionFailure("Ed25519 signs any bytes")
            }
            return code
        }
    }

    /// Why a webhook is not believed.
    package enum Fault: Error, Equatable, Sendable {
        case headerMissing
        case timestampUnreadable
        case timestampTooFar
        case noSignatureMatches
    }

    private static func signedContent(id: String, timestamp: String, body: [UInt8]) -> Data {
        var content = Data("\(id).\(timestamp).".utf8)
        content.append(contentsOf: body)
        return content
    }

    /// Whether a byte may stand in a message's id.
    package static func isIDByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }
}
