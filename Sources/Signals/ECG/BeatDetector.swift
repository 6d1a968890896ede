package import Series

/// Finds the heart beats of an electrocardiogram by the steepness of the QRS complex.
///
/// The band in which it lies is squared and smoothed over its width; beats are the peaks above a
/// threshold between the running levels of beats and of noise, and where none came for long, the
/// largest peak that was passed over.
///
/// - Source: Pan and Tompkins, "A real-time QRS detection algorithm", IEEE Trans. Biomed. Eng. 32, 1985,
///   with filters without phase since whole recordings are at hand.
package struct BeatDetector: Sendable {
    /// The least time between two beats, in seconds.
    package static let refractorySeconds = 0.2
    /// The lowest sampling rate at which a QRS complex is told, in hertz.
    package static let hertzMinimum = 50.0

    private let hertz: Double
    private let band: BiquadCascade

    /// Nil for a rate below `hertzMinimum`.
    package init?(rate: SamplingRate) {
        hertz = rate.hertz
        guard hertz >= Self.hertzMinimum else { return nil }
        band = BiquadCascade.butterworthBandpass(
            order: 2, low: 5, high: min(15, 0.4 * hertz), rate: hertz)
    }

    /// The beats of one lead, or those that several leads of one recording tell together.
    ///
    /// - Parameter leads: `[leads][samples]`, of one length; missing samples are NaN.
    /// - Returns: Samples at the steepest deflection of every beat, ascending.
    package func beats(in leads: [[Double]]) -> [Int] {
        guard let count = leads.map(\.count).min(), Double(count) > hertz else { return [] }
        return beats(in: steepness(of: leads.map { Array($0.prefix(count)) })[...])
    }

    /// A lead as the detector sees it.
    struct Steepness: Sendable {
        /// In the band of the QRS complex.
        fileprivate let wave: [Double]
        /// `[samples]`, the squared slope over the typical power; nil for a lead that is flat.
        fileprivate let energy: [Double]?
    }

    /// What beats are told by, lead by lead; all of one length, longer than a second.
    func steepness(of leads: [[Double]]) -> [Steepness] {
        band.zeroPhase(rows: leads.map { Self.bridged($0) }).map { wave in
            // Leads of large amplitude do not outvote the others, nor does an artefact its lead.
            let power = typical(wave) { wave, stretch in
                wave.sum(stretch) { $0 * $0 } / Double(stretch.count)
            }
            guard power > 1e-12 else { return Steepness(wave: wave, energy: nil) }
            let weight = 1 / power
            var energy = [Double](repeating: 0, count: wave.count)
            for i in 1..<wave.count - 1 {
                let slope = wave[i + 1] - wave[i - 1]
                energy[i] = slope * slope * weight
            }
            return Steepness(wave: wave, energy: energy)
        }
    }

    /// The beats that several leads tell together, or one alone.
    func beats(in leads: ArraySlice<Steepness>) -> [Int] {
        guard let count = leads.first?.wave.count else { return [] }
        var energies = leads.compactMap(\.energy)[...]
        var energy = energies.popFirst() ?? [Double](repeating: 0, count: count)
        for own in energies { energy = energy.combined(own, +) }
        let smooth = Self.smoothed(energy, width: max(1, Int(0.15 * hertz)))
        let reach = Int(0.1 * hertz)
        return peaks(of: smooth).map { peak in
            // The middle of the smoothed hump is not the beat; the largest deflection near it is.
            let first = max(0, peak - reach)
            var deflections = [Double](repeating: 0, count: min(count, peak + reach + 1) - first)
            for lead in leads {
                for i in deflections.indices { deflections[i] += abs(lead.wave[first + i]) }
            }
            var best = (place: peak, deflection: -1.0)
            for (i, deflection) in deflections.enumerated() where deflection > best.deflection {
                best = (first + i, deflection)
            }
            return best.place
        }
    }

    /// The median over stretches of a second and a half, each of which should have a beat.
    private func typical(
        _ values: [Double], _ measure: ([Double], Range<Int>) -> Double
    ) -> Double {
        let stretch = Int(1.5 * hertz)
        let levels = stride(from: 0, to: max(1, values.count - stretch / 2), by: stretch).map {
            measure(values, $0..<min(values.count, $0 + stretch))
        }.sorted()
        return levels[levels.count / 2]
    }

    /// Missing samples replaced by the last one before them, at the start by the first after them.
    static func bridged(_ values: [Double]) -> [Double] {
        guard values.contains(where: { !$0.isFinite }) else { return values }
        var last = values.first(where: \.isFinite) ?? 0
        return values.map { value in
            if value.isFinite { last = value }
            return last
        }
    }

    /// The sum of `width` samples around each one.
    private static func smoothed(_ values: [Double], width: Int) -> [Double] {
        let count = values.count
        // Four quarters are summed up side by side: one sum alone waits for itself at every step.
        let quarter = (count + 3) / 4
        var sums = [Double](repeating: 0, count: 4 * quarter + 1)
        var running = (0.0, 0.0, 0.0, 0.0)
        func value(_ i: Int) -> Double { i < count ? values[i] : 0 }
        for i in 0..<quarter {
            running.0 += value(i)
            running.1 += value(quarter + i)
            running.2 += value(2 * quarter + i)
            running.3 += value(3 * quarter + i)
            sums[i + 1] = running.0
            sums[quarter + i + 1] = running.1
            sums[2 * quarter + i + 1] = running.2
            sums[3 * quarter + i + 1] = running.3
        }
        for part in 1..<4 {
            let before = sums[part * quarter]
            for i in part * quarter + 1..<(part + 1) * quarter + 1 { sums[i] += before }
        }
        var smooth = [Double](repeating: 0, count: count)
        for i in smooth.indices {
            smooth[i] = sums[min(count, i - width / 2 + width)] - sums[max(0, i - width / 2)]
        }
        return smooth
    }

    /// The peaks that are beats.
    private func peaks(of energy: [Double]) -> [Int] {
        let candidates = Self.localMaxima(energy, apart: Int(Self.refractorySeconds * hertz))
        // Levels to begin with, from all of the recording: it may begin with an artefact.
        var beat = typical(energy) { $0.extremes($1).high }
        var noise = typical(energy) { $0.sum($1) / Double($1.count) } / 2
        guard beat > 0 else { return [] }
        var found: [Int] = []
        var passed: [Int] = []
        for peak in candidates {
            let threshold = noise + 0.25 * (beat - noise)
            if let missed = missed(before: peak, found, passed, energy, threshold / 2) {
                beat = 0.25 * energy[missed] + 0.75 * beat
                found.append(missed)
                passed.removeAll { $0 <= missed }
            }
            if energy[peak] > noise + 0.25 * (beat - noise) {
                beat = 0.125 * min(energy[peak], 4 * beat) + 0.875 * beat
                found.append(peak)
                passed = []
            } else {
                noise = 0.125 * energy[peak] + 0.875 * noise
                passed.append(peak)
            }
        }
        return found
    }

    /// The largest peak that was passed over, where a beat is overdue.
    private func missed(
        before peak: Int, _ found: [Int], _ passed: [Int], _ energy: [Double], _ threshold: Double
    ) -> Int? {
        guard let last = found.last, found.count > 2 else { return nil }
        let recent = found.suffix(9)
        let interval = Double(last - recent[recent.startIndex]) / Double(recent.count - 1)
        guard Double(peak - last) > 1.66 * interval,
            let best = passed.max(by: { energy[$0] < energy[$1] }), energy[best] > threshold
        else { return nil }
        return best
    }

    /// Maxima of which no larger one lies within `apart` samples, ascending.
    private static func localMaxima(_ values: [Double], apart: Int) -> [Int] {
        var kept: [Int] = []
        for i in values.indices.dropFirst().dropLast()
        where values[i] > values[i - 1] && values[i] >= values[i + 1] {
            if let last = kept.last, i - last < apart {
                if values[i] > values[last] { kept[kept.count - 1] = i }
            } else {
                kept.append(i)
            }
        }
        return kept
    }
}
