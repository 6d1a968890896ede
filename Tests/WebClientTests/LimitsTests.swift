import Foundation
import TestSupport
import Testing
import WebClient

/// Limits that a request brings along.
@Suite struct LimitsTests {
    private func request(
        _ client: WebClient, _ receiver: WebReceiver, _ limits: WebLimits, packed: Bool = false
    ) throws -> WebRequest {
        var request = WebRequest(.get, try client.url(receiver.root))
        request.limits = limits
        request.acceptsCompression = packed
        return request
    }

    /// A zstd frame of so many blocks of 128 KiB, four bytes each (RFC 8878).
    private func bomb(blocks: Int) -> [UInt8] {
        var packed: [UInt8] = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58]
        for index in 0..<blocks {
            let bits = UInt32(131_072 * 8 + 2 + (index + 1 == blocks ? 1 : 0))
            packed += [UInt8(bits & 255), UInt8(bits >> 8 & 255), UInt8(bits >> 16), 120]
        }
        return packed
    }

    @Test func `a request's own limit counts what was unpacked`() async throws {
        let body = bomb(blocks: 80)
        let receiver = try WebReceiver { _ in
            .answer(status: 200, headers: ["Content-Encoding: zstd"], body: body)
        }
        defer { receiver.stop() }
        let client = WebClientTests.client()
        let large = try await client.send(
            request(client, receiver, WebLimits(bodyMaximum: 80 * 131_072), packed: true))
        #expect(large.body.count == 80 * 131_072)
        await #expect(throws: WebError.answerTooLarge(limit: 80 * 131_072 - 1, status: 200)) {
            try await client.send(
                request(client, receiver, WebLimits(bodyMaximum: 80 * 131_072 - 1), packed: true))
        }
        // Who does not ask for packing gets the bytes as they are.
        let raw = try await client.send(request(client, receiver, WebLimits()))
        #expect(raw.body == body)
        #expect(receiver.received.last?.headers["accept-encoding"] == nil)
    }

    @Test func `an answer that stalls is given up long before its time is`() async throws {
        let receiver = try WebReceiver { _ in
            .drip("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", milliseconds: 100)
        }
        defer { receiver.stop() }
        let client = WebClientTests.client()
        let start = ContinuousClock.now
        await #expect(throws: WebError.timedOut(.answering)) {
            try await client.send(
                request(
                    client, receiver,
                    WebLimits(slowBytesPerSecond: 1000, slowTimeLimit: .seconds(1))))
        }
        #expect(ContinuousClock.now - start < .seconds(60))
    }

    @Test func `links in several headers are one list, of others the last counts`() async throws {
        let receiver = try WebReceiver { _ in
            .answer(
                status: 200,
                headers: ["Link: <a>; rel=prev", "X: 1", "link: <b>; rel=next", "x: 2"])
        }
        defer { receiver.stop() }
        let client = WebClientTests.client()
        let answer = try await client.send(WebRequest(.get, client.url(receiver.root)))
        #expect(answer.headers["link"] == "<a>; rel=prev, <b>; rel=next")
        #expect(answer.headers["x"] == "2")
    }
}
