import CCurl
import Glibc

/// One request on its way: a libcurl handle, and what has come back so far.
///
/// Belongs to the loop's thread. Safe because the pointers are private, the handle is freed in
/// `deinit` alone, and libcurl is given `self` only as long as `CurlLoop` keeps it: the handle is
/// taken off the loop before the last reference goes.
@safe final class Transfer {
    let easy: UnsafeMutableRawPointer
    private let headerList: UnsafeMutablePointer<curl_slist>?
    /// What `resolver` answered, as libcurl takes it.
    private let addressList: UnsafeMutablePointer<curl_slist>?
    private let configuration: WebConfiguration
    /// Bytes of body, as they come; what they unpack to has the same limit.
    private let bodyMaximum: Int
    private var head = AnswerHead()
    private var body: [UInt8] = []
    private var isTooLarge = false
    private var addressRefused: IPAddress?
    private var isOutOfSockets = false

    init(_ request: WebRequest, _ configuration: WebConfiguration) throws(WebError) {
        let lines = try request.headerLines()
        guard let easy = unsafe curl_easy_init() else {
            throw .transfer(code: Int32(CURLE_FAILED_INIT.rawValue))
        }
        unsafe self.easy = easy
        // An empty `Expect:` keeps libcurl from waiting for "100 Continue" before a larger body;
        // an empty content type keeps it from calling every body a form.
        var list: UnsafeMutablePointer<curl_slist>?
        let named = Set(request.headers.keys.map { $0.lowercased() })
        var extra = ["Expect:"] + (named.contains("content-type") ? [] : ["Content-Type:"])
        if request.acceptsCompression, !named.contains("accept-encoding") {
            extra.append("Accept-Encoding: \(ContentCoding.accepted)")
        }
        for line in extra + lines {
            unsafe list = curl_slist_append(list, line)
        }
        unsafe headerList = list
        unsafe addressList = Self.addressList(of: request.url, configuration)
        self.configuration = configuration
        bodyMaximum = request.limits?.bodyMaximum ?? configuration.bodyMaximum
        setRequest(request)
        setLimits(request.limits)
        if let certificate = request.certificate { set(certificate) }
        setCallbacks()
    }

    deinit {
        unsafe curl_easy_cleanup(easy)
        unsafe curl_slist_free_all(headerList)
        unsafe curl_slist_free_all(addressList)
    }

    /// Asks the configuration's resolver, once a request.
    private static func addressList(
        of url: WebURL, _ configuration: WebConfiguration
    ) -> UnsafeMutablePointer<curl_slist>? {
        guard let addresses = configuration.resolver?(url.host), !addresses.isEmpty else {
            return nil
        }
        let texts = addresses.map { $0.isV4 ? "\($0)" : "[\($0)]" }.joined(separator: ",")
        return unsafe curl_slist_append(nil, "+\(url.host):\(url.port):\(texts)")
    }

    // MARK: - Options

    private func setRequest(_ request: WebRequest) {
        unsafe ccurl_set_text(easy, CURLOPT_URL, request.url.text)
        unsafe ccurl_set_list(easy, CURLOPT_HTTPHEADER, headerList)
        if unsafe addressList != nil { unsafe ccurl_set_list(easy, CURLOPT_RESOLVE, addressList) }
        unsafe ccurl_set_text(easy, CURLOPT_USERAGENT, configuration.userAgent)
        guard request.method != .get else {
            unsafe ccurl_set_long(easy, CURLOPT_HTTPGET, 1)
            return
        }
        unsafe ccurl_set_long(easy, CURLOPT_POST, 1)
        unsafe ccurl_set_text(easy, CURLOPT_CUSTOMREQUEST, request.method.rawValue)
        unsafe ccurl_set_offset(
            easy, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(request.body.count))
        unsafe request.body.withUnsafeBytes { body in
            // Copied by libcurl before the call returns; a length of zero needs some pointer.
            _ = unsafe ccurl_set_pointer(easy, CURLOPT_COPYPOSTFIELDS, body.baseAddress ?? nil)
        }
        if request.body.isEmpty { unsafe ccurl_set_text(easy, CURLOPT_COPYPOSTFIELDS, "") }
    }

