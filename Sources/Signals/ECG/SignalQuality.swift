import Series

/// How far a lead can be trusted, from 0 (not at all) to 1.
///
/// The score is the least of its parts, each a share that was mapped to 0…1 between the value at which
/// a lead is worthless and the one from which it is good.
package struct LeadQuality: Equatable, Sendable {
    /// Samples that are missing, of all.
    package let missingShare: Double
    /// Samples in stretches of a fifth of a second and more without any change.
    package let flatShare: Double
    /// Samples at the lead's extremes that come in runs: the converter's limits.
    package let saturatedShare: Double
    /// Power below 0.7 Hz, of that below 40 Hz.
    package let baselineShare: Double
    /// Power from 5 to 15 Hz, of that from 5 to 40 Hz.
    package let qrsShare: Double
    /// Fourth moment over the squared second from 0.7 to 40 Hz: 1.5 for a sine, 3 for noise.
    package let kurtosis: Double
    /// Mean correlation of the beats with their mean.
    package let templateCorrelation: Double
    /// 0…1; 0 where no beat was found.
    package let score: Double
}

/// The quality of a recording and of its leads.
package struct SignalQuality: Equatable, Sendable {
    /// Recordings below are not classified.
    package static let rejection = 0.3
    /// Recordings below are classified with a warning.
    package static let warning = 0.6

    package let leads: [Lead: LeadQuality]
    /// Beats of single leads that the leads together confirm, of all.
    package let agreement: Double
    /// Samples of all beats that the leads tell together.
    package let beats: [Int]
    /// The median of the leads' scores, times the agreement.
    package let score: Double

    package init(_ ecg: Electrocardiogram) {
        let names = Lead.allCases.filter { ecg.leads[$0] != nil }
        let values = names.compactMap { ecg.leads[$0] }
        guard let detector = BeatDetector(rate: ecg.rate) else {
            (leads, agreement, beats, score) = ([:], 0, [], 0)
            return
        }
        let wholes = values.map { BeatDetector.bridged($0) }
        let isLong = Double(ecg.sampleCount) > ecg.rate.hertz
        let steepness = isLong ? detector.steepness(of: wholes) : []
        let together = detector.beats(in: steepness[...])
        let band = BiquadCascade.butterworthBandpass(
            order: 2, low: 0.7, high: min(40, 0.45 * ecg.rate.hertz), rate: ecg.rate.hertz)
        let waves = band.zeroPhase(rows: wholes)
        let spectrum = PowerShares(rate: ecg.rate, count: ecg.sampleCount)
        var (confirmed, alone) = (0, 0)
        var leads: [Lead: LeadQuality] = [:]
        for (index, name) in names.enumerated() {
            let own = isLong ? detector.beats(in: steepness[index...index]) : []
            confirmed += Self.confirmed(own, by: together, within: Int(0.15 * ecg.rate.hertz))
            alone += own.count
            let missing = values[index].count { !$0.isFinite }
            leads[name] = LeadQuality(
                wholes[index], wave: waves[index], missing: missing, rate: ecg.rate,
                beats: together, spectrum)
        }
        let scores = leads.values.map(\.score).sorted()
        agreement = alone == 0 ? 0 : Double(confirmed) / Double(alone)
        score = scores.isEmpty || together.isEmpty ? 0 : scores[scores.count / 2] * agreement
        beats = together
        self.leads = leads
    }

    private static func confirmed(_ own: [Int], by all: [Int], within reach: Int) -> Int {
        own.count { beat in all.contains { abs($0 - beat) <= reach } }
    }
}

