import Foundation
import Series
import Signals

/// How the answers of a source are written.
package enum FeedFormat: String, Sendable, Codable, CaseIterable {
    case csv
    case ndjson
    case json
    case lineProtocol = "line-protocol"
    case openMetrics = "openmetrics"
    /// Pieces of recordings that go on, a line each, see `WaveformPieceReader`.
    case pieces

    /// What stands in such an answer, for errors.
    var accepted: String {
        switch self {
        case .csv: "a table of comma-separated values"
        case .ndjson: "a JSON document a line"
        case .json: "a JSON document"
        case .lineProtocol: "Influx line protocol"
        case .openMetrics: "metrics as text"
        case .pieces: "a line of JSON for each piece of a recording"
        }
    }

    /// Whether a last line without a line end may have been cut off unseen.
    var endsWithLines: Bool { [.csv, .lineProtocol, .pieces].contains(self) }
}

/// What reading one answer gave, whatever its format.
struct ParsedFeed: Sendable {
    var series: [Feed.Series] = []
    var items = 0
    var badItems = 0
    var reasons: [String] = []
    var missing = 0
    var ignored = 0
    /// Rows that only repeated what the answer had told.
    var duplicates = 0
    var conflicts = 0
    /// What users should know of it; nil for nothing.
    var note: String?
    /// Whether the same answer later tells something new; see `FeedReport`.
    var usesReceiveTime = false

    init() {}

    init(_ feed: Feed, isDiscreet: Bool) {
        series = feed.series
        items = feed.report.items
        badItems = feed.report.badItems
        reasons = feed.report.reasons.map { isDiscreet ? $0.discreet : $0.description }
        missing = feed.report.missing
        ignored = feed.report.ignored
        usesReceiveTime = feed.report.usesReceiveTime
    }

    init(_ table: CSVTable, isDiscreet: Bool) {
        series = table.columns.map { Feed.Series($0) }
        items = table.report.rows + table.report.badRows
        badItems = table.report.badRows
        reasons = table.report.badRowReasons.map {
            isDiscreet ? "\($0.file), line \($0.line ?? 0): the row cannot be read" : $0.description
        }
        missing = table.report.missing
        note = table.report.leftOutNote
        duplicates = table.report.duplicates
        conflicts = table.report.conflicts
    }

    var newest: Timestamp? { series.lazy.compactMap { $0.times.max() }.max() }
}

/// Reads the answers of one source.
struct FeedParser: Sendable {
    let settings: HTTPSettings
    let isRevisable: Bool
    /// The time of what has none: that of the answer.
    let receivedAt: Timestamp

    /// From so many bytes it is found how a table is to be read.
    private static let headBytes = 1 << 20

    /// The feed in an answer.
    ///
    /// - Parameters:
    ///   - body: The bytes; may be anything at all.
    ///   - answer: Where they are from.
    ///   - name: What errors call it.
    /// - Returns: The feed.
    /// - Throws: `FeedError`, `CSVError`, `IngestError` or `PullError` for what is no such feed.
    func parse(_ body: [UInt8], of answer: FeedAnswer, name: String) throws -> ParsedFeed {
        let isDiscreet = answer.holdsSecret
        if body.isEmpty { return ParsedFeed() }
        do {
            switch settings.format {
            case .csv: return ParsedFeed(try table(body, name), isDiscreet: isDiscreet)
            default: return ParsedFeed(try feed(body, answer, name), isDiscreet: isDiscreet)
            }
        } catch let error as CSVError where error.reason == .noRows || error.reason == .empty {
            // Nothing new is an answer too; a header that is never done is none.
            guard body.count <= Self.headBytes else {
                throw IngestError.lineTooLong(line: 1, accepted: Self.headBytes)
            }
            return ParsedFeed()
        } catch let error as FeedError where isDiscreet {
            throw PullError.mediaType("none that can be read", accepted: error.discreet)
        } catch is CSVError where isDiscreet {
            throw PullError.mediaType("none that can be read", accepted: settings.format.accepted)
        }
    }

    private func feed(_ body: [UInt8], _ answer: FeedAnswer, _ name: String) throws -> Feed {
        switch settings.format {
        case .lineProtocol:
            var reader = LineProtocolReader()
            reader.precision = settings.precision
            reader.receivedAt = receivedAt
            reader.limits = settings.feedLimits
            return try reader.read(body, name: name)
        case .openMetrics:
            var reader = MetricsReader()
            if answer.mediaType == "application/openmetrics-text" { reader.dialect = .openMetrics }
            reader.receivedAt = receivedAt
            reader.limits = settings.feedLimits
            return try reader.read(body, name: name)
        case .json, .ndjson, .csv, .pieces:
            guard let paths = settings.paths else {
                throw IngestError.settingsFlaw("the format needs paths")
            }
            var reader = JSONFeedReader(paths: paths, isByLine: settings.format == .ndjson)
            reader.limits = settings.feedLimits
            return try reader.read(body, name: name)
        }
    }

    /// A page for people, or text that is not UTF-8, is refused before anything of it is read.
    func check(_ answer: FeedAnswer) throws(PullError) {
        let type = answer.mediaType
        if ["text/html", "application/xhtml+xml"].contains(type) {
            throw .mediaType(type, accepted: settings.format.accepted)
        }
        if answer.body.first(where: { ![0x20, 0x09, 0x0A, 0x0D].contains($0) }) == UInt8(ascii: "<")
        {
            throw .mediaType("HTML or XML", accepted: settings.format.accepted)
        }
        if [[0xFF, 0xFE], [0xFE, 0xFF]].contains(Array(answer.body.prefix(2))) {
            throw .charset("UTF-16")
        }
        let parameters = answer.headers["content-type"]?.lowercased().split(separator: ";") ?? []
        for parameter in parameters.dropFirst() {
            let pair = parameter.split(separator: "=", maxSplits: 1)
            guard pair.count == 2, pair[0].trimmingCharacters(in: .whitespaces) == "charset" else {
                continue
            }
            let charset = pair[1].trimmingCharacters(in: .init(charactersIn: " \"'"))
            guard ["utf-8", "utf8", "us-ascii", "ascii"].contains(charset) else {
                throw .charset(charset)
            }
        }
    }

    private func table(_ body: [UInt8], _ name: String) throws -> CSVTable {
        var options = settings.csv
        options.skipBadRows = true
        options.refuseUnsorted = false
        options.duplicates = isRevisable ? .keepLast : .keepFirst
        let head = try TableHead.whole(
            Array(body.prefix(Self.headBytes)), isAll: body.count <= Self.headBytes)
        let plan = try CSVReader(options: options).plan(head, name: name)
        guard plan.channelCount <= settings.seriesMaximum else {
            throw FeedError(
                feed: name, place: .whole,
                reason: .tooManySeries(accepted: settings.seriesMaximum))
        }
        let rows = Array(body[plan.bodyOffset...])
        let table = try CSVReader.rows(rows, plan: plan, firstLine: plan.bodyLine)
        guard table.columns.count <= settings.seriesMaximum else {
            throw FeedError(
                feed: name, place: .whole,
                reason: .tooManySeries(accepted: settings.seriesMaximum))
        }
        return table
    }
}
