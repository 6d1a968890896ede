import CCurl
import Glibc

/// Waits until one of many sockets is ready, or another thread calls: Linux's epoll, whose cost
/// does not grow with the sockets that stay silent.
final class SocketWatch {
    private let epoll: Int32
    let waker: Waker
    private var found = [ccurl_ready](repeating: ccurl_ready(), count: 256)

    /// `CURL_SOCKET_TIMEOUT`, a macro that Swift does not see.
    static let none: curl_socket_t = -1

    /// Nil where the process may open no more files.
    init?() {
        guard let waker = Waker() else { return nil }
        let epoll = ccurl_epoll()
        guard epoll >= 0 else {
            waker.close()
            return nil
        }
        self.waker = waker
        self.epoll = epoll
        watch(waker.file, CURL_POLL_IN)
    }

    deinit {
        close(epoll)
        waker.close()
    }

    /// Watches a socket as libcurl asks: `what` is `CURL_POLL_IN`, `OUT`, `INOUT` or `REMOVE`.
    func watch(_ socket: curl_socket_t, _ what: Int32) {
        ccurl_epoll_set(epoll, socket, what)
    }

    /// Waits for sockets or a call.
    ///
    /// - Parameter limit: At most so long; rounded up to milliseconds.
    /// - Returns: The sockets that are ready; none after a call or when time is up.
    func wait(atMost limit: Duration) -> [ccurl_ready] {
        let (seconds, attoseconds) = limit.components
        let milliseconds =
            seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
        let count = unsafe ccurl_epoll_wait(epoll, Int32(max(0, min(milliseconds, 60_000))), &found)
        let ready = found.prefix(Int(max(0, count)))
        if ready.contains(where: { $0.socket == waker.file }) { waker.clear() }
        return ready.filter { $0.socket != waker.file }
    }
}

/// Wakes a loop that waits, from any thread.
struct Waker: Sendable {
    fileprivate let file: Int32

    fileprivate init?() {
        file = ccurl_eventfd()
        guard file >= 0 else { return nil }
    }

    func wake() {
        var one: UInt64 = 1
        unsafe _ = write(file, &one, 8)
    }

    fileprivate func clear() {
        var count: UInt64 = 0
        unsafe _ = read(file, &count, 8)
    }

    fileprivate func close() { Glibc.close(file) }
}