extension LeadQuality {
    /// - Parameters:
    ///   - whole: In millivolts, missing samples bridged.
    ///   - wave: The same from 0.7 to 40 Hz.
    ///   - missing: How many samples were.
    ///   - rate: Of the samples.
    ///   - beats: Where the beats are.
    ///   - spectrum: For the lead's length and rate.
    fileprivate init(
        _ whole: [Double], wave: [Double], missing: Int, rate: SamplingRate, beats: [Int],
        _ spectrum: PowerShares
    ) {
        missingShare = Double(missing) / Double(max(1, whole.count))
        flatShare = Self.flatShare(whole, stretch: max(2, Int(0.2 * rate.hertz)))
        saturatedShare = Self.saturatedShare(whole)
        (baselineShare, qrsShare) = spectrum.shares(of: whole)
        kurtosis = Self.kurtosis(wave)
        templateCorrelation = Self.templateCorrelation(wave, beats, reach: Int(0.1 * rate.hertz))
        let parts = [
            Self.ramp(missingShare, bad: 0.5, good: 0.1),
            Self.ramp(flatShare, bad: 0.6, good: 0.2),
            Self.ramp(saturatedShare, bad: 0.2, good: 0.02),
            Self.ramp(baselineShare, bad: 0.995, good: 0.9),
            Self.ramp(qrsShare, bad: 0.25, good: 0.45),
            Self.ramp(kurtosis, bad: 1.5, good: 3),
            Self.ramp(templateCorrelation, bad: 0.3, good: 0.7),
        ]
        score = beats.isEmpty ? 0 : parts.min() ?? 0
    }

    /// 0 at `bad`, 1 at `good`, on the line between them.
    private static func ramp(_ value: Double, bad: Double, good: Double) -> Double {
        value.isFinite ? min(1, max(0, (value - bad) / (good - bad))) : 0
    }

    /// - Parameters:
    ///   - values: Finite.
    ///   - stretch: Samples that make a stretch.
    /// - Returns: The share of samples in runs of equal ones that are as long.
    private static func flatShare(_ values: [Double], stretch: Int) -> Double {
        var flat = 0
        var place = 0
        // A run as long as this has a sample at a multiple of its length.
        while place < values.count {
            let level = values[place]
            var (first, end) = (place, place + 1)
            while first > 0, values[first - 1] == level { first -= 1 }
            while end < values.count, values[end] == level { end += 1 }
            if end - first >= stretch { flat += end - first }
            place = (end + stretch - 1) / stretch * stretch
        }
        return Double(flat) / Double(max(1, values.count))
    }

    /// Runs of three and more at either extreme.
    private static func saturatedShare(_ values: [Double]) -> Double {
        guard !values.isEmpty else { return 0 }
        let (low, high) = values.extremes(values.indices)
        guard low < high else { return 0 }
        var (clipped, run) = (0, 0)
        for value in values {
            if value == low || value == high {
                run += 1
                clipped += run == 3 ? 3 : run > 3 ? 1 : 0
            } else {
                run = 0
            }
        }
        return Double(clipped) / Double(values.count)
    }

    private static func kurtosis(_ values: [Double]) -> Double {
        let count = Double(max(1, values.count))
        let mean = values.mean
        let second = values.sum(values.indices) { ($0 - mean) * ($0 - mean) }
        let fourth = values.sum(values.indices) {
            let square = ($0 - mean) * ($0 - mean)
            return square * square
        }
        return second > 0 ? fourth / count / (second / count * second / count) : 0
    }

    private static func templateCorrelation(
        _ values: [Double], _ beats: [Int], reach: Int
    ) -> Double {
        let windows = beats.filter { $0 >= reach && $0 + reach < values.count }.map { beat in
            centred(Array(values[beat - reach...beat + reach]))
        }
        guard windows.count > 1 else { return windows.isEmpty ? 0 : 1 }
        var template = windows[0]
        for window in windows.dropFirst() { template = template.combined(window, +) }
        let count = Double(windows.count)
        template = template.map { $0 / count }
        return windows.reduce(0) { $0 + correlation($1, template) } / count
    }

    private static func centred(_ values: [Double]) -> [Double] {
        let mean = values.mean
        return values.map { $0 - mean }
    }

    private static func correlation(_ a: [Double], _ b: [Double]) -> Double {
        let product = a.combined(b, *)
        let size = a.deviation * b.deviation
        return size > 0 ? product.mean / size : 0
    }
}
