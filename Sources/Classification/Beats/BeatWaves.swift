internal import Foundation
internal import Signals

/// The waves of the usual beat, as they are read: P, Q, R, S, ST segment and T of every lead, the
/// electrical axes, the voltages that hypertrophy is told by, and durations.
///
/// A beat has 80 samples at 100 Hz with the steepest deflection of the complex at 30.
///
/// - Source: Sokolow and Lyon 1949, Casale (Cornell) 1985 for the voltages; places of the waves by
///   their usual durations.
struct BeatWaves: Sendable {
    /// Of each lead, with the segment before the complex as zero: `[leads][length]`, in millivolts.
    private let beat: [[Double]]
    private let leads: [Lead: Int]
    private let waves: [Waves]

    /// One lead's waves, in millivolts.
    private struct Waves {
        let q, r, s, segment, laterSegment, t, pHigh, pLow: Double

        init(_ beat: [Double]) {
            q = beat[24..<30].min() ?? 0
            r = beat[24..<37].max() ?? 0
            s = beat[30..<38].min() ?? 0
            segment = beat[38..<42].reduce(0, +) / 4
            laterSegment = beat[42..<46].reduce(0, +) / 4
            t = beat[44..<76].max { abs($0) < abs($1) } ?? 0
            pHigh = beat[6..<20].max() ?? 0
            pLow = beat[6..<20].min() ?? 0
        }

        var net: Double { r + min(q, s) }
        var height: Double { r - min(q, s) + 0.05 }

        var numbers: [Double] {
            [
                q, r, s, segment, laterSegment, t, pHigh, pLow, net, q / height, r / height,
                s / height, segment / height, t / height, net / height,
            ]
        }
    }

    /// - Parameters:
    ///   - usual: `[leads][length]`, in millivolts.
    ///   - leads: What the rows are.
    init(_ usual: [[Double]], leads: [Lead]) {
        beat = usual.map { row in
            let rest = row[19..<23].reduce(0, +) / 4
            return row.map { $0 - rest }
        }
        self.leads = Dictionary(uniqueKeysWithValues: zip(leads, 0...))
        waves = beat.map { Waves($0) }
    }

    private static let slopeShares = [0.05, 0.1, 0.15, 0.2, 0.3]
    private static let timedLeads: [Lead] = [.I, .V1, .V2, .V5, .V6]
    private static let terminalLeads: [Lead] = [.V1, .V2, .I, .V6]

    /// How many numbers `measures` has.
    static func count(leads: Int) -> Int {
        15 * leads + 8 + 6 + 2 + 3 * slopeShares.count + 2 * timedLeads.count + 2
            + 2 * terminalLeads.count
    }

    /// All of it, one after the other.
    var measures: [Double] {
        waves.flatMap(\.numbers) + axes + voltages + onsets + durations + terminal
    }

    private func waves(_ lead: Lead) -> Waves {
        leads[lead].map { waves[$0] } ?? Waves([Double](repeating: 0, count: BeatFeatures.length))
    }

    /// Directions of complex and T wave in the frontal plane, from leads I and aVF, and between them.
    private var axes: [Double] {
        let (one, foot) = (waves(.I), waves(.aVF))
        let (complex, recovery) = (atan2(foot.net, one.net), atan2(foot.t, one.t))
        return [
            cos(complex), sin(complex), cos(2 * complex), sin(2 * complex), cos(recovery),
            sin(recovery), cos(complex - recovery), sin(complex - recovery),
        ]
    }

    private var voltages: [Double] {
        let chest = [Lead.V1, .V2, .V3, .V4, .V5, .V6]
        func largest(_ leads: [Lead]) -> Double {
            leads.map { lead in max(waves(lead).r, -min(waves(lead).q, waves(lead).s)) }.max() ?? 0
        }
        return [
            max(waves(.V5).r, waves(.V6).r) - waves(.V1).s, waves(.aVL).r - waves(.V3).s,
            waves(.V1).r - waves(.V1).s,
            Double(chest.count { waves($0).r > 0.5 * waves($0).height }), largest(Lead.limbs),
            largest(chest),
        ]
    }

    /// Where the P wave is highest, in lead II and in the mean of I, II and aVF.
    private var onsets: [Double] {
        func row(_ lead: Lead) -> [Double] {
            leads[lead].map { beat[$0] } ?? [Double](repeating: 0, count: BeatFeatures.length)
        }
        let (one, two, foot) = (row(.I), row(.II), row(.aVF))
        let mean = (0..<BeatFeatures.length).map { one[$0] + two[$0] + foot[$0] }
        return [two, mean].map { values in
            Double((6..<20).max { values[$0] < values[$1] } ?? 6)
        }
    }

    /// Beginning, end and width of the complex by how steep all leads are together; widths in single
    /// leads; where half and nine tenths of the recovery are over. In samples.
    private var durations: [Double] {
        var result: [Double] = []
        let together = (0..<BeatFeatures.length - 1).map { i in
            beat.reduce(0) { $0 + abs($1[i + 1] - $1[i]) }
        }
        let steepest = max(1e-9, together.max() ?? 0)
        for share in Self.slopeShares {
            let steep = (15..<50).filter { together[$0] > share * steepest }
            result += [
                Double(steep.first ?? 15), Double(steep.last ?? 49), Double(steep.count),
            ]
        }
        for lead in Self.timedLeads {
            guard let row = leads[lead].map({ beat[$0] }) else {
                result += [0, 0]
                continue
            }
            let slopes = (0..<BeatFeatures.length - 1).map { abs(row[$0 + 1] - row[$0]) }
            let most = (slopes.max() ?? 0) + 1e-6
            result += [0.1, 0.25].map { share in
                Double(slopes[15..<50].count { $0 > share * most })
            }
        }
        let recovery = (42..<BeatFeatures.length).map { i in beat.reduce(0) { $0 + abs($1[i]) } }
        let whole = max(1e-9, recovery.reduce(0, +))
        for share in [0.5, 0.9] {
            var (sum, count) = (0.0, 0)
            for value in recovery {
                sum += value
                if sum < share * whole { count += 1 }
            }
            result.append(Double(count))
        }
        return result
    }

    /// Extremes of the end of the complex, where a delayed ventricle shows.
    private var terminal: [Double] {
        let ends = Self.terminalLeads.map { lead in
            leads[lead].map { Array(beat[$0][32..<38]) } ?? [0]
        }
        return ends.map { $0.max() ?? 0 } + ends.map { $0.min() ?? 0 }
    }
}
