import Foundation
import Postgres
import TestSupport
import Testing

@testable import Notifications

/// What webhooks say, whatever the events were made of.
@Suite struct PayloadTests {
    /// Sends one event to an endpoint and returns its data as the receiver reads it.
    static func received(
        _ data: [String: Any], payload: String
    ) async throws -> (data: [String: Any], bytes: Int) {
        let text = String(
            decoding: try JSONSerialization.data(withJSONObject: data), as: UTF8.self)
        var result: ([String: Any], Int) = ([:], 0)
        try await Office.open { office in
            let receiver = try WebReceiver(status: 204)
            defer { receiver.stop() }
            let (_, secret) = try await office.add(receiver.root, payload: payload)
            try await office.emit("anomaly.opened", text)
            try await office.deliver(office.deliverer())
            let request = try #require(receiver.received.first)
            let body = try DelivererTests.verified(request, by: secret)
            #expect(body["id"] as? String == request.headers["webhook-id"])
            result = (try #require(body["data"] as? [String: Any]), request.body.count)
        }
        return result
    }

    @Test(
        arguments: [
            #"a"},"type":"ping","x":{""#, "\r\nwebhook-signature: v1,AAAA", "\u{1}\u{7f}",
            "</script><script>alert(1)</script>", "\u{202e}drowssap\u{2066}", "${jndi:ldap://x}",
            "'; DROP TABLE systole.series; --", "{{7*7}} %s %n", "心拍 🫀 é e\u{301}", "\\u0000\\\"",
        ], ["thin", "full"])
    func `a hostile label arrives as it is, and as nothing else`(
        label: String, payload: String
    ) async throws {
        let (data, _) = try await Self.received(["series": label, "score": 3], payload: payload)
        #expect(data["series"] as? String == label)
        #expect(Set(data.keys) == ["series", "score"])
    }

    @Test func `a thin payload cuts long texts, and a full one that is too long is sent thin`()
        async throws
    {
        let label = String(repeating: "心", count: 30_000)
        for payload in ["thin", "full"] {
            let (data, bytes) = try await Self.received(
                ["series": label, "values": Array(repeating: 1.5, count: 9000)], payload: payload)
            #expect(data["series"] as? String == String(repeating: "心", count: 1000))
            #expect(data["values"] == nil && bytes < Envelope.lengthMaximum)
        }
    }

    @Test func `a full payload carries everything but what names a person`() async throws {
        let (data, _) = try await Self.received(
            [
                "series": "oil", "observed": 41.5, "values": [1, 2], "patient": "P. A. Tient",
                "subject_id": 7, "Birth_Date": "1970-01-01",
                "labels": ["ward": "3", "patient_name": "P. A. Tient", "subjective": true],
            ], payload: "full")
        #expect(Set(data.keys) == ["series", "observed", "values", "labels"])
        let labels = data["labels"] as? [String: Any]
        #expect(labels.map { Set($0.keys) } == ["ward", "subjective"])
    }

    @Test func `the events of an incident carry their number`() async throws {
        try await Office.open { office in
            let receiver = try WebReceiver(status: 204)
            defer { receiver.stop() }
            let types = ["anomaly.opened", "anomaly.updated", "anomaly.resolved"]
            let (_, secret) = try await office.add(receiver.root, events: types)
            for type in types { try await office.emit(type, #"{"incident_id": 9}"#) }
            try await office.deliver(office.deliverer())
            var numbers: [String: Int] = [:]
            for request in receiver.received {
                let body = try DelivererTests.verified(request, by: secret)
                let data = body["data"] as? [String: Any]
                numbers[body["type"] as? String ?? ""] = data?["incident_seq"] as? Int
            }
            #expect(numbers == Dictionary(uniqueKeysWithValues: zip(types, 1...3)))
        }
    }
}
