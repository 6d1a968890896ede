import Foundation
package import Postgres
package import Series
import Signals
package import Store
import WebClient

/// Pulls over HTTP, page by page: series in tables, JSON, line protocol or metrics, and recordings that
/// go on in pieces.
///
/// Each page is stored in one transaction with the cursor, so that being stopped anywhere loses
/// nothing and stores nothing twice. A walk over pages that a pull does not end goes on in the next.
package struct HTTPConnector: SourceConnector {
    /// What sources of this connector have as their kind.
    package static let kind = "http"

    private let client: FeedClient

    /// - Parameter client: Fetches the pages.
    package init(client: FeedClient) { self.client = client }

    /// Takes what is new, with the settings that are stored with the source.
    package func pull(
        _ source: Source, into pool: Pool, now: Timestamp,
        progress: @Sendable (IngestReport) throws -> Void
    ) async throws -> IngestReport {
        let settings = try HTTPSettings(json: source.settings, of: source.name)
        let pages = HTTPPages(
            settings: settings, client: client, source: source.name,
            isRevisable: source.isRevisable, now: now)
        let report = try await PagedPull.run(pages, of: source, into: pool, progress)
        if settings.format == .pieces {
            _ = try await pool.transaction { db in
                try LiveRecordings.closeSilent(
                    of: source, now: now, after: .seconds(settings.silenceSeconds), in: db)
            }
        }
        return report
    }

    /// Fetches and reads the first page, and stores nothing.
    func preview(
        name: String, settings: HTTPSettings, now: Timestamp
    ) async throws -> [PullPreview] {
        let pages = HTTPPages(
            settings: settings, client: client, source: name, isRevisable: false, now: now)
        return [try await pages.preview()]
    }
}

/// The pages of one source of kind `http`.
struct HTTPPages: PageReader {
    let settings: HTTPSettings
    let client: FeedClient
    /// The source's name.
    let source: String
    let isRevisable: Bool
    let now: Timestamp

    var access: WebAccess { settings.access }
    var startAt: Timestamp? { settings.startAt }
    var overlapSeconds: Double { settings.overlapSeconds }
    var pagesMaximum: Int { settings.pagesMaximum }
    var bytesMaximum: Int { settings.bytesMaximum }

    func first(since: Timestamp?) throws -> WebURL {
        try PageWalk(settings, client).first(since: since)
    }

    func read(
        _ answer: FeedAnswer, number: Int, after position: FeedPosition
    ) throws -> PageContent {
        let parser = FeedParser(settings: settings, isRevisable: isRevisable, receivedAt: now)
        try parser.check(answer)
        var content = PageContent()
        let cut = TailCut(answer, settings, seen: position.openLine, now: now)
        content.waiting = cut.waiting
        // A table without rows may be the empty page behind the last one.
        if !cut.body.isEmpty || answer.body.isEmpty {
            var feed = ParsedFeed()
            if settings.format == .pieces {
                let page = LivePage(
                    cut.body, name: answer.url.host, receivedAt: now, counting: &feed)
                content.live = page
                content.until = page.newest
            } else {
                feed = try parser.parse(cut.body, of: answer, name: answer.url.host)
            }
            let pieces = try FeedPieces(
                feed, settings.rules, source: source, now: now, newest: position.dataUntil)
            if let paths = settings.paths, feed.items == 0, number == 0 {
                let places = paths.values.map(\.text).joined(separator: " or ")
                content.notes.append("nothing is at \(places)")
            }
            if let note = feed.note, number == 0 { content.notes.append(note) }
            content.feed = feed
            content.pieces = pieces
            content.until = content.until ?? pieces.newest
        }
        if content.waiting == nil {
            let items = content.feed?.items ?? 0
            try content.follow {
                try PageWalk(settings, client).next(after: answer, page: number, items: items)
            }
        }
        return content
    }
}
