import Crypto
import Foundation
package import WebClient

/// Why a source over HTTP could not be pulled. Names hosts and statuses, never paths, bodies or
/// secrets.
package enum PullError: Error, Equatable, Sendable, CustomStringConvertible {
    case web(WebError)
    case status(Int, accepted: String)
    case redirect(Int)
    /// Busy; asks to be left alone for so long.
    case later(Int, seconds: Int)
    case mediaType(String, accepted: String)
    case charset(String)
    /// The next page lies on another host, where our secrets must not go.
    case nextElsewhere(String)
    case next(String)

    package var description: String {
        switch self {
        case .web(let error): error.description
        case .status(let status, let accepted):
            "the answer has status \(status); accepted is \(accepted)"
        case .redirect(let status):
            "the answer is a redirect (\(status)), which is not followed; give the address it leads to"
        case .later(let status, let seconds):
            "the other side is busy (\(status)) and asks to be left alone for \(seconds) s"
        case .mediaType(let found, let accepted):
            "the answer is of type \(found.prefix(60)); expected is \(accepted)"
        case .charset(let found): "the answer is in \(found.prefix(40)); accepted is UTF-8"
        case .nextElsewhere(let host):
            "the next page is said to be on \(host.prefix(80)); pages must stay on the source's host"
        case .next(let why): "the next page cannot be found: \(why)"
        }
    }

    /// Whether the same may succeed a little later.
    var isPassing: Bool {
        switch self {
        case .later: true
        case .status(let status, _): status >= 500 || status == 408
        case .web(let error):
            switch error {
            case .timedOut, .damaged, .connectionLost, .connectionRefused, .unreachable,
                .hostNotFound, .noSocket, .notHTTP:
                true
            default: false
            }
        default: false
        }
    }
}

/// What tells a server which answer we have already.
struct Validators: Sendable, Equatable, Codable {
    var entityTag: String?
    var lastModified: String?

    init(_ headers: [String: String]) {
        entityTag = headers["etag"].flatMap { Self.isUsable($0, longest: 500) ? $0 : nil }
        lastModified = headers["last-modified"].flatMap {
            Self.isUsable($0, longest: 100) && Self.isSettled($0, at: headers["date"]) ? $0 : nil
        }
    }

    /// Whether what is told of later changes would be told with another time: it has whole seconds, and
    /// what was changed within the second of the answer may be changed in it again.
    ///
    /// - Source: RFC 9110, section 8.8.2.2.
    private static func isSettled(_ modified: String, at date: String?) -> Bool {
        let formatter = DateFormatter()
        formatter.locale = Locale(identifier: "en_US_POSIX")
        formatter.dateFormat = "EEE, dd MMM yyyy HH:mm:ss zzz"
        guard let date, let told = formatter.date(from: date),
            let changed = formatter.date(from: modified)
        else { return false }
        return told.timeIntervalSince(changed) >= 2
    }

    /// Kept in the cursor and sent back as they are: no more than a server may reasonably say.
    private static func isUsable(_ text: String, longest: Int) -> Bool {
        (1...longest).contains(text.utf8.count)
            && text.utf8.allSatisfy { (0x20..<0x7F).contains($0) }
    }

    var isEmpty: Bool { entityTag == nil && lastModified == nil }

    var headers: [String: String] {
        var headers: [String: String] = [:]
        headers["If-None-Match"] = entityTag
        if entityTag == nil { headers["If-Modified-Since"] = lastModified }
        return headers
    }
}

/// An answer of status 200 or 204, 304 where nothing has changed, or a failure that was asked for.
struct FeedAnswer: Sendable {
    let url: WebURL
    let status: Int
    let isUnchanged: Bool
    let headers: [String: String]
    let body: [UInt8]
    /// Whether a secret of ours stands in the body, so that nothing of it may be quoted.
    let holdsSecret: Bool

    var validators: Validators { Validators(headers) }

    /// The type without its parameters, in small letters; empty where none is told.
    var mediaType: String {
        let type = headers["content-type"]?.prefix { $0 != ";" } ?? ""
        return type.trimmingCharacters(in: .whitespaces).lowercased()
    }

    /// SHA-256 of the body, in hexadecimal digits.
    var digest: String {
        var hash = SHA256()
        hash.update(data: body)
        return hash.hexadecimal
    }
}

