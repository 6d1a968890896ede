import Foundation
import Glibc
import Synchronization

/// What a test's receiver does with one connection, once the request has been read.
package enum Conduct: Sendable {
    /// Answers and keeps the connection open for the next request.
    case answer(status: Int, headers: [String] = [], body: [UInt8] = [])
    /// Sends exactly these bytes and closes.
    case send(String)
    /// Says nothing until the client goes away.
    case stall
    /// Sends these bytes, then one byte now and then until the client goes away.
    case drip(String, milliseconds: Int32)
    /// Sends these bytes, then others without end until the client goes away.
    case flood(String)

    /// Whether the client has to give up.
    package var isStall: Bool {
        switch self {
        case .stall, .drip: true
        case .answer, .send, .flood: false
        }
    }
}

/// An HTTP/1.1 receiver on loopback, made of plain sockets so that it shares nothing with the code
/// under test. One thread accepts; each connection has its own.
package final class WebReceiver: Sendable {
    /// A request as it arrived.
    package struct Received: Sendable {
        package let requestLine: String
        /// By lower-case name.
        package let headers: [String: String]
        package let body: [UInt8]
    }

    package let port: Int
    private let listener: Int32
    private let conduct: @Sendable (Received) -> Conduct
    private let state = Mutex((received: [Received](), connections: 0, flooded: 0))

    /// What has arrived so far, in order of arrival.
    package var received: [Received] { state.withLock { $0.received } }
    /// Connections accepted so far.
    package var connections: Int { state.withLock { $0.connections } }
    /// Bytes that clients have taken of floods so far.
    package var flooded: Int { state.withLock { $0.flooded } }
    package var root: String { "http://127.0.0.1:\(port)" }

    /// Starts to listen.
    ///
    /// - Parameters:
    ///   - port: Where to; 0 for any free port.
    ///   - conduct: What to do with each request.
    /// - Throws: `POSIXError` if nobody can listen there.
    package init(
        port: Int = 0, _ conduct: @escaping @Sendable (Received) -> Conduct
    ) throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        // A receiver that comes back takes the port of the one that went.
        var reuse: Int32 = 1
        let size = socklen_t(MemoryLayout<Int32>.size)
        guard listener >= 0,
            unsafe setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &reuse, size) == 0
        else { throw POSIXError(.EMFILE) }
        let bound = unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                unsafe bind(listener, address, length) == 0 && listen(listener, 64) == 0
                    && getsockname(listener, address, &length) == 0
            }
        }
        guard bound else {
            close(listener)
            throw POSIXError(.EADDRINUSE)
        }
        self.listener = listener
        self.port = Int(UInt16(bigEndian: address.sin_port))
        self.conduct = conduct
        Thread { [self] in accept() }.start()
    }

    /// Answers every request with one status.
    package convenience init(status: Int) throws {
        try self.init { _ in .answer(status: status) }
    }

    /// Stops listening; the port then refuses connections.
    package func stop() {
        // Closed by the thread that accepts: closed here, its number could become another
        // receiver's, and that thread would steal from it.
        shutdown(listener, Int32(SHUT_RDWR))
    }

    private func accept() {
        defer { close(listener) }
        while true {
            let connection = Glibc.accept(listener, nil, nil)
            guard connection >= 0 else { return }
            state.withLock { $0.connections += 1 }
            Thread { [self] in serve(connection) }.start()
        }
    }

    private func serve(_ connection: Int32) {
        defer { close(connection) }
        var pending: [UInt8] = []
        while let request = Self.read(from: connection, &pending) {
            state.withLock { $0.received.append(request) }
            switch conduct(request) {
            case .answer(let status, let headers, let body):
                let head =
                    ["HTTP/1.1 \(status) Status", "Content-Length: \(body.count)"] + headers
                let text = head.joined(separator: "\r\n") + "\r\n\r\n"
                guard Self.write(Array(text.utf8) + body, to: connection) else { return }
            case .send(let text):
                _ = Self.write(Array(text.utf8), to: connection)
                return
            case .stall:
                var byte: [UInt8] = [0]
                _ = unsafe recv(connection, &byte, 1, 0)
                return
            case .drip(let text, let milliseconds):
                guard Self.write(Array(text.utf8), to: connection) else { return }
                while !Self.isGone(connection, within: milliseconds) {
                    guard Self.write([UInt8(ascii: "x")], to: connection) else { return }
                }
                return
            case .flood(let text):
                guard Self.write(Array(text.utf8), to: connection) else { return }
                let wave = [UInt8](repeating: UInt8(ascii: "x"), count: 65536)
                while Self.write(wave, to: connection) {
                    state.withLock { $0.flooded += wave.count }
                }
                return
            }
        }
    }

    private static func read(from connection: Int32, _ pending: inout [UInt8]) -> Received? {
        let blank = Array("\r\n\r\n".utf8)
        func more() -> Bool {
            var buffer = [UInt8](repeating: 0, count: 65536)
            let count = unsafe recv(connection, &buffer, buffer.count, 0)
            if count > 0 { pending += buffer[..<count] }
            return count > 0
        }
        var end = pending.firstRange(of: blank)
        while end == nil {
            guard more() else { return nil }
            end = pending.firstRange(of: blank)
        }
        guard let end else { return nil }
        let lines = String(decoding: pending[..<end.lowerBound], as: UTF8.self)
            .components(separatedBy: "\r\n")
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            headers[parts[0].lowercased()] =
                parts.count > 1 ? parts[1].trimmingCharacters(in: .whitespaces) : ""
        }
        let length = headers["content-length"].flatMap { Int($0) } ?? 0
        while pending.count < end.upperBound + length {
            guard more() else { return nil }
        }
        let body = Array(pending[end.upperBound..<(end.upperBound + length)])
        pending.removeFirst(end.upperBound + length)
        return Received(requestLine: lines[0], headers: headers, body: body)
    }

    /// Whether the client closes the connection within a time.
    private static func isGone(_ connection: Int32, within milliseconds: Int32) -> Bool {
        var watched = pollfd(fd: connection, events: Int16(POLLIN), revents: 0)
        return unsafe poll(&watched, 1, milliseconds) > 0
    }

    private static func write(_ bytes: [UInt8], to connection: Int32) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let count = unsafe bytes.withUnsafeBytes { bytes in
                unsafe send(
                    connection, bytes.baseAddress?.advanced(by: sent), bytes.count - sent,
                    Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            sent += count
        }
        return true
    }
}
