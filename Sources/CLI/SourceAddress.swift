import ArgumentParser
import WebClient

/// What a source is told as its address: a path, or a URL of one of the schemes that connectors read.
enum SourceAddress {
    /// Those of the web, which are pulled from, and those of brokers, which are listened to.
    static let (web, brokers) = (["http", "https"], ["mqtt", "mqtts"])

    /// The word before `://` in small letters, and what stands behind; nil for a path.
    private static func parts(_ text: String) -> (scheme: String, rest: Substring)? {
        guard let mark = text.firstRange(of: "://") else { return nil }
        let word = text[..<mark.lowerBound]
        guard let first = word.first, first.isLetter,
            word.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || "+-.".contains($0)) })
        else { return nil }
        return (scheme: word.lowercased(), rest: text[mark.upperBound...])
    }

    /// The scheme of a URL in small letters; nil for a path.
    static func scheme(of text: String) -> String? { parts(text)?.scheme }

    /// Refuses what no connector could read, so that no typing error becomes a folder.
    ///
    /// - Parameter texts: Paths and URLs, as they were told.
    /// - Throws: `ValidationError`, which repeats the scheme alone: a password may stand behind it.
    static func check(_ texts: [String]) throws {
        for text in texts {
            guard let (scheme, rest) = parts(text) else { continue }
            guard (web + brokers).contains(scheme) else {
                throw ValidationError(
                    "\(scheme):// is read by no connector; accepted are http, https, mqtt, mqtts, "
                        + "and the paths of files and folders")
            }
            guard !rest.contains(where: \.isWhitespace) else {
                throw ValidationError("the URL has a blank in it; write it as %20")
            }
            let authority = rest.prefix { !"/?#".contains($0) }
            let host = authority.split(separator: "@", omittingEmptySubsequences: false).last ?? ""
            guard let first = host.first, first != ":" else {
                throw ValidationError("the URL has no host; expected is \(scheme)://HOST/…")
            }
            guard texts.count == 1 else {
                throw ValidationError("a URL is a source of its own, without other paths beside it")
            }
        }
    }

    /// Every address; whether a private one is reached is decided at the pull.
    private static let anywhere = AddressGuard(
        allowing: ["0.0.0.0/0", "::/0"].compactMap { AddressBlock($0) })

    /// Refuses a URL that every pull would refuse before it opens anything.
    ///
    /// - Parameters:
    ///   - url: Of the web.
    ///   - allowPrivate: Whether it may lead to private networks, and begin with `http://`.
    /// - Throws: `ValidationError`.
    static func check(web url: String, allowPrivate: Bool) throws {
        // As `FeedClient` judges it.
        let policy =
            allowPrivate
            ? WebPolicy(plainHTTP: true, ports: nil, singleLabelHosts: true, addresses: anywhere)
            : WebPolicy(ports: nil)
        do {
            _ = try WebURL(url, policy: policy)
        } catch {
            throw ValidationError(error.description + advice(error))
        }
    }

    /// What lets a URL through that is refused; empty where nothing does.
    private static func advice(_ error: WebError) -> String {
        switch error {
        case .url(.scheme), .url(.singleLabelHost), .url(.addressRefused):
            "; --allow-private lets it lead to private networks, also by http://"
        default: ""
        }
    }

    /// The longest name: the schedule of a source is called by it and a few words more.
    static let nameMaximum = 150

    /// Refuses a name that is too long for a source that is pulled again and again.
    static func check(name: String) throws {
        let count = name.unicodeScalars.count
        guard count <= nameMaximum else {
            throw ValidationError(
                "a source is called by at most \(nameMaximum) characters, found \(count); "
                    + "--name gives it another name")
        }
    }
}
