import Foundation
import Postgres
import ServiceLifecycle
import Store
import Synchronization
import TestSupport
import Testing
import WebClient

@testable import Notifications

@Suite struct DelivererTests {
    /// Checks a webhook as its receiver would, and returns its body.
    static func verified(
        _ received: WebReceiver.Received, by secret: WebhookSecret
    ) throws -> [String: Any] {
        let sent = try #require(Int64(received.headers["webhook-timestamp"] ?? ""))
        try Signature.verify(
            headers: received.headers, body: received.body, secret: secret, now: sent)
        let body = try JSONSerialization.jsonObject(with: Data(received.body))
        return try #require(body as? [String: Any])
    }

    @Test func `an event arrives signed, thin, and once`() async throws {
        try await Office.open { office in
            let receiver = try WebReceiver(status: 204)
            defer { receiver.stop() }
            let (_, secret) = try await office.add(receiver.root + "/hook")
            try await office.emit(
                "anomaly.opened",
                #"{"series": "Ölstand 心", "score": 3.250, "observed": 41.7, "values": [1], "job_id": 9007199254740993}"#
            )
            let deliverer = office.deliverer()
            #expect(try await office.deliver(deliverer) == 1)
            #expect(try await office.deliver(deliverer) == 0)
            #expect(receiver.received.count == 1)
            let request = try #require(receiver.received.first)
            let body = try Self.verified(request, by: secret)
            #expect(request.headers["content-type"] == "application/json")
            #expect(body["id"] as? String == request.headers["webhook-id"])
            #expect(body["type"] as? String == "anomaly.opened")
            #expect((body["timestamp"] as? String)?.hasSuffix("Z") == true)
            let text = String(decoding: request.body, as: UTF8.self)
            #expect(
                text.hasSuffix(
                    #""data":{"score": 3.250, "job_id": 9007199254740993, "series": "Ölstand 心"}}"#)
            )
            #expect(try await office.logRows() == ["accepted 204"])
        }
    }

