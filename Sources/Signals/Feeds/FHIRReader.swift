import Foundation
package import Series

/// What a FHIR server answered to a search for observations, or a single one.
package struct FHIRAnswer: Sendable {
    /// Numbers: `SUBJECT.CODE`, or `CODE` where there is no subject.
    package let feed: Feed
    /// Sampled data, each named `SUBJECT/ID`, or `ID` where there is no subject.
    package let recordings: [Recording]
    /// The newest `meta.lastUpdated`; nil where none is told.
    package let lastUpdated: Timestamp?
    /// Where the next page of the search is.
    package let next: String?
    /// How many observations there were, of any kind.
    package let observations: Int
    /// Observations that were withdrawn: entered in error, or cancelled.
    package let withdrawn: Int
    /// Samples that are no numbers.
    package let samples: SampledDataCounts
    /// What the server says beside the data.
    package let notes: [String]
}

/// Reads FHIR R4 and R5 Observations, alone or in bundles: quantities as observations of series, named
/// by subject and code; sampled data as recordings, one channel a component.
package struct FHIRReader: Sendable {
    package var limits = FeedLimits()

    package init() {}

    static let accepted = "a FHIR Bundle or Observation in JSON"

    /// The answer in `bytes`, called `name` in errors.
    ///
    /// - Parameters:
    ///   - bytes: Anything at all.
    ///   - name: What errors call it.
    /// - Returns: The answer; observations that could not be read are counted in its report.
    /// - Throws: `FeedError` for what is no such answer at all, or beyond the limits.
    package func read(_ bytes: [UInt8], name: String) throws(FeedError) -> FHIRAnswer {
        var gathering = FHIRGathering(FeedBuilder(feed: name, limits: limits))
        try gathering.builder.check(bytes, accepted: Self.accepted)
        guard let root = JSONNode.parse(bytes) else {
            throw gathering.builder.error(.notJSON, at: .whole)
        }
        switch root["resourceType"]?.text {
        case "Observation": try gathering.take(root, item: 1)
        case "Bundle":
            for (index, entry) in (root["entry"]?.list ?? []).enumerated() {
                guard let resource = entry["resource"] else { continue }
                switch resource["resourceType"]?.text {
                case "Observation": try gathering.take(resource, item: index + 1)
                case "OperationOutcome": gathering.note(resource)
                default: gathering.builder.report.ignored += 1
                }
            }
        case "OperationOutcome":
            gathering.note(root)
            let words = gathering.notes.first ?? "it says not why"
            throw gathering.builder.error(.refusal(words), at: .whole)
        case let other:
            throw gathering.builder.error(
                .field("resourceType", found: other ?? "", accepted: "Bundle or Observation"),
                at: .whole)
        }
        let links = root["link"]?.list ?? []
        return gathering.answer(
            next: links.first { $0["relation"]?.text == "next" }?["url"]?.text)
    }
}

/// A FHIR Quantity.
enum FHIRQuantity {
    /// UCUM's code where there is one, else the unit as it is written for people.
    static func unit(_ node: JSONNode) -> PhysicalUnit {
        if node["system"]?.text == "http://unitsofmeasure.org", let code = node["code"]?.text {
            return PhysicalUnit(code)
        }
        return (node["unit"]?.text).map(PhysicalUnit.init(spelled:)) ?? .unknown
    }

    /// The number; NaN where a comparator says that it is only a bound; nil where there is none.
    static func value(_ node: JSONNode) -> Double? {
        guard let number = (node["value"]?.value as? NSNumber)?.doubleValue else { return nil }
        return node["comparator"] == nil ? number : .nan
    }
}

/// Gathers what observations tell.
private struct FHIRGathering {
    var builder: FeedBuilder
    private var recordings: [Recording] = []
    private var lastUpdated: Timestamp?
    private var observations = 0
    private var withdrawn = 0
    private var samples = SampledDataCounts()
    private(set) var notes: [String] = []

    init(_ builder: FeedBuilder) { self.builder = builder }

    consuming func answer(next: String?) -> FHIRAnswer {
        FHIRAnswer(
            feed: builder.feed(), recordings: recordings, lastUpdated: lastUpdated, next: next,
            observations: observations, withdrawn: withdrawn, samples: samples, notes: notes)
    }

    /// Keeps what an OperationOutcome says is wrong, without details that may quote data.
    mutating func note(_ outcome: JSONNode) {
        for issue in outcome["issue"]?.list ?? [] where notes.count < 20 {
            let words = [issue["severity"]?.text, issue["code"]?.text].compactMap { $0 }
            let text = words.joined(separator: ": ").prefix(100).map { $0.isNewline ? " " : $0 }
            notes.append(String(text))
        }
    }

    mutating func take(_ node: JSONNode, item: Int) throws(FeedError) {
        observations += 1
        builder.report.items += 1
        if let text = node["meta"]?["lastUpdated"]?.text, let time = Timestamp(iso8601: text) {
            lastUpdated = max(lastUpdated ?? time, time)
        }
        if ["entered-in-error", "cancelled"].contains(node["status"]?.text) {
            withdrawn += 1
            return
        }
        do throws(Refusal) {
            try read(node)
        } catch {
            try builder.count(bad: error, at: .item(item))
        }
    }

