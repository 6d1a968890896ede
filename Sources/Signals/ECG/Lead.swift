/// One of the twelve standard leads of an electrocardiogram, in their customary order.
package enum Lead: String, CaseIterable, Codable, Sendable {
    // The names are those of the field, capitals and all.
    // swift-format-ignore: AlwaysUseLowerCamelCase
    case I, II, III, aVR, aVL, aVF, V1, V2, V3, V4, V5, V6

    /// A lead by any of its usual names, whatever the case: `I`, `Lead II`, `ECG aVR`, `DIII`, `C1` for
    /// V1, `MDC_ECG_LEAD_V1`. Nil for others, among them inverted leads (`-aVR`) and modified ones
    /// (`MLII`), whose electrodes are elsewhere.
    package init?(spelled text: some StringProtocol) {
        let lower = text.lowercased()
        guard !lower.hasPrefix("-") else { return nil }
        let words = lower.split { !$0.isLetter && !$0.isNumber }
            .filter { !["lead", "ecg", "ekg", "mdc", "einthoven"].contains($0) }
        guard words.count == 1, let lead = Self.names[String(words[0])] else { return nil }
        self = lead
    }

    private static let names: [String: Lead] = {
        var names: [String: Lead] = ["di": .I, "dii": .II, "diii": .III]
        for lead in allCases {
            let name = lead.rawValue.lowercased()
            names[name] = lead
            if name.hasPrefix("v") { names["c" + name.dropFirst()] = lead }
        }
        return names
    }()

    /// The six leads of the limbs, which two of them determine.
    package static let limbs: [Lead] = [.I, .II, .III, .aVR, .aVL, .aVF]
}
