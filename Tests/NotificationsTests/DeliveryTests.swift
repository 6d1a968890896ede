import Series
import Testing

@testable import Notifications

@Suite struct DeliveryTests {
    struct Case: CustomTestStringConvertible, Sendable {
        let outcome: Delivery.Outcome
        let action: Delivery.Action
        var testDescription: String { "\(outcome)" }
    }

    @Test(arguments: [
        Case(outcome: .answered(status: 200), action: .finish),
        Case(outcome: .answered(status: 204), action: .finish),
        Case(outcome: .answered(status: 299), action: .finish),
        Case(outcome: .answered(status: 301), action: .retry(after: .seconds(5))),
        Case(outcome: .answered(status: 400), action: .retry(after: .seconds(5))),
        Case(outcome: .answered(status: 404), action: .retry(after: .seconds(5))),
        Case(outcome: .answered(status: 410), action: .giveUpAndDisable),
        Case(outcome: .answered(status: 500), action: .retry(after: .seconds(5))),
        Case(outcome: .unreachable, action: .retry(after: .seconds(5))),
        Case(
            outcome: .answered(status: 503, retryAfter: .seconds(90)),
            action: .retry(after: .seconds(90))),
        Case(
            outcome: .answered(status: 429, retryAfter: .seconds(1)),
            action: .retry(after: .seconds(5))),
        Case(
            outcome: .answered(status: 429, retryAfter: .seconds(1_000_000)),
            action: .retry(after: .seconds(86_400))),
        Case(
            outcome: .answered(status: 429, retryAfter: .seconds(-9)),
            action: .retry(after: .seconds(5))),
    ])
    func `the first answer decides`(_ c: Case) {
        var delivery = Delivery()
        #expect(delivery.record(c.outcome, chance: 0) == c.action)
    }

    @Test(arguments: [-1.0, -0.5, 0, 1])
    func `ten attempts follow the published waits, a fifth more or less`(chance: Double) {
        var delivery = Delivery()
        var waits: [Duration] = []
        while case .retry(let wait) = delivery.record(.unreachable, chance: chance) {
            waits.append(wait)
        }
        let published = [5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400]
        #expect(waits == published.map { .seconds($0) * (1 + 0.2 * chance) })
        #expect(delivery.attempts == 10)
    }

    @Test func `the tenth failure gives up, whatever was asked for`() {
        var delivery = Delivery(attempts: 9)
        let outcome = Delivery.Outcome.answered(status: 503, retryAfter: .seconds(5))
        #expect(delivery.record(outcome, chance: 0) == .giveUp)
    }

    @Test func `the tenth attempt can still succeed`() {
        var delivery = Delivery(attempts: 9)
        #expect(delivery.record(.answered(status: 200), chance: 0) == .finish)
    }

    @Test func `recording an eleventh attempt traps`() async {
        await #expect(processExitsWith: .failure) {
            var delivery = Delivery(attempts: 9)
            _ = delivery.record(.unreachable, chance: 0)
            _ = delivery.record(.unreachable, chance: 0)
        }
    }
}

@Suite struct BreakerTests {
    struct Case: CustomTestStringConvertible, Sendable {
        let consecutive: Int
        var lasting = Duration.seconds(60)
        var outcome = Delivery.Outcome.answered(status: 500)
        let verdict: Breaker.Verdict
        var testDescription: String { "\(consecutive) failures in \(lasting), then \(outcome)" }
    }

    @Test(arguments: [
        Case(consecutive: 1, verdict: .carryOn),
        Case(consecutive: 19, verdict: .carryOn),
        Case(consecutive: 20, verdict: .pause(.seconds(60))),
        Case(consecutive: 21, verdict: .pause(.seconds(120))),
        Case(consecutive: 25, verdict: .pause(.seconds(1920))),
        Case(consecutive: 26, verdict: .pause(.seconds(3600))),
        Case(consecutive: Int.max, verdict: .pause(.seconds(3600))),
        Case(
            consecutive: 1, outcome: .answered(status: 429, retryAfter: .seconds(30)),
            verdict: .pause(.seconds(30))),
        Case(
            consecutive: 1, outcome: .answered(status: 503, retryAfter: .seconds(10_000_000)),
            verdict: .pause(.seconds(86_400))),
        Case(
            consecutive: 1, outcome: .answered(status: 500, retryAfter: .seconds(30)),
            verdict: .carryOn),
        Case(
            consecutive: 20, outcome: .answered(status: 503, retryAfter: .seconds(5)),
            verdict: .pause(.seconds(60))),
        Case(consecutive: 1, outcome: .answered(status: 502), verdict: .pause(.seconds(5))),
        Case(consecutive: 3, lasting: .seconds(432_000), verdict: .disable),
        Case(consecutive: 3, lasting: .seconds(431_999), verdict: .carryOn),
    ])
    func `a row of failures is judged`(_ c: Case) {
        let verdict = Breaker.judge(
            consecutive: c.consecutive, lasting: c.lasting, after: c.outcome)
        #expect(verdict == c.verdict)
    }
}

