import Foundation
package import Postgres
package import Series
import Signals
package import Store
import WebClient

/// What a source of kind `prometheus` is told; stored as JSON with the source.
package struct PrometheusSettings: SourceSettings, Equatable {
    /// One expression, and what its series are called.
    package struct Query: Sendable, Equatable, Codable {
        /// Nil for the names of the metrics.
        package var name: String?
        package var expression: String

        package init(name: String? = nil, expression: String) {
            self.name = name
            self.expression = expression
        }
    }

    /// The server, such as `https://prometheus.example.org/`.
    package var access: WebAccess
    package var queries: [Query]
    package var stepSeconds: Double
    /// Where to begin; nil for `backfillSeconds` before the first pull.
    package var startAt: Timestamp?
    package var backfillSeconds = 86_400.0
    /// How much of what was read is read again, since the server interpolates anew each time.
    package var overlapSeconds = 600.0
    /// The newest seconds that are left for a later pull.
    package var lagSeconds = 0.0
    /// The most points a series in one answer; servers refuse more than 11,000.
    package var pointsMaximum = 11_000
    package var seriesMaximum = 10_000
    /// What one pull takes at most; the next one goes on.
    package var answersMaximum = 1000
    package var bytesMaximum = 256 << 20

    package init(access: WebAccess, queries: [Query], stepSeconds: Double) {
        self.access = access
        self.queries = queries
        self.stepSeconds = stepSeconds
    }

    private enum CodingKeys: String, CodingKey {
        case access, queries, stepSeconds, startAt, backfillSeconds, overlapSeconds, lagSeconds
        case pointsMaximum, seriesMaximum, answersMaximum, bytesMaximum
    }

    package init(from decoder: any Decoder) throws {
        let box = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            access: try box.decode(WebAccess.self, forKey: .access),
            queries: try box.decode([Query].self, forKey: .queries),
            stepSeconds: try box.decode(Double.self, forKey: .stepSeconds))
        startAt = try box.decodeIfPresent(Timestamp.self, forKey: .startAt)
        func number(_ key: CodingKeys, _ usual: Double) throws -> Double {
            try box.decodeIfPresent(Double.self, forKey: key) ?? usual
        }
        func whole(_ key: CodingKeys, _ usual: Int) throws -> Int {
            try box.decodeIfPresent(Int.self, forKey: key) ?? usual
        }
        backfillSeconds = try number(.backfillSeconds, backfillSeconds)
        overlapSeconds = try number(.overlapSeconds, overlapSeconds)
        lagSeconds = try number(.lagSeconds, lagSeconds)
        pointsMaximum = try whole(.pointsMaximum, pointsMaximum)
        seriesMaximum = try whole(.seriesMaximum, seriesMaximum)
        answersMaximum = try whole(.answersMaximum, answersMaximum)
        bytesMaximum = try whole(.bytesMaximum, bytesMaximum)
    }

    /// What is wrong with the settings; nil where they can be used.
    package var flaw: String? {
        if let flaw = access.flaw { return flaw }
        guard (1...1000).contains(queries.count) else { return "there are 1 to 1000 queries" }
        guard Set(queries.map(\.expression)).count == queries.count else {
            return "a query is told twice"
        }
        for query in queries where !(1...4000).contains(query.expression.utf8.count) {
            return "a query has 1 to 4000 bytes"
        }
        guard (0.001...86_400).contains(stepSeconds) else {
            return "stepSeconds is from 0.001 to 86400"
        }
        for seconds in [backfillSeconds, overlapSeconds, lagSeconds]
        where !(0...1e10).contains(seconds) {
            return "seconds are from 0 to 10,000,000,000"
        }
        guard (2...11_000).contains(pointsMaximum), (1...100_000).contains(seriesMaximum),
            (1...100_000).contains(answersMaximum), (1...(4 << 30)).contains(bytesMaximum)
        else {
            return "pointsMaximum, seriesMaximum, answersMaximum or bytesMaximum is out of range"
        }
        return nil
    }

    var stepMicroseconds: Int64 { Int64((stepSeconds * 1e6).rounded()) }
}

