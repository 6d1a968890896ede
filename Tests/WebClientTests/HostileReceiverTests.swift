import Foundation
import TestSupport
import Testing
import WebClient

/// Receivers that give no end, and certificates that do not hold.
@Suite struct HostileReceiverTests {
    @Test func `gigabytes are cut off at the limit, with the status that came first`() async throws
    {
        let receiver = try WebReceiver { _ in .flood("HTTP/1.1 500 No\r\n\r\n") }
        defer { receiver.stop() }
        let client = WebClientTests.client()
        let request = try WebRequest(.post, client.url(receiver.root), body: [1])
        await #expect(throws: WebError.answerTooLarge(limit: 65536, status: 500)) {
            try await client.send(request)
        }
        // What the sockets of both ends hold, not what the receiver would send.
        #expect(receiver.flooded < 64 << 20)
    }

    @Test(arguments: [
        "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nX-Slow: ",
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n",
    ])
    func `a receiver that sends a byte now and then has no more time than others`(
        beginning: String
    ) async throws {
        let receiver = try WebReceiver { _ in .drip(beginning, milliseconds: 100) }
        defer { receiver.stop() }
        let client = WebClientTests.client(total: .seconds(1))
        let request = try WebRequest(.post, client.url(receiver.root), body: [1])
        // Bytes come for as long as anybody reads them: only the limit ends it.
        await #expect(throws: WebError.timedOut(.answering)) { try await client.send(request) }
    }

    @Test func `hundreds that never answer do not slow those that do`() async throws {
        let silent = try WebReceiver { _ in .stall }
        let prompt = try WebReceiver(status: 204)
        defer {
            silent.stop()
            prompt.stop()
        }
        let client = WebClientTests.client()
        let (dead, alive) = (try client.url(silent.root), try client.url(prompt.root))
        await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<300 {
                group.addTask { _ = try await client.send(WebRequest(.post, dead, body: [1])) }
            }
            for _ in 0..<500 {
                let answer = try? await client.send(WebRequest(.post, alive, body: [1]))
                #expect(answer?.status == 204)
            }
            group.cancelAll()
        }
        #expect(prompt.connections == 1 && prompt.received.count == 500)
    }

    // MARK: - Certificates

    struct Certificate: CustomTestStringConvertible, Sendable {
        let name: String
        let isTrusted: Bool
        let holds: Bool
        var testDescription: String { "\(name), \(isTrusted ? "of" : "without") its authority" }
    }

    @Test(arguments: [
        Certificate(name: "valid", isTrusted: true, holds: true),
        Certificate(name: "valid", isTrusted: false, holds: false),
        Certificate(name: "expired", isTrusted: true, holds: false),
        Certificate(name: "future", isTrusted: true, holds: false),
        Certificate(name: "other", isTrusted: true, holds: false),
    ])
    func `only a certificate of a known authority, for this name and this day, holds`(
        _ c: Certificate
    ) async throws {
        let server = try TLSServer(certificate: c.name)
        defer { server.stop() }
        var configuration = WebConfiguration(
            policy: .withLoopback, connectTimeLimit: .seconds(60), totalTimeLimit: .seconds(120))
        configuration.authorities = c.isTrusted ? TLSServer.path("ca.pem") : nil
        configuration.resolver = { _ in [IPAddress("127.0.0.1")].compactMap { $0 } }
        let client = WebClient(configuration)
        let url = try client.url("https://hook.example.org:\(server.port)/")
        let request = WebRequest(.post, url, body: [1])
        if c.holds {
            #expect(try await client.send(request).status == 204)
        } else {
            let error = await #expect(throws: WebError.self) { try await client.send(request) }
            #expect(error?.errorClass == "tls")
        }
    }

    @Test(arguments: [true, false])
    func `a receiver that asks for a certificate gets the one of the request`(shows: Bool)
        async throws
    {
        let server = try TLSServer(certificate: "valid", asksForOne: true)
        defer { server.stop() }
        var configuration = WebConfiguration(
            policy: .withLoopback, connectTimeLimit: .seconds(60), totalTimeLimit: .seconds(120))
        configuration.authorities = TLSServer.path("ca.pem")
        configuration.resolver = { _ in [IPAddress("127.0.0.1")].compactMap { $0 } }
        let client = WebClient(configuration)
        var request = WebRequest(
            .get, try client.url("https://hook.example.org:\(server.port)/"))
        if shows {
            request.certificate = ClientCertificate(
                certificateFile: TLSServer.path("valid.pem"),
                keyFile: TLSServer.path("server.key"))
            #expect(try await client.send(request).status == 204)
        } else {
            await #expect(throws: WebError.self) { try await client.send(request) }
        }
    }
}

/// One connection of `openssl s_server` on loopback, which answers 204 to whoever shakes hands.
private final class TLSServer {
    let port: Int
    private let process = Process()
    private let input = Pipe()

    static func path(_ name: String) -> String {
        URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures/\(name)")
            .path
    }

    /// - Parameters:
    ///   - certificate: What it shows.
    ///   - asksForOne: Whether the client must show one too.
    /// - Throws: Where openssl does not start.
    init(certificate: String, asksForOne: Bool = false) throws {
        let output = Pipe()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = [
            "openssl", "s_server", "-accept", "127.0.0.1:0", "-naccept", "1",
            "-cert", Self.path(certificate + ".pem"), "-key", Self.path("server.key"),
        ]
        if asksForOne {
            process.arguments? += [
                "-Verify", "1", "-verify_return_error", "-CAfile", Self.path("ca.pem"),
            ]
        }
        process.standardInput = input
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        // Waits there until somebody has shaken hands.
        try input.fileHandleForWriting.write(
            contentsOf: Data("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n".utf8))
        var text = ""
        while !text.contains(/ACCEPT 127\.0\.0\.1:[0-9]+\n/) {
            let more = output.fileHandleForReading.availableData
            guard !more.isEmpty else { throw CocoaError(.fileReadUnknown) }
            text += String(decoding: more, as: UTF8.self)
        }
        let found = text.firstMatch(of: /ACCEPT 127\.0\.0\.1:([0-9]+)/).flatMap { Int($0.1) }
        guard let found else { throw CocoaError(.fileReadUnknown) }
        port = found
    }

    func stop() {
        process.terminate()
        process.waitUntilExit()
    }
}
