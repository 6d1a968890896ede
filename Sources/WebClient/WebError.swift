import CCurl

/// Why a request got no answer, or why its answer is not handed on.
///
/// It names hosts, ports and numeric addresses, never paths, headers or bodies: those carry secrets.
package enum WebError: Error, Equatable, Sendable {
    /// The URL was refused before anything was opened.
    case url(URLFault)
    /// A header name or value holds characters that would end it, or is one that we set ourselves.
    case header(name: String)
    /// Every address of the host is one that must not be reached; this was the last one.
    case addressRefused(IPAddress)
    case hostNotFound
    case connectionRefused
    case unreachable
    /// The time limit ran out.
    case timedOut(Phase)
    /// The handshake failed or the certificate does not hold.
    case tls(code: Int32)
    /// The connection was closed before the answer was complete.
    case connectionLost
    /// The answer is larger than allowed; its status was already known.
    case answerTooLarge(limit: Int, status: Int)
    /// The answer is packed in a way, or in several ways, that we did not ask for.
    case unpackable
    /// The packing of the answer is damaged, or ends too early, or something else follows it.
    case damaged
    /// What came is no answer in HTTP, such as the rest of the one before it that was longer than it said.
    case notHTTP
    /// libcurl gave up with this code.
    case transfer(code: Int32)
    /// This process may not open another socket.
    case noSocket
    case cancelled
    /// The client was shut down.
    case closed

    /// What was going on when time ran out.
    package enum Phase: String, Sendable { case connecting, answering }

    /// What is wrong with a URL.
    package enum URLFault: Error, Equatable, Sendable {
        case malformed
        case tooLong(limit: Int)
        case notASCII
        case scheme(found: String, accepted: [String])
        case userInfo
        case singleLabelHost(String)
        case port(found: Int, accepted: [Int])
        case addressRefused(IPAddress)
    }

    /// A short, stable word for logs and the delivery log, such as `timeout`.
    package var errorClass: String {
        switch self {
        case .url: "url"
        case .header: "header"
        case .addressRefused: "address_refused"
        case .hostNotFound: "host_not_found"
        case .connectionRefused: "connection_refused"
        case .unreachable: "unreachable"
        case .timedOut: "timeout"
        case .tls: "tls"
        case .connectionLost: "connection_lost"
        case .answerTooLarge: "answer_too_large"
        case .unpackable: "encoding"
        case .damaged: "damaged"
        case .notHTTP, .transfer: "transfer"
        case .noSocket: "no_socket"
        case .cancelled: "cancelled"
        case .closed: "closed"
        }
    }
}

extension WebError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .url(let fault): fault.description
        case .header(let name): "the header \(name) cannot be sent"
        case .addressRefused(let address): "the address \(address) is not on the public internet"
        case .hostNotFound: "the host name was not found"
        case .connectionRefused: "the connection was refused"
        case .unreachable: "the host cannot be reached"
        case .timedOut(let phase): "time ran out while \(phase.rawValue)"
        case .tls(let code): "no secure connection: \(Self.words(code))"
        case .connectionLost: "the connection was closed before the answer was complete"
        case .answerTooLarge(let limit, let status):
            "the answer, of status \(status), is larger than \(limit) bytes"
        case .unpackable: "the answer cannot be unpacked; accepted are gzip and zstd, one at a time"
        case .damaged: "the packed answer is damaged or not whole; it cannot be unpacked"
        case .notHTTP: "what came is no answer in HTTP"
        case .transfer(let code): "the transfer failed: \(Self.words(code))"
        case .noSocket: "this process may not open another socket"
        case .cancelled: "the request was cancelled"
        case .closed: "the client is shut down"
        }
    }

    /// What libcurl says of a code of its own.
    private static func words(_ code: Int32) -> String {
        unsafe String(cString: curl_easy_strerror(CURLcode(rawValue: UInt32(bitPattern: code))))
    }
}

extension WebError.URLFault: CustomStringConvertible {
    package var description: String {
        switch self {
        case .malformed: "the text is not a URL"
        case .tooLong(let limit): "the URL is longer than \(limit) characters"
        case .notASCII: "the URL has characters outside ASCII; write the host in Punycode (xn--…)"
        case .scheme(let found, let accepted):
            "the URL starts with \(found)://; accepted: \(accepted.joined(separator: ", "))"
        case .userInfo: "the URL carries a user name or password"
        case .singleLabelHost(let host): "the host \(host) has no domain"
        case .port(let found, let accepted):
            "port \(found) is not open; accepted: \(accepted.map(String.init).joined(separator: ", "))"
        case .addressRefused(let address): "the address \(address) is not on the public internet"
        }
    }
}