/// Pulls series out of Prometheus, or what speaks its language, by `query_range`.
///
/// The server interpolates on the grid of the step with a look-back, so that the same instant may have
/// another value later: an overlap is read again, and its values are revisions where the source is
/// revisable. Every stretch begins on a whole number of steps since 1970, so that all lie on one grid.
package struct PrometheusConnector: SourceConnector {
    /// What sources of this connector have as their kind.
    package static let kind = "prometheus"

    private let client: FeedClient

    /// - Parameter client: Fetches the answers.
    package init(client: FeedClient) { self.client = client }

    /// Takes what is new, with the settings that are stored with the source.
    package func pull(
        _ source: Source, into pool: Pool, now: Timestamp,
        progress: @Sendable (IngestReport) throws -> Void
    ) async throws -> IngestReport {
        let settings = try PrometheusSettings(json: source.settings, of: source.name)
        var report = IngestReport()
        var bytes = 0
        var owners: [String: String] = [:]
        for query in settings.queries {
            var pull = try await RangePull(
                query, settings, source: source, client: client, pool: pool, now: now,
                report: report, bytes: bytes, owners: owners)
            let isDone = try await pull.run(progress)
            (report, bytes, owners) = (pull.report, pull.bytes, pull.owners)
            if !isDone { break }
        }
        return report
    }

    /// Fetches and reads the newest points of every query, and stores nothing.
    func preview(
        name: String, settings: PrometheusSettings, now: Timestamp
    ) async throws -> [PullPreview] {
        var previews: [PullPreview] = []
        for query in settings.queries {
            let range = QueryRange(settings, query)
            let end = range.onGrid(now.microseconds)
            let answer = try await range.fetch(
                from: end - 10 * settings.stepMicroseconds, through: end, client)
            let content = try range.content(answer, source: name, now: now)
            previews.append(PullPreview(bytes: answer.body.count, content))
        }
        return previews
    }
}

/// How far one query is stored.
struct RangePosition: Sendable, Equatable, Codable {
    /// The end of the data.
    var until: Timestamp?
    /// The server asks to be left alone until then.
    var notBefore: Timestamp?

    /// The position in a stored cursor; an empty one for what this version cannot read, so that the
    /// query is read again, which changes nothing that is there.
    static func decode(_ json: String?) -> RangePosition {
        json.flatMap { try? JSONDecoder().decode(RangePosition.self, from: Data($0.utf8)) }
            ?? RangePosition()
    }
}

/// Asks one query over stretches of time.
struct QueryRange {
    private let settings: PrometheusSettings
    private let query: PrometheusSettings.Query

    /// Failures that Prometheus explains in the body.
    private static let explained: Set<Int> = [400, 422, 500]

    init(_ settings: PrometheusSettings, _ query: PrometheusSettings.Query) {
        self.settings = settings
        self.query = query
    }

    /// The last whole number of steps up to an instant.
    func onGrid(_ microseconds: Int64) -> Int64 {
        microseconds.flooredQuotient(by: settings.stepMicroseconds) * settings.stepMicroseconds
    }

    func fetch(
        from: Int64, through: Int64, _ client: FeedClient
    ) async throws -> FeedAnswer {
        let base = settings.access.url
        let path = base + (base.hasSuffix("/") ? "" : "/") + "api/v1/query_range"
        let form = [
            ("query", query.expression), ("start", Self.seconds(from)),
            ("end", Self.seconds(through)), ("step", Self.seconds(settings.stepMicroseconds)),
        ].map { "\($0)=\(PageWalk.escaped($1))" }.joined(separator: "&")
        return try await client.fetch(
            client.url(path, settings.access), settings.access, form: form,
            explained: Self.explained)
    }

    /// Microseconds as seconds with as many digits as they need.
    private static func seconds(_ microseconds: Int64) -> String {
        let (whole, rest) = microseconds.quotientAndRemainder(dividingBy: 1_000_000)
        guard rest != 0 else { return "\(whole)" }
        let digits = "\(abs(rest))"
        return "\(whole)." + String(repeating: "0", count: 6 - digits.count) + digits
    }

    /// What stands in an answer.
    func content(
        _ answer: FeedAnswer, source: String, now: Timestamp
    ) throws -> PageContent {
        let read = try answered(answer)
        var content = PageContent()
        let feed = ParsedFeed(read.feed, isDiscreet: answer.holdsSecret)
        content.feed = feed
        content.pieces = try FeedPieces(feed, FeedRules(), source: source, now: now, newest: nil)
        content.until = read.feed.newest
        content.notes = read.warnings.map { "the server warns: \($0.prefix(200))" }
        return content
    }
}

extension QueryRange {
    /// The answer, whether or not it says that it failed.
    private func answered(_ answer: FeedAnswer) throws -> PrometheusAnswer {
        var limits = FeedLimits()
        limits.bytesMaximum = settings.access.bodyBytesMaximum
        limits.seriesMaximum = settings.seriesMaximum
        do {
            return try PrometheusAnswer(
                reading: answer.body, name: answer.url.host, query: query.name, limits: limits)
        } catch {
            if case .refusal = error.reason { throw error }
            guard answer.status == 200 else {
                throw PullError.status(answer.status, accepted: "200")
            }
            throw error
        }
    }
}

/// The pull of one query.
struct RangePull {
    private let range: QueryRange
    private let query: PrometheusSettings.Query
    private let settings: PrometheusSettings
    private let source: Source
    private let client: FeedClient
    private let pool: Pool
    private let now: Timestamp
    private var stored: String?
    private var position: RangePosition
    private(set) var report: IngestReport
    private(set) var bytes: Int
    /// Which query has brought which series: two would replace each other's values.
    private(set) var owners: [String: String]

