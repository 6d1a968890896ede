import Foundation
import TestSupport
import Testing
import WebClient

@Suite struct WebClientTests {
    /// A client that may reach loopback, with limits that only a test that means them meets.
    static func client(
        connect: Duration = .seconds(60), total: Duration = .seconds(120)
    ) -> WebClient {
        WebClient(
            WebConfiguration(
                policy: .withLoopback, connectTimeLimit: connect, totalTimeLimit: total))
    }

    @Test func `a request arrives as it was written, and its answer comes back whole`() async throws
    {
        let receiver = try WebReceiver { _ in
            .answer(status: 201, headers: ["X-Seen:  yes "], body: Array("grüß".utf8))
        }
        defer { receiver.stop() }
        let client = Self.client()
        let body = Array("{\"ä\":1}".utf8) + [0, 255, 10]
        let answer = try await client.send(
            WebRequest(
                .post, client.url(receiver.root + "/hook?a=b"),
                headers: ["Content-Type": "application/json", "webhook-id": "m_1", "x-empty": ""],
                body: body))
        #expect(answer.status == 201)
        #expect(answer.headers["x-seen"] == "yes")
        #expect(answer.body == Array("grüß".utf8))
        #expect(answer.remoteAddress == "127.0.0.1")
        #expect(answer.timing.total > .zero && answer.timing.firstByte <= answer.timing.total)
        let request = try #require(receiver.received.first)
        #expect(request.requestLine == "POST /hook?a=b HTTP/1.1")
        #expect(request.body == body)
        #expect(request.headers["content-type"] == "application/json")
        #expect(request.headers["webhook-id"] == "m_1")
        #expect(request.headers["x-empty"] == "")
        #expect(request.headers["user-agent"] == "systole-webhooks/1")
        #expect(request.headers["expect"] == nil)
        #expect(request.headers["cookie"] == nil && request.headers["authorization"] == nil)
    }

    @Test func `a body of a megabyte goes out at once, without asking to continue`() async throws {
        let receiver = try WebReceiver(status: 204)
        defer { receiver.stop() }
        let client = Self.client()
        let body = (0..<1_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let answer = try await client.send(
            WebRequest(.put, client.url(receiver.root), body: body))
        #expect(answer.status == 204)
        let isWhole = receiver.received.first?.body == body
        #expect(isWhole)
        #expect(receiver.received.first?.requestLine == "PUT / HTTP/1.1")
    }

    @Test func `an empty body is sent as one of length zero`() async throws {
        let receiver = try WebReceiver(status: 200)
        defer { receiver.stop() }
        let client = Self.client()
        _ = try await client.send(WebRequest(.post, client.url(receiver.root)))
        #expect(receiver.received.first?.headers["content-length"] == "0")
    }

    @Test func `requests in sequence share one connection`() async throws {
        let receiver = try WebReceiver(status: 204)
        defer { receiver.stop() }
        let client = Self.client()
        for _ in 0..<5 {
            _ = try await client.send(WebRequest(.post, client.url(receiver.root), body: [1]))
        }
        #expect(receiver.received.count == 5)
        #expect(receiver.connections == 1)
    }

    @Test func `many requests at once are all answered, each with its own body`() async throws {
        let receiver = try WebReceiver { .answer(status: 200, body: $0.body) }
        defer { receiver.stop() }
        let client = Self.client()
        let url = try client.url(receiver.root)
        let echoes = try await withThrowingTaskGroup(of: Bool.self) { group in
            for index in 0..<200 {
                group.addTask {
                    let body = Array("body \(index)".utf8)
                    return try await client.send(WebRequest(.post, url, body: body)).body == body
                }
            }
            return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
        }
        #expect(echoes == 200)
    }

    @Test(arguments: [301, 302, 303, 307, 308])
    func `a redirect is an answer and is not followed`(status: Int) async throws {
        let receiver = try WebReceiver { _ in
            .answer(status: status, headers: ["Location: /elsewhere"])
        }
        defer { receiver.stop() }
        let client = Self.client()
        let answer = try await client.send(WebRequest(.post, client.url(receiver.root), body: [1]))
        #expect(answer.status == status)
        #expect(receiver.received.count == 1)
    }

    struct Failure: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let conduct: Conduct
        let error: WebError
    }

    static let failures = [
        Failure(
            testDescription: "a body announced as larger than the limit",
            conduct: .send("HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n"),
            error: .answerTooLarge(limit: 65536, status: 200)),
        Failure(
            testDescription: "a body that grows past the limit",
            conduct: .send("HTTP/1.1 500 No\r\n\r\n" + String(repeating: "x", count: 200_000)),
            error: .answerTooLarge(limit: 65536, status: 500)),
        Failure(
            testDescription: "headers without end",
            conduct: .send("HTTP/1.1 200 OK\r\n" + String(repeating: "a: b\r\n", count: 20_000)),
            error: .answerTooLarge(limit: 65536, status: 200)),
        Failure(
            testDescription: "a connection closed in the middle of the body",
            conduct: .send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"),
            error: .connectionLost),
        Failure(
            testDescription: "a connection closed without an answer", conduct: .send(""),
            error: .connectionLost),
        Failure(
            testDescription: "an answer that is not HTTP", conduct: .send("SSH-2.0-OpenSSH_9\r\n"),
            error: .notHTTP),
    ]