@Suite struct NoticeTests {
    @Test(arguments: [
        (0, 0), (215_999, 0), (216_000, 1), (302_399, 1), (302_400, 2), (388_800, 3), (432_000, 3),
    ])
    func `notices are due after half, seven and nine tenths of five days`(
        seconds: Int, notices: Int
    ) {
        #expect(Breaker.notices(lasting: .seconds(seconds)) == notices)
    }
}

@Suite struct RetryAfterTests {
    struct Case: CustomTestStringConvertible, Sendable {
        let text: String
        let wait: Duration?
        var testDescription: String { text.isEmpty ? "nothing" : text }
    }

    @Test(arguments: [
        Case(text: "120", wait: .seconds(120)), Case(text: "0", wait: .zero),
        Case(text: "99999999999999999999", wait: .seconds(Int32.max)),
        // 784111777 is 1994-11-06 08:49:37 UTC, the example of RFC 9110.
        Case(text: "Sun, 06 Nov 1994 08:49:37 GMT", wait: .seconds(777)),
        Case(text: "Sun, 06 Nov 1994 08:00:00 GMT", wait: .zero),
        Case(text: "Fri, 31 Dec 9999 23:59:59 GMT", wait: .seconds(Int32.max)),
        Case(text: "Sun, 31 Feb 1994 08:49:37 GMT", wait: nil),
        Case(text: "Sun, 06 Nov 1994 25:49:37 GMT", wait: nil),
        Case(text: "Sun, 06 Nov 1994 08:49:37 CET", wait: nil),
        Case(text: "", wait: nil), Case(text: "-5", wait: nil), Case(text: "1.5", wait: nil),
        Case(text: "soon", wait: nil),
    ])
    func `a wish to wait is read or ignored`(_ c: Case) {
        #expect(RetryAfter.wait(c.text, now: 784_111_777 - 777) == c.wait)
    }
}

@Suite struct RedactionTests {
    @Test(arguments: [
        ("no such route", "no such route"),
        (#"{"secret": "whsec_AAEC+/=", "n": 1}"#, #"{"secret": "whsec_*******", "n": 1}"#),
        ("Authorization: Bearer abc.def\r\nx: y", "Authorization: Bearer *******\r\nx: y"),
        ("webhook-signature: v1,AAA= v1a,BBB=", "webhook-signature: v1,**** v1a,****"),
        ("dsn?user=a&PASSWORD=b&c=d", "dsn?user=a&PASSWORD=*&c=d"), ("", ""), ("whsk_", "whsk_"),
    ])
    func `what a receiver tells of secrets is blackened`(answer: String, kept: String) {
        let redacted = Redaction.applied(to: Array(answer.utf8))
        #expect(String(decoding: redacted, as: UTF8.self) == kept)
    }
}

@Suite struct EnvelopeTests {
    @Test func `an envelope is exactly this text`() {
        let envelope = Envelope(
            id: "msg_1", type: "anomaly.opened", at: Timestamp(microseconds: 1_764_000_000_123_456),
            data: #"{"series": "Ölstand"}"#)
        let text =
            #"{"id":"msg_1","type":"anomaly.opened","timestamp":"2025-11-24T16:00:00.123456Z","data":{"series": "Ölstand"}}"#
        #expect(envelope.text == text)
    }

    @Test func `an id that would end its string traps`() async {
        await #expect(processExitsWith: .failure) {
            _ = Envelope(
                id: "a\"", type: "ping", at: Timestamp(microseconds: 0), data: "{}")
        }
    }
}
