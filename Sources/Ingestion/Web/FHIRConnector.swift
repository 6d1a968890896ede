import Foundation
package import Postgres
package import Series
import Signals
package import Store
import WebClient

/// What a source of kind `fhir` is told; stored as JSON with the source.
package struct FHIRSettings: SourceSettings, Equatable {
    /// The search, such as `https://fhir.example.org/Observation?code=8867-4`.
    package var access: WebAccess
    /// The first `_lastUpdated` that is asked for; nil for everything.
    package var startAt: Timestamp?
    /// How far before the newest `_lastUpdated` is asked again, in seconds.
    package var overlapSeconds = 300.0
    /// What a series is called in the database instead of subject and code.
    package var renames: [String: String] = [:]
    package var seriesMaximum = 10_000
    /// What one pull takes at most; the next one goes on.
    package var pagesMaximum = 1000
    package var bytesMaximum = 256 << 20

    package init(access: WebAccess) { self.access = access }

    private enum CodingKeys: String, CodingKey {
        case access, startAt, overlapSeconds, renames, seriesMaximum, pagesMaximum, bytesMaximum
    }

    package init(from decoder: any Decoder) throws {
        let box = try decoder.container(keyedBy: CodingKeys.self)
        self.init(access: try box.decode(WebAccess.self, forKey: .access))
        startAt = try box.decodeIfPresent(Timestamp.self, forKey: .startAt)
        overlapSeconds = try box.decodeIfPresent(Double.self, forKey: .overlapSeconds) ?? 300
        renames = try box.decodeIfPresent([String: String].self, forKey: .renames) ?? [:]
        seriesMaximum = try box.decodeIfPresent(Int.self, forKey: .seriesMaximum) ?? seriesMaximum
        pagesMaximum = try box.decodeIfPresent(Int.self, forKey: .pagesMaximum) ?? pagesMaximum
        bytesMaximum = try box.decodeIfPresent(Int.self, forKey: .bytesMaximum) ?? bytesMaximum
    }

    /// What is wrong with the settings; nil where they can be used.
    package var flaw: String? {
        if let flaw = access.flaw { return flaw }
        guard (0...1e10).contains(overlapSeconds) else {
            return "overlapSeconds is from 0 to 10,000,000,000"
        }
        guard (1...100_000).contains(seriesMaximum), (1...100_000).contains(pagesMaximum),
            (1...(4 << 30)).contains(bytesMaximum)
        else { return "seriesMaximum, pagesMaximum or bytesMaximum is out of range" }
        return nil
    }
}

/// Pulls observations out of a FHIR server (R4, R5) by search: quantities as series, sampled data as
/// recordings.
///
/// A search begins at the newest `_lastUpdated` less the overlap and follows the pages; the cursor
/// moves to the newest one of a search only at its end, since a server need not sort.
package struct FHIRConnector: SourceConnector {
    /// What sources of this connector have as their kind.
    package static let kind = "fhir"

    private let client: FeedClient

    /// - Parameter client: Fetches the pages.
    package init(client: FeedClient) { self.client = client }

    /// Takes what is new, with the settings that are stored with the source.
    package func pull(
        _ source: Source, into pool: Pool, now: Timestamp,
        progress: @Sendable (IngestReport) throws -> Void
    ) async throws -> IngestReport {
        let settings = try FHIRSettings(json: source.settings, of: source.name)
        let pages = FHIRPages(settings: settings, client: client, source: source.name, now: now)
        return try await PagedPull.run(pages, of: source, into: pool, progress)
    }

    /// Fetches and reads the first page, and stores nothing.
    func preview(
        name: String, settings: FHIRSettings, now: Timestamp
    ) async throws -> [PullPreview] {
        let pages = FHIRPages(settings: settings, client: client, source: name, now: now)
        return [try await pages.preview()]
    }
}

/// The pages of one search.
struct FHIRPages: PageReader {
    let settings: FHIRSettings
    let client: FeedClient
    /// The source's name.
    let source: String
    let now: Timestamp

    var access: WebAccess { settings.access }
    var startAt: Timestamp? { settings.startAt }
    var overlapSeconds: Double { settings.overlapSeconds }
    var pagesMaximum: Int { settings.pagesMaximum }
    var bytesMaximum: Int { settings.bytesMaximum }

    func first(since: Timestamp?) throws -> WebURL {
        var added = [("_sort", "_lastUpdated")]
        if let since { added.append(("_lastUpdated", "ge\(since)")) }
        return try client.url(
            try PageWalk.adding(added, to: settings.access.url), onHostOf: settings.access)
    }

    func read(
        _ answer: FeedAnswer, number: Int, after position: FeedPosition
    ) throws -> PageContent {
        var reader = FHIRReader()
        reader.limits.bytesMaximum = settings.access.bodyBytesMaximum
        reader.limits.seriesMaximum = settings.seriesMaximum
        let read = try reader.read(answer.body, name: answer.url.host)
        var content = PageContent()
        let feed = ParsedFeed(read.feed, isDiscreet: answer.holdsSecret)
        content.feed = feed
        content.pieces = try FeedPieces(
            feed, FeedRules(renames: settings.renames), source: source, now: now, newest: nil)
        content.recordings = try read.recordings.map { recording in
            RecordingFiling(recording, key: try key(of: recording.name))
        }
        // A server whose clock is ahead must not make us pass over what it says next.
        content.until = read.lastUpdated.map { min($0, now) }
        try content.follow {
            try read.next.map { next in
                try client.url(
                    try PageWalk.resolved(next, against: answer.url.text),
                    onHostOf: settings.access)
            }
        }
        content.notes = read.notes.map { "the server says: \($0)" }
        if read.withdrawn > 0 {
            content.notes.append("\(read.withdrawn) observations are withdrawn, and left out")
        }
        if read.samples.errors + read.samples.outside > 0 {
            content.notes.append(
                "\(read.samples.errors) samples are errors and \(read.samples.outside) outside "
                    + "what the device measures; they are missing")
        }
        return content
    }

    /// `ward3/Patient/1/o7`: the source and what it calls the recording.
    private func key(of name: String) throws(IngestError) -> String {
        let key = "\(source)/\(name)"
        guard key.unicodeScalars.count <= 400 else { throw .seriesKey(key) }
        return key
    }
}
