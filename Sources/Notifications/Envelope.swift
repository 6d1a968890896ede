package import Series

/// The body of a webhook: `{"id", "type", "timestamp", "data"}`.
///
/// Built once, when the delivery is made, and stored: what is signed is never serialised again.
package struct Envelope: Sendable {
    /// Such as `msg_2f0c…`; also sent as the header `webhook-id`.
    package let id: String
    /// Such as `anomaly.opened`.
    package let type: String
    /// When the event happened.
    package let at: Timestamp
    /// A JSON object, as PostgreSQL wrote it.
    package let data: String

    /// The longest body sent in full, in bytes; of a longer one the thin part goes out.
    ///
    /// - Source: Standard Webhooks 1.0.0, "Payload size": usually smaller than 20 kB.
    package static let lengthMaximum = 20_000

    /// - Parameters:
    ///   - id: Letters, digits, `_` and `-`.
    ///   - type: Lower-case letters and dots; the outbox holds no others.
    ///   - at: When the event happened.
    ///   - data: A JSON object.
    package init(id: String, type: String, at: Timestamp, data: String) {
        let isPlain = (id + type).utf8.allSatisfy {
            $0 > 0x20 && $0 < 0x7f && $0 != 0x22 && $0 != 0x5c
        }
        precondition(isPlain, "an envelope of id \(id) and type \(type)")
        precondition(data.hasPrefix("{") && data.hasSuffix("}"), "an envelope without an object")
        self.id = id
        self.type = type
        self.at = at
        self.data = data
    }

    /// The text whose UTF-8 bytes are signed and sent.
    package var text: String {
        #"{"id":"\#(id)","type":"\#(type)","timestamp":"\#(at)","data":\#(data)}"#
    }
}
