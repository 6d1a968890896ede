import Foundation
import Glibc
import Synchronization

/// The least HTTP/1.1 receiver: on loopback, in this process, a thread a connection, it answers
/// every request with 200 and nothing, so that what sends is measured and not what receives.
final class LoopbackReceiver: Sendable {
    let port: Int
    private let listener: Int32
    private let seen = Atomic(0)
    private let notice: (@Sendable (ArraySlice<UInt8>) -> Void)?

    /// Requests answered so far.
    var count: Int { seen.load(ordering: .relaxed) }
    var root: String { "http://127.0.0.1:\(port)" }

    /// - Parameters:
    ///   - isSilent: Whether connections are made by the kernel and nobody ever answers.
    ///   - notice: Told the bytes of each request.
    /// - Throws: `BenchmarkError` where nobody can listen on loopback.
    init(
        isSilent: Bool = false, notice: (@Sendable (ArraySlice<UInt8>) -> Void)? = nil
    ) throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isListening = unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                unsafe bind(listener, address, length) == 0 && listen(listener, 1024) == 0
                    && getsockname(listener, address, &length) == 0
            }
        }
        guard listener >= 0, isListening else {
            throw BenchmarkError("no port on loopback can be listened on")
        }
        self.listener = listener
        self.notice = notice
        port = Int(UInt16(bigEndian: address.sin_port))
        guard !isSilent else { return }
        Thread { [self] in
            while true {
                let connection = accept(listener, nil, nil)
                guard connection >= 0 else { return }
                Thread { [self] in serve(connection) }.start()
            }
        }.start()
    }

    /// Stops listening; open connections end when their clients go.
    func stop() {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }

    private func serve(_ connection: Int32) {
        defer { close(connection) }
        let answer = Array("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".utf8)
        var pending: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            while let end = Self.requestEnd(pending) {
                notice?(pending[..<end])
                pending.removeFirst(end)
                seen.add(1, ordering: .relaxed)
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
        var lineStart = 0
        var bodyLength = 0
        for index in bytes.indices where bytes[index] == UInt8(ascii: "\n") {
            // An empty line ends the head.
            if index - lineStart <= 1 {
                let end = index + 1 + bodyLength
                return end <= bytes.count ? end : nil
            }
            let line = bytes[lineStart..<index]
            if isLength(line) {
                for byte in line where (0x30...0x39).contains(byte) {
                    bodyLength = bodyLength * 10 + Int(byte - 0x30)
                }
            }
            lineStart = index + 1
        }
        return nil
    }

    private static let lengthName = Array("content-length:".utf8)

    private static func isLength(_ line: ArraySlice<UInt8>) -> Bool {
        line.count > lengthName.count
            && zip(line, lengthName).allSatisfy { byte, expected in byte | 0x20 == expected | 0x20 }
    }
}
