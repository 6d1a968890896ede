/// One thing that a classifier can find in an electrocardiogram.
package struct DiagnosisClass: Hashable, Sendable, Codable {
    /// The value of `system` for codes of SNOMED CT.
    package static let snomed = "SNOMED CT"
    /// The value of `system` for the diagnostic superclasses of PTB-XL, such as `MI`.
    package static let superclass = "PTB-XL superclass"

    /// Its code in `system`, such as `164889003`.
    package let code: String
    package let system: String
    /// A short name that is unique within a model, such as `AF`.
    package let abbreviation: String
    /// In words, such as `atrial fibrillation`.
    package let name: String

    package init(code: String, system: String, abbreviation: String, name: String) {
        self.code = code
        self.system = system
        self.abbreviation = abbreviation
        self.name = name
    }
}

/// What a classifier says about one class and one recording.
package struct Finding: Hashable, Sendable {
    /// Number of the class in `FittedClassifier.classes`.
    package let index: Int
    /// Calibrated, 0…1.
    package let probability: Double
    /// The probability from which the finding is positive, chosen on recordings not trained on.
    package let threshold: Double

    package var isPositive: Bool { probability >= threshold }

    package init(index: Int, probability: Double, threshold: Double) {
        self.index = index
        self.probability = probability
        self.threshold = threshold
    }
}
