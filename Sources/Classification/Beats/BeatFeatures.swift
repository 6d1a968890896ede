internal import Foundation
internal import Series
internal import Signals

/// What a reader of electrocardiograms measures: the rhythm of the beats, how alike they are, and the
/// shape of the usual one in every lead.
///
/// - Source: intervals and amplitudes as in Macfarlane et al., "Comprehensive Electrocardiology",
///   2010; irregularity by successive differences as in the Task Force of the European Society of
///   Cardiology, 1996.
struct BeatFeatures: Sendable {
    /// What is found in one recording, the mean over its windows; zeros where no beat was found.
    struct Description: Sendable {
        /// `[measureCount]`
        let measures: [Float]
        /// `[shapeCount]`, in millivolts.
        let shape: [Float]
    }

    /// Samples of a beat before and after its steepest deflection, at 100 Hz.
    static let before = 30
    static let after = 50
    static let length = before + after
    /// How far a beat is moved to lie on the usual one, in samples.
    private static let reach = 3

    private let leads: Int
    private let order: [Lead]
    private let hertz: Double
    private let detector: BeatDetector

    /// Nil for a rate at which no beats can be found.
    init?(_ preparation: ECGPreparation) {
        guard let detector = BeatDetector(rate: preparation.rate) else { return nil }
        self.detector = detector
        leads = preparation.leads.count
        order = preparation.leads
        hertz = Double(preparation.hertz)
    }

    /// Rhythm, likeness of the beats and the sizes of their parts.
    var rhythmCount: Int { Self.intervalCount + 6 + 4 + 1 + 7 * leads + 1 }
    /// Waves of the usual beat.
    var waveCount: Int { BeatWaves.count(leads: leads) }
    /// Both.
    var measureCount: Int { rhythmCount + waveCount }
    /// The usual beat, sample by sample.
    var shapeCount: Int { leads * Self.length }

    /// - Parameter recording: As the preparation makes it.
    /// - Returns: What describes its beats.
    func features(_ recording: PreparedECG) -> Description {
        var measures = [Double](repeating: 0, count: measureCount)
        var shape = [Double](repeating: 0, count: shapeCount)
        var count = 0.0
        for window in recording.windows {
            guard let found = describe(window, recording) else { continue }
            for i in measures.indices { measures[i] += found.measures[i] }
            for i in shape.indices { shape[i] += found.shape[i] }
            count += 1
        }
        let share = 1 / max(1, count)
        return Description(
            measures: measures.map { Float($0 * share) }, shape: shape.map { Float($0 * share) })
    }

    private func describe(
        _ window: [Float], _ recording: PreparedECG
    ) -> (measures: [Double], shape: [Double])? {
        let count = recording.sampleCount
        let rows = (0..<leads).map { lead in
            window[lead * count + recording.padding..<(lead + 1) * count].map { Double($0) }
        }
        let places = detector.beats(in: rows)
        guard places.count > 2, let beats = AlignedBeats(rows, places) else { return nil }
        var measures = Self.rhythm(places, hertz: hertz)
        measures += beats.likeness
        measures += beats.widths
        measures.append(beats.recoveryPeak)
        measures += beats.amplitudes
        measures += BeatWaves(beats.usual, leads: order).measures
        precondition(measures.count == measureCount, "BeatFeatures: \(measures.count)")
        return (measures, beats.usual.flatMap { $0 })
    }

    /// Bounds of the logarithm of an interval over the usual one.
    private static let intervalBounds = [
        -3, -0.4, -0.2, -0.1, -0.05, -0.02, 0.02, 0.05, 0.1, 0.2, 0.4, 3,
    ]
    /// Beats a minute around which a rate is told softly.
    private static let rates = stride(from: 40.0, to: 140, by: 10).map { $0 }
    private static let intervalCount = 13 + intervalBounds.count - 1 + rates.count

    /// Measures of the intervals between beats.
    private static func rhythm(_ places: [Int], hertz: Double) -> [Double] {
        let intervals = zip(places.dropFirst(), places).map { Double($0 - $1) / hertz }
        let usual = intervals.medianValue
        let mean = intervals.reduce(0, +) / Double(intervals.count)
        let variance =
            intervals.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(intervals.count)
        let deviation = variance.squareRoot()
        let changes = zip(intervals.dropFirst(), intervals).map { abs($0 - $1) }
        let number = Double(max(1, changes.count))
        func share(above bound: Double) -> Double {
            Double(changes.count { $0 > bound }) / number
        }
        var result = [
            usual, log(usual), 60 / usual, deviation, deviation / mean,
            intervals.map { abs($0 - usual) }.medianValue / usual,
            (intervals.min() ?? usual) / usual, (intervals.max() ?? usual) / usual,
            (changes.reduce(0) { $0 + $1 * $1 } / number).squareRoot(),
            changes.reduce(0, +) / number / usual, share(above: 0.05), share(above: 0.1 * usual),
            share(above: 0.2 * usual),
        ]
        for (low, high) in zip(intervalBounds, intervalBounds.dropFirst()) {
            let inside = intervals.count { (low..<high).contains(log($0 / usual)) }
            result.append(Double(inside) / Double(intervals.count))
        }
        for rate in rates {
            let distance = (60 / usual - rate) / 8
            result.append(exp(-distance * distance))
        }
        return result
    }
}

