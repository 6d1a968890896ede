import Foundation
import Series

/// What became of the tokens of a FHIR SampledData that are no numbers.
package struct SampledDataCounts: Sendable, Equatable {
    /// `E`: the device failed.
    package var errors = 0
    /// `U`, `L`: outside what the device can measure.
    package var outside = 0
}

/// Equally spaced samples as FHIR writes them, taken apart; each value is `origin + factor × token`.
///
/// - Source: HL7 FHIR R5 SampledData (`interval`, `intervalUnit`), R4 (`period`).
struct SampledData {
    /// The most samples of one element.
    static let samplesMaximum = 50_000_000

    let unit: PhysicalUnit
    /// Of one dimension; nil where the samples have offsets of their own.
    let rate: SamplingRate?
    /// `[samples]` per dimension: the tokens as whole numbers of `10^-digits`.
    let tokens: [[Int32]]
    /// Raw units per physical unit.
    let gain: Double
    let baseline: Double
    /// Microseconds after the start, one a sample; nil where there is a rate.
    let offsets: [Int64]?
    let counts: SampledDataCounts

    init(_ node: JSONNode) throws(Refusal) {
        guard let origin = node["origin"]?["value"]?.number, origin.isFinite else {
            throw Refusal("origin", [], accepted: "a quantity with a value")
        }
        unit = FHIRQuantity.unit(node["origin"] ?? node)
        let factor = node["factor"].map { $0.number ?? .nan } ?? 1
        guard factor.isFinite, factor != 0 else {
            throw Refusal("factor", "\(factor)".utf8, accepted: "a number other than 0")
        }
        let dimensions = node["dimensions"].map { $0.number ?? .nan } ?? 1
        guard dimensions >= 1, dimensions <= 1000, dimensions == dimensions.rounded() else {
            throw Refusal("dimensions", "\(dimensions)".utf8, accepted: "1 to 1000")
        }
        let width = Int(dimensions)
        if let text = node["offsets"]?.text {
            offsets = try Self.offsets(text, node)
            rate = nil
        } else {
            offsets = nil
            rate = try Self.rate(node)
        }
        guard let text = node["data"]?.text else {
            throw Refusal("data", [], accepted: "numbers, E, U and L with blanks between them")
        }
        let scan = try SampleTokens(text)
        tokens = (0..<width).map { dimension in
            stride(from: dimension, to: scan.values.count, by: width).map { scan.values[$0] }
        }
        counts = scan.counts
        // (raw − baseline) / gain = origin + factor × token, with raw = token × 10^digits.
        let scale = Foundation.pow(10, Double(scan.digits))
        gain = scale / factor
        baseline = -origin / factor * scale
        guard gain.isFinite, gain != 0, baseline.isFinite else {
            throw Refusal("factor", "\(factor)".utf8, accepted: "one that leaves finite values")
        }
        if let offsets, offsets.count != tokens[0].count {
            throw Refusal(
                "number of offsets", "\(offsets.count)".utf8, accepted: "\(tokens[0].count)")
        }
    }

    private static func rate(_ node: JSONNode) throws(Refusal) -> SamplingRate {
        if let period = node["period"] {
            guard let value = period.number, let rate = SampleInterval.rate(value, unit: 1e-3)
            else { throw Refusal("period", [], accepted: SampleInterval.accepted) }
            return rate
        }
        guard let interval = node["interval"]?.number else {
            throw Refusal("interval", [], accepted: SampleInterval.accepted)
        }
        let unit = try Self.seconds(of: node["intervalUnit"])
        guard let rate = SampleInterval.rate(interval, unit: unit) else {
            throw Refusal("interval", "\(interval)".utf8, accepted: SampleInterval.accepted)
        }
        return rate
    }

    private static func seconds(of unit: JSONNode?) throws(Refusal) -> Double {
        guard let unit else { return 1e-3 }
        switch unit.text {
        case "ns": return 1e-9
        case "us": return 1e-6
        case "ms": return 1e-3
        case "s": return 1
        case "min": return 60
        case "h": return 3600
        case "d": return 86_400
        default:
            throw Refusal(
                "interval unit", (unit.text ?? "no text").utf8.prefix(200),
                accepted: "ns, us, ms, s, min, h or d")
        }
    }