    @Test func `each endpoint gets what it asked for, in the form it asked for`() async throws {
        try await Office.open { office in
            let receiver = try WebReceiver(status: 204)
            defer { receiver.stop() }
            let one = try await office.add(
                receiver.root + "/one", events: ["anomaly.opened", "model.promoted"])
            let two = try await office.add(
                receiver.root + "/two", events: ["anomaly.opened"], payload: "full")
            let data = #"{"series": "oil", "observed": 41.7}"#
            try await office.emit("anomaly.opened", data)
            try await office.emit("model.promoted", data)
            try await office.emit("series.extended", data)
            #expect(try await office.deliver(office.deliverer()) == 3)
            func types(_ path: String, _ secret: WebhookSecret) throws -> [String: Bool] {
                var seen: [String: Bool] = [:]
                for request in receiver.received where request.requestLine.contains(path) {
                    let body = try Self.verified(request, by: secret)
                    let data = body["data"] as? [String: Any]
                    seen[body["type"] as? String ?? ""] = data?["observed"] != nil
                }
                return seen
            }
            #expect(
                try types("/one", one.secret) == ["anomaly.opened": false, "model.promoted": false])
            #expect(try types("/two", two.secret) == ["anomaly.opened": true])
        }
    }

    @Test func `a failed delivery returns with the same id and body, and a new time`() async throws
    {
        try await Office.open { office in
            let receiver = try WebReceiver(Script(500, 404, 301, 204))
            defer { receiver.stop() }
            let (_, secret) = try await office.add(receiver.root)
            try await office.emit()
            let deliverer = office.deliverer()
            try await office.deliver(deliverer)
            let wait = try await office.run(
                """
                SELECT extract(epoch FROM next_try_at - now())::float8 AS wait
                FROM systole.webhook_delivery
                """
            ).only().double("wait")
            #expect((3.0...5.0).contains(wait))
            #expect(try await office.deliver(deliverer) == 0)
            for _ in 0..<3 {
                try await office.passTime()
                #expect(try await office.deliver(deliverer) == 1)
            }
            let log = try await office.logRows()
            #expect(
                log == [
                    "accepted 500 status", "accepted 404 status", "accepted 301 status",
                    "accepted 204",
                ])
            #expect(Set(receiver.received.map { $0.headers["webhook-id"] }).count == 1)
            #expect(Set(receiver.received.map(\.body)).count == 1)
            for request in receiver.received { _ = try Self.verified(request, by: secret) }
        }
    }

    @Test func `a receiver that was down gets what it missed, in order, once it is up`()
        async throws
    {
        try await Office.open { office in
            let gone = try WebReceiver(status: 204)
            gone.stop()
            let (_, secret) = try await office.add(gone.root)
            for number in 1...3 {
                try await office.emit("anomaly.opened", #"{"series_id": \#(number)}"#)
            }
            let deliverer = office.deliverer(DelivererOptions(concurrencyPerEndpoint: 1))
            for _ in 0..<3 { try await office.deliver(deliverer) }
            let receiver = try WebReceiver(port: gone.port) { _ in .answer(status: 204) }
            defer { receiver.stop() }
            try await office.passTime()
            for _ in 0..<3 { try await office.deliver(deliverer) }
            let numbers = try receiver.received.map { request in
                let body = try Self.verified(request, by: secret)
                return (body["data"] as? [String: Any])?["series_id"] as? Int
            }
            #expect(numbers == [1, 2, 3])
            let log = try await office.logRows()
            #expect(log.filter { $0 == "accepted connection_refused" }.count == 3)
            #expect(log.filter { $0 == "accepted 204" }.count == 3)
        }
    }

    @Test func `gone disables the endpoint, keeps its queue, and tells the others`() async throws {
        try await Office.open { office in
            let receiver = try WebReceiver { request in
                .answer(status: request.requestLine.contains("/gone") ? 410 : 204)
            }
            defer { receiver.stop() }
            let gone = try await office.add(receiver.root + "/gone")
            _ = try await office.add(receiver.root + "/other", events: ["endpoint.disabled"])
            try await office.emit()
            let deliverer = office.deliverer()
            try await office.deliver(deliverer)
            let row = try await office.run(
                "SELECT state, disabled_reason FROM systole.webhooks WHERE endpoint_id = \(gone.id)"
            ).only()
            #expect(try row.text("state") == "disabled")
            #expect(try row.text("disabled_reason") == "answered 410 Gone")
            try await office.emit()
            try await office.deliver(deliverer)
            #expect(
                receiver.received.map(\.requestLine) == [
                    "POST /gone HTTP/1.1", "POST /other HTTP/1.1",
                ])
            #expect(
                try await office.logRows() == ["exhausted 410 status", "accepted 204", "waiting"])
            try await office.run("SELECT systole.enable_webhook(\(gone.id))")
            #expect(try await office.deliver(deliverer) == 1)
        }
    }

    @Test func `after the tenth failure a delivery is given up, and can be replayed`() async throws
    {
        try await Office.open { office in
            let script = Script(500, 500, 500, 500, 500, 500, 500, 500, 500, 500, 204)
            let receiver = try WebReceiver(script)
            defer { receiver.stop() }
            let (id, _) = try await office.add(receiver.root)
            try await office.emit()
            let deliverer = office.deliverer()
            for _ in 0..<12 {
                try await office.passTime()
                try await office.deliver(deliverer)
            }
            #expect(receiver.received.count == 10)
            #expect(
                try await office.logRows() == Array(repeating: "exhausted 500 status", count: 10))
            #expect(office.log.text.contains("a webhook was given up"))
            let replayed = try await office.run("SELECT systole.replay_webhooks(\(id)) AS count")
            #expect(try replayed.only().int("count") == 1)
            #expect(try await office.deliver(deliverer) == 1)
            #expect(Set(receiver.received.map { $0.headers["webhook-id"] }).count == 1)
            #expect(Set(receiver.received.map(\.body)).count == 1)
            #expect(try await office.logRows().last == "accepted 204")
        }
    }

    @Test func `twenty failures in a row pause the endpoint, then it is probed with one`()
        async throws
    {
        try await Office.open { office in
            let script = Mutex(500)
            let receiver = try WebReceiver { _ in .answer(status: script.withLock { $0 }) }
            defer { receiver.stop() }
            _ = try await office.add(receiver.root)
            for _ in 0..<24 { try await office.emit() }
            let deliverer = office.deliverer()
            // Four at first; after a failure one at a time.
            for _ in 0..<17 { try await office.deliver(deliverer) }
            #expect(receiver.received.count == 20)
            #expect(try await office.deliver(deliverer) == 0)
            let pause = try await office.run(
                "SELECT extract(epoch FROM paused_until - now())::float8 AS pause FROM systole.webhooks"
            ).only().double("pause")
            #expect((50.0...60.0).contains(pause))
            try await office.passTime()
            #expect(try await office.deliver(deliverer) == 1)
            script.withLock { $0 = 204 }
            try await office.passTime()
            #expect(try await office.deliver(deliverer) == 1)
            #expect(try await office.deliver(deliverer) == 4)
        }
    }

    @Test func `an overloaded endpoint rests as long as it asks for`() async throws {
        try await Office.open { office in
            let receiver = try WebReceiver { _ in
                .answer(status: 503, headers: ["Retry-After: 120"])
            }
            defer { receiver.stop() }
            _ = try await office.add(receiver.root)
            try await office.emit()
            let deliverer = office.deliverer()
            try await office.deliver(deliverer)
            try await office.emit()
            #expect(try await office.deliver(deliverer) == 0)
            let row = try await office.run(
                """
                SELECT paused_until - now() BETWEEN '110 s' AND '120 s'
                    AND (SELECT max(next_try_at) FROM systole.webhook_log) - now()
                        BETWEEN '110 s' AND '120 s' AS rests
                FROM systole.webhooks
                """)
            #expect(try row.only().bool("rests"))
        }
    }

    @Test func `five days of nothing but failures disable the endpoint`() async throws {
        try await Office.open { office in
            let receiver = try WebReceiver(status: 500)
            defer { receiver.stop() }
            _ = try await office.add(receiver.root)
            try await office.emit()
            let deliverer = office.deliverer()
            try await office.deliver(deliverer)
            try await office.run(
                "UPDATE systole.webhook_endpoint SET failing_since = now() - interval '5 days 1 s'")
            try await office.passTime()
            try await office.deliver(deliverer)
            let row = try await office.run("SELECT disabled_reason FROM systole.webhooks").only()
            #expect(try row.text("disabled_reason") == "every attempt failed for five days")
        }
    }

    @Test func `one endpoint gets four deliveries at a time, whoever sends them`() async throws {
        try await Office.open { office in
            _ = try await office.add("http://127.0.0.1:9/")
            for _ in 0..<10 { try await office.emit() }
            try await office.fanOut()
            let first = try await office.deliverer().claim(atMost: 3)
            let second = try await office.deliverer().claim(atMost: 32)
            let third = try await office.deliverer().claim(atMost: 32)
            #expect(first.count == 3 && second.count == 1 && third.isEmpty)
            #expect(Set((first + second).map(\.deliveryID)).count == 4)
        }
    }
}