/// The beats of one window, moved to lie on each other.
private struct AlignedBeats {
    /// `[leads][length]`, the median over beats, in millivolts.
    let usual: [[Double]]
    /// `[beats][leads][length]`
    private let beats: [[[Double]]]

    /// Nil where no beat lies wholly inside.
    init?(_ rows: [[Double]], _ places: [Int]) {
        let count = rows[0].count
        func cut(_ place: Int) -> [[Double]]? {
            let first = place - BeatFeatures.before
            guard first >= 0, first + BeatFeatures.length <= count else { return nil }
            return rows.map { Array($0[first..<first + BeatFeatures.length]) }
        }
        let whole = places.compactMap { place in cut(place).map { (place, $0) } }
        guard !whole.isEmpty else { return nil }
        let first = Self.median(whole.map(\.1))
        beats = whole.map { place, beat in
            // The shift at which the complex agrees best with the usual one.
            var best = (agreement: Self.agreement(beat, first), beat: beat)
            for shift in -3...3 where shift != 0 {
                guard let moved = cut(place + shift) else { continue }
                let agreement = Self.agreement(moved, first)
                if agreement > best.agreement { best = (agreement, moved) }
            }
            return best.beat
        }
        usual = Self.median(beats)
    }

    private static func median(_ beats: [[[Double]]]) -> [[Double]] {
        beats[0].indices.map { lead in
            (0..<BeatFeatures.length).map { i in beats.map { $0[lead][i] }.medianValue }
        }
    }

    private static func agreement(_ beat: [[Double]], _ usual: [[Double]]) -> Double {
        var sum = 0.0
        for (a, b) in zip(beat, usual) {
            for i in 20..<45 { sum += a[i] * b[i] }
        }
        return sum
    }

    /// How alike the beats are: least, second least, mean, median and deviation of their correlation
    /// with the usual one, and the logarithm of what is left of them.
    var likeness: [Double] {
        let template = usual.flatMap { $0[15..<50] }
        let found = beats.map { $0.flatMap { $0[15..<50] }.correlation(with: template) }
        let sorted = found.sorted()
        let mean = found.reduce(0, +) / Double(found.count)
        let variance = found.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(found.count)
        var rest = 0.0
        for beat in beats {
            for (lead, row) in beat.enumerated() {
                for (i, value) in row.enumerated() {
                    let difference = value - usual[lead][i]
                    rest += difference * difference
                }
            }
        }
        rest /= Double(beats.count * usual.count * BeatFeatures.length)
        return [
            sorted[0], sorted[min(1, sorted.count - 1)], mean, found.medianValue,
            variance.squareRoot(), log(1e-4 + rest),
        ]
    }

    /// Samples of the complex in which the leads together are steeper than shares of the steepest.
    var widths: [Double] {
        let slopes = (1..<BeatFeatures.length - 1).map { i in
            usual.reduce(0) { $0 + abs($1[i + 1] - $1[i - 1]) }
        }
        let steepest = max(1e-9, slopes.max() ?? 0)
        return [0.1, 0.2, 0.3, 0.5].map { share in
            Double(slopes[14..<49].count { $0 > share * steepest })
        }
    }

    /// Where the T wave is highest in all leads together, in samples.
    var recoveryPeak: Double {
        let sums = (42..<BeatFeatures.length).map { i in usual.reduce(0) { $0 + abs($1[i]) } }
        return Double(sums.indices.max { sums[$0] < sums[$1] } ?? 0)
    }

    /// Of each lead: size and constancy of the P wave, extremes of the T wave and of the complex, its
    /// height; then the mean logarithm of all heights.
    var amplitudes: [Double] {
        var result: [Double] = []
        var heights = 0.0
        for lead in usual.indices {
            let early = 5..<24
            let number = Double(beats.count)
            var (size, spread) = (0.0, 0.0)
            for i in early {
                let mean = beats.reduce(0) { $0 + $1[lead][i] } / number
                size += mean * mean
                spread +=
                    beats.reduce(0) { $0 + ($1[lead][i] - mean) * ($1[lead][i] - mean) } / number
            }
            let recovery = usual[lead][42...]
            let complex = usual[lead][22..<42]
            let (top, bottom) = (complex.max() ?? 0, complex.min() ?? 0)
            result += [
                (size / Double(early.count)).squareRoot(),
                (spread / Double(early.count)).squareRoot(), recovery.max() ?? 0,
                recovery.min() ?? 0, top, bottom, top - bottom,
            ]
            heights += log(top - bottom + 0.05)
        }
        return result + [heights / Double(usual.count)]
    }
}

extension [Double] {
    /// The upper one of two middle elements; 0 of none.
    fileprivate var medianValue: Double {
        isEmpty ? 0 : sorted()[count / 2]
    }

    /// The correlation about the mean; 0 where one side is constant.
    fileprivate func correlation(with other: [Double]) -> Double {
        let number = Double(count)
        let (mean, otherMean) = (reduce(0, +) / number, other.reduce(0, +) / number)
        var (product, square, otherSquare) = (0.0, 0.0, 0.0)
        for (a, b) in zip(self, other) {
            product += (a - mean) * (b - otherMean)
            square += (a - mean) * (a - mean)
            otherSquare += (b - otherMean) * (b - otherMean)
        }
        let size = (square * otherSquare).squareRoot()
        return size > 0 ? product / size : 0
    }
}