    private static func offsets(_ text: String, _ node: JSONNode) throws(Refusal) -> [Int64] {
        let unit = try seconds(of: node["intervalUnit"])
        var offsets: [Int64] = []
        for word in text.utf8.split(whereSeparator: FeedBuilder.isBlank) {
            guard let value = FeedNumber.read(Array(word)), value.isFinite,
                abs(value * unit) < 1e10
            else { throw Refusal("offset", word.prefix(41), accepted: "a number") }
            offsets.append(Int64((value * unit * 1e6).rounded()))
            guard offsets.count <= samplesMaximum else {
                throw Refusal(.tooManyValues(accepted: samplesMaximum))
            }
        }
        return offsets
    }
}

/// The tokens of samples as whole numbers of one power of ten, so that no digit is lost.
struct SampleTokens {
    /// `Recording.Signal.missing` where there is no number.
    private(set) var values: [Int32] = []
    /// How many digits behind the point the values have.
    let digits: Int
    private(set) var counts = SampledDataCounts()

    /// The most digits behind the point.
    static let digitsMaximum = 9

    init(_ text: String) throws(Refusal) {
        let words = text.utf8.split(whereSeparator: FeedBuilder.isBlank)
        guard words.count <= SampledData.samplesMaximum else {
            throw Refusal(.tooManyValues(accepted: SampledData.samplesMaximum))
        }
        var digits = 0
        for word in words {
            if let point = word.firstIndex(of: UInt8(ascii: ".")) {
                digits = max(
                    digits, word[word.index(after: point)...].prefix { $0 &- 48 < 10 }.count)
            }
        }
        guard digits <= Self.digitsMaximum else {
            throw Refusal("digits behind the point", "\(digits)".utf8, accepted: "at most 9")
        }
        self.digits = digits
        let scale = Foundation.pow(10, Double(digits))
        values.reserveCapacity(words.count)
        for word in words {
            let token = Array(word)
            switch token {
            case [UInt8(ascii: "E")]:
                counts.errors += 1
                values.append(Recording.Signal.missing)
            case [UInt8(ascii: "U")], [UInt8(ascii: "L")]:
                counts.outside += 1
                values.append(Recording.Signal.missing)
            default:
                guard let value = FeedNumber.read(token),
                    let raw = Int32(exactly: (value * scale).rounded()),
                    raw != Recording.Signal.missing
                else {
                    throw Refusal(
                        "sample", token.prefix(41),
                        accepted: "a number of at most 32 bits, E, U or L")
                }
                values.append(raw)
            }
        }
    }
}

/// The time between two samples as an exact rate.
enum SampleInterval {
    static let accepted = "a time between two samples, from a nanosecond to a day"

    /// The rate of samples that are `interval` units apart; nil where it is no time.
    ///
    /// 2.7777778 ms is 360 Hz: where the written digits mean a whole number of hertz within half of
    /// the last of them, that one is taken, else exactly what is written.
    static func rate(_ interval: Double, unit seconds: Double) -> SamplingRate? {
        let step = interval * seconds
        guard step.isFinite, step >= 1e-9, step <= 86_400 else { return nil }
        let text = "\(interval)"
        let point = text.firstIndex(of: ".") ?? text.endIndex
        let isPlain = !text.contains("e")
        let digits = isPlain ? max(0, text.distance(from: point, to: text.endIndex) - 1) : 17
        let hertz = 1 / step
        let nearest = hertz.rounded()
        let slack = digits >= 3 ? 0.5 * Foundation.pow(10, -Double(digits)) / interval : 1e-12
        if nearest >= 1, abs(hertz - nearest) <= nearest * max(slack, 1e-12) {
            return SamplingRate(Int64(nearest))
        }
        // Whole picoseconds hold every period that anybody writes.
        let picoseconds = (step * 1e12).rounded()
        guard picoseconds >= 1 else { return nil }
        return SamplingRate(1_000_000_000_000, per: Int64(picoseconds))
    }
}
