import Foundation
import Postgres
import ServiceLifecycle
import Store
import TestSupport
import Testing
import WebClient

@testable import Notifications

/// Deaths, shutdowns, hostile receivers, and what must never be written down.
@Suite struct DelivererFailureTests {
    @Test func `what a dead deliverer sent is sent once more, and its own record is void`()
        async throws
    {
        try await Office.open { office in
            let receiver = try WebReceiver(status: 204)
            defer { receiver.stop() }
            _ = try await office.add(receiver.root)
            try await office.emit()
            try await office.fanOut()
            // The first one claims and dies; its lease runs out.
            let dead = office.deliverer()
            let claim = try #require(try await dead.claim(atMost: 1).first)
            let living = office.deliverer()
            #expect(try await office.deliver(living) == 0)
            try await office.run(
                "UPDATE systole.webhook_delivery SET lease_until = now() - interval '1 s'")
            #expect(try await office.deliver(living) == 1)
            #expect(try await office.deliver(living) == 0)
            #expect(receiver.received.map { $0.headers["webhook-id"] } == [claim.messageID])
            // It was not dead after all.
            let late = AttemptReport(
                .failure(.web(.timedOut(.answering))), took: .seconds(1), unixSeconds: 0)
            try await dead.record([DeliveryReport(claim, late, chance: 0)])
            #expect(try await office.logRows() == ["accepted lost", "accepted 204"])
            #expect(office.log.text.contains("a replaced attempt is not recorded"))
        }
    }

    @Test func `a delivery that kills every sender is given up after ten`() async throws {
        try await Office.open { office in
            _ = try await office.add("http://127.0.0.1:9/")
            try await office.emit()
            try await office.fanOut()
            let deliverer = office.deliverer()
            for _ in 0..<10 {
                #expect(try await deliverer.claim(atMost: 1).count == 1)
                try await office.run(
                    "UPDATE systole.webhook_delivery SET lease_until = now() - interval '1 s'")
            }
            #expect(try await deliverer.claim(atMost: 1).isEmpty)
            #expect(try await office.logRows() == Array(repeating: "exhausted lost", count: 10))
        }
    }