    init(
        _ query: PrometheusSettings.Query, _ settings: PrometheusSettings, source: Source,
        client: FeedClient, pool: Pool, now: Timestamp, report: IngestReport, bytes: Int,
        owners: [String: String]
    ) async throws {
        range = QueryRange(settings, query)
        self.query = query
        self.settings = settings
        self.source = source
        self.client = client
        self.pool = pool
        self.now = now
        self.report = report
        self.bytes = bytes
        self.owners = owners
        stored = try await pool.transaction { db in
            try CursorStore.position(source: source.id, part: query.expression, in: db)
        }
        position = RangePosition.decode(stored)
    }

    /// Reads to the newest end; false where a limit of the pull as a whole is reached.
    mutating func run(_ progress: @Sendable (IngestReport) throws -> Void) async throws -> Bool {
        if let notBefore = position.notBefore, now < notBefore {
            report.filesWaiting += 1
            report.trouble = "the other side asked to be left alone until \(notBefore)"
            return true
        }
        let step = settings.stepMicroseconds
        let end = range.onGrid(now.microseconds - Int64(settings.lagSeconds * 1e6))
        var from = range.onGrid(begin)
        var points = settings.pointsMaximum
        while from <= end {
            guard report.files < settings.answersMaximum, bytes < settings.bytesMaximum else {
                report.filesWaiting += 1
                return false
            }
            let through = min(end, from + Int64(points - 1) * step)
            do {
                try await take(from: from, through: through, end: end)
            } catch let error where Self.asksForLess(error) && points > 2 {
                points = max(2, points / 2)
                continue
            } catch let error as PullError {
                return try await fail(error)
            } catch let error as FeedError {
                report.trouble = error.withoutValues
                report.reject(settings.access.host, error.description)
                return true
            } catch let error as IngestError where error.isOfData {
                report.trouble = error.description
                report.reject(settings.access.host, error.description)
                return true
            }
            try progress(report)
            from = through + step
        }
        return true
    }

    /// Where reading begins, in microseconds.
    private var begin: Int64 {
        if let until = position.until {
            return until.microseconds - Int64(settings.overlapSeconds * 1e6)
        }
        return settings.startAt?.microseconds
            ?? now.microseconds - Int64(settings.backfillSeconds * 1e6)
    }

    /// Stores one answer with the cursor behind it.
    private mutating func take(from: Int64, through: Int64, end: Int64) async throws {
        let answer = try await range.fetch(from: from, through: through, client)
        bytes += answer.body.count
        var content = try range.content(answer, source: source.name, now: now)
        content.bytes = answer.body.count
        report.files += 1
        for piece in content.pieces?.pieces ?? [] {
            guard owners[piece.key, default: query.expression] == query.expression else {
                throw IngestError.sameSeries(key: piece.key)
            }
            owners[piece.key] = query.expression
        }
        var next = position
        // What lies well back is read for good even where there is nothing; nearer to the end, data
        // may still come.
        let settled = end - Int64(settings.overlapSeconds * 1e6)
        let reached = Timestamp(microseconds: min(through, settled))
        // A server that answers with times that it was not asked for moves no cursor beyond them.
        let newest = content.until.map { min($0, Timestamp(microseconds: through)) }
        next.until = [position.until, newest, reached].compactMap { $0 }.max()
        next.notBefore = nil
        try await store(content, next)
    }

    private mutating func store(_ content: PageContent?, _ next: RangePosition) async throws {
        let (before, after) = (stored, try StableJSON.text(next))
        let (source, part, now) = (source, query.expression, now)
        let filed = try await pool.transaction { db in
            let filed = try content.map { try $0.file(from: source, now: now, in: db) }
            try GuardedCursor.move(
                source: source.id, part: part, from: before, to: after, in: db)
            return filed
        }
        stored = after
        position = next
        if let content, let filed { report.add(filed, content, of: settings.access.host) }
    }

    private mutating func fail(_ error: PullError) async throws -> Bool {
        report.trouble = error.description
        guard case .later(_, let seconds) = error else {
            report.reject(settings.access.host, error.description)
            return true
        }
        report.filesWaiting += 1
        var next = position
        next.notBefore = now + .seconds(seconds)
        try await store(nil, next)
        return false
    }

    /// Whether a shorter stretch of time may be answered.
    private static func asksForLess(_ error: any Error) -> Bool {
        switch error {
        case let error as FeedError:
            switch error.reason {
            case .refusal(let words):
                words.contains("maximum resolution") || words.contains("too many samples")
            case .tooManyValues: true
            default: false
            }
        case PullError.web(.answerTooLarge): true
        default: false
        }
    }
}
