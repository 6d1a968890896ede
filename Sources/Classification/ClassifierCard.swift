/// What a user has to know of a classifier: where it comes from, how good it is on recordings it was
/// not trained on, and what it is not for.
package struct ClassifierCard: Hashable, Sendable, Codable {
    /// The one use that any classifier of this program is made for.
    package static let researchOnly = "research_only"

    /// Recordings of one origin.
    package struct Source: Hashable, Sendable, Codable {
        package let name: String
        package let recordings: Int
        package let patients: Int
        /// Recordings that were refused, and took no part.
        package let refused: Int
        /// The mean AUROC over classes with at least `positivesMinimum` recordings of this source
        /// with and without them; nil where there is none.
        package let auroc: Estimate?
        /// How many classes that mean is over.
        package let classes: Int
        /// The same of the regression on nearness (`ecg-kernel`) that learnt from all other sources;
        /// over the classes that these tell. Nil where there is none.
        package var unseen: Estimate?
    }

    /// One class of the classifier.
    package struct ClassRecord: Hashable, Sendable, Codable {
        package let abbreviation: String
        /// Recordings of sources that tell this class, with and without it.
        package let positives: Int
        package let negatives: Int
        package let auroc: Estimate
        package let auprc: Estimate
        package let fMeasure: Estimate
        package let reliability: Reliability
    }

    /// A figure over several classes.
    package struct Summary: Hashable, Sendable, Codable {
        /// Which, such as `macro AUROC, superclasses`.
        package let name: String
        package let estimate: Estimate
    }

    package var intendedUse = ClassifierCard.researchOnly
    package var title = ""
    /// How the figures came about, in one sentence.
    package var protocolText = ""
    package var licence = ""
    package var sources: [Source] = []
    package var classes: [ClassRecord] = []
    package var summaries: [Summary] = []
    /// Chosen settings by name.
    package var settings: [String: String] = [:]
    package var limits: [String] = []
    package var seed: UInt64 = 0
    /// The digest of labels and recordings; empty where unknown.
    package var dataDigest = ""
    /// The revision of the program that fitted it; empty where unknown.
    package var codeVersion = ""
    /// Versions of the program's parts, by name.
    package var software: [String: String] = [:]

    package init() {}

    /// A source's mean is over classes with as many positives, and as many negatives, at least.
    package static let positivesMinimum = 5

    /// A summary by its name.
    package func summary(_ name: String) -> Estimate? {
        summaries.first { $0.name == name }?.estimate
    }
}
