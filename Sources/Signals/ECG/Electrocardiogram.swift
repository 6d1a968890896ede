package import Series

/// The standard leads of a recording in millivolts, mapped by name and checked against each other.
///
/// Leads that follow from others are derived (III = II − I and the augmented ones); the rest stays
/// absent, and no position in the file says which lead a signal is.
///
/// - Source: Kligfield et al., "Recommendations for the standardization and interpretation of the
///   electrocardiogram, part I", 2007, for the identities of the limb leads.
package struct Electrocardiogram: Sendable {
    package let rate: SamplingRate
    package let sampleCount: Int
    /// `[sampleCount]` a lead, in millivolts, NaN where missing.
    package private(set) var leads: [Lead: [Double]]
    /// Those that the recording did not have.
    package private(set) var derived: Set<Lead> = []
    /// Signals that are no standard lead, by name.
    package let otherSignals: [String]

    /// The largest share of the limb leads that may be left of their identities.
    package static let residualMaximum = 0.3
    /// The least and the largest typical deflection, in millivolts.
    package static let plausibleDeflection = 0.1...20.0

    package init(_ recording: Recording) throws(ElectrocardiogramError) {
        var found: [Lead: Int] = [:]
        var others: [String] = []
        for (index, signal) in recording.signals.enumerated() {
            guard let lead = Lead(spelled: signal.channel.name) else {
                others.append(signal.channel.name)
                continue
            }
            guard found.updateValue(index, forKey: lead) == nil else {
                throw .duplicateLead(lead)
            }
        }
        guard let first = found.values.min() else {
            throw .noLeads(signals: recording.signals.count)
        }
        let rate = recording.signals[first].rate
        var leads: [Lead: [Double]] = [:]
        for (lead, index) in found {
            let signal = recording.signals[index]
            guard signal.rate == rate else { throw .differentRates }
            guard let factor = Self.millivolts(per: signal.channel.unit) else {
                throw .unknownUnit(lead, found: signal.channel.unit.symbol)
            }
            let values = recording.physical(index)
            leads[lead] = factor == 1 ? values : values.map { $0 * factor }
        }
        let count = leads.values.map(\.count).max() ?? 0
        guard count > 0, leads.values.contains(where: { $0.contains(where: \.isFinite) }) else {
            throw .empty
        }
        // A lead that ends early is missing from there on.
        self.leads = leads.mapValues { lead in
            lead.count == count ? lead : lead + repeatElement(.nan, count: count - lead.count)
        }
        self.rate = rate
        sampleCount = count
        otherSignals = others
        deriveLimbs()
        try checkDeflection()
        try checkLimbs()
    }

    /// How many millivolts a unit is; nil for another quantity.
    private static func millivolts(per unit: PhysicalUnit) -> Double? {
        switch unit.symbol.lowercased() {
        case "mv": 1
        case "uv", "µv", "μv": 1e-3
        case "v": 1e3
        case "nv": 1e-6
        default: nil
        }
    }

    /// Fills in what two limb leads determine.
    private mutating func deriveLimbs() {
        func derive(_ lead: Lead, _ a: Lead, _ b: Lead, _ rule: (Double, Double) -> Double) {
            guard leads[lead] == nil, let first = leads[a], let second = leads[b] else { return }
            leads[lead] = first.combined(second, rule)
            derived.insert(lead)
        }
        derive(.III, .I, .II) { $1 - $0 }
        derive(.II, .I, .III) { $0 + $1 }
        derive(.I, .II, .III) { $0 - $1 }
        derive(.aVR, .I, .II) { -($0 + $1) / 2 }
        derive(.aVL, .I, .II) { $0 - $1 / 2 }
        derive(.aVF, .I, .II) { $1 - $0 / 2 }
    }

    /// Refuses a unit that no heart has: the median over the leads of the range between the 1st and
    /// the 99th percentile. Leads that are flat altogether say nothing about the unit.
    private func checkDeflection() throws(ElectrocardiogramError) {
        let ranges = leads.values.compactMap { lead -> Double? in
            let isWhole = lead.allSatisfy(\.isFinite)
            let finite = isWhole ? lead : lead.filter(\.isFinite)
            guard let first = finite.first, finite.contains(where: { $0 != first }) else {
                return nil
            }
            let ends = finite.ordered(
                at: [(finite.count - 1) / 100, (finite.count - 1) * 99 / 100])
            return ends[1] - ends[0]
        }.sorted()
        guard !ranges.isEmpty else { return }
        let typical = ranges[ranges.count / 2]
        guard Self.plausibleDeflection.contains(typical) else {
            throw .suspectUnit(millivolts: typical)
        }
    }

    /// Refuses limb leads that contradict each other, where more were recorded than determine all.
    private func checkLimbs() throws(ElectrocardiogramError) {
        let recorded = Lead.limbs.filter { leads[$0] != nil && !derived.contains($0) }
        guard recorded.count > 2, let one = leads[.I], let two = leads[.II] else { return }
        var pairs: [[Double]] = []
        for lead in recorded {
            guard let found = leads[lead] else { continue }
            switch lead {
            case .III: pairs += [found, one.combined(two) { $1 - $0 }]
            case .aVR: pairs += [found, one.combined(two) { -($0 + $1) / 2 }]
            case .aVL: pairs += [found, one.combined(two) { $0 - $1 / 2 }]
            case .aVF: pairs += [found, one.combined(two) { $1 - $0 / 2 }]
            default: continue
            }
        }
        for residual in residuals(pairs) where residual > Self.residualMaximum {
            throw .inconsistentLeads(residual: residual)
        }
    }

    /// The deviation of each second row from the one before it from 1 to 40 Hz, as a share of the larger
    /// one's own; 0 where both are all but flat. Each lead may have a baseline of its own.
    private func residuals(_ pairs: [[Double]]) -> [Double] {
        let band = BiquadCascade.butterworthBandpass(
            order: 1, low: min(1, 0.1 * rate.hertz), high: min(40, 0.4 * rate.hertz),
            rate: rate.hertz)
        let waves = band.zeroPhase(rows: pairs.map { BeatDetector.bridged($0) })
        return stride(from: 0, to: waves.count, by: 2).map { index in
            let (a, b) = (waves[index], waves[index + 1])
            let size = max(a.deviation, b.deviation)
            return size < 0.01 ? 0 : a.combined(b, -).deviation / size
        }
    }
}
