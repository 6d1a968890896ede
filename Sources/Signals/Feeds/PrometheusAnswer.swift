import Foundation
import Series

/// Reads what the HTTP interface of Prometheus answers to `query_range` and `query`.
///
/// Every result is a series named `name{label="value",…}`; values are texts there, since JSON has
/// neither NaN nor infinity.
///
/// - Source: Prometheus, "HTTP API", expression queries.
package struct PrometheusAnswer: Sendable {
    package let feed: Feed
    /// What the server says beside the data.
    package let warnings: [String]

    static let accepted = "an answer of Prometheus: {\"status\": \"success\", \"data\": …}"

    /// Reads the answer in `bytes`, called `name` in errors.
    ///
    /// - Parameters:
    ///   - bytes: Anything at all.
    ///   - name: What errors call it.
    ///   - query: What the series of this query are called; nil for the names of the metrics.
    ///   - limits: What reading may take.
    /// - Throws: `FeedError` for what is no answer, for one that says it failed, or beyond the limits.
    package init(
        reading bytes: [UInt8], name: String, query: String? = nil,
        limits: FeedLimits = FeedLimits()
    ) throws(FeedError) {
        var builder = FeedBuilder(feed: name, limits: limits)
        try builder.check(bytes, accepted: Self.accepted)
        guard let root = JSONNode.parse(bytes) else { throw builder.error(.notJSON, at: .whole) }
        guard root["status"]?.text == "success", let data = root["data"] else {
            throw builder.error(.refusal(Self.failure(in: root)), at: .whole)
        }
        warnings = (root["warnings"]?.list ?? []).prefix(20).compactMap(\.text)
        guard let kind = data["resultType"]?.text, ["matrix", "vector"].contains(kind),
            let results = data["result"]?.elements
        else {
            let found = data["resultType"]?.text ?? ""
            throw builder.error(
                .field("kind of result", found: found, accepted: "matrix or vector"), at: .whole)
        }
        var names: Set<String> = []
        for (index, value) in results.enumerated() {
            let result = JSONNode(value: value)
            builder.report.items += 1
            do throws(Refusal) {
                let name = try Self.series(result, query)
                guard names.insert(name).inserted else { throw Refusal(.seriesTwice(name)) }
                let place = try builder.place(of: name)
                let points = result["values"]?.list ?? result["value"].map { [$0] } ?? []
                for point in points {
                    let (time, value) = try Self.point(point)
                    try builder.add(value, at: time, to: place)
                }
                // Native histograms are no numbers.
                builder.report.ignored += result["histograms"]?.elements?.count ?? 0
            } catch {
                try builder.count(bad: error, at: .item(index + 1))
            }
        }
        feed = builder.feed()
    }

    /// `errorType: error` of an answer that says it failed, in at most 200 characters.
    private static func failure(in root: JSONNode) -> String {
        let parts = [root["errorType"]?.text, root["error"]?.text].compactMap { $0 }
        let words =
            parts.isEmpty ? "it says neither success nor why" : parts.joined(separator: ": ")
        return String(words.prefix(200).map { $0.isNewline ? " " : $0 })
    }

    private static func series(_ result: JSONNode, _ query: String?) throws(Refusal) -> String {
        guard let metric = result["metric"]?.value as? [String: Any] else {
            throw Refusal("metric", [], accepted: "an object of labels")
        }
        var labels: [(name: String, value: String)] = []
        for (name, value) in metric where name != "__name__" {
            guard let value = value as? String else {
                throw Refusal("label \(name)", [], accepted: "a text")
            }
            labels.append((name, value))
        }
        return LabelledName.text(query ?? metric["__name__"] as? String ?? "", labels)
    }

    private static func point(_ node: JSONNode) throws(Refusal) -> (Timestamp, Double) {
        let pair = node.list
        guard pair.count == 2, let seconds = (pair[0].value as? NSNumber)?.doubleValue,
            let time = FeedNumber.instant(seconds, unitMicroseconds: 1e6)
        else { throw Refusal("time", [], accepted: "[seconds since 1970, \"value\"]") }
        guard let text = pair[1].text, let value = FeedNumber.read(Array(text.utf8)) else {
            throw Refusal(
                "value", (pair[1].text ?? "no text").utf8.prefix(200),
                accepted: FeedNumber.accepted)
        }
        return (time, value)
    }
}
