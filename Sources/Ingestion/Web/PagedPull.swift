import Foundation
import Postgres
import Series
import Signals
import Store
import WebClient

/// What one kind of paged source has of its own.
protocol PageReader: Sendable {
    var access: WebAccess { get }
    /// Fetches the pages.
    var client: FeedClient { get }
    /// The time on this machine's clock.
    var now: Timestamp { get }
    /// Where to begin; nil leaves it to the server.
    var startAt: Timestamp? { get }
    /// How far before the newest that is stored a walk begins again, in seconds.
    var overlapSeconds: Double { get }
    var pagesMaximum: Int { get }
    var bytesMaximum: Int { get }

    /// The first page, of what came after an instant; nil for whatever the server gives.
    func first(since: Timestamp?) throws -> WebURL

    /// What stands on a page.
    ///
    /// - Parameters:
    ///   - answer: The page.
    ///   - number: Which it is, from 0.
    ///   - position: How far the source is stored.
    /// - Returns: What is to be stored, and where the walk goes on.
    /// - Throws: `FeedError`, `CSVError`, `PullError`, `IngestError` for a page that cannot be used.
    func read(_ answer: FeedAnswer, number: Int, after position: FeedPosition) throws
        -> PageContent
}

extension PageReader {
    /// Fetches and reads the first page, and stores nothing.
    func preview() async throws -> PullPreview {
        let answer = try await client.fetch(try first(since: startAt), access)
        return PullPreview(
            bytes: answer.body.count, try read(answer, number: 0, after: FeedPosition()))
    }
}

/// What stands on a page, ready to be stored.
struct PageContent: Sendable {
    var pieces: FeedPieces?
    var feed: ParsedFeed?
    var recordings: [RecordingFiling] = []
    var live: LivePage?
    /// Of the page, unpacked.
    var bytes = 0
    /// The newest that the page brought: what the cursor may move to.
    var until: Timestamp?
    /// Nil where it is the last, or where it says where to go on and nobody may go there.
    private(set) var next: WebURL?
    /// Why the walk cannot go on.
    private(set) var nextFault: PullError?
    /// A last line that is to be seen again.
    var waiting: FeedPosition.OpenLine?
    /// What is odd about the page.
    var notes: [String] = []

    /// Says where the walk goes on; that nobody can go there takes nothing from what stands here.
    mutating func follow(_ next: () throws -> WebURL?) throws {
        do {
            self.next = try next()
        } catch let error as PullError {
            nextFault = error
        }
    }
}

/// One pull from a paged source. Each page is stored with the cursor in one transaction.
struct PagedPull<Reader: PageReader> {
    private let reader: Reader
    private let source: Source
    private let pool: Pool
    /// The cursor as it is stored.
    private var stored: String?
    private var position: FeedPosition
    private var report = IngestReport()
    private var bytes = 0
    /// Pages of this pull, so that a walk in a circle ends.
    private var visited: Set<String> = []

    /// Takes what is new from a source.
    ///
    /// - Parameters:
    ///   - reader: What its pages are.
    ///   - source: The registered source.
    ///   - pool: The database.
    ///   - progress: Told after every page; throws to stop between two of them.
    /// - Returns: What was done.
    /// - Throws: What keeps the pull from being done: the database, or `progress`.
    static func run(
        _ reader: Reader, of source: Source, into pool: Pool,
        _ progress: @Sendable (IngestReport) throws -> Void
    ) async throws -> IngestReport {
        var pull = try await PagedPull(reader, source, pool)
        try await pull.run(progress)
        return pull.report
    }

    private init(_ reader: Reader, _ source: Source, _ pool: Pool) async throws {
        self.reader = reader
        self.source = source
        self.pool = pool
        stored = try await pool.transaction { db in
            try CursorStore.position(source: source.id, part: FeedPosition.part, in: db)
        }
        position = FeedPosition.decode(stored)
    }

