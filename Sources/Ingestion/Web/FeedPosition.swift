import Foundation
import Series

/// How far a paged source is stored; the cursor of its only part.
struct FeedPosition: Sendable, Equatable, Codable {
    /// The only part of such a source.
    static let part = "feed"

    /// A row of pages that a pull did not come to the end of.
    struct Walk: Sendable, Equatable, Codable {
        /// The page to go on with.
        var url: String
        /// Which page of the walk it is, from 0.
        var page: Int
        /// The newest observation of the pages before it.
        var until: Timestamp?
        /// SHA-256 of the page before it.
        var before: String?
    }

    /// A last line without an end, of which nothing says that it is whole.
    struct OpenLine: Sendable, Equatable, Codable {
        /// SHA-256 of the page's address and of the line.
        var digest: String
        /// When it was first seen.
        var since: Timestamp
    }

    /// The newest observation of all walks that came to their end.
    var dataUntil: Timestamp?
    var walk: Walk?
    /// What the server calls the newest answer, and where it was.
    var validators: Validators?
    var validFor: String?
    /// SHA-256 of the newest answer that was stored whole.
    var content: String?
    /// A last line that is waited for: it is taken once it has stayed as it is for long enough.
    var openLine: OpenLine?
    /// The server asks to be left alone until then.
    var notBefore: Timestamp?

    /// The position in a stored cursor; an empty one for what this version cannot read, so that the
    /// source is read again, which changes nothing that is there.
    static func decode(_ json: String?) -> FeedPosition {
        json.flatMap { try? JSONDecoder().decode(FeedPosition.self, from: Data($0.utf8)) }
            ?? FeedPosition()
    }

    func json() throws -> String { try StableJSON.text(self) }
}
