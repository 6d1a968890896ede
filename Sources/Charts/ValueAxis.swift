import Foundation

/// A vertical axis with round numbers.
struct ValueAxis: Equatable, Sendable {
    /// The ends of the axis; `lower < upper`.
    let lower: Double
    let upper: Double
    /// Ascending, between the ends.
    let ticks: [Double]
    private let decimals: Int

    /// An axis on which all of `values` lie with a little air; numbers that are not finite do not
    /// count.
    init(covering values: some Sequence<Double>, ticksWanted: Int = 6) {
        var (low, high) = (Double.infinity, -Double.infinity)
        for value in values where value.isFinite {
            low = min(low, value)
            high = max(high, value)
        }
        if low > high { (low, high) = (0, 1) }
        // A constant gets an axis of its own size around it.
        let room = high - low > abs(high) * 1e-9 ? (high - low) * 0.04 : max(abs(high) * 0.1, 0.5)
        // Halved first, since the span of two huge ends may not be a number.
        let step = Self.roundStep(2 * ((high / 2 - low / 2 + room) / Double(ticksWanted)))
        (lower, upper) = (low - room, high + room)
        let first = (lower / step).rounded(.up)
        let count = Int(((upper / step).rounded(.down) - first).rounded())
        ticks = (0...max(0, min(count, 50))).map { (first + Double($0)) * step }
        decimals = max(0, -Int(log10(step).rounded(.down)) + (Self.isQuarter(step) ? 1 : 0))
    }

    /// The smallest of 1, 2, 2.5 or 5 times a power of ten that is not much below `rough`.
    private static func roundStep(_ rough: Double) -> Double {
        let power = pow(10, log10(rough).rounded(.down))
        for factor in [1, 2, 2.5, 5] where power * factor >= rough * 0.85 {
            return power * factor
        }
        return power * 10
    }

    private static func isQuarter(_ step: Double) -> Bool {
        let mantissa = step / pow(10, log10(step).rounded(.down))
        return abs(mantissa - 2.5) < 1e-9
    }

    /// What stands beside a tick.
    func label(_ tick: Double) -> String {
        let largest = max(abs(lower), abs(upper))
        if largest >= 1e7 || largest < 1e-4 { return Self.scientific(tick) }
        let text = String(format: "%.\(decimals)f", tick)
        // A typographic minus is as wide as the figures; zero has none.
        return Double(text) == 0 ? text.replacing("-", with: "") : text.replacing("-", with: "−")
    }

    private static func scientific(_ value: Double) -> String {
        if value == 0 { return "0" }
        let text = String(format: "%.3g", value)
        let parts = text.split(separator: "e")
        guard parts.count == 2, let exponent = Int(parts[1]) else { return text }
        return "\(parts[0])e\(exponent)".replacing("-", with: "−")
    }
}
