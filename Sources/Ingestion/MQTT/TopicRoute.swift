/// Topics that are subscribed to, and what becomes of their messages.
package struct TopicRoute: Sendable, Equatable, Codable {
    /// What stands in a message.
    package enum Form: String, Sendable, Codable {
        /// A number.
        case number
        /// An object with numbers by name.
        case json
        /// A piece of a recording, see `WaveformPieceReader`.
        case waveform
    }

    /// A topic filter: `plant/+/temperature`, `ward/#`.
    package var filter: String
    package var form: Form
    /// The key of the series or the recording. `{2}` is the second level of the topic, `{topic}` all of
    /// it with dots; a field of an object comes behind it, after a dot. Recordings may name themselves.
    package var key: String?
    /// Which fields are taken, and what they are called in the key; nil for all that are numbers.
    package var fields: [String: String]?
    /// The field with the time; otherwise `time`, `timestamp` or `ts`, where there is one.
    package var time: String?
    /// What a number in it counts since 1970: `s`, `ms`, `us` or `ns`; seconds by default.
    package var timeUnit: TimeUnit?
    /// The unit of the series, as `PhysicalUnit(spelled:)` reads it.
    package var unit: String?

    /// What a number counts.
    package enum TimeUnit: String, Sendable, Codable {
        case seconds = "s"
        case milliseconds = "ms"
        case microseconds = "us"
        case nanoseconds = "ns"

        var perSecond: Double {
            switch self {
            case .seconds: 1
            case .milliseconds: 1e3
            case .microseconds: 1e6
            case .nanoseconds: 1e9
            }
        }
    }

    enum CodingKeys: String, CodingKey {
        case filter, form, key, fields, time, unit
        case timeUnit = "time_unit"
    }

    package init(filter: String, form: Form, key: String? = nil) {
        self.filter = filter
        self.form = form
        self.key = key
    }

    /// What is wrong with it; nil where it can be used.
    var flaw: String? {
        let levels = filter.split(separator: "/", omittingEmptySubsequences: false)
        let isUsable =
            !filter.isEmpty && filter.utf8.count <= 1000 && !filter.contains("\0")
            && levels.dropLast().allSatisfy { $0 == "+" || !$0.contains { "+#".contains($0) } }
            && levels.last.map { $0 == "#" || $0 == "+" || !$0.contains { "+#".contains($0) } }
                == true
        guard isUsable else { return "the topic filter \(filter.prefix(60)) is none" }
        guard form == .waveform || key != nil else {
            return "the topic filter \(filter.prefix(60)) has no key for its series"
        }
        return nil
    }

    /// Whether a topic is among those of the filter.
    ///
    /// - Source: MQTT 5.0, section 4.7; a topic that begins with `$` is in no filter that begins with
    ///   a wildcard.
    func matches(_ topic: String) -> Bool {
        // A subscription that several clients share is delivered under the topics behind its name.
        var pattern = filter.split(separator: "/", omittingEmptySubsequences: false)
        if pattern.first == "$share", pattern.count > 2 { pattern.removeFirst(2) }
        let levels = topic.split(separator: "/", omittingEmptySubsequences: false)
        if topic.first == "$", pattern.first == "+" || pattern.first == "#" { return false }
        for (index, level) in pattern.enumerated() {
            if level == "#" { return true }
            guard index < levels.count, level == "+" || level == levels[index] else { return false }
        }
        return pattern.count == levels.count
    }

    /// The key for a topic, with the field behind it; nil where no series can be called that.
    func key(for topic: String, field: String? = nil) -> String? {
        guard var text = key else { return nil }
        if text.contains("{topic}") {
            text.replace("{topic}", with: topic.replacing("/", with: "."))
        }
        if text.contains("{") {
            let levels = topic.split(separator: "/", omittingEmptySubsequences: false)
            for (index, level) in levels.enumerated() {
                text.replace("{\(index + 1)}", with: level)
            }
        }
        if let field { text += "." + field }
        return Self.isUsable(text) ? text : nil
    }

    private static func isUsable(_ key: String) -> Bool {
        let count = key.unicodeScalars.count
        return (1...400).contains(count) && key.first?.isWhitespace == false
            && key.last?.isWhitespace == false
            && !key.unicodeScalars.contains { $0.properties.generalCategory == .control }
    }
}
