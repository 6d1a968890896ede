/// Why a feed, or one item of it, could not be read. Its description is one sentence.
package struct FeedError: Error, Equatable, Sendable, CustomStringConvertible {
    /// Where in the feed.
    package enum Place: Equatable, Sendable {
        case whole
        /// From 1.
        case line(Int)
        /// A member of a list, from 1.
        case item(Int)
    }

    /// What was found, and with it what is accepted.
    package enum Reason: Equatable, Sendable {
        case empty(accepted: String)
        case tooLarge(bytes: Int, accepted: Int)
        case notText
        /// A page for people, such as one that asks to log in.
        case markup(accepted: String)
        case notJSON
        case field(String, found: String, accepted: String)
        case seriesName(found: String)
        /// Two results that would be the same series, such as metrics that differ by their names alone.
        case seriesTwice(String)
        case tooManySeries(accepted: Int)
        case tooManyValues(accepted: Int)
        /// The mark that ends a whole feed is not there.
        case unfinished(mark: String)
        /// The other side says itself that it failed.
        case refusal(String)
    }

    /// The feed, as its reader was told to call it.
    package let feed: String
    package let place: Place
    package let reason: Reason

    package init(feed: String, place: Place, reason: Reason) {
        self.feed = feed
        self.place = place
        self.reason = reason
    }

    package var description: String { prefix + sentence + "." }

    /// The sentence without anything that stands in the feed, for one that may hold a secret.
    package var discreet: String {
        guard case .field(_, _, let accepted) = reason else {
            return prefix + "it cannot be read."
        }
        return prefix + "it cannot be read; accepted is \(accepted)."
    }

    /// The sentence without values that stand in the feed; for what is kept.
    package var withoutValues: String {
        switch reason {
        case .field(let name, let found, let accepted) where !found.isEmpty:
            prefix + "the \(Self.cut(name)) cannot be read; accepted is \(accepted)."
        case .seriesName: prefix + "a series has a name that cannot be used."
        case .seriesTwice: prefix + "two results would be the same series."
        default: description
        }
    }

    private var prefix: String {
        switch place {
        case .whole: "\(feed): "
        case .line(let line): "\(feed), line \(line): "
        case .item(let item): "\(feed), item \(item): "
        }
    }

    private var sentence: String {
        switch reason {
        case .empty(let accepted): "there is nothing in it; expected is \(accepted)"
        case .tooLarge(let bytes, let accepted):
            "it has \(bytes) bytes, and at most \(accepted) are accepted"
        case .notText: "it is not text in UTF-8"
        case .markup(let accepted): "it is a page of HTML or XML; expected is \(accepted)"
        case .notJSON: "it is no JSON"
        case .field(let name, let found, let accepted):
            found.isEmpty
                ? "the \(Self.cut(name)) is missing; accepted is \(accepted)"
                : "the \(Self.cut(name)) is \"\(Self.cut(found))\"; accepted is \(accepted)"
        case .seriesName(let found):
            "a series would be called \"\(Self.cut(found))\"; accepted are 1 to 400 characters "
                + "without control characters or blanks at the ends"
        case .seriesTwice(let name):
            "two results would be the series \"\(Self.cut(name))\"; without a name of the query each "
                + "has that of its metric"
        case .tooManySeries(let accepted): "it has more than \(accepted) series"
        case .tooManyValues(let accepted): "it has more than \(accepted) values"
        case .unfinished(let mark): "it does not end with \"\(mark)\", so it is not whole"
        case .refusal(let words): "the other side refuses: \(words.prefix(300))"
        }
    }

    /// At most forty characters, on one line.
    private static func cut(_ text: String) -> String {
        let head = text.unicodeScalars.prefix(41)
        let flat = String(
            String.UnicodeScalarView(
                head.prefix(40).map {
                    $0.properties.generalCategory == .control ? " " : $0
                }))
        return head.count > 40 ? flat + "…" : flat
    }
}
