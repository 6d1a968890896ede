import Foundation
package import Series
import Signals

/// Why a message brings nothing. A word to count by; what stood in it is told to nobody.
package enum PayloadFault: String, Error, Sendable {
    /// No route has its topic.
    case topic
    /// It is not what its route says.
    case payload
    /// A field that should be a number is none.
    case field
    /// Its time is none.
    case time
    /// No series can be called so.
    case key
    /// It was kept by the broker and has no time, so that nobody knows when it was true.
    case retained
}

/// What one message brings.
package struct TopicPayload: Equatable {
    /// One value of one series; nil where the device says that it has none.
    package struct Value: Equatable {
        package let key: String
        package let at: Timestamp
        package let value: Double?
    }

    package private(set) var values: [Value] = []
    let unit: PhysicalUnit
    /// Whether a time of ours stands for one that the message does not have.
    private(set) var usesReceiveTime = false
    private(set) var piece: WaveformPiece?
    /// Fields that were left out, how many by reason.
    private(set) var faults: [PayloadFault: Int] = [:]

    /// Reads a message.
    ///
    /// - Parameters:
    ///   - payload: What stands in it.
    ///   - topic: Its topic.
    ///   - route: What its topic says of it.
    ///   - receivedAt: When it came first; the time of values that come without one.
    /// - Throws: `PayloadFault` where it brings nothing at all.
    package init(
        _ payload: [UInt8], topic: String, route: TopicRoute, receivedAt: Timestamp
    ) throws(PayloadFault) {
        unit = route.unit.map(PhysicalUnit.init(spelled:)) ?? .unknown
        switch route.form {
        case .number:
            guard let key = route.key(for: topic) else { throw .key }
            let text = String(decoding: payload, as: UTF8.self)
                .trimmingCharacters(in: .whitespacesAndNewlines)
            guard payload.count <= 100, let value = Double(text) else { throw .payload }
            values = [Value(key: key, at: receivedAt, value: value.isFinite ? value : nil)]
            usesReceiveTime = true
        case .json:
            try read(object: payload, topic, route, receivedAt)
        case .waveform:
            do {
                piece = try WaveformPieceReader.read(
                    payload, recording: route.key == nil ? nil : route.key(for: topic) ?? "")
            } catch {
                throw .payload
            }
        }
    }

    private static let timeFields = ["time", "timestamp", "ts"]

    private mutating func read(
        object payload: [UInt8], _ topic: String, _ route: TopicRoute, _ receivedAt: Timestamp
    ) throws(PayloadFault) {
        // Whatever the reason, what is no object has no fields.
        guard let parsed = try? JSONSerialization.jsonObject(with: Data(payload)),
            let object = parsed as? [String: Any]
        else { throw .payload }
        let names = route.time.map { [$0] } ?? Self.timeFields
        var at = receivedAt
        let timeField = names.first { object[$0] != nil }
        if let timeField, let told = object[timeField] {
            at = try Self.time(told, route.timeUnit ?? .seconds)
        } else if route.time != nil {
            throw .time
        } else {
            usesReceiveTime = true
        }
        for (field, value) in object.sorted(by: { $0.key < $1.key }) where field != timeField {
            if let fields = route.fields, fields[field] == nil { continue }
            guard let key = route.key(for: topic, field: route.fields?[field] ?? field) else {
                faults[.key, default: 0] += 1
                continue
            }
            switch value {
            case let number as NSNumber where !number.isTruthValue:
                let value = number.doubleValue
                values.append(Value(key: key, at: at, value: value.isFinite ? value : nil))
            case is NSNull: values.append(Value(key: key, at: at, value: nil))
            default:
                // Beside the numbers an object may have words; one that was asked for should have none.
                if route.fields != nil { faults[.field, default: 0] += 1 }
            }
        }
    }

    /// The years in which times are taken for times.
    private static let range = Int64(-2_208_988_800_000_000)..<Int64(32_503_680_000_000_000)

    private static func time(
        _ told: Any, _ unit: TopicRoute.TimeUnit
    ) throws(PayloadFault) -> Timestamp {
        let time: Timestamp?
        switch told {
        case let text as String: time = Timestamp(iso8601: text)
        case let number as NSNumber where !number.isTruthValue:
            let seconds = number.doubleValue / unit.perSecond
            time = abs(seconds) < 4e10 ? Timestamp(unixSeconds: seconds) : nil
        default: time = nil
        }
        guard let time, range.contains(time.microseconds) else { throw .time }
        return time
    }
}

extension NSNumber {
    /// Whether it stands for `true` or `false`, which the parser gives as numbers of C's smallest type.
    fileprivate var isTruthValue: Bool { unsafe objCType.pointee == CChar(UInt8(ascii: "c")) }
}