    @Test func `a shutdown lets the delivery under way end and starts no other`() async throws {
        try await Office.open { office in
            let (arrivals, arrival) = AsyncStream.makeStream(of: Void.self)
            let gate = DispatchSemaphore(value: 0)
            let receiver = try WebReceiver { _ in
                arrival.yield()
                gate.wait()
                return .answer(status: 204)
            }
            defer { receiver.stop() }
            _ = try await office.add(receiver.root)
            for _ in 0..<2 { try await office.emit() }
            try await office.fanOut()
            let options = DelivererOptions(
                concurrency: 1, pollInterval: .milliseconds(20))
            let services = ServiceGroup(
                services: [office.deliverer(options)], logger: office.log.logger)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await services.run() }
                for await _ in arrivals { break }
                await services.triggerGracefulShutdown()
                await office.log.wait(for: "no further webhooks")
                gate.signal()
                try await group.waitForAll()
            }
            #expect(try await office.logRows() == ["accepted 204", "waiting"])
        }
    }

    @Test func `a running deliverer finds events by itself`() async throws {
        try await Office.open { office in
            let (arrivals, arrival) = AsyncStream.makeStream(of: Void.self)
            let receiver = try WebReceiver { _ in
                arrival.yield()
                return .answer(status: 204)
            }
            defer { receiver.stop() }
            _ = try await office.add(receiver.root)
            let options = DelivererOptions(pollInterval: .milliseconds(20))
            let services = ServiceGroup(
                services: [office.deliverer(options)], logger: office.log.logger)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await services.run() }
                for _ in 0..<20 { try await office.emit() }
                var count = 0
                for await _ in arrivals {
                    count += 1
                    if count == 20 { break }
                }
                await services.triggerGracefulShutdown()
                try await group.waitForAll()
            }
            #expect(try await office.logRows() == Array(repeating: "accepted 204", count: 20))
            #expect(Set(receiver.received.map { $0.headers["webhook-id"] }).count == 20)
        }
    }

    struct Hostile: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let conduct: Conduct
        let log: String
    }

    @Test(arguments: [
        Hostile(testDescription: "silence", conduct: .stall, log: "waiting timeout"),
        Hostile(
            testDescription: "a byte a minute",
            conduct: .drip("HTTP/1.1 200 OK\r\n", milliseconds: 60_000), log: "waiting timeout"),
        Hostile(
            testDescription: "gigabytes", conduct: .flood("HTTP/1.1 500 No\r\n\r\n"),
            log: "waiting 500 answer_too_large"),
        Hostile(
            testDescription: "a redirect",
            conduct: .answer(status: 307, headers: ["Location: http://127.0.0.1:1/"]),
            log: "waiting 307 status"),
        Hostile(
            testDescription: "a flood of refusal",
            conduct: .send("HTTP/1.1 500 No\r\n\r\n" + String(repeating: "x", count: 200_000)),
            log: "waiting 500 answer_too_large"),
        Hostile(
            testDescription: "a flood of consent",
            conduct: .send("HTTP/1.1 200 Yes\r\n\r\n" + String(repeating: "x", count: 200_000)),
            log: "accepted 200 answer_too_large"),
        Hostile(
            testDescription: "half an answer",
            conduct: .send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"),
            log: "waiting connection_lost"),
        Hostile(
            testDescription: "something that is not HTTP", conduct: .send("220 smtp\r\n"),
            log: "waiting transfer"),
    ])
    func `a hostile receiver costs one logged attempt`(_ hostile: Hostile) async throws {
        try await Office.open { office in
            let receiver = try WebReceiver { _ in hostile.conduct }
            defer { receiver.stop() }
            _ = try await office.add(receiver.root)
            try await office.emit()
            let deliverer = office.deliverer(
                totalTimeLimit: hostile.conduct.isStall ? .seconds(1) : .seconds(120))
            try await office.deliver(deliverer)
            #expect(try await office.logRows() == [hostile.log])
            #expect(receiver.connections <= 1)
        }
    }

    @Test func `the answer of a refusal is kept up to four kilobytes, that of a consent never`()
        async throws
    {
        try await Office.open { office in
            let script = Script(500, 200)
            let receiver = try WebReceiver { _ in
                .answer(status: script.next(), body: Array(repeating: 0xff, count: 9000))
            }
            defer { receiver.stop() }
            _ = try await office.add(receiver.root)
            try await office.emit()
            let deliverer = office.deliverer()
            try await office.deliver(deliverer)
            try await office.passTime()
            try await office.deliver(deliverer)
            let rows = try await office.run(
                """
                SELECT answer_bytes, octet_length(answer_head) AS head, remote_address
                FROM systole.webhook_attempt ORDER BY attempt
                """)
            #expect(try rows.map { try $0.optionalInt("head") } == [4096, nil])
            #expect(try rows.map { try $0.int("answer_bytes") } == [9000, 9000])
            #expect(try rows.allTexts("remote_address") == ["127.0.0.1", "127.0.0.1"])
        }
    }

    @Test(arguments: [
        ("http://127.0.0.1:PORT/s3cret", "the URL starts with http://; accepted: https"),
        ("https://localhost:PORT/s3cret", "port PORT is not open; accepted: 443, 8443"),
        ("https://10.0.0.1/s3cret", "the address 10.0.0.1 is not on the public internet"),
        ("https://intranet/s3cret", "the host intranet has no domain"),
    ])
    func `where the operator opened nothing, the log says what was refused`(
        url: String, reason: String
    ) async throws {
        try await Office.open { office in
            let receiver = try WebReceiver(status: 204)
            defer { receiver.stop() }
            func filled(_ text: String) -> String {
                text.replacingOccurrences(of: "PORT", with: String(receiver.port))
            }
            _ = try await office.add(filled(url))
            try await office.emit()
            try await office.deliver(office.deliverer(policy: WebPolicy()))
            let row = try await office.run(
                "SELECT error_class, reason FROM systole.webhook_log"
            ).only()
            #expect(try row.text("error_class") == "url")
            #expect(try row.text("reason") == filled(reason))
            #expect(receiver.connections == 0)
            #expect(!office.log.text.contains("s3cret"))
        }
    }

    /// 127.0.0.1 stands for the public internet here.
    @Test func `names that lead where they must not are refused with a reason, others get theirs`()
        async throws
    {
        try await Office.open { office in
            let receiver = try WebReceiver(status: 204)
            defer { receiver.stop() }
            let inner = ["10.0.0.1", "::ffff:10.0.0.1", "169.254.169.254", "fd00:ec2::254"]
            for place in inner.indices {
                _ = try await office.add("https://n\(place).example.org:\(receiver.port)/")
            }
            _ = try await office.add(receiver.root)
            let client = WebClient(
                WebConfiguration(
                    policy: .withLoopback, connectTimeLimit: .seconds(60),
                    totalTimeLimit: .seconds(120),
                    resolver: { name in
                        guard name.hasPrefix("n") else { return nil }
                        let place = name.dropFirst().first.flatMap { Int(String($0)) }
                        return place.flatMap { IPAddress(inner[$0]) }.map { [$0] }
                    }))
            let deliverer = Deliverer(
                pool: office.database.pool, client: client,
                options: DelivererOptions(lease: .seconds(600)), chance: { 0 },
                logger: office.log.logger)
            try await office.emit()
            try await office.deliver(deliverer)
            let refused = Array(repeating: "waiting address_refused", count: inner.count)
            #expect(try await office.logRows() == refused + ["accepted 204"])
            let reasons = try await office.run(
                "SELECT reason FROM systole.webhook_log WHERE error_class = 'address_refused'"
            ).allTexts("reason")
            #expect(reasons.allSatisfy { $0.contains("is not on the public internet") })
            #expect(receiver.connections == 1)
        }
    }

    @Test func `no log line carries a secret, a URL or a body`() async throws {
        try await Office.open { office in
            let receiver = try WebReceiver(Script(500, 410))
            defer { receiver.stop() }
            let (id, _) = try await office.add(receiver.root + "/s3cret-path")
            try await office.emit("anomaly.opened", #"{"series": "s3cret-patient"}"#)
            let deliverer = office.deliverer()
            try await office.deliver(deliverer)
            try await office.passTime()
            try await office.deliver(deliverer)
            // A secret that is none, as after a hand-made change of the table.
            try await office.run("SELECT systole.enable_webhook(\(id))")
            try await office.run("UPDATE systole.webhook_endpoint SET secret = 'whsec_s3cret'")
            try await office.emit("anomaly.opened", #"{"series": "s3cret-patient"}"#)
            try await office.deliver(deliverer)
            #expect(try await office.logRows().last == "waiting secret")
            let text = office.log.text
            #expect(text.contains("tried again") && text.contains("given up"))
            for word in ["whsec", "s3cret", "127.0.0.1"] { #expect(!text.contains(word)) }
            let table = try await office.run(
                "SELECT string_agg(l::text, ' ') AS t FROM systole.webhook_log AS l")
            #expect(try !table.only().text("t").contains("whsec_s3cret"))
        }
    }
}
