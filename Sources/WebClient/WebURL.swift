import CCurl

/// A URL that libcurl's own parser has read and a `WebPolicy` has passed.
///
/// The text is the parser's normal form, so that what was checked is what is fetched.
package struct WebURL: Hashable, Sendable {
    package let text: String
    package let host: String
    package let port: Int

    /// The longest URL accepted, in characters.
    package static let lengthMaximum = 2048

    /// Reads and checks a URL without opening anything.
    package init(_ text: String, policy: WebPolicy) throws(WebError) {
        do { try self.init(checking: text, policy) } catch { throw .url(error) }
    }

    private init(checking text: String, _ policy: WebPolicy) throws(WebError.URLFault) {
        guard text.utf8.count <= Self.lengthMaximum else {
            throw .tooLong(limit: Self.lengthMaximum)
        }
        guard text.utf8.allSatisfy({ $0 < 0x80 }) else { throw .notASCII }
        // A backslash is a slash to some readers of URLs and a letter to others.
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7f && $0 != UInt8(ascii: "\\") }) else {
            throw .malformed
        }
        let parts = try URLParts(text)
        let accepted = policy.plainHTTP ? ["https", "http"] : ["https"]
        guard accepted.contains(parts.scheme) else {
            throw .scheme(found: parts.scheme, accepted: accepted)
        }
        guard !parts.hasUserInfo else { throw .userInfo }
        if let ports = policy.ports, !ports.contains(parts.port) {
            throw .port(found: parts.port, accepted: ports.sorted())
        }
        if let address = parts.address {
            guard policy.addresses.permits(address) else { throw .addressRefused(address) }
        } else if !policy.singleLabelHosts {
            let labels = parts.host.split(separator: ".")
            guard labels.count > 1 else { throw .singleLabelHost(parts.host) }
        }
        self.text = parts.normalised
        host = parts.host
        port = parts.port
    }
}

/// What libcurl reads in a URL.
private struct URLParts {
    let scheme: String
    let host: String
    let port: Int
    let hasUserInfo: Bool
    let normalised: String

    /// The host, where it is a numeric address.
    var address: IPAddress? {
        let bare = host.hasPrefix("[") ? host.dropFirst().dropLast() : host[...]
        return IPAddress(bare)
    }

    init(_ text: String) throws(WebError.URLFault) {
        guard let handle = unsafe curl_url() else { throw .malformed }
        defer { unsafe curl_url_cleanup(handle) }
        // Schemes that we do not speak are let through here, to be refused by name above.
        let flags = UInt32(CURLU_NON_SUPPORT_SCHEME)
        let accepted = unsafe text.withCString { text in
            unsafe curl_url_set(handle, CURLUPART_URL, text, flags)
        }
        guard accepted == CURLUE_OK else { throw .malformed }
        func part(_ name: CURLUPart, _ flags: UInt32 = 0) -> String? {
            var text: UnsafeMutablePointer<CChar>?
            guard unsafe curl_url_get(handle, name, &text, flags) == CURLUE_OK,
                let text = unsafe text
            else { return nil }
            defer { unsafe curl_free(text) }
            return unsafe String(cString: text)
        }
        guard let scheme = part(CURLUPART_SCHEME) else { throw .malformed }
        self.scheme = scheme.lowercased()
        hasUserInfo =
            part(CURLUPART_USER) != nil || part(CURLUPART_PASSWORD) != nil
            || part(CURLUPART_OPTIONS) != nil
        guard let host = part(CURLUPART_HOST), !host.isEmpty,
            let normalised = part(CURLUPART_URL)
        else {
            // A scheme without hosts, such as `mailto:`, is best answered with the schemes we take.
            guard ["http", "https"].contains(self.scheme) else {
                throw .scheme(found: self.scheme, accepted: ["https"])
            }
            throw .malformed
        }
        self.host = host.lowercased()
        self.normalised = normalised
        port = part(CURLUPART_PORT, UInt32(CURLU_DEFAULT_PORT)).flatMap { Int($0) } ?? 0
    }
}
