internal import Foundation
internal import Series
internal import Tensors

/// How a classifier computes its logits.
package enum ClassifierFamily: String, Hashable, Sendable, Codable, CaseIterable {
    /// Random convolutions and logistic regression.
    case rocket = "ecg-rocket"
    /// Measures of the rhythm and of the usual beat, and logistic regression.
    case beats = "ecg-beats"
    /// Random convolutions and measures of the beats in one logistic regression.
    case linear = "ecg-linear"
    /// How near a recording is in measures of the beats to those that were learnt from.
    case kernel = "ecg-kernel"
    case mamba = "ecg-mamba"
    case resnet = "ecg-resnet"
    /// A weighted mean of the calibrated logits of several.
    case ensemble = "ecg-ensemble"
}

/// A fitted classifier with everything that turns a recording into calibrated findings: what it wants
/// of a recording, weights, calibration, thresholds, and the record of how it came about.
package struct FittedClassifier: Sendable {
    package let family: ClassifierFamily
    /// What it tells, in the order of its findings.
    package let classes: [DiagnosisClass]
    /// What it wants of a recording.
    package let preparation: ECGPreparation
    /// The probabilities from which findings are positive, one a class.
    package let thresholds: [Double]
    /// One a class.
    package let calibration: [ClassCalibration]
    package let card: ClassifierCard
    let members: [ClassifierMember]

    init(
        family: ClassifierFamily, classes: [DiagnosisClass], preparation: ECGPreparation,
        thresholds: [Double], calibration: [ClassCalibration], card: ClassifierCard,
        members: [ClassifierMember]
    ) {
        precondition(
            thresholds.count == classes.count && calibration.count == classes.count
                && !members.isEmpty, "FittedClassifier: \(classes.count) classes")
        self.family = family
        self.classes = classes
        self.preparation = preparation
        self.thresholds = thresholds
        self.calibration = calibration
        self.card = card
        self.members = members
    }

    /// The findings of recordings.
    ///
    /// - Parameters:
    ///   - recordings: As `preparation` makes them.
    ///   - threads: How many are classified at once, from 1; the findings do not depend on it.
    /// - Returns: `[recordings][classes]`
    package func classify(_ recordings: [PreparedECG], threads: Int) -> [[Finding]] {
        logits(recordings, threads: threads).map { row in
            row.indices.map { index in
                Finding(
                    index: index, probability: calibration[index].probability(row[index]),
                    threshold: thresholds[index])
            }
        }
    }

    /// The logits of recordings before calibration: the weighted mean over members.
    ///
    /// - Parameters:
    ///   - recordings: As `preparation` makes them.
    ///   - threads: How many are classified at once, from 1.
    /// - Returns: `[recordings][classes]`
    package func logits(_ recordings: [PreparedECG], threads: Int) -> [[Double]] {
        for recording in recordings {
            precondition(
                recording.leads == preparation.leads && recording.rate == preparation.rate
                    && recording.sampleCount == preparation.sampleCount,
                "FittedClassifier: a recording that was prepared for another model")
        }
        var sums = recordings.map { _ in [Double](repeating: 0, count: classes.count) }
        let beats = beatFeatures.map { features in
            ParallelMap.map(recordings.count, threads: threads) {
                features.features(recordings[$0])
            }
        }
        for member in members {
            let found = member.logits(recordings, beats: beats, threads: threads)
            for (index, row) in found.enumerated() {
                for k in row.indices { sums[index][k] += member.weight * row[k] }
            }
        }
        return sums
    }

    /// Describes the beats for all members at once; nil where at most one asks for them.
    private var beatFeatures: BeatFeatures? {
        members.count(where: \.measuresBeats) > 1 ? BeatFeatures(preparation) : nil
    }

    /// How much each piece of a recording speaks for a class: how far the logit falls when the piece
    /// is replaced by the line of rest.
    ///
    /// - Parameters:
    ///   - recording: As `preparation` makes it.
    ///   - index: Number of the class.
    ///   - seconds: The length of a piece; the last one is shorter where it does not fit.
    ///   - threads: How many pieces are tried at once, from 1.
    /// - Returns: `[leads][pieces]` of the first window, in logits; above 0 what speaks for it.
    package func attribution(
        _ recording: PreparedECG, class index: Int, window seconds: Double, threads: Int = 1
    ) -> [[Double]] {
        precondition(classes.indices.contains(index), "attribution: class \(index)")
        let length = max(1, Int((seconds * recording.rate.hertz).rounded()))
        let count = (recording.sampleCount + length - 1) / length
        let window = recording.windows[0]
        let single = recording.firstWindow
        var changed = [single]
        for lead in recording.leads.indices {
            for piece in 0..<count {
                let start = lead * recording.sampleCount + piece * length
                let end = min(start + length, (lead + 1) * recording.sampleCount)
                var other = window
                for i in start..<end { other[i] = 0 }
                changed.append(single.replacing(other))
            }
        }
        let found = logits(changed, threads: threads).map { $0[index] }
        return recording.leads.indices.map { lead in
            (0..<count).map { found[0] - found[1 + lead * count + $0] }
        }
    }
}