    @Test(arguments: failures)
    func `a receiver that misbehaves gives a typed error`(_ failure: Failure) async throws {
        let receiver = try WebReceiver { _ in failure.conduct }
        defer { receiver.stop() }
        let client = Self.client()
        let request = try WebRequest(.post, client.url(receiver.root), body: [1])
        await #expect(throws: failure.error) { try await client.send(request) }
    }

    @Test func `an answer of exactly the limit is read`() async throws {
        let body = [UInt8](repeating: 7, count: 65536)
        let receiver = try WebReceiver { _ in .answer(status: 200, body: body) }
        defer { receiver.stop() }
        let client = Self.client()
        let answer = try await client.send(WebRequest(.get, client.url(receiver.root)))
        let isWhole = answer.body == body
        #expect(isWhole)
    }

    @Test func `a receiver that never answers runs into the time limit`() async throws {
        let receiver = try WebReceiver { _ in .stall }
        defer { receiver.stop() }
        let client = Self.client(total: .seconds(1))
        let request = try WebRequest(.post, client.url(receiver.root), body: [1])
        await #expect(throws: WebError.timedOut(.answering)) { try await client.send(request) }
    }

    @Test func `a receiver that does not speak TLS cannot keep the handshake open`() async throws {
        let receiver = try WebReceiver { _ in .stall }
        defer { receiver.stop() }
        let client = Self.client(connect: .milliseconds(200))
        let request = try WebRequest(.get, client.url("https://127.0.0.1:\(receiver.port)/"))
        await #expect(throws: WebError.timedOut(.connecting)) { try await client.send(request) }
    }

    @Test func `a port where nobody listens refuses the connection`() async throws {
        let receiver = try WebReceiver(status: 200)
        receiver.stop()
        let client = Self.client()
        let request = try WebRequest(.get, client.url(receiver.root))
        await #expect(throws: WebError.connectionRefused) { try await client.send(request) }
    }

    @Test func `a name is judged by the address it resolves to, not by its text`() async throws {
        let receiver = try WebReceiver(status: 200)
        defer { receiver.stop() }
        // `localhost` passes the URL check here; the socket is refused all the same.
        let client = WebClient(
            WebConfiguration(policy: WebPolicy(plainHTTP: true, ports: nil, singleLabelHosts: true))
        )
        let request = try WebRequest(.get, client.url("http://localhost:\(receiver.port)/"))
        let error = await #expect(throws: WebError.self) { try await client.send(request) }
        #expect(error?.errorClass == "address_refused")
        #expect(receiver.connections == 0)
    }

    @Test func `a name that does not exist is not found`() async throws {
        let client = Self.client()
        let request = try WebRequest(.get, client.url("http://does-not-exist.invalid/"))
        await #expect(throws: WebError.hostNotFound) { try await client.send(request) }
    }

    @Test(arguments: [
        ["Host": "elsewhere"], ["a\r\nb": "c"], ["a": "b\r\nc: d"], ["": "x"], ["a": "b\u{0}"],
        ["Content-Length": "5"], ["transfer-encoding": "chunked"],
    ])
    func `a header that would change the message is refused`(headers: [String: String]) async throws
    {
        let client = Self.client()
        let request = try WebRequest(.get, client.url("http://127.0.0.1:9/"), headers: headers)
        let error = await #expect(throws: WebError.self) { try await client.send(request) }
        #expect(error?.errorClass == "header")
    }

    @Test func `cancelling the task ends the transfer`() async throws {
        let (arrivals, arrival) = AsyncStream.makeStream(of: Void.self)
        let receiver = try WebReceiver { _ in
            arrival.yield()
            return .stall
        }
        defer { receiver.stop() }
        let client = Self.client()
        let request = try WebRequest(.post, client.url(receiver.root), body: [1])
        let task = Task { try await client.send(request) }
        for await _ in arrivals { break }
        task.cancel()
        await #expect(throws: WebError.cancelled) { try await task.value }
    }

    @Test func `a request from a task that is cancelled already is not left hanging`() async throws
    {
        let receiver = try WebReceiver { _ in .stall }
        defer { receiver.stop() }
        let client = Self.client()
        let request = try WebRequest(.post, client.url(receiver.root), body: [1])
        await #expect(throws: WebError.cancelled) {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.cancelAll()
                group.addTask { _ = try await client.send(request) }
                try await group.waitForAll()
            }
        }
    }

    @Test func `shutting down ends what runs and refuses what comes`() async throws {
        let (arrivals, arrival) = AsyncStream.makeStream(of: Void.self)
        let receiver = try WebReceiver { _ in
            arrival.yield()
            return .stall
        }
        defer { receiver.stop() }
        let client = Self.client()
        let request = try WebRequest(.post, client.url(receiver.root), body: [1])
        let task = Task { try await client.send(request) }
        for await _ in arrivals { break }
        client.shutDown()
        await #expect(throws: WebError.closed) { try await task.value }
        await #expect(throws: WebError.closed) { try await client.send(request) }
    }

    @Test func `no error text carries the path, the headers or the bodies`() async throws {
        for failure in Self.failures {
            let receiver = try WebReceiver { _ in failure.conduct }
            defer { receiver.stop() }
            let client = Self.client()
            let request = try WebRequest(
                .post, client.url(receiver.root + "/s3cret-path"), headers: ["x-a": "s3cret"],
                body: Array("s3cret-body".utf8))
            let error = await #expect(throws: WebError.self) { try await client.send(request) }
            let text = "\(try #require(error)) \(String(reflecting: error))"
            #expect(!text.contains("s3cret") && !text.contains("OpenSSH"))
        }
    }
}