    /// Walks over the pages until there is no more, or a limit is reached.
    private mutating func run(_ progress: @Sendable (IngestReport) throws -> Void) async throws {
        if let notBefore = position.notBefore, reader.now < notBefore {
            report.filesWaiting += 1
            report.trouble = "the other side asked to be left alone until \(notBefore)"
            return
        }
        do {
            while true {
                let isLast = try await page()
                try progress(report)
                if isLast { return }
                guard report.files < reader.pagesMaximum, bytes < reader.bytesMaximum else {
                    report.filesWaiting += 1
                    return
                }
            }
        } catch let error as PullError {
            try await fail(error)
        } catch let error as FeedError {
            try await refuse(error.description, discreet: error.withoutValues)
        } catch let error as CSVError {
            try await refuse(error.description, discreet: error.discreet)
        } catch let error as IngestError where error.isOfData {
            try await refuse(error.description, discreet: error.description)
        }
    }

    /// Fetches and stores one page; whether it was the last.
    private mutating func page() async throws -> Bool {
        let url: WebURL
        if let open = position.walk {
            url = try reader.client.url(open.url, onHostOf: reader.access)
        } else {
            let since = position.dataUntil.map {
                $0 + .microseconds(-Int64(reader.overlapSeconds * 1e6))
            }
            url = try reader.first(since: since ?? reader.startAt)
        }
        guard visited.insert(url.text).inserted else {
            throw PullError.next("a page leads back to one before it")
        }
        // A first page that is the same as last time has nothing new behind it either.
        let isKnown =
            position.walk == nil && position.openLine == nil && position.validFor == url.text
        report.files += 1
        let answer = try await reader.client.fetch(
            url, reader.access, known: isKnown ? position.validators : nil)
        bytes += answer.body.count
        if answer.isUnchanged || (isKnown && answer.digest == position.content) {
            report.filesUnchanged += 1
            return true
        }
        return try await take(answer)
    }

    /// Stores a page and moves the cursor behind it, in one transaction.
    private mutating func take(_ answer: FeedAnswer) async throws -> Bool {
        let digest = answer.digest
        let number = position.walk?.page ?? 0
        if number > 0, position.walk?.before == digest {
            report.find(reader.access.host, "page \(number + 1) repeats the one before it")
            try await store(nil) { Self.end(&$0, at: $0.walk?.until) }
            return true
        }
        var content = try reader.read(answer, number: number, after: position)
        content.bytes = answer.body.count
        if let waiting = content.waiting {
            // Nothing says that the last line is whole; the next pull asks for the page again.
            report.filesWaiting += 1
            try await store(content) { $0.openLine = waiting }
            return true
        }
        if let fault = content.nextFault {
            // What lies behind it is not known: the cursor stays, so that it is looked for again.
            try await store(content) { $0.walk = nil }
            throw fault
        }
        let until = [position.walk?.until, content.until].compactMap { $0 }.max()
        guard let next = content.next else {
            try await store(content) { position in
                Self.end(&position, at: until)
                // What has the time of the answer is new each time, also where its text is not.
                let comesAgain = number == 0 && content.feed?.usesReceiveTime != true
                position.content = comesAgain ? digest : nil
                position.validators = comesAgain ? answer.validators : nil
                position.validFor = comesAgain ? answer.url.text : nil
            }
            return true
        }
        try await store(content) { position in
            position.walk = FeedPosition.Walk(
                url: next.text, page: number + 1, until: until, before: digest)
            position.openLine = nil
            position.notBefore = nil
        }
        return false
    }

    /// Ends the walk; the cursor never goes back in time.
    private static func end(_ position: inout FeedPosition, at until: Timestamp?) {
        position.dataUntil = [position.dataUntil, until].compactMap { $0 }.max()
        position.walk = nil
        position.openLine = nil
        position.notBefore = nil
    }

    /// Stores what a page brought with the position that lies behind it.
    private mutating func store(
        _ content: PageContent?, _ change: (inout FeedPosition) -> Void
    ) async throws {
        var next = position
        change(&next)
        guard content != nil || next != position else { return }
        let (before, after, source, now) = (stored, try next.json(), source, reader.now)
        let filed = try await pool.transaction { db in
            let filed = try content.map { try $0.file(from: source, now: now, in: db) }
            try GuardedCursor.move(
                source: source.id, part: FeedPosition.part, from: before, to: after, in: db)
            return filed
        }
        stored = after
        position = next
        guard let content, let filed else { return }
        report.add(filed, content, of: reader.access.host)
    }