/// Fetches what sources over HTTP hold, within the limits of each and only where it may.
package final class FeedClient: Sendable {
    /// The most that a server may ask us to wait, in seconds.
    static let waitSecondsMaximum = 86_400

    private let open: WebClient
    private let near: WebClient
    private let secrets: SecretReader

    /// - Parameters:
    ///   - secrets: Where the secrets are that sources refer to.
    ///   - authorities: A PEM file with the authorities whose certificates hold; nil for the
    ///     system's.
    ///   - resolver: Stands in for the system's look-up of names; nil leaves it to the system.
    package init(
        secrets: SecretReader, authorities: String? = nil,
        resolver: (@Sendable (_ host: String) -> [IPAddress]?)? = nil
    ) {
        self.secrets = secrets
        var configuration = WebConfiguration(
            policy: WebPolicy(ports: nil), connectTimeLimit: .seconds(10),
            headMaximum: 64 << 10, connectionsMaximum: 64, userAgent: "systole/1",
            authorities: authorities, resolver: resolver)
        open = WebClient(configuration)
        configuration.policy = Self.nearPolicy
        near = WebClient(configuration)
    }

    deinit {
        open.shutDown()
        near.shutDown()
    }

    /// The public internet, loopback and private networks; never a cloud's metadata service.
    private static let nearPolicy = WebPolicy(
        plainHTTP: true, ports: nil, singleLabelHosts: true,
        addresses: AddressGuard(
            allowing: [
                "127.0.0.0/8", "::1", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7",
            ].compactMap { AddressBlock($0) }))

    /// Reads a URL and checks it against what the source may reach.
    func url(_ text: String, _ access: WebAccess) throws(PullError) -> WebURL {
        do {
            return try (access.allowPrivate ? near : open).url(text)
        } catch {
            throw .web(error)
        }
    }

    /// Reads the URL of a page, which must be on the host of the source: its secrets go along.
    func url(_ text: String, onHostOf access: WebAccess) throws(PullError) -> WebURL {
        let (found, home) = (try url(text, access), try url(access.url, access))
        let scheme = { (url: WebURL) in url.text.prefix { $0 != ":" } }
        guard found.host == home.host, found.port == home.port, scheme(found) == scheme(home) else {
            throw .nextElsewhere(found.host)
        }
        return found
    }

    /// Fetches one answer.
    ///
    /// - Parameters:
    ///   - url: On the host of the source.
    ///   - access: How the source is reached.
    ///   - known: What we have already; nil asks for the whole answer.
    ///   - form: Sent as a form by POST; nil for a GET.
    ///   - explained: Failures whose body says why, and which are answers to the caller.
    /// - Returns: An answer of status 200 or 204, of one in `explained`, or 304 where `known` holds still.
    /// - Throws: `PullError` for every other, `IngestError.secret`, `CancellationError`.
    func fetch(
        _ url: WebURL, _ access: WebAccess, known: Validators? = nil, form: String? = nil,
        explained: Set<Int> = []
    ) async throws -> FeedAnswer {
        let credentials = try access.credentials(secrets)
        var headers = credentials.headers
        if let known { headers.merge(known.headers) { told, _ in told } }
        if form != nil { headers["Content-Type"] = "application/x-www-form-urlencoded" }
        var request = WebRequest(
            form == nil ? .get : .post, url, headers: headers, body: Array((form ?? "").utf8))
        request.limits = access.limits
        request.acceptsCompression = true
        request.certificate = access.certificate
        let answer: WebResponse
        do {
            answer = try await (access.allowPrivate ? near : open).send(request)
        } catch WebError.cancelled {
            throw CancellationError()
        } catch {
            throw PullError.web(error)
        }
        let isUnchanged = answer.status == 304 && known != nil
        guard
            isUnchanged || [200, 204].contains(answer.status) || explained.contains(answer.status)
        else {
            throw Self.refusal(answer)
        }
        return FeedAnswer(
            url: url, status: answer.status, isUnchanged: isUnchanged, headers: answer.headers,
            body: answer.body,
            holdsSecret: credentials.secrets.contains { Self.holds(answer.body, Array($0.utf8)) }
        )
    }

    /// Whether `word` stands somewhere in `body`.
    private static func holds(_ body: [UInt8], _ word: [UInt8]) -> Bool {
        guard let first = word.first, word.count <= body.count else { return false }
        var place = 0
        while let found = body[place...(body.count - word.count)].firstIndex(of: first) {
            if body[found..<(found + word.count)].elementsEqual(word) { return true }
            place = found + 1
            if place > body.count - word.count { return false }
        }
        return false
    }

    private static func refusal(_ answer: WebResponse) -> PullError {
        switch answer.status {
        case 300..<304, 305..<400: return .redirect(answer.status)
        case 429, 503:
            let asked = answer.headers["retry-after"].flatMap { Int($0) } ?? 60
            return .later(answer.status, seconds: min(max(asked, 1), waitSecondsMaximum))
        default: return .status(answer.status, accepted: "200")
        }
    }
}
