import Testing
import WebClient

@Suite struct WebURLTests {
    struct Case: CustomTestStringConvertible, Sendable {
        let text: String
        let fault: WebError.URLFault?
        var testDescription: String { text.isEmpty ? "an empty text" : String(text.prefix(60)) }
        init(_ text: String, _ fault: WebError.URLFault?) {
            self.text = text
            self.fault = fault
        }
    }

    static func loopback(_ text: String) -> WebError.URLFault? {
        IPAddress(text).map { .addressRefused($0) }
    }

    static let strict = [
        Case("https://example.org/hook?x=1", nil),
        Case("https://example.org:8443/", nil),
        Case("HTTPS://Example.ORG", nil),
        Case("https://8.8.8.8/", nil),
        Case("https://[2606:4700:4700::1111]/", nil),
        Case("http://example.org/", .scheme(found: "http", accepted: ["https"])),
        Case("file:///etc/passwd", .scheme(found: "file", accepted: ["https"])),
        Case("gopher://example.org/", .scheme(found: "gopher", accepted: ["https"])),
        Case("https://user:word@example.org/", .userInfo),
        Case("https://user@example.org/", .userInfo),
        Case("https://@example.org/", .userInfo),
        Case("https://example.org:22/", .port(found: 22, accepted: [443, 8443])),
        Case("https://example.org:0/", .port(found: 0, accepted: [443, 8443])),
        Case("https://localhost/", .singleLabelHost("localhost")),
        Case("https://intranet./", .singleLabelHost("intranet.")),
        Case("https://127.0.0.1/", loopback("127.0.0.1")),
        Case("https://0x7f.1/", loopback("127.0.0.1")),
        Case("https://2130706433/", loopback("127.0.0.1")),
        Case("https://0177.0.0.1/", loopback("127.0.0.1")),
        Case("https://[::1]/", loopback("::1")),
        Case("https://[::ffff:169.254.169.254]/", loopback("::ffff:169.254.169.254")),
        Case("https://exämple.org/", .notASCII),
        Case("https://example.org/a b", .malformed),
        Case("https://example.org/\r\nX: y", .malformed),
        Case(#"https://example.org\@10.0.0.1/"#, .malformed),
        Case("https://", .malformed),
        Case("example.org/hook", .malformed),
        Case("", .malformed),
        Case("https://example.org/" + String(repeating: "a", count: 2048), .tooLong(limit: 2048)),
        Case("https://example.org/" + String(repeating: "a", count: 10_000), .tooLong(limit: 2048)),
        Case("https://example.org:65536/", .malformed),
        Case("https://example.org:-1/", .malformed),
        Case("https://[fd00:ec2::254]/", loopback("fd00:ec2::254")),
        Case("https://[::ffff:10.0.0.1]/", loopback("::ffff:10.0.0.1")),
    ]

    @Test(arguments: strict)
    func `by default only public HTTPS addresses are read`(_ c: Case) {
        expect(c, WebPolicy())
    }

    static let open = [
        Case("http://127.0.0.1:8080/", nil),
        Case("http://localhost:1/", nil),
        Case("http://[::1]:8080/", nil),
        Case("http://10.0.0.1/", loopback("10.0.0.1")),
        Case("ftp://127.0.0.1/", .scheme(found: "ftp", accepted: ["https", "http"])),
        Case("http://me@127.0.0.1/", .userInfo),
    ]

    @Test(arguments: open)
    func `an operator can open this machine and nothing else`(_ c: Case) {
        expect(c, .withLoopback)
    }

    private func expect(_ c: Case, _ policy: WebPolicy) {
        let read = Result { () throws(WebError) in try WebURL(c.text, policy: policy) }
        switch (read, c.fault) {
        case (.success, nil): break
        case (.failure(let error), let fault?): #expect(error == .url(fault))
        case (.success(let url), let fault?): Issue.record("\(url) passed, not \(fault)")
        case (.failure(let error), nil): Issue.record("\(error)")
        }
    }

    @Test func `no description of an error repeats the path, which may be a secret`() throws {
        for c in Self.strict + Self.open {
            guard let fault = c.fault else { continue }
            let text = WebError.url(fault).description
            #expect(!text.contains("hook") && !text.contains("passwd") && !text.contains("word@"))
        }
    }
}
