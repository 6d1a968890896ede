import Foundation
import Glibc

/// The least HTTP/1.1 receiver: on loopback, a thread a connection, it answers every request with
/// 200 and nothing, so that what sends is measured and not what receives.
final class LoopbackReceiver: Sendable {
    let port: Int
    private let listener: Int32

    /// - Throws: `BenchmarkError` where nobody can listen on loopback.
    init() throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isListening = unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                unsafe bind(listener, address, length) == 0 && listen(listener, 64) == 0
                    && getsockname(listener, address, &length) == 0
            }
        }
        guard listener >= 0, isListening else {
            throw BenchmarkError("webhook.deliver: no port on loopback can be listened on")
        }
        self.listener = listener
        port = Int(UInt16(bigEndian: address.sin_port))
        Thread { [listener] in
            while true {
                let connection = accept(listener, nil, nil)
                guard connection >= 0 else { return }
                Thread { Self.serve(connection) }.start()
            }
        }.start()
    }

    /// Stops listening; open connections end when their clients go.
    func stop() {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }

    private static func serve(_ connection: Int32) {
        defer { close(connection) }
        let answer = Array("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".utf8)
        var pending: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            while let end = requestEnd(pending) {
                pending.removeFirst(end)
                let sent = unsafe send(connection, answer, answer.count, Int32(MSG_NOSIGNAL))
                guard sent == answer.count else { return }
            }
            let count = unsafe recv(connection, &buffer, buffer.count, 0)
            guard count > 0 else { return }
            pending += buffer[..<count]
        }
    }

    /// Where the first request in `bytes` ends; nil while it is not whole.
    private static func requestEnd(_ bytes: [UInt8]) -> Int? {
        guard let blank = bytes.firstRange(of: Array("\r\n\r\n".utf8)) else { return nil }
        let head = String(decoding: bytes[..<blank.lowerBound], as: UTF8.self).lowercased()
        let field = head.firstMatch(of: /content-length: *([0-9]+)/)
        let end = blank.upperBound + (field.flatMap { Int($0.1) } ?? 0)
        return end <= bytes.count ? end : nil
    }
}
