import CCurl
import Synchronization

/// What waits for the loop's thread: requests to start, requests to cancel, and the end.
///
/// The only thing that the callers' tasks and the loop's thread share.
final class Inbox: Sendable {
    typealias Answer = CheckedContinuation<Result<WebResponse, WebError>, Never>

    enum Order: Sendable {
        case start(id: UInt64, WebRequest, Answer)
        case cancel(id: UInt64)
    }

    private struct State {
        var orders: [Order] = []
        var idNext: UInt64 = 0
        var isClosed = false
        /// Set while the loop runs.
        var waker: Waker?
    }

    private let state = Mutex(State())

    /// A fresh number for a request.
    func newID() -> UInt64 {
        state.withLock { state in
            state.idNext += 1
            return state.idNext
        }
    }

    /// Leaves an order and wakes the loop; a closed inbox answers a start at once.
    func put(_ order: Order) {
        let isTaken = state.withLock { state in
            guard !state.isClosed else { return false }
            state.orders.append(order)
            state.waker?.wake()
            return true
        }
        if !isTaken, case .start(_, _, let answer) = order {
            answer.resume(returning: .failure(.closed))
        }
    }

    /// Takes what has come in since last asked; nil once the inbox is closed and empty.
    func take() -> [Order]? {
        state.withLock { state in
            guard !state.isClosed || !state.orders.isEmpty else { return nil }
            defer { state.orders = [] }
            return state.orders
        }
    }

    func attach(_ waker: Waker) {
        state.withLock { $0.waker = waker }
    }

    /// After this nobody wakes the loop any more, so that it may free its handle.
    func detach() {
        state.withLock { $0.waker = nil }
    }

    func close() {
        state.withLock { state in
            state.isClosed = true
            state.waker?.wake()
        }
    }
}

/// Wakes a loop that waits in `curl_multi_poll`, from any thread.
///
/// Unchecked because of the pointer. `curl_multi_wakeup` is documented as callable from any
/// thread, and `Inbox` calls it under its lock, where `detach` takes the pointer away before the
/// loop frees it.
@safe struct Waker: @unchecked Sendable {
    fileprivate let multi: UnsafeMutableRawPointer

    func wake() {
        unsafe _ = curl_multi_wakeup(multi)
    }
}

/// Runs every transfer of one client on one thread, in libcurl's multi interface.
///
/// Belongs to that thread: made, used and freed there. Safe because its pointer is private and
/// freed in `deinit`, after every transfer was taken off it.
@safe final class CurlLoop {
    private let multi: UnsafeMutableRawPointer
    private let inbox: Inbox
    private let configuration: WebConfiguration
    private var running: [UInt64: (transfer: Transfer, answer: Inbox.Answer)] = [:]
    /// Requests without a place, first come first served: libcurl gets them when their time limits
    /// may begin.
    private var waiting: [(id: UInt64, request: WebRequest, answer: Inbox.Answer)] = []
    /// By the address of the libcurl handle.
    private var ids: [UInt: UInt64] = [:]

    /// - Throws: `WebError.transfer` where libcurl has no memory for a loop.
    init(_ inbox: Inbox, _ configuration: WebConfiguration) throws(WebError) {
        guard Self.isLibraryReady, let multi = unsafe curl_multi_init() else {
            throw .transfer(code: Int32(CURLE_FAILED_INIT.rawValue))
        }
        unsafe self.multi = multi
        self.inbox = inbox
        self.configuration = configuration
        let connections = configuration.connectionsMaximum
        unsafe ccurl_multi_set_long(multi, CURLMOPT_MAXCONNECTS, connections)
        inbox.attach(unsafe Waker(multi: multi))
    }

    deinit {
        inbox.detach()
        unsafe _ = curl_multi_cleanup(multi)
    }

    /// Works until the inbox is closed; then ends what is still running with `closed`.
    func run() {
        while let orders = inbox.take() {
            for order in orders { obey(order) }
            startWaiting()
            var count: Int32 = 0
            unsafe _ = curl_multi_perform(multi, &count)
            collect()
            // A place that has become free is not left to the next event.
            if !waiting.isEmpty, running.count < configuration.connectionsMaximum { continue }
            // Returns at once when a socket is ready, a limit is due or `Waker` was called; the
            // second bounds the wait where none of them happens.
            unsafe _ = curl_multi_poll(multi, nil, 0, 1000, nil)
        }
        for id in running.keys { end(id, .failure(.closed)) }
        for (_, _, answer) in waiting { answer.resume(returning: .failure(.closed)) }
    }

    private func obey(_ order: Inbox.Order) {
        switch order {
        case .cancel(let id):
            if let place = waiting.firstIndex(where: { $0.id == id }) {
                waiting.remove(at: place).answer.resume(returning: .failure(.cancelled))
            } else {
                end(id, .failure(.cancelled))
            }
        case .start(let id, let request, let answer): waiting.append((id, request, answer))
        }
    }

    /// Starts what waits, as far as there are places.
    private func startWaiting() {
        let count = min(waiting.count, configuration.connectionsMaximum - running.count)
        for (id, request, answer) in waiting.prefix(count) {
            do throws(WebError) {
                let transfer = try Transfer(request, configuration)
                running[id] = (transfer, answer)
                ids[UInt(bitPattern: unsafe transfer.easy)] = id
                let code = unsafe curl_multi_add_handle(multi, transfer.easy)
                if code != CURLM_OK { end(id, .failure(.transfer(code: code.rawValue))) }
            } catch {
                answer.resume(returning: .failure(error))
            }
        }
        waiting.removeFirst(count)
    }

    /// Answers every transfer that libcurl has finished.
    private func collect() {
        var left: Int32 = 0
        while let message = unsafe curl_multi_info_read(multi, &left) {
            guard unsafe message.pointee.msg == CURLMSG_DONE else { continue }
            let easy = unsafe message.pointee.easy_handle
            let code = unsafe ccurl_result(message)
            guard let id = ids[UInt(bitPattern: easy)],
                let result = running[id]?.transfer.result(code)
            else { continue }
            end(id, result)
        }
    }

    /// Takes a transfer off the loop and answers its caller; one that has ended already stays so.
    private func end(_ id: UInt64, _ result: Result<WebResponse, WebError>) {
        guard let (transfer, answer) = running.removeValue(forKey: id) else { return }
        unsafe _ = curl_multi_remove_handle(multi, transfer.easy)
        ids[UInt(bitPattern: unsafe transfer.easy)] = nil
        answer.resume(returning: result)
    }

    /// libcurl's own start-up, once per process.
    private static let isLibraryReady = curl_global_init(Int(CURL_GLOBAL_ALL)) == CURLE_OK
}
