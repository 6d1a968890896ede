import Synchronization
import TestSupport
import Testing
import WebClient

/// Names that lead where they must not, and connections that are used again.
@Suite struct NameResolutionTests {
    /// A client whose names resolve as a test says.
    static func client(
        _ policy: WebPolicy, _ resolver: @escaping @Sendable (String) -> [IPAddress]?
    ) -> WebClient {
        WebClient(
            WebConfiguration(
                policy: policy, connectTimeLimit: .seconds(60), totalTimeLimit: .seconds(120),
                resolver: resolver))
    }

    static func addresses(_ texts: [String]) -> [IPAddress] { texts.compactMap { IPAddress($0) } }

    @Test(arguments: [
        "127.0.0.1", "::1", "::ffff:10.0.0.1", "::ffff:127.0.0.1", "10.0.0.1", "169.254.169.254",
        "fd00:ec2::254", "192.168.1.1", "0.0.0.0", "64:ff9b::7f00:1",
    ])
    func `a public name for an address that is not public is refused at the socket`(
        address: String
    ) async throws {
        let receiver = try WebReceiver(status: 204)
        defer { receiver.stop() }
        let client = Self.client(WebPolicy(plainHTTP: true, ports: nil)) { _ in
            Self.addresses([address])
        }
        let url = try client.url("http://hook.example.org:\(receiver.port)/")
        let error = await #expect(throws: WebError.self) {
            try await client.send(WebRequest(.post, url, body: [1]))
        }
        #expect(error == .addressRefused(try #require(IPAddress(address))))
        #expect(receiver.connections == 0)
    }

    /// Loopback stands for the public internet here: all else is refused, as 10.0.0.1 always is.
    @Test
    func `a name that is public first and private at the next look-up gets no second connection`()
        async throws
    {
        let receiver = try WebReceiver { request in
            // The second request finds its kept connection closed.
            request.requestLine.contains("/last")
                ? .send("HTTP/1.1 204 No\r\nConnection: close\r\n\r\n") : .answer(status: 204)
        }
        defer { receiver.stop() }
        let lookups = Mutex(0)
        let client = Self.client(.withLoopback) { _ in
            let count = lookups.withLock { count in
                count += 1
                return count
            }
            return Self.addresses([count == 1 ? "127.0.0.1" : "10.0.0.1"])
        }
        let root = "http://hook.example.org:\(receiver.port)"
        let first = try await client.send(WebRequest(.post, client.url(root + "/"), body: [1]))
        #expect(first.remoteAddress == "127.0.0.1")
        // The kept connection leads to the peer that was judged when it was opened.
        let second = try await client.send(WebRequest(.post, client.url(root + "/last"), body: [1]))
        #expect(second.remoteAddress == "127.0.0.1" && receiver.connections == 1)
        let error = await #expect(throws: WebError.self) {
            try await client.send(WebRequest(.post, client.url(root + "/"), body: [1]))
        }
        #expect(error == .addressRefused(try #require(IPAddress("10.0.0.1"))))
        #expect(lookups.withLock { $0 } == 3 && receiver.connections == 1)
    }

    @Test func `of several addresses only those that are permitted are tried`() async throws {
        let receiver = try WebReceiver(status: 204)
        defer { receiver.stop() }
        // libcurl gives an address half of the time that is left before it tries the next one, even
        // if its socket was refused.
        var configuration = WebConfiguration(
            policy: .withLoopback, connectTimeLimit: .seconds(4), totalTimeLimit: .seconds(120))
        configuration.resolver = { _ in Self.addresses(["169.254.169.254", "127.0.0.1"]) }
        let client = WebClient(configuration)
        let url = try client.url("http://hook.example.org:\(receiver.port)/")
        let answer = try await client.send(WebRequest(.post, url, body: [1]))
        #expect(answer.remoteAddress == "127.0.0.1")
    }

    @Test(arguments: [(2, 2), (8, 1)])
    func `connections are kept for each receiver, as many as the limit says`(
        limit: Int, connections: Int
    ) async throws {
        let receivers = try (0..<3).map { _ in try WebReceiver(status: 204) }
        defer { for receiver in receivers { receiver.stop() } }
        let client = WebClient(
            WebConfiguration(
                policy: .withLoopback, connectTimeLimit: .seconds(60),
                totalTimeLimit: .seconds(120), connectionsMaximum: limit))
        for _ in 0..<2 {
            for receiver in receivers {
                _ = try await client.send(WebRequest(.post, client.url(receiver.root), body: [1]))
                // libcurl closes the connection that has been idle longest, in whole milliseconds.
                try await Task.sleep(for: .milliseconds(5))
            }
        }
        #expect(receivers.map(\.connections) == [connections, connections, connections])
    }
}
