import Foundation
import Series
import Signals
import WebClient

/// Which pages a source has, and in which order.
struct PageWalk {
    private let settings: HTTPSettings
    private let client: FeedClient

    init(_ settings: HTTPSettings, _ client: FeedClient) {
        self.settings = settings
        self.client = client
    }

    /// The first page, of what came after an instant; nil for whatever the server gives.
    func first(since: Timestamp?) throws(PullError) -> WebURL {
        var added: [(String, String)] = []
        if let since, let told = settings.since {
            added.append((told.parameter, Self.text(since, told.format)))
        }
        switch settings.paging {
        case .page(let parameter, let first): added.append((parameter, "\(first)"))
        case .offset(let parameter, _): added.append((parameter, "0"))
        case .none, .link, .path: break
        }
        return try checked(Self.adding(added, to: settings.access.url))
    }

    /// A page's URL, which must be on the host of the source: its secrets go along.
    func checked(_ text: String) throws(PullError) -> WebURL {
        try client.url(text, onHostOf: settings.access)
    }

    /// The page after an answer; nil where it was the last.
    ///
    /// - Parameters:
    ///   - answer: The page.
    ///   - page: Which it was, from 0.
    ///   - items: How much was on it.
    /// - Returns: The next page.
    /// - Throws: `PullError` for one that is elsewhere, or no URL.
    func next(after answer: FeedAnswer, page: Int, items: Int) throws -> WebURL? {
        switch settings.paging {
        case .none: return nil
        case .link:
            guard let link = Self.nextLink(answer.headers["link"] ?? "") else { return nil }
            return try checked(Self.resolved(link, against: answer.url.text))
        case .path(let path, let parameter):
            guard let found = path.text(in: answer.body), !found.isEmpty else { return nil }
            if let parameter {
                return try checked(Self.adding([(parameter, found)], to: answer.url.text))
            }
            return try checked(Self.resolved(found, against: answer.url.text))
        case .page(let parameter, let first):
            guard items > 0 else { return nil }
            return try checked(
                Self.adding([(parameter, "\(first + page + 1)")], to: answer.url.text))
        case .offset(let parameter, let size):
            guard items > 0 else { return nil }
            return try checked(
                Self.adding([(parameter, "\((page + 1) * size)")], to: answer.url.text))
        }
    }

    /// The target of the first link of relation `next` (RFC 8288); nil where there is none.
    static func nextLink(_ header: String) -> String? {
        var rest = header[...]
        while let open = rest.firstIndex(of: "<"), let close = rest[open...].firstIndex(of: ">") {
            let target = rest[rest.index(after: open)..<close]
            rest = rest[rest.index(after: close)...]
            // Parameters end at the comma before the next link.
            let end = rest.firstRange(of: ",")?.lowerBound ?? rest.endIndex
            let stop = rest[end...].contains("<") ? end : rest.endIndex
            for parameter in rest[..<stop].split(separator: ";") {
                let pair = parameter.split(separator: "=", maxSplits: 1)
                guard pair.count == 2,
                    pair[0].trimmingCharacters(in: .whitespaces).lowercased() == "rel"
                else { continue }
                let names = pair[1].trimmingCharacters(in: .init(charactersIn: " \","))
                if names.lowercased().split(separator: " ").contains("next") {
                    return String(target)
                }
            }
        }
        return nil
    }

    /// A target as a page names it, perhaps without host or path.
    static func resolved(_ target: String, against page: String) throws(PullError) -> String {
        guard let base = URL(string: page), let url = URL(string: target, relativeTo: base) else {
            throw .next("it is no URL")
        }
        return url.absoluteString
    }

    /// The URL with parameters set; one that is there is replaced.
    static func adding(_ added: [(String, String)], to url: String) throws(PullError) -> String {
        guard !added.isEmpty else { return url }
        guard var parts = URLComponents(string: url) else { throw .next("it is no URL") }
        var items = parts.percentEncodedQuery?.split(separator: "&").map(String.init) ?? []
        for (name, value) in added {
            let name = escaped(name)
            items.removeAll { $0 == name || $0.hasPrefix(name + "=") }
            items.append("\(name)=\(escaped(value))")
        }
        parts.percentEncodedQuery = items.joined(separator: "&")
        guard let text = parts.string else { throw .next("it is no URL") }
        return text
    }

    /// Everything but letters, digits and `-._~` as `%XX`.
    static func escaped(_ text: String) -> String {
        text.utf8.map { byte in
            if byte | 0x20 &- 97 < 26 || byte &- 48 < 10 || "-._~".utf8.contains(byte) {
                return String(UnicodeScalar(byte))
            }
            return "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
        }.joined()
    }

    static func text(_ time: Timestamp, _ format: TimeFormat) -> String {
        switch format {
        case .unixSeconds: "\(time.microseconds / 1_000_000)"
        case .unixMilliseconds: "\(time.microseconds / 1000)"
        case .unixMicroseconds: "\(time.microseconds)"
        case .unixNanoseconds: "\(time.microseconds)000"
        case .iso8601, .dayFirst, .monthFirst: time.description
        }
    }
}

/// Where an answer may have been cut off unseen: a length that lies shortens a last number silently.
struct TailCut {
    /// What can be trusted.
    let body: [UInt8]
    /// A last line that is to be seen again; nil where there is none.
    let waiting: FeedPosition.OpenLine?

    /// - Parameters:
    ///   - answer: A page.
    ///   - settings: How it is written, and how long a last line without a line end is waited for.
    ///   - seen: The last line that waits.
    ///   - now: The time on this machine's clock.
    init(
        _ answer: FeedAnswer, _ settings: HTTPSettings, seen: FeedPosition.OpenLine?, now: Timestamp
    ) {
        let body = answer.body
        let cut =
            settings.format.endsWithLines ? TablePieces.end(ofWholeRecords: body) : body.count
        var line: FeedPosition.OpenLine?
        if cut < body.count {
            let digest = Digest.hexadecimal(of: Array(answer.url.text.utf8) + [0] + body[cut...])
            let since = seen?.digest == digest ? seen?.since ?? now : now
            let rest = Double(now.microseconds - since.microseconds) / 1e6
            if seen?.digest != digest || rest < settings.restSeconds {
                line = FeedPosition.OpenLine(digest: digest, since: since)
            }
        }
        waiting = line
        self.body = line == nil ? body : Array(body[..<cut])
    }
}
