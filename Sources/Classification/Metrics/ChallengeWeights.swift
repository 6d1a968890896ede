/// The rewards of the PhysioNet/CinC Challenge 2021 between its 26 scored diagnoses.
///
/// - Source: `weights.csv` of physionetchallenges/evaluation-2021, commit e2a75fc01f72, BSD-2-Clause
///   (Copyright PhysioNet Challenges). Diagnoses that it scores alike are one class, by its header row.
package enum ChallengeWeights {
    /// The SNOMED CT codes of every class; the first is its name.
    package static let codes: [[String]] = [
        ["164889003"], ["164890007"], ["6374002"],
        ["426627000"], ["733534002", "164909002"], ["713427006", "59118001"],
        ["270492004"], ["713426002"], ["39732003"],
        ["445118002"], ["164947007"], ["251146004"],
        ["111975006"], ["698252002"], ["426783006"],
        ["284470004", "63593006"], ["10370003"], ["365413008"],
        ["427172004", "17338001"], ["164917005"], ["47665007"],
        ["427393009"], ["426177001"], ["427084000"],
        ["164934002"], ["59931005"],
    ]

    /// Of sinus rhythm.
    package static let sinusCode = "426783006"

    /// The lower triangle with its diagonal, row by row, in ten-thousandths; the whole is
    /// symmetric.
    private static let triangle: [[Int]] = [
        [10000],
        [5000, 10000],
        [4750, 4750, 10000],
        [3000, 3000, 3250, 10000],
        [4750, 4750, 4750, 3250, 10000],
        [4000, 4000, 4250, 4000, 4250, 10000],
        [3000, 3000, 3250, 5000, 3250, 4000, 10000],
        [3000, 3000, 3250, 5000, 3250, 4000, 5000, 10000],
        [3500, 3500, 3750, 4500, 3750, 4500, 4500, 4500, 10000],
        [3500, 3500, 3750, 4500, 3750, 4500, 4500, 4500, 5000, 10000],
        [3000, 3000, 3250, 5000, 3250, 4000, 5000, 5000, 4500, 4500, 10000],
        [4250, 4250, 4500, 3750, 4500, 4750, 3750, 3750, 4250, 4250, 3750, 10000],
        [4500, 4500, 4750, 3500, 4750, 4500, 3500, 3500, 4000, 4000, 3500, 4750, 10000],
        [3500, 3500, 3750, 4500, 3750, 4500, 4500, 4500, 5000, 5000, 4500, 4250, 4000, 10000],
        [
            2500, 2500, 2750, 4500, 2750, 3500, 4500, 4500, 4000, 4000, 4500, 3250, 3000, 4000,
            10000,
        ],
        [
            3375, 3375, 3625, 4625, 3625, 4375, 4625, 4625, 4875, 4875, 4625, 4125, 3875, 4875,
            4125, 10000,
        ],
        [
            3750, 3750, 4000, 4250, 4000, 4750, 4250, 4250, 4750, 4750, 4250, 4500, 4250, 4750,
            3750, 4625, 10000,
        ],
        [
            4250, 4250, 4500, 3750, 4500, 4750, 3750, 3750, 4250, 4250, 3750, 4750, 4750, 4250,
            3250, 4125, 4500, 10000,
        ],
        [
            3750, 3750, 4000, 4250, 4000, 4750, 4250, 4250, 4750, 4750, 4250, 4500, 4250, 4750,
            3750, 4625, 5000, 4500, 10000,
        ],
        [
            4000, 4000, 3750, 2000, 3750, 3000, 2000, 2000, 2500, 2500, 2000, 3250, 3500, 2500,
            1500, 2375, 2750, 3250, 2750, 10000,
        ],
        [
            3500, 3500, 3750, 4500, 3750, 4500, 4500, 4500, 5000, 5000, 4500, 4250, 4000, 5000,
            4000, 4875, 4750, 4250, 4750, 2500, 10000,
        ],
        [
            3000, 3000, 3250, 5000, 3250, 4000, 5000, 5000, 4500, 4500, 5000, 3750, 3500, 4500,
            4500, 4625, 4250, 3750, 4250, 2000, 4500, 10000,
        ],
        [
            3000, 3000, 3250, 5000, 3250, 4000, 5000, 5000, 4500, 4500, 5000, 3750, 3500, 4500,
            4500, 4625, 4250, 3750, 4250, 2000, 4500, 5000, 10000,
        ],
        [
            3750, 3750, 4000, 4250, 4000, 4750, 4250, 4250, 4750, 4750, 4250, 4500, 4250, 4750,
            3750, 4625, 5000, 4500, 5000, 2750, 4750, 4250, 4250, 10000,
        ],
        [
            5000, 5000, 4750, 3000, 4750, 4000, 3000, 3000, 3500, 3500, 3000, 4250, 4500, 3500,
            2500, 3375, 3750, 4250, 3750, 4000, 3500, 3000, 3000, 3750, 10000,
        ],
        [
            5000, 5000, 4750, 3000, 4750, 4000, 3000, 3000, 3500, 3500, 3000, 4250, 4500, 3500,
            2500, 3375, 3750, 4250, 3750, 4000, 3500, 3000, 3000, 3750, 5000, 10000,
        ],
    ]

    /// The reward for saying class k of a recording with class j, 0…1.
    ///
    /// - Parameters:
    ///   - j: Number of a class in `codes`.
    ///   - k: Number of another.
    /// - Returns: 1 on the diagonal.
    package static func weight(_ j: Int, _ k: Int) -> Double {
        Double(triangle[max(j, k)][min(j, k)]) / 10_000
    }

    /// The number of the class that a SNOMED CT code belongs to; nil for one that is not scored.
    package static func index(ofCode code: String) -> Int? {
        codes.firstIndex { $0.contains(code) }
    }

    /// The metric over the classes that `codes` tell, for a classifier that knows no others.
    ///
    /// - Parameter codes: SNOMED CT codes of distinct scored classes, sinus rhythm among them.
    /// - Returns: Nil where one is not scored, or sinus rhythm is missing.
    package static func metric(codes: [String]) -> ChallengeMetric? {
        let numbers = codes.compactMap { index(ofCode: $0) }
        let sinus = codes.firstIndex { index(ofCode: $0) == index(ofCode: sinusCode) }
        guard numbers.count == codes.count, let sinus else { return nil }
        return ChallengeMetric(
            weights: numbers.map { j in numbers.map { weight(j, $0) } }, sinus: sinus)
    }
}