    private func set(_ certificate: ClientCertificate) {
        unsafe ccurl_set_text(easy, CURLOPT_SSLCERT, certificate.certificateFile)
        unsafe ccurl_set_text(easy, CURLOPT_SSLKEY, certificate.keyFile)
    }

    private func setLimits(_ limits: WebLimits?) {
        let schemes = configuration.policy.plainHTTP ? "https,http" : "https"
        unsafe ccurl_set_text(easy, CURLOPT_PROTOCOLS_STR, schemes)
        unsafe ccurl_set_text(easy, CURLOPT_PROXY, configuration.proxy ?? "")
        if let authorities = configuration.authorities {
            unsafe ccurl_set_text(easy, CURLOPT_CAINFO, authorities)
        }
        let numbers: [(CURLoption, Int)] = [
            (CURLOPT_FOLLOWLOCATION, 0),
            (CURLOPT_SSL_VERIFYPEER, 1),
            (CURLOPT_SSL_VERIFYHOST, 2),
            (CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2)),
            (CURLOPT_CONNECTTIMEOUT_MS, configuration.connectTimeLimit.wholeMilliseconds),
            (
                CURLOPT_TIMEOUT_MS,
                (limits?.totalTimeLimit ?? configuration.totalTimeLimit).wholeMilliseconds
            ),
            // Zero switches the limit off.
            (CURLOPT_LOW_SPEED_LIMIT, limits?.slowBytesPerSecond ?? 0),
            (
                CURLOPT_LOW_SPEED_TIME,
                limits.map { max(1, Int($0.slowTimeLimit.components.seconds)) } ?? 0
            ),
            (CURLOPT_NOSIGNAL, 1),
            (CURLOPT_NETRC, 0),
            // The client unpacks the body: libcurl takes a cut one for whole.
            (CURLOPT_HTTP_CONTENT_DECODING, 0),
            // Taking a handle off the loop must not wait for its name look-up to end.
            (CURLOPT_QUICK_EXIT, 1),
        ]
        for (option, value) in numbers {
            let code = unsafe ccurl_set_long(easy, option, value)
            precondition(code == CURLE_OK, "libcurl refused option \(option.rawValue): \(code)")
        }
        unsafe ccurl_set_offset(easy, CURLOPT_MAXFILESIZE_LARGE, curl_off_t(bodyMaximum))
    }

    private func setCallbacks() {
        let context = unsafe Unmanaged.passUnretained(self).toOpaque()
        unsafe ccurl_set_body_sink(
            easy,
            { bytes, size, count, context in
                unsafe Transfer.from(context).takeBody(bytes, size * count)
            }, context)
        unsafe ccurl_set_head_sink(
            easy,
            { bytes, size, count, context in
                unsafe Transfer.from(context).takeHead(bytes, size * count)
            }, context)
        unsafe ccurl_set_open_socket(
            easy,
            { context, _, peer in unsafe Transfer.from(context).openSocket(to: peer) }, context)
    }

    // MARK: - What libcurl calls

    private static func from(_ context: UnsafeMutableRawPointer?) -> Transfer {
        guard let context = unsafe context else { preconditionFailure("libcurl lost its context") }
        return unsafe Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
    }

    /// Returns the bytes taken; fewer than `count` makes libcurl end the transfer.
    private func takeBody(_ bytes: UnsafeMutablePointer<CChar>?, _ count: Int) -> Int {
        guard body.count + count <= bodyMaximum else {
            isTooLarge = true
            return 0
        }
        unsafe body.append(contentsOf: UnsafeRawBufferPointer(start: bytes, count: count))
        return count
    }

    private func takeHead(_ bytes: UnsafeMutablePointer<CChar>?, _ count: Int) -> Int {
        guard head.bytes + count <= configuration.headMaximum else {
            isTooLarge = true
            return 0
        }
        head.take(unsafe Array(UnsafeRawBufferPointer(start: bytes, count: count)))
        return count
    }

    /// Opens the socket, unless its numeric peer must not be reached.
    ///
    /// Only this call sees the address that is really connected to. With a proxy it would see the
    /// proxy's, which the operator chose.
    private func openSocket(to peer: UnsafeMutablePointer<curl_sockaddr>?) -> curl_socket_t {
        let none: curl_socket_t = -1  // CURL_SOCKET_BAD, a macro that Swift does not see.
        guard let peer = unsafe peer else { return none }
        var bytes = [UInt8](repeating: 0, count: 16)
        let length = unsafe Int(ccurl_peer(peer, &bytes))
        guard length > 0 else { return none }
        let address = IPAddress(bytes: Array(bytes.prefix(length)))
        guard configuration.proxy != nil || configuration.policy.addresses.permits(address) else {
            addressRefused = address
            return none
        }
        let socket = unsafe ccurl_open(peer)
        if socket < 0, [EMFILE, ENFILE, ENOBUFS, ENOMEM].contains(errno) { isOutOfSockets = true }
        return socket
    }

    // MARK: - The end

    /// What became of the request, once libcurl has ended it with `code`.
    func result(_ code: CURLcode) -> Result<WebResponse, WebError> {
        let status = unsafe ccurl_long(easy, CURLINFO_RESPONSE_CODE)
        guard code == CURLE_OK else { return .failure(failure(code, status: status)) }
        return .success(
            WebResponse(
                status: status, headers: head.headers, body: body,
                remoteAddress: unsafe ccurl_text(easy, CURLINFO_PRIMARY_IP)
                    .map { unsafe String(cString: $0) } ?? "",
                timing: .init(
                    resolved: elapsed(CURLINFO_NAMELOOKUP_TIME_T),
                    connected: elapsed(CURLINFO_CONNECT_TIME_T),
                    secured: elapsed(CURLINFO_APPCONNECT_TIME_T),
                    firstByte: elapsed(CURLINFO_STARTTRANSFER_TIME_T),
                    total: elapsed(CURLINFO_TOTAL_TIME_T))))
    }

    private func elapsed(_ info: CURLINFO) -> Duration {
        .microseconds(unsafe Int64(ccurl_offset(easy, info)))
    }

    private func failure(_ code: CURLcode, status: Int) -> WebError {
        if isTooLarge || code == CURLE_FILESIZE_EXCEEDED {
            return .answerTooLarge(limit: bodyMaximum, status: status)
        }
        switch code {
        case CURLE_COULDNT_RESOLVE_HOST: return .hostNotFound
        case CURLE_COULDNT_CONNECT:
            if let addressRefused { return .addressRefused(addressRefused) }
            if isOutOfSockets { return .noSocket }
            let cause = unsafe ccurl_long(easy, CURLINFO_OS_ERRNO)
            return cause == Int(ECONNREFUSED) ? .connectionRefused : .unreachable
        case CURLE_OPERATION_TIMEDOUT:
            let sent = unsafe ccurl_offset(easy, CURLINFO_PRETRANSFER_TIME_T)
            return .timedOut(sent > 0 ? .answering : .connecting)
        case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM,
            CURLE_SSL_CIPHER, CURLE_SSL_ISSUER_ERROR, CURLE_SSL_INVALIDCERTSTATUS,
            CURLE_SSL_CACERT_BADFILE, CURLE_USE_SSL_FAILED:
            return .tls(code: Int32(code.rawValue))
        case CURLE_GOT_NOTHING, CURLE_SEND_ERROR, CURLE_RECV_ERROR, CURLE_PARTIAL_FILE:
            return .connectionLost
        // The scheme was checked before: this one is HTTP 0.9, which has neither status nor end.
        case CURLE_UNSUPPORTED_PROTOCOL: return .notHTTP
        case CURLE_BAD_CONTENT_ENCODING: return .unpackable
        case CURLE_ABORTED_BY_CALLBACK: return .cancelled
        default: return .transfer(code: Int32(code.rawValue))
        }
    }
}

extension Duration {
    /// Whole milliseconds, at least one: to libcurl a limit of zero is no limit.
    fileprivate var wholeMilliseconds: Int {
        let (seconds, attoseconds) = components
        return max(1, Int(seconds) * 1000 + Int(attoseconds / 1_000_000_000_000_000))
    }
}
