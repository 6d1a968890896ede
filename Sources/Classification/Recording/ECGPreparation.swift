package import Series
package import Signals

/// What a classifier wants of a recording, and how it gets it.
///
/// Amplitudes stay in millivolts: a scale per recording would take away the voltages that
/// hypertrophy is told by.
///
/// - Source: ops/decisions/0020, with the reasons for rate, band and abstentions.
package struct ECGPreparation: Hashable, Sendable, Codable {
    /// The rows that the classifier reads.
    package var leads: [Lead] = Lead.allCases
    /// Samples per second.
    package var hertz: Int64 = 100
    /// The length of a window.
    package var seconds = 10
    /// The band that is kept, in hertz, by a Butterworth filter of `order` to and fro.
    package var low = 0.5
    package var high = 40.0
    package var order = 3
    /// Longer recordings are read in so many windows at most, spread evenly.
    package var windowsMaximum = 3
    /// Shorter recordings are refused; those shorter than a window are padded at their start.
    package var secondsMinimum = 4.0
    /// Leads that may be lost. Without the others there is too little to go by.
    package var lostMaximum = 3
    /// The share of samples that may be missing in a lead.
    package var missingMaximum = 0.2
    /// The shares of a lead that may be flat, and at the limits of its converter.
    package var flatMaximum = 0.6
    package var saturatedMaximum = 0.2
    /// Recordings of lower quality are refused.
    package var qualityMinimum = SignalQuality.rejection

    package init() {}

    package var rate: SamplingRate { SamplingRate(hertz) }
    /// Samples of one lead in one window.
    package var sampleCount: Int { Int(hertz) * seconds }

    /// Brings a recording into the form that the classifier reads.
    ///
    /// - Parameter recording: With any leads, at any rate, of any length.
    /// - Returns: Windows, and notes on what was done.
    /// - Throws: `Abstention` where a finding would rest on too little.
    package func prepare(_ recording: Electrocardiogram) throws(Abstention) -> PreparedECG {
        let found = Double(recording.sampleCount) * recording.rate.stepSeconds
        guard recording.rate.hertz >= BeatDetector.hertzMinimum else {
            throw Abstention(
                .rate,
                "\(Self.rounded(recording.rate.hertz)) Hz are too few; at least "
                    + "\(Self.rounded(BeatDetector.hertzMinimum)) Hz are needed.")
        }
        guard found >= secondsMinimum else {
            throw Abstention(
                .tooShort,
                "the recording has \(Self.rounded(found)) s; at least "
                    + "\(Self.rounded(secondsMinimum)) s are needed.")
        }
        let quality = SignalQuality(recording)
        let losses = try losses(recording, quality)
        guard quality.score >= qualityMinimum else {
            throw Abstention(
                .quality,
                "the signal quality is \(Self.rounded(quality.score)); at least "
                    + "\(Self.rounded(qualityMinimum)) is needed.", quality: quality.score)
        }
        return windows(of: recording, losses, quality: quality.score)
    }

    /// Why each lost lead is lost.
    private func losses(
        _ recording: Electrocardiogram, _ quality: SignalQuality
    ) throws(Abstention) -> [Lead: Abstention.Reason] {
        var losses: [Lead: Abstention.Reason] = [:]
        for lead in leads {
            guard let found = quality.leads[lead] else {
                losses[lead] = .leadMissing
                continue
            }
            if found.missingShare > missingMaximum {
                losses[lead] = .samplesMissing
            } else if found.flatShare > flatMaximum {
                losses[lead] = .flat
            } else if found.saturatedShare > saturatedMaximum {
                losses[lead] = .saturated
            }
        }
        guard losses.count > lostMaximum else { return losses }
        // The commonest reason is the word; of two as common, the one that is told first.
        let reasons: [Abstention.Reason] = [.leadMissing, .samplesMissing, .flat, .saturated]
        var worst = reasons[0]
        for reason in reasons
        where losses.values.count(where: { $0 == reason })
            > losses.values.count(where: { $0 == worst })
        {
            worst = reason
        }
        let names = leads.filter { losses[$0] != nil }.map(\.rawValue).joined(separator: ", ")
        throw Abstention(
            worst,
            "\(losses.count) of \(leads.count) leads are absent, flat, saturated or full of gaps "
                + "(\(names)); at most \(lostMaximum) may be.", quality: quality.score)
    }

    /// Resampled, filtered and cut.
    private func windows(
        of recording: Electrocardiogram, _ losses: [Lead: Abstention.Reason], quality: Double
    ) -> PreparedECG {
        let kept = leads.indices.filter { losses[leads[$0]] == nil }
        let samples = kept.map { recording.leads[leads[$0]] ?? [] }
        var rows = [[Double]](repeating: [], count: leads.count)
        for (row, found) in zip(kept, conditioned(samples, at: recording.rate)) {
            rows[row] = found
        }
        let found = rows.map(\.count).max() ?? 0
        let padding = max(0, sampleCount - found)
        let extra = max(0, found - sampleCount)
        let count = min(windowsMaximum, (found + sampleCount - 1) / sampleCount)
        let firsts = (0..<max(1, count)).map { number in
            count < 2 ? 0 : (number * extra + (count - 1) / 2) / (count - 1)
        }
        let windows = firsts.map { first -> [Float] in
            var window = [Float](repeating: 0, count: leads.count * sampleCount)
            for (row, samples) in rows.enumerated() where !samples.isEmpty {
                let start = row * sampleCount + padding
                for i in 0..<(sampleCount - padding) {
                    window[start + i] = Float(samples[first + i])
                }
            }
            return window
        }
        return PreparedECG(
            leads: leads, rate: rate, sampleCount: sampleCount, windows: windows,
            starts: firsts.map { Double($0 - padding) * rate.stepSeconds }, padding: padding,
            lost: leads.filter { losses[$0] != nil }, quality: quality,
            notes: notes(recording, losses, quality, padding: padding, windows: windows.count))
    }

    /// Leads at the model's rate and in its band; missing samples are 0.
    private func conditioned(_ leads: [[Double]], at old: SamplingRate) -> [[Double]] {
        // The resampler takes what lies beyond both ends as zero: a lead's offset would be a step.
        let wholes = leads.map { samples in
            let bridged = Self.bridged(samples)
            let mean = bridged.reduce(0, +) / Double(max(1, bridged.count))
            return bridged.map { $0 - mean }
        }
        let resampled: [[Double]]
        if old == rate {
            resampled = wholes
        } else if let polyphase = PolyphaseResampler(from: old, to: rate) {
            resampled = polyphase.resample(rows: wholes)
        } else {
            resampled = wholes.map { whole in
                let count = (Double(whole.count) * old.stepSeconds * rate.hertz).rounded()
                return FourierResampler(count: max(1, Int(count))).resample(whole)
            }
        }
        let band = BiquadCascade.butterworthBandpass(
            order: order, low: low, high: min(high, 0.45 * old.hertz), rate: rate.hertz)
        let ratio = old.hertz / rate.hertz
        return zip(leads, band.zeroPhase(rows: resampled)).map { samples, filtered in
            guard samples.contains(where: { !$0.isFinite }) else { return filtered }
            var result = filtered
            for i in result.indices {
                let nearest = min(samples.count - 1, Int((Double(i) * ratio).rounded()))
                if !samples[nearest].isFinite { result[i] = 0 }
            }
            return result
        }
    }

    private func notes(
        _ recording: Electrocardiogram, _ losses: [Lead: Abstention.Reason], _ quality: Double,
        padding: Int, windows: Int
    ) -> [PreparedECG.Note] {
        var notes: [PreparedECG.Note] = []
        let derived = leads.filter { recording.derived.contains($0) && losses[$0] == nil }
        if !derived.isEmpty {
            let names = derived.map(\.rawValue).joined(separator: ", ")
            notes.append(.init("leads_derived", "\(names) follow from other leads."))
        }
        for lead in leads {
            guard let reason = losses[lead] else { continue }
            let why =
                switch reason {
                case .leadMissing: "is absent"
                case .samplesMissing: "is full of gaps"
                case .flat: "is flat"
                default: "is saturated"
                }
            notes.append(.init(reason.rawValue, "lead \(lead.rawValue) \(why) and taken as zero."))
        }
        if recording.rate != rate {
            notes.append(
                .init(
                    "resampled",
                    "resampled from \(Self.rounded(recording.rate.hertz)) to \(hertz) Hz."))
        }
        if padding > 0 {
            let seconds = Double(padding) * rate.stepSeconds
            notes.append(.init("padded", "\(Self.rounded(seconds)) s of zeros stand before it."))
        }
        if windows > 1 {
            notes.append(.init("windows", "the mean of \(windows) windows of \(seconds) s."))
        }
        if quality < SignalQuality.warning {
            notes.append(.init("quality_warning", "the signal quality is poor."))
        }
        return notes
    }

    /// Missing samples replaced by the last one before them, at the start by the first after them.
    private static func bridged(_ values: [Double]) -> [Double] {
        guard values.contains(where: { !$0.isFinite }) else { return values }
        var last = values.first(where: \.isFinite) ?? 0
        return values.map { value in
            if value.isFinite { last = value }
            return last
        }
    }

    /// Two decimals at most, without a formatter.
    private static func rounded(_ value: Double) -> String {
        guard value.isFinite, abs(value) < 1e12 else { return "\(value)" }
        let text = "\((value * 100).rounded() / 100)"
        return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
    }
}

extension ECGPreparation {
    /// Whether a preparation that was read from a file can be carried out, with bounded memory.
    var isSound: Bool {
        let shares = [missingMaximum, flatMaximum, saturatedMaximum, qualityMinimum]
        return !leads.isEmpty && Set(leads).count == leads.count && (50...1000).contains(hertz)
            && (1...60).contains(seconds) && low > 0 && high > low && high < 0.5 * Double(hertz)
            && (1...8).contains(order) && (1...1000).contains(windowsMaximum)
            && secondsMinimum > 0 && secondsMinimum.isFinite
            && (0...leads.count).contains(lostMaximum) && shares.allSatisfy((0...1).contains)
    }
}
