import Foundation
package import Series
package import Signals

/// What a source of kind `http` is told; stored as JSON with the source.
package struct HTTPSettings: SourceSettings, Equatable {
    /// How one page leads to the next.
    package enum Paging: Sendable, Equatable, Codable {
        /// There is one page.
        case none
        /// By the header `Link: <…>; rel="next"`.
        case link
        /// By a URL at a place in the answer, or by a token for a parameter; none ends it.
        case path(JSONPath, parameter: String?)
        /// By a parameter that counts pages from `first`; an empty page ends it.
        case page(parameter: String, first: Int)
        /// By a parameter that counts `size` items a page from 0; an empty page ends it.
        case offset(parameter: String, size: Int)
    }

    /// A parameter by which the server leaves out what we have.
    package struct Since: Sendable, Equatable, Codable {
        package var parameter: String
        /// How its times are written.
        package var format: TimeFormat

        package init(parameter: String, format: TimeFormat = .iso8601) {
            self.parameter = parameter
            self.format = format
        }
    }

    package var access: WebAccess
    package var format: FeedFormat
    package var csv = CSVOptions()
    /// For `json` and `ndjson`.
    package var paths: JSONFeedPaths?
    /// For `line-protocol`.
    package var precision = LineProtocolReader.Precision.nanoseconds
    package var paging = Paging.none
    package var since: Since?
    /// Where to begin; nil leaves it to the server.
    package var startAt: Timestamp?
    /// How far before the newest observation `since` asks again, in seconds.
    package var overlapSeconds = 300.0
    /// Observations that are older than the newest by more are rejected; nil takes them all.
    package var latenessSeconds: Double?
    /// Observations that are older than this are rejected; nil takes them all.
    package var ageSecondsMaximum: Double?
    /// What a series is called in the database instead of its name in the feed.
    package var renames: [String: String] = [:]
    /// Units by the name of the series in the feed, where the feed does not tell or is wrong: for all
    /// its rows, whatever stands beside them.
    package var units: [String: String] = [:]
    /// The most series of one answer.
    package var seriesMaximum = 10_000
    /// How long a last line without a line end must have stayed as it is to be taken for whole.
    package var restSeconds = 30.0
    /// After which silence a recording that comes in pieces is closed.
    package var silenceSeconds = 60.0
    /// What one pull takes at most; the next one goes on.
    package var pagesMaximum = 1000
    package var bytesMaximum = 256 << 20

    package init(access: WebAccess, format: FeedFormat) {
        self.access = access
        self.format = format
    }

    private enum CodingKeys: String, CodingKey {
        case access, format, csv, paths, precision, paging, since, startAt, overlapSeconds
        case latenessSeconds, ageSecondsMaximum, renames, units, seriesMaximum, silenceSeconds
        case restSeconds, pagesMaximum, bytesMaximum
    }

    package init(from decoder: any Decoder) throws {
        let box = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            access: try box.decode(WebAccess.self, forKey: .access),
            format: try box.decode(FeedFormat.self, forKey: .format))
        csv = try box.decodeIfPresent(CSVOptions.self, forKey: .csv) ?? csv
        paths = try box.decodeIfPresent(JSONFeedPaths.self, forKey: .paths)
        precision =
            try box.decodeIfPresent(LineProtocolReader.Precision.self, forKey: .precision)
            ?? precision
        paging = try box.decodeIfPresent(Paging.self, forKey: .paging) ?? paging
        since = try box.decodeIfPresent(Since.self, forKey: .since)
        startAt = try box.decodeIfPresent(Timestamp.self, forKey: .startAt)
        overlapSeconds = try box.decodeIfPresent(Double.self, forKey: .overlapSeconds) ?? 300
        latenessSeconds = try box.decodeIfPresent(Double.self, forKey: .latenessSeconds)
        ageSecondsMaximum = try box.decodeIfPresent(Double.self, forKey: .ageSecondsMaximum)
        renames = try box.decodeIfPresent([String: String].self, forKey: .renames) ?? [:]
        units = try box.decodeIfPresent([String: String].self, forKey: .units) ?? [:]
        seriesMaximum = try box.decodeIfPresent(Int.self, forKey: .seriesMaximum) ?? seriesMaximum
        restSeconds = try box.decodeIfPresent(Double.self, forKey: .restSeconds) ?? restSeconds
        silenceSeconds =
            try box.decodeIfPresent(Double.self, forKey: .silenceSeconds) ?? silenceSeconds
        pagesMaximum = try box.decodeIfPresent(Int.self, forKey: .pagesMaximum) ?? pagesMaximum
        bytesMaximum = try box.decodeIfPresent(Int.self, forKey: .bytesMaximum) ?? bytesMaximum
    }

    /// What is wrong with the settings; nil where they can be used.
    package var flaw: String? {
        if let flaw = access.flaw { return flaw }
        if [.json, .ndjson].contains(format) {
            guard let paths else { return "the format \(format.rawValue) needs paths" }
            if let flaw = paths.flaw { return flaw }
        }
        if case .path = paging, format != .json {
            return "only answers of format json lead to the next by a path"
        }
        if case .offset(_, let size) = paging, !(1...1_000_000_000).contains(size) {
            return "the size of a page is from 1 to 1,000,000,000"
        }
        if case .page(_, let first) = paging, !(0...1_000_000_000).contains(first) {
            return "the number of the first page is from 0 to 1,000,000,000"
        }
        if case .dayFirst = since?.format { return "since takes ISO 8601 or Unix times" }
        if case .monthFirst = since?.format { return "since takes ISO 8601 or Unix times" }
        for seconds in [
            overlapSeconds, latenessSeconds ?? 0, ageSecondsMaximum ?? 0, restSeconds,
            silenceSeconds,
        ]
        where !(0...1e10).contains(seconds) {
            return "seconds are from 0 to 10,000,000,000"
        }
        guard (1...100_000).contains(seriesMaximum), (1...100_000).contains(pagesMaximum),
            (1...(4 << 30)).contains(bytesMaximum)
        else { return "seriesMaximum, pagesMaximum or bytesMaximum is out of range" }
        return nil
    }

    var rules: FeedRules {
        FeedRules(
            latenessSeconds: latenessSeconds, ageSecondsMaximum: ageSecondsMaximum,
            renames: renames, units: units)
    }

    var feedLimits: FeedLimits {
        var limits = FeedLimits()
        limits.bytesMaximum = access.bodyBytesMaximum
        limits.seriesMaximum = seriesMaximum
        return limits
    }
}