    /// Keeps what the next pull must know of a failure, and reports it.
    private mutating func fail(_ error: PullError) async throws {
        report.trouble = error.description
        if case .later(_, let seconds) = error {
            report.filesWaiting += 1
            let until = reader.now + .seconds(seconds)
            try await store(nil) { $0.notBefore = until }
            return
        }
        report.reject(reader.access.host, error.description)
        // Who cannot be reached has given no answer.
        if error.isPassing { return }
        try await countRejection()
        // What a page leads to may not be there any more: the next pull walks from the start.
        try await store(nil) { $0.walk = nil }
    }

    /// Reports an answer that cannot be used; what lies before it is stored.
    ///
    /// - Parameters:
    ///   - reason: Why, perhaps with what stands in the answer.
    ///   - discreet: The same without; what is kept.
    /// - Throws: `PostgresError`, `IngestError.overtaken`.
    private mutating func refuse(_ reason: String, discreet: String) async throws {
        report.trouble = discreet
        report.reject(reader.access.host, reason)
        try await countRejection()
        try await store(nil) { $0.walk = nil }
    }

    /// Counts an answer that could not be used among the figures of the source.
    private func countRejection() async throws {
        let source = source.id
        try await pool.transaction { db in
            try SourceFigures.add(SourceFigures(rejected: ["answer": 1]), to: source, in: db)
        }
    }
}

/// What became of one page.
struct FiledPage: Sendable {
    var counts: FilingCounts?
    /// One for each recording; nil where another one is stored under its name.
    var recordings: [RecordingOutcome?] = []
    var live: LiveReport?
}

extension PageContent {
    /// Stores everything on the page.
    ///
    /// - Parameters:
    ///   - source: Who brought it.
    ///   - now: The time on this machine's clock.
    ///   - db: The transaction in which the cursor moves.
    /// - Returns: What became of it.
    /// - Throws: `PostgresError`, `IngestError.sameSeries`.
    func file(
        from source: Source, now: Timestamp, in db: borrowing Session
    ) throws -> FiledPage {
        var filed = FiledPage()
        if let pieces {
            filed.counts = try SeriesFiling.store(
                pieces.pieces, rejected: pieces.rejected,
                repeated: AppendCounts(
                    duplicate: feed?.duplicates ?? 0, conflicting: feed?.conflicts ?? 0),
                bufferedBytes: bytes, from: source, in: db)
        }
        var figures = SourceFigures()
        for recording in recordings {
            do {
                let outcome = try recording.store(onConflict: source.conflictRule, in: db)
                filed.recordings.append(outcome)
                if case .unchanged = outcome {} else { figures.samples += recording.sampleCount }
                if let end = recording.until, end <= now {
                    figures.dataUntil = max(figures.dataUntil ?? end, end)
                }
            } catch StoreError.recordingDiffers {
                // Nothing was written; the one that is stored stays.
                filed.recordings.append(nil)
                figures.rejected["recording", default: 0] += 1
            }
        }
        filed.live = try live?.file(from: source, in: db)
        if !recordings.isEmpty { try SourceFigures.add(figures, to: source.id, in: db) }
        return filed
    }
}

extension IngestReport {
    /// Adds what became of a page.
    mutating func add(_ filed: FiledPage, _ content: PageContent, of host: String) {
        if let counts = filed.counts, let pieces = content.pieces {
            add(counts, pieces, of: host)
        }
        if let feed = content.feed { add(feed, of: host) }
        for (outcome, recording) in zip(filed.recordings, content.recordings) {
            switch outcome {
            case .stored, .replaced: recordings += 1
            case .unchanged: duplicates += 1
            case nil: reject(recording.key, "a recording of this name is stored with other content")
            }
            for finding in recording.damage { find(recording.key, finding) }
        }
        if let live = filed.live { add(live) }
        for note in content.notes { find(host, note) }
    }
}
