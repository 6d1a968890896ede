/// Why a recording is no usable electrocardiogram. Its description is one sentence; its code is what
/// tables show.
package enum ElectrocardiogramError: Error, Equatable, Sendable, CustomStringConvertible {
    case noLeads(signals: Int)
    case empty
    case duplicateLead(Lead)
    case differentRates
    case unknownUnit(Lead, found: String)
    /// The typical deflection, in millivolts by the header's unit, is none that a heart makes.
    case suspectUnit(millivolts: Double)
    /// The limb leads contradict each other: what is left of their identities, as a share of them.
    case inconsistentLeads(residual: Double)

    /// A word that stays the same in all versions.
    package var code: String {
        switch self {
        case .noLeads: "no_leads"
        case .empty: "no_samples"
        case .duplicateLead: "lead_duplicate"
        case .differentRates: "rate_differs"
        case .unknownUnit: "unit_unknown"
        case .suspectUnit: "unit_suspect"
        case .inconsistentLeads: "lead_inconsistent"
        }
    }

    package var description: String {
        switch self {
        case .noLeads(let signals):
            "none of the \(signals) signals has the name of a standard lead, such as II or V1."
        case .empty: "the recording has no samples."
        case .duplicateLead(let lead): "two signals are named lead \(lead.rawValue)."
        case .differentRates: "the leads have different sampling rates; one is accepted."
        case .unknownUnit(let lead, let found):
            "lead \(lead.rawValue) is in \"\(found.prefix(20))\"; accepted are mV, uV, V and nV."
        case .suspectUnit(let millivolts):
            "a typical deflection is \(Self.rounded(millivolts)) mV, where 0.1 to 20 mV are "
                + "plausible: the unit or the gain is wrong."
        case .inconsistentLeads(let residual):
            "the limb leads contradict each other by \(Self.rounded(100 * residual)) %: leads are "
                + "swapped, inverted or scaled."
        }
    }

    /// Three digits, without a formatter.
    private static func rounded(_ value: Double) -> String {
        guard value.isFinite, abs(value) < 1e15 else { return "\(value)" }
        var scale = 1.0
        while scale < 1e6, abs(value) * scale < 100 { scale *= 10 }
        return "\((value * scale).rounded() / scale)"
    }
}