    private mutating func read(_ node: JSONNode) throws(Refusal) {
        let subject = Self.subject(node)
        let start = Self.start(node)
        var sampled: [(name: String, data: SampledData)] = []
        var values: [(name: String, unit: PhysicalUnit, value: Double)] = []
        let components = node["component"]?.list ?? []
        guard components.count <= 1000 else {
            throw Refusal("number of components", "\(components.count)".utf8, accepted: "1000")
        }
        for part in [node] + components {
            if let data = part["valueSampledData"] {
                sampled.append((try Self.code(part), try SampledData(data)))
            } else if let quantity = part["valueQuantity"] {
                guard let value = FHIRQuantity.value(quantity) else {
                    throw Refusal("value of the quantity", [], accepted: "a number")
                }
                values.append((try Self.code(part), FHIRQuantity.unit(quantity), value))
            } else if let whole = part["valueInteger"]?.value as? NSNumber {
                values.append((try Self.code(part), .unknown, whole.doubleValue))
            } else if part["dataAbsentReason"] != nil {
                builder.report.missing += 1
            } else if !(part["component"]?.elements?.isEmpty ?? true) {
                continue  // A panel has its values in its components.
            } else {
                builder.report.ignored += 1
            }
        }
        if !values.isEmpty { try add(values, subject, at: start) }
        for (name, data) in sampled where data.offsets != nil {
            try add(data, name, subject, from: start)
        }
        try addRecording(sampled.filter { $0.data.rate != nil }, node, subject, start)
        for (_, data) in sampled {
            samples.errors += data.counts.errors
            samples.outside += data.counts.outside
        }
    }

    private mutating func add(
        _ values: [(name: String, unit: PhysicalUnit, value: Double)], _ subject: String?,
        at start: Timestamp?
    ) throws(Refusal) {
        guard let start else { throw Self.noStart }
        // The observation counts as a whole or not at all.
        var places: [(Int, Double)] = []
        for (name, unit, value) in values {
            let key = subject.map { "\($0).\(name)" } ?? name
            places.append((try builder.place(of: key, unit: unit), value))
        }
        for (place, value) in places { try builder.add(value, at: start, to: place) }
    }

    /// Samples with times of their own are observations.
    private mutating func add(
        _ data: SampledData, _ name: String, _ subject: String?, from start: Timestamp?
    ) throws(Refusal) {
        guard let start else { throw Self.noStart }
        for (dimension, tokens) in data.tokens.enumerated() {
            let channel = data.tokens.count > 1 ? "\(name)/\(dimension + 1)" : name
            let key = subject.map { "\($0).\(channel)" } ?? channel
            let place = try builder.place(of: key, unit: data.unit)
            for (raw, offset) in zip(tokens, data.offsets ?? []) {
                let isMissing = raw == Recording.Signal.missing
                try builder.add(
                    isMissing ? .nan : (Double(raw) - data.baseline) / data.gain,
                    at: Timestamp(microseconds: start.microseconds + offset), to: place)
            }
        }
    }

    private mutating func addRecording(
        _ sampled: [(name: String, data: SampledData)], _ node: JSONNode, _ subject: String?,
        _ start: Timestamp?
    ) throws(Refusal) {
        var signals: [Recording.Signal] = []
        for (name, data) in sampled {
            guard let rate = data.rate else { continue }
            for (dimension, tokens) in data.tokens.enumerated() {
                let channel = data.tokens.count > 1 ? "\(name)/\(dimension + 1)" : name
                signals.append(
                    Recording.Signal(
                        channel: Channel(name: channel, unit: data.unit), rate: rate,
                        gain: data.gain, baseline: data.baseline, samples: tokens,
                        declaredCount: tokens.count))
            }
        }
        guard !signals.isEmpty else { return }
        guard let id = node["id"]?.text, Self.isName(id) else {
            throw Refusal("id", (node["id"]?.text ?? "").utf8.prefix(200), accepted: Self.names)
        }
        recordings.append(
            Recording(
                name: subject.map { "\($0)/\(id)" } ?? id, start: start, signals: signals))
    }

    private static let names = "1 to 64 letters, digits, - and ."

    private static func isName(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                byte | 0x20 &- 97 < 26 || byte &- 48 < 10 || byte == 45 || byte == 46 || byte == 95
            }
    }

    private static let noStart = Refusal(
        "effective time", [],
        accepted: "effectiveDateTime, effectiveInstant or effectivePeriod.start "
            + "to the day or finer")

    /// `Patient/1` of a reference, however it is written; nil where there is none.
    private static func subject(_ node: JSONNode) -> String? {
        guard let reference = node["subject"]?["reference"]?.text else { return nil }
        let parts = reference.split(separator: "/").suffix(2)
        guard !parts.isEmpty, parts.allSatisfy({ isName(String($0)) }) else { return nil }
        return parts.joined(separator: "/")
    }

    private static func start(_ node: JSONNode) -> Timestamp? {
        let text =
            node["effectiveDateTime"]?.text ?? node["effectiveInstant"]?.text
            ?? node["effectivePeriod"]?["start"]?.text
        return text.flatMap { Timestamp(iso8601: $0) }
    }

    /// The code of the first coding, or the text where nothing is coded.
    private static func code(_ node: JSONNode) throws(Refusal) -> String {
        let coding = node["code"]?["coding"]?.list.lazy.compactMap { $0["code"]?.text }.first
        guard let code = coding ?? node["code"]?["text"]?.text, !code.isEmpty else {
            throw Refusal("code", [], accepted: "a coding or a text")
        }
        return code
    }
}
