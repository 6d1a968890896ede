import Foundation

/// Scores a series row by row, without a model and without a look ahead.
///
/// Five questions are asked of every row: how far is the stretch that it ends from the nearest one
/// before it – over 4, 24 and 144 rows, over 72 rows with the level taken out, and over 72 rows at
/// the same time of day? Each distance is a surprise of so many decades among the distances before
/// it; the mean of the five is the surprise of the row, more where the value lies well outside all
/// values so far. What happened once is no discord the second time, and after a lasting change of
/// level the new level is its own nearest neighbour within hours: it re-bases by itself.
///
/// A missing row has no score and is compared with nothing. The whole state is `Codable`: rows one
/// by one, in batches or after a restart give the same bits.
package struct StreamingDetector: Sendable, Codable {
    /// What is said of one row.
    package struct Judgement: Hashable, Sendable {
        /// Mean of five −log10 p, and the allowance for values out of range; 0 or more.
        package let surprise: Double
        /// The tail probability of this surprise among those before it, in 0...1.
        package let p: Double
        /// Whether an alert begins here.
        package let opensAlert: Bool
        /// By how much earlier alerts had raised the threshold, or the lack of them lowered it, in
        /// decades.
        package let raised: Double
        /// The five parts: 4, 24, 144 rows, shape, time of day; each −log10 p.
        package let parts: [Double]
    }

    /// Rows that are only learned from.
    private static let warmRows = 30
    private static let rangeWarmRows = 50
    /// Share of the range so far by which a value must leave it, and what that adds, in decades.
    private static let rangeMargin = 0.1
    private static let rangeAllowance = 0.5
    /// A sensor that answers 1e300 must not become an infinity when squared.
    private static let magnitudeMaximum = 1e100

    package let policy: DetectorPolicy
    private var search: NeighbourSearch
    private var tails: [SurpriseTail]
    private var surprises = SurpriseTail()
    private var gate = AlertGate()
    private var lowest: Double?
    private var highest: Double?
    /// Rows so far, missing ones among them.
    package private(set) var count = 0

    package init(_ policy: DetectorPolicy) {
        self.policy = policy
        search = NeighbourSearch(historyRows: policy.historyRows, season: policy.season)
        tails = [SurpriseTail](repeating: SurpriseTail(), count: 5)
    }

    /// Judges the next row, and learns it.
    ///
    /// - Parameter observed: In the unit of the series; nil or no number where missing.
    /// - Returns: nil for a missing row.
    package mutating func next(_ observed: Double?) -> Judgement? {
        let row = count
        count += 1
        guard let observed, observed.isFinite else {
            _ = search.next(.nan)
            gate.pass(policy)
            return nil
        }
        let value = min(max(observed, -Self.magnitudeMaximum), Self.magnitudeMaximum)
        let distances = search.next(value)
        let isOut = isOutOfRange(value) && row > Self.rangeWarmRows
        widen(by: value)
        guard row >= Self.warmRows else {
            gate.pass(policy)
            return Judgement(
                surprise: 0, p: 1, opensAlert: false, raised: 0, parts: distances.map { _ in 0 })
        }
        var parts: [Double] = []
        for (index, distance) in distances.enumerated() {
            parts.append(max(0, tails[index].score(distance)))
            tails[index].add(distance)
        }
        let mean = parts.reduce(0, +) / Double(parts.count)
        let surprise = mean + (isOut ? Self.rangeAllowance : 0)
        let p = pow(10, -max(0, surprises.score(surprise)))
        surprises.add(surprise)
        let raised = gate.raised
        return Judgement(
            surprise: surprise, p: p, opensAlert: gate.opens(surprise, policy), raised: raised,
            parts: parts)
    }

    private func isOutOfRange(_ value: Double) -> Bool {
        guard let lowest, let highest, highest > lowest else { return false }
        let margin = Self.rangeMargin * (highest - lowest)
        return value > highest + margin || value < lowest - margin
    }

    private mutating func widen(by value: Double) {
        lowest = min(lowest ?? value, value)
        highest = max(highest ?? value, value)
    }
}
