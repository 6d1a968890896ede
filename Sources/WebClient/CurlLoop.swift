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

/// Runs every transfer of one client on one thread, in libcurl's multi interface.
///
/// libcurl says which sockets it waits for, and only those that are ready are handed to it: a
/// thousand receivers that never answer cost nothing while others do.
///
/// Belongs to that thread: made, used and freed there. Safe because its pointer is private and
/// freed in `deinit`, after every transfer was taken off it; and libcurl is given `self` only as
/// long as that handle lives.
@safe final class CurlLoop {
    private let multi: UnsafeMutableRawPointer
    private let sockets: SocketWatch
    private let inbox: Inbox
    private let configuration: WebConfiguration
    private var running: [UInt64: (transfer: Transfer, answer: Inbox.Answer)] = [:]
    /// Requests without a place, first come first served: libcurl gets them when their time limits
    /// may begin.
    private var waiting = WaitingLine()
    /// By the address of the libcurl handle.
    private var ids: [UInt: UInt64] = [:]
    /// When libcurl wants to be called without any socket being ready; nil for never.
    private var alarmAt: ContinuousClock.Instant?

    /// - Throws: `WebError.transfer` where libcurl has no memory for a loop.
    init(_ inbox: Inbox, _ configuration: WebConfiguration) throws(WebError) {
        guard Self.isLibraryReady, let sockets = SocketWatch(), let multi = unsafe curl_multi_init()
        else {
            throw .transfer(code: Int32(CURLE_FAILED_INIT.rawValue))
        }
        unsafe self.multi = multi
        self.sockets = sockets
        self.inbox = inbox
        self.configuration = configuration
        let connections = configuration.connectionsMaximum
        unsafe ccurl_multi_set_long(multi, CURLMOPT_MAXCONNECTS, connections)
        let context = unsafe Unmanaged.passUnretained(self).toOpaque()
        unsafe ccurl_multi_set_watch(
            multi,
            { _, socket, what, context, _ in
                unsafe CurlLoop.from(context).sockets.watch(socket, what)
                return 0
            },
            { _, milliseconds, context in
                unsafe CurlLoop.from(context).setAlarm(milliseconds)
                return 0
            }, context)
        inbox.attach(sockets.waker)
    }

    deinit {
        inbox.detach()
        unsafe _ = curl_multi_cleanup(multi)
    }

    private static func from(_ context: UnsafeMutableRawPointer?) -> CurlLoop {
        guard let context = unsafe context else { preconditionFailure("libcurl lost its context") }
        return unsafe Unmanaged<CurlLoop>.fromOpaque(context).takeUnretainedValue()
    }

    private func setAlarm(_ milliseconds: Int) {
        alarmAt = milliseconds < 0 ? nil : .now + .milliseconds(milliseconds)
    }

    /// Works until the inbox is closed; then ends what is still running with `closed`.
    func run() {
        while let orders = inbox.take() {
            for order in orders { obey(order) }
            startWaiting()
            var count: Int32 = 0
            // A second bounds the wait where nothing is due and nobody calls.
            let wait = alarmAt.map { ContinuousClock.now.duration(to: $0) } ?? .seconds(1)
            for ready in sockets.wait(atMost: min(wait, .seconds(1))) {
                unsafe _ = curl_multi_socket_action(multi, ready.socket, ready.events, &count)
            }
            if let alarmAt, alarmAt <= .now {
                self.alarmAt = nil
                unsafe _ = curl_multi_socket_action(multi, SocketWatch.none, 0, &count)
            }
            collect()
        }
        for id in running.keys { end(id, .failure(.closed)) }
        for order in waiting.orders { order.answer.resume(returning: .failure(.closed)) }
    }

    private func obey(_ order: Inbox.Order) {
        switch order {
        case .cancel(let id):
            if let answer = waiting.remove(id) {
                answer.resume(returning: .failure(.cancelled))
            } else {
                end(id, .failure(.cancelled))
            }
        case .start(let id, let request, let answer):
            waiting.append(WaitingLine.Item(id: id, request: request, answer: answer))
        }
    }

    /// Starts what waits, as far as there are places.
    private func startWaiting() {
        while running.count < configuration.connectionsMaximum, let next = waiting.popFirst() {
            do throws(WebError) {
                let transfer = try Transfer(next.request, configuration)
                running[next.id] = (transfer, next.answer)
                ids[UInt(bitPattern: unsafe transfer.easy)] = next.id
                let code = unsafe curl_multi_add_handle(multi, transfer.easy)
                if code != CURLM_OK { end(next.id, .failure(.transfer(code: code.rawValue))) }
            } catch {
                next.answer.resume(returning: .failure(error))
            }
        }
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

/// Requests that wait for a place, the longest waiting first.
private struct WaitingLine {
    struct Item {
        let id: UInt64
        let request: WebRequest
        let answer: Inbox.Answer
    }

    /// Behind `first`, which moves on so that taking one does not move all the others.
    private var items: [Item] = []
    private var first = 0

    var orders: ArraySlice<Item> { items[first...] }

    mutating func append(_ item: Item) { items.append(item) }

    mutating func popFirst() -> Item? {
        guard first < items.count else {
            items.removeAll(keepingCapacity: true)
            first = 0
            return nil
        }
        defer { first += 1 }
        return items[first]
    }

    /// Takes one out of the middle; nil where it does not wait.
    mutating func remove(_ id: UInt64) -> Inbox.Answer? {
        guard let place = items[first...].firstIndex(where: { $0.id == id }) else { return nil }
        return items.remove(at: place).answer
    }
}
