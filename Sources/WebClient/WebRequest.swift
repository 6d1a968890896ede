/// A request to be sent.
package struct WebRequest: Sendable {
    package var method: Method
    package var url: WebURL
    /// Sent as given, one each; `Host`, `Content-Length`, `Transfer-Encoding`, `Connection`,
    /// `Expect` and `User-Agent` are the client's own and refused.
    package var headers: [String: String]
    package var body: [UInt8]
    /// Limits of this request alone; nil for the client's.
    package var limits: WebLimits?
    /// Asks for a compressed answer (gzip or zstd), which is unpacked; limits count what comes in,
    /// and what comes out. An `Accept-Encoding` among the headers takes the place of ours.
    package var acceptsCompression = false
    /// Shown to receivers that ask for it.
    package var certificate: ClientCertificate?

    /// A body goes out with `post` and `put` alone.
    package enum Method: String, Sendable { case get = "GET", post = "POST", put = "PUT" }

    package init(
        _ method: Method, _ url: WebURL, headers: [String: String] = [:], body: [UInt8] = []
    ) {
        precondition(method != .get || body.isEmpty, "a GET with \(body.count) bytes of body")
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
    }

    /// The headers as lines.
    ///
    /// - Throws: `WebError.header` for a name that is no token or is ours to set, and for a value
    ///   with a control character: either could smuggle a second header in.
    func headerLines() throws(WebError) -> [String] {
        var lines: [String] = []
        for (name, value) in headers.sorted(by: { $0.key < $1.key }) {
            let isToken = !name.isEmpty && name.utf8.allSatisfy(Self.isTokenByte)
            let isClean = value.utf8.allSatisfy { ($0 >= 0x20 && $0 != 0x7f) || $0 == 0x09 }
            guard isToken, isClean, !Self.ours.contains(name.lowercased()) else {
                throw .header(name: isToken ? name : "with a name that is no token")
            }
            // libcurl sends an empty value only when it is written with a semicolon.
            lines.append(value.isEmpty ? "\(name);" : "\(name): \(value)")
        }
        return lines
    }

    private static let ours: Set<String> = [
        "host", "content-length", "transfer-encoding", "connection", "expect", "user-agent",
    ]

    /// Whether a byte may stand in a header name (RFC 9110 §5.6.2).
    private static func isTokenByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
    }
}

/// What the answer to one request may take.
package struct WebLimits: Equatable, Sendable {
    /// From the call to the last byte of the answer.
    package var totalTimeLimit: Duration
    /// The largest answer body that is read, in bytes: as it comes, and unpacked.
    package var bodyMaximum: Int
    /// The answer is given up that brings fewer bytes a second than this…
    package var slowBytesPerSecond: Int
    /// …for so long.
    package var slowTimeLimit: Duration

    package init(
        totalTimeLimit: Duration = .seconds(300), bodyMaximum: Int = 64 << 20,
        slowBytesPerSecond: Int = 100, slowTimeLimit: Duration = .seconds(20)
    ) {
        self.totalTimeLimit = totalTimeLimit
        self.bodyMaximum = bodyMaximum
        self.slowBytesPerSecond = slowBytesPerSecond
        self.slowTimeLimit = slowTimeLimit
    }
}

/// A certificate and its key, each a PEM file, by which a client shows who it is.
package struct ClientCertificate: Hashable, Sendable {
    package var certificateFile: String
    package var keyFile: String

    package init(certificateFile: String, keyFile: String) {
        self.certificateFile = certificateFile
        self.keyFile = keyFile
    }
}

/// A complete answer, whatever its status; redirects are answers like any other.
package struct WebResponse: Equatable, Sendable {
    package let status: Int
    /// By lower-case name; of a repeated header the last value counts, save that links are one list,
    /// and codings another. They are told as they came, also where the body was unpacked.
    package let headers: [String: String]
    package let body: [UInt8]
    /// The numeric address that answered.
    package let remoteAddress: String
    /// How long each part took, since the call.
    package let timing: Timing

    /// Instants of a request, each counted from its start.
    package struct Timing: Equatable, Sendable {
        package let resolved: Duration
        package let connected: Duration
        package let secured: Duration
        package let firstByte: Duration
        package let total: Duration
    }
}
