import Foundation
import Notifications
import Testing

@Suite struct SignatureTests {
    struct Vector: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let secret: String
        let id: String
        let time: Int64
        let body: String
        let signature: String
    }

    static let vectors = [
        Vector(
            testDescription: "the reference vector",
            secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            id: "msg_p5jXN8AQM9LWM0D4loKWxJek", time: 1_614_265_330,
            body: #"{"test": 2432232314}"#,
            signature: "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
        Vector(
            testDescription: "a body outside ASCII",
            secret: "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", id: "msg_2",
            time: 1_764_000_000, body: #"{"name":"Ölstand μ – 心拍 🫀","x":1}"#,
            signature: "v1,fcdjyR3dwKw9GvoGIShS9o30CX6RUVqIIYddu2mY4J4="),
        Vector(
            testDescription: "an empty body and the longest secret",
            secret:
                "whsec_/////////////////////////////////////////////////////////////////////////////////////w==",
            id: "a-b_C9", time: 1, body: "",
            signature: "v1,L+D7W2cEZos+74IlZG/s9afjMWOv1WmUvzbqy7tij4o="),
    ]
    static let asymmetric = Vector(
        testDescription: "the asymmetric reference vector",
        secret:
            "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==",
        id: "msg_p5jXN8AQM9LWM0D4loKWxJek", time: 1_614_265_330, body: #"{"test": 2432232314}"#,
        signature:
            "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg=="
    )
    static let now: Int64 = 1_764_000_000

    @Test(arguments: vectors + [asymmetric])
    func `signatures are those of the independent implementations`(_ vector: Vector) throws {
        let headers = Signature.headers(
            id: vector.id, unixSeconds: vector.time, body: Array(vector.body.utf8),
            secrets: [try WebhookSecret(vector.secret)])
        #expect(
            headers == [
                "webhook-id": vector.id, "webhook-timestamp": String(vector.time),
                "webhook-signature": vector.signature,
            ])
        try Signature.verify(
            headers: headers, body: Array(vector.body.utf8),
            secret: try WebhookSecret(vector.secret), now: vector.time)
    }

    /// A webhook that verifies, and its secret.
    static func genuine() throws -> (
        headers: [String: String], body: [UInt8], secret: WebhookSecret
    ) {
        let secret = try WebhookSecret(vectors[1].secret)
        let body = Array(vectors[1].body.utf8)
        return (
            Signature.headers(id: "msg_2", unixSeconds: now, body: body, secrets: [secret]), body,
            secret
        )
    }

    @Test func `a change of any byte, the id or the time is noticed`() throws {
        let (headers, body, secret) = try Self.genuine()
        for index in body.indices {
            var changed = body
            changed[index] ^= 1
            #expect(throws: Signature.Fault.noSignatureMatches) {
                try Signature.verify(headers: headers, body: changed, secret: secret, now: Self.now)
            }
        }
        for (name, value) in [
            ("webhook-id", "msg_3"), ("webhook-timestamp", String(Self.now + 1)),
            ("webhook-signature", "v1,AAAA"), ("webhook-signature", "v1,not base64"),
            ("webhook-signature", ""),
            ("webhook-signature", "v1a," + (headers["webhook-signature"] ?? "").dropFirst(3)),
        ] {
            var changed = headers
            changed[name] = value
            #expect(throws: Signature.Fault.noSignatureMatches, "\(name) \(value)") {
                try Signature.verify(headers: changed, body: body, secret: secret, now: Self.now)
            }
        }
    }

    @Test(arguments: [(-301, false), (-300, true), (0, true), (300, true), (301, false)])
    func `an attempt is believed for five minutes`(offset: Int64, isBelieved: Bool) throws {
        let (headers, body, secret) = try Self.genuine()
        let verified = Result { () throws(Signature.Fault) in
            try Signature.verify(
                headers: headers, body: body, secret: secret, now: Self.now + offset)
        }
        switch verified {
        case .success: #expect(isBelieved)
        case .failure(let fault): #expect(!isBelieved && fault == .timestampTooFar)
        }
    }

    @Test(arguments: ["webhook-id", "webhook-timestamp", "webhook-signature"])
    func `a webhook without one of its headers is refused`(name: String) throws {
        var (headers, body, secret) = try Self.genuine()
        headers[name] = nil
        #expect(throws: Signature.Fault.headerMissing) {
            try Signature.verify(headers: headers, body: body, secret: secret, now: Self.now)
        }
    }

    @Test(arguments: ["", "x", "1e9", "99999999999999999999", "-9223372036854775808"])
    func `a time that is no time of our days is refused`(text: String) throws {
        var (headers, body, secret) = try Self.genuine()
        headers["webhook-timestamp"] = text
        #expect(throws: Signature.Fault.self) {
            try Signature.verify(headers: headers, body: body, secret: secret, now: Self.now)
        }
    }

    @Test func `during a rotation both secrets verify, among signatures of other versions`() throws
    {
        let old = try WebhookSecret(Self.vectors[0].secret)
        let new = try WebhookSecret(Self.vectors[1].secret)
        let other = try WebhookSecret(Self.vectors[2].secret)
        let body = Array("{}".utf8)
        var headers = Signature.headers(
            id: "m", unixSeconds: Self.now, body: body, secrets: [new, old])
        headers["webhook-signature"] = "v1a,zzz v2 " + (headers["webhook-signature"] ?? "")
        for secret in [old, new] {
            try Signature.verify(headers: headers, body: body, secret: secret, now: Self.now)
        }
        #expect(throws: Signature.Fault.noSignatureMatches) {
            try Signature.verify(headers: headers, body: body, secret: other, now: Self.now)
        }
    }

    @Test func `who knows the public key alone can verify, and the others cannot`() throws {
        let vector = Self.asymmetric
        let secret = try WebhookSecret(vector.secret)
        let key = try #require(secret.publicKey)
        #expect(key.text == "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=")
        #expect(secret.revealed == vector.secret && secret.scheme == .v1a)
        let seed = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbc="
        #expect(try WebhookSecret(seed).revealed == vector.secret)
        let body = Array("{}".utf8)
        let headers = Signature.headers(
            id: "m", unixSeconds: Self.now, body: body,
            secrets: [try WebhookSecret(Self.vectors[0].secret), secret])
        let given = try WebhookPublicKey(key.text)
        try Signature.verify(headers: headers, body: body, publicKey: given, now: Self.now)
        let other = WebhookSecret(.v1a, from: Array(repeating: 3, count: 32))
        for (key, body) in [(try #require(other.publicKey), body), (given, body + [32])] {
            #expect(throws: Signature.Fault.noSignatureMatches) {
                try Signature.verify(headers: headers, body: body, publicKey: key, now: Self.now)
            }
        }
    }

    @Test func `a secret from chance reads as itself`() throws {
        let chance = (0..<32).map { UInt8($0 * 7) }
        for scheme in WebhookSecret.Scheme.allCases {
            let made = WebhookSecret(scheme, from: chance)
            #expect(try WebhookSecret(made.revealed).revealed == made.revealed)
            #expect(made.scheme == scheme && (made.publicKey != nil) == (scheme == .v1a))
        }
    }

    @Test func `an id with a dot traps`() async {
        await #expect(processExitsWith: .failure) {
            let secret = try WebhookSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
            _ = Signature.headers(id: "a.b", unixSeconds: 1, body: [], secrets: [secret])
        }
    }

    @Test func `a malformed secret is refused without being repeated`() throws {
        let faults: [(String, WebhookSecret.Fault)] = [
            ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", .prefixMissing), ("", .prefixMissing),
            ("whsec_***", .notBase64), ("whsec_c2hvcnQ=", .length(bytes: 5)),
            ("whsec_" + Data(repeating: 1, count: 65).base64EncodedString(), .length(bytes: 65)),
            ("whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=", .prefixMissing),
            ("WHSEC_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", .prefixMissing),
            ("whsk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", .length(bytes: 24)), ("whsk_%", .notBase64),
            (
                "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlaaaaaaaaaaAJ6p9lMicMFs6Kvg==",
                .halvesDiffer
            ),
        ]
        for (text, fault) in faults {
            #expect(throws: fault) { try WebhookSecret(text) }
            #expect(!"\(fault)".contains("c2hv") && !"\(fault)".contains("MfKQ"))
        }
    }

    @Test func `no description or dump shows a secret`() throws {
        let secret = try WebhookSecret(Self.vectors[0].secret)
        var dumped = ""
        dump([secret], to: &dumped)
        for text in ["\(secret)", String(reflecting: secret), "\([secret])", dumped] {
            #expect(!text.contains("MfKQ") && !text.contains("Symmetric"))
        }
    }
}
