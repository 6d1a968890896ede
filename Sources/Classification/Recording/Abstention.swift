/// Why a recording is not classified: a word for tables and one sentence for people.
package struct Abstention: Error, Hashable, Sendable, CustomStringConvertible {
    /// Why, as a word that stays the same in all versions.
    package enum Reason: String, Hashable, Sendable, CaseIterable {
        /// The sampling rate is too low to tell a QRS complex, or has no ratio to the model's.
        case rate = "rate_unsupported"
        case tooShort = "too_short"
        case leadMissing = "lead_missing"
        case samplesMissing = "samples_missing"
        case flat = "lead_flat"
        case saturated = "lead_saturated"
        case quality = "quality_low"
    }

    package let reason: Reason
    package let description: String
    /// 0…1, as `SignalQuality.score`; nil where nothing came so far.
    package let quality: Double?

    /// The reason as tables show it.
    package var code: String { reason.rawValue }

    init(_ reason: Reason, _ description: String, quality: Double? = nil) {
        self.reason = reason
        self.description = description
        self.quality = quality
    }
}
