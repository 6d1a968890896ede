import Foundation

/// How rare a surprise is among those before it.
///
/// Counts in bins of 1/64 octave, so that the state stays small however long the series: the rank
/// within the body, and a generalised Pareto tail of fixed shape beyond the largest twentieth, since
/// a surprise greater than all before must not be impossible.
///
/// - Source: Hosking, Wallis 1987, for the mean excess of the tail.
struct SurpriseTail: Hashable, Sendable, Codable {
    /// Of a surprise that was met before there were this many is nothing said.
    static let countMinimum = 20
    /// Share of the surprises beyond which the tail is fitted, and how many it needs.
    private static let tailShare = 0.05
    private static let tailCountMinimum = 5
    /// Between exponential (0) and a tail without variance (0.5).
    private static let tailShape = 0.25
    /// Bits of the floating-point pattern within a bin: sign, exponent and six of the mantissa stay.
    private static let binShift: UInt64 = 46

    /// Ascending by key.
    private var keys: [UInt32] = []
    private var counts: [Int] = []
    private var sums: [Double] = []
    private(set) var count = 0

    /// −log10 of the share of surprises at least as large; 0 while too few are known.
    func score(_ surprise: Double) -> Double {
        guard count >= Self.countMinimum else { return 0 }
        let wanted = max(Self.tailCountMinimum, Int(Self.tailShare * Double(count)))
        var (bin, seen, sum) = (keys.count, 0, 0.0)
        while bin > 0, seen < wanted {
            bin -= 1
            seen += counts[bin]
            sum += sums[bin]
        }
        let threshold = Self.edge(keys[bin])
        guard surprise > threshold else {
            return -log10((above(surprise) + 1) / Double(count + 1))
        }
        let floor = 1e-9 * (threshold + 1e-9)
        let excess = max(sum / Double(seen) - threshold, floor)
        let width = excess * (1 - Self.tailShape)
        return -log10(Double(seen) / Double(count + 1))
            + log10(1 + Self.tailShape * (surprise - threshold) / width) / Self.tailShape
    }

    /// Adds a surprise, 0 or more and finite.
    mutating func add(_ surprise: Double) {
        let key = Self.key(surprise)
        let place = place(of: key)
        if place == keys.count || keys[place] != key {
            keys.insert(key, at: place)
            counts.insert(0, at: place)
            sums.insert(0, at: place)
        }
        counts[place] += 1
        sums[place] += surprise
        count += 1
    }

    /// How many were at least as large; within its own bin, in proportion.
    private func above(_ surprise: Double) -> Double {
        let key = Self.key(surprise)
        let place = place(of: key)
        var above = 0
        for bin in place..<keys.count { above += counts[bin] }
        guard place < keys.count, keys[place] == key, key > 0 else { return Double(above) }
        let (low, high) = (Self.edge(key), Self.edge(key + 1))
        let below = (surprise - low) / (high - low)
        return Double(above) - below * Double(counts[place])
    }

    /// The first bin whose key is not below.
    private func place(of key: UInt32) -> Int {
        var (low, high) = (0, keys.count)
        while low < high {
            let middle = (low + high) / 2
            if keys[middle] < key { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// Rises with the surprise, since the patterns of numbers above zero do.
    private static func key(_ surprise: Double) -> UInt32 {
        UInt32(truncatingIfNeeded: max(surprise, 0).bitPattern >> binShift)
    }

    private static func edge(_ key: UInt32) -> Double {
        Double(bitPattern: UInt64(key) << binShift)
    }
}
