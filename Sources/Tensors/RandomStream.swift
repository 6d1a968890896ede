internal import Foundation

/// Random numbers that depend on the seed and on how many were drawn, and on nothing else.
///
/// Counter-based: number `n` of a stream is a fixed mixing function of the seed and `n`, so that a
/// stream can be split by purpose (`stream(_:)`) without one part moving another.
///
/// - Source: the mixing function of SplitMix64 (Steele, Lea, Flood 2014), which passes BigCrush.
package struct RandomStream: RandomNumberGenerator, Sendable {
    private let key: UInt64
    private var counter: UInt64 = 0

    package init(seed: UInt64) { key = Self.mix(seed &+ 0x9E37_79B9_7F4A_7C15) }

    /// A stream of its own for the purpose `number`; independent of what was drawn from this one.
    package func stream(_ number: UInt64) -> RandomStream {
        RandomStream(seed: Self.mix(key ^ Self.mix(number &+ 0xD1B5_4A32_D192_ED03)))
    }

    /// 64 random bits.
    package mutating func next() -> UInt64 {
        counter &+= 0x9E37_79B9_7F4A_7C15
        return Self.mix(key &+ counter)
    }

    /// A number in 0..<1, a multiple of 2⁻⁵³.
    package mutating func uniform() -> Double { Double(next() >> 11) * 0x1p-53 }

    /// A number of the standard normal distribution.
    ///
    /// - Source: Box and Muller 1958; one of the pair is used, so that every draw takes two steps.
    package mutating func normal() -> Double {
        let radius = (-2 * log(1 - uniform())).squareRoot()
        return radius * cos(2 * .pi * uniform())
    }

    /// An integer in `0..<bound`, without bias; traps unless `bound` is above zero.
    package mutating func integer(below bound: Int) -> Int {
        precondition(bound > 0, "RandomStream: a number below \(bound)")
        return Int.random(in: 0..<bound, using: &self)
    }

    /// Puts the elements into random order (Fisher and Yates).
    package mutating func shuffle<Element>(_ elements: inout [Element]) {
        guard elements.count > 1 else { return }
        for i in stride(from: elements.count - 1, to: 0, by: -1) {
            elements.swapAt(i, integer(below: i + 1))
        }
    }

    private static func mix(_ value: UInt64) -> UInt64 {
        var z = value
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
