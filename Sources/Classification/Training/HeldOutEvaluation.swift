internal import Tensors

/// Judges logits of recordings that were not trained on, with intervals.
///
/// Calibration and thresholds that a figure depends on were fitted on the other folds.
struct HeldOutEvaluation: Sendable {
    let classes: [DiagnosisClass]
    let recordings: [LabelledECG]
    let folds: PatientFolds
    let scores: HeldOutScores
    /// Calibrated by the other folds, `[recordings][classes]`.
    let probabilities: [[Double]]
    /// By thresholds of the other folds, `[recordings][classes]`.
    let decisions: [[Bool]]
    private let bootstrap: Bootstrap
    private let threads: Int

    /// - Parameters:
    ///   - classes: What is told.
    ///   - recordings: In the order of `logits`.
    ///   - folds: Of the recordings; a row of logits comes from a model that did not see its fold.
    ///   - logits: `[recordings][classes]`
    ///   - draws: Of the bootstrap.
    ///   - seed: Of the bootstrap.
    ///   - threads: Draws that are computed at once.
    init(
        _ classes: [DiagnosisClass], _ recordings: [LabelledECG], _ folds: PatientFolds,
        logits: [[Double]], draws: Int, seed: UInt64, threads: Int
    ) {
        self.classes = classes
        self.recordings = recordings
        self.folds = folds
        self.threads = threads
        scores = HeldOutScores(logits: logits, labels: recordings.map(\.labels))
        var probabilities = logits
        var decisions = logits.map { $0.map { _ in false } }
        for fold in 0..<folds.count {
            let others = folds.outside(fold)
            let tuning = ClassifierTuning(
                classes,
                HeldOutScores(
                    logits: others.map { logits[$0] },
                    labels: others.map { recordings[$0].labels }))
            for index in folds.inside(fold) {
                probabilities[index] = tuning.probabilities(logits[index])
                decisions[index] = zip(probabilities[index], tuning.thresholds).map { $0 >= $1 }
            }
        }
        self.probabilities = probabilities
        self.decisions = decisions
        let names = Set(recordings.map(\.patient)).sorted()
        let numbers = Dictionary(uniqueKeysWithValues: zip(names, 0...))
        bootstrap = Bootstrap(
            groups: recordings.map { numbers[$0.patient] ?? 0 }, draws: draws, seed: seed)
    }

    /// One record a class.
    var classRecords: [ClassifierCard.ClassRecord] {
        classes.indices.map { index in
            let known = scores.known(index)
            let ranking = Ranking(known.recordings, known.logits, known.labels)
            let chosen = known.recordings.map { decisions[$0][index] }
            let stated = known.recordings.map { probabilities[$0][index] }
            let labels = known.labels
            let numbers = known.recordings
            return ClassifierCard.ClassRecord(
                abbreviation: classes[index].abbreviation, positives: labels.count { $0 },
                negatives: labels.count { !$0 },
                auroc: estimate { ranking.metrics($0).auroc },
                auprc: estimate { ranking.metrics($0).auprc },
                fMeasure: estimate { Self.fMeasure(chosen, labels, numbers, $0) },
                reliability: Reliability(stated, labels))
        }
    }

    /// The figures over several classes.
    var summaries: [ClassifierCard.Summary] {
        var result: [ClassifierCard.Summary] = []
        for group in groups {
            result += macro(group.name, group.rankings)
            if !group.classes.isEmpty { result.append(fMeasure(group.name, group.classes)) }
        }
        if let challenge { result.append(challenge) }
        return result
    }

    /// The mean AUROC of every group of classes, for a part of a model.
    func rankings(of part: String) -> [ClassifierCard.Summary] {
        groups.map { macro("\($0.name), \(part)", $0.rankings)[0] }
    }

    /// How much higher the mean AUROC of every group of classes is than another model's on the same
    /// drawn sets of patients.
    ///
    /// - Parameters:
    ///   - other: Of the same recordings and seed.
    ///   - name: Of the other model.
    /// - Returns: One a group.
    func differences(from other: HeldOutEvaluation, named name: String) -> [ClassifierCard.Summary]
    {
        zip(groups, other.groups).map { mine, theirs in
            let (mine, theirs, group) = (mine.rankings, theirs.rankings, mine.name)
            return ClassifierCard.Summary(
                name: "macro AUROC, \(group), less that of \(name)",
                estimate: estimate { counts in
                    mine.map { $0.metrics(counts).auroc }.meanOfDefined
                        - theirs.map { $0.metrics(counts).auroc }.meanOfDefined
                })
        }
    }

    /// Classes that a mean is taken over; none where the labels are others.
    private var groups: [(name: String, classes: [Int], rankings: [Ranking])] {
        let superclass = classes.indices.filter { classes[$0].system == DiagnosisClass.superclass }
        let snomed = classes.indices.filter { classes[$0].system == DiagnosisClass.snomed }
        var result: [(name: String, classes: [Int], rankings: [Ranking])] = []
        for (name, chosen) in [("superclasses", superclass), ("SNOMED CT classes", snomed)]
        where !chosen.isEmpty {
            let rankings = chosen.map { index in
                let known = scores.known(index)
                return Ranking(known.recordings, known.logits, known.labels)
            }
            result.append((name, chosen, rankings))
        }
        guard !snomed.isEmpty else { return result }
        let normal = classes.indices.filter { classes[$0].abbreviation == "NORM" }
        let rankings = (normal + snomed).map { index in
            Ranking(
                Array(recordings.indices), scores.logits.map { $0[index] },
                recordings.map { $0.labels[index] ?? false })
        }
        let name = "\(rankings.count) labels, not told counts as absent"
        return result + [(name, [], rankings)]
    }

    private func macro(_ name: String, _ rankings: [Ranking]) -> [ClassifierCard.Summary] {
        [
            ClassifierCard.Summary(
                name: "macro AUROC, \(name)",
                estimate: estimate { counts in
                    rankings.map { $0.metrics(counts).auroc }.meanOfDefined
                }),
            ClassifierCard.Summary(
                name: "macro AUPRC, \(name)",
                estimate: estimate { counts in
                    rankings.map { $0.metrics(counts).auprc }.meanOfDefined
                }),
        ]
    }

    private func fMeasure(_ name: String, _ chosen: [Int]) -> ClassifierCard.Summary {
        let rows = chosen.map { index in
            let known = scores.known(index)
            return (known.recordings.map { decisions[$0][index] }, known.labels, known.recordings)
        }
        return ClassifierCard.Summary(
            name: "macro F-measure, \(name)",
            estimate: estimate { counts in
                rows.map { Self.fMeasure($0.0, $0.1, $0.2, counts) }.meanOfDefined
            })
    }

    /// The Challenge metric over the classes that are scored; what is not told counts as absent.
    private var challenge: ClassifierCard.Summary? {
        let scored = classes.indices.filter {
            ChallengeWeights.index(ofCode: classes[$0].code) != nil
        }
        guard let metric = ChallengeWeights.metric(codes: scored.map { classes[$0].code }) else {
            return nil
        }
        let labels = recordings.map { recording in scored.map { recording.labels[$0] ?? false } }
        let chosen = decisions.map { row in scored.map { row[$0] } }
        let inactive = labels.map { row in row.indices.map { $0 == metric.sinus } }
        let credits = labels.indices.map { i in
            (
                metric.credit(chosen[i], labels[i]), metric.credit(labels[i], labels[i]),
                metric.credit(inactive[i], labels[i])
            )
        }
        return ClassifierCard.Summary(
            name: "Challenge metric, \(scored.count) scored classes",
            estimate: estimate { counts in
                var (found, truth, least) = (0.0, 0.0, 0.0)
                for (count, credit) in zip(counts, credits) {
                    found += Double(count) * credit.0
                    truth += Double(count) * credit.1
                    least += Double(count) * credit.2
                }
                return truth == least ? 0 : (found - least) / (truth - least)
            })
    }

    /// One record a source, by name; `refused` says how many recordings of each took no part, `unseen`
    /// how well each was told by a model that learnt from the others.
    func sources(
        refused: [String: Int], unseen: [String: Estimate] = [:]
    ) -> [ClassifierCard.Source] {
        Set(recordings.map(\.source)).union(refused.keys).sorted().map { source in
            let inside = recordings.indices.filter { recordings[$0].source == source }
            let rankings = rankings(
                of: inside, Array(classes.indices), inside.map { scores.logits[$0] })
            return ClassifierCard.Source(
                name: source, recordings: inside.count,
                patients: Set(inside.map { recordings[$0].patient }).count,
                refused: refused[source] ?? 0,
                auroc: auroc(rankings), classes: rankings.count, unseen: unseen[source])
        }
    }

    /// Whether enough of some recordings have, and have not, one of these classes.
    func hasMeanOf(_ inside: [Int], _ chosen: [Int]) -> Bool {
        !rankings(of: inside, chosen, inside.map { scores.logits[$0] }).isEmpty
    }

    /// The mean AUROC of some recordings over those classes that enough of them have, and have not;
    /// nil where there is none.
    func auroc(of inside: [Int], _ chosen: [Int], _ logits: [[Double]]) -> Estimate? {
        auroc(rankings(of: inside, chosen, logits))
    }

    private func auroc(_ rankings: [Ranking]) -> Estimate? {
        guard !rankings.isEmpty else { return nil }
        return estimate { counts in rankings.map { $0.metrics(counts).auroc }.meanOfDefined }
    }

    private func rankings(
        of inside: [Int], _ chosen: [Int], _ logits: [[Double]]
    ) -> [Ranking] {
        let least = ClassifierCard.positivesMinimum
        return chosen.compactMap { index in
            let known = inside.indices.filter { recordings[inside[$0]].labels[index] != nil }
            let labels = known.map { recordings[inside[$0]].labels[index] ?? false }
            guard labels.count(where: { $0 }) >= least, labels.count(where: { !$0 }) >= least
            else { return nil }
            return Ranking(known.map { inside[$0] }, known.map { logits[$0][index] }, labels)
        }
    }

    private func estimate(_ statistic: @escaping @Sendable ([Int]) -> Double) -> Estimate {
        let once = [Int](repeating: 1, count: recordings.count)
        return bootstrap.estimate(statistic(once), threads: threads, statistic)
    }

    private static func fMeasure(
        _ decisions: [Bool], _ labels: [Bool], _ numbers: [Int], _ counts: [Int]
    ) -> Double {
        var (hits, errors) = (0, 0)
        for i in decisions.indices {
            if decisions[i], labels[i] { hits += counts[numbers[i]] }
            if decisions[i] != labels[i] { errors += counts[numbers[i]] }
        }
        return 2 * hits + errors == 0 ? .nan : Double(2 * hits) / Double(2 * hits + errors)
    }
}

/// Recordings in the order of one class's logits, so that drawn sets need no sorting.
private struct Ranking: Sendable {
    private let order: [Int]
    private let logits: [Double]
    private let labels: [Bool]
    private let numbers: [Int]

    init(_ numbers: [Int], _ logits: [Double], _ labels: [Bool]) {
        order = logits.indices.sorted { logits[$0] > logits[$1] }
        self.logits = logits
        self.labels = labels
        self.numbers = numbers
    }

    /// `counts` says how often each recording is in the set.
    func metrics(_ counts: [Int]) -> RankingMetrics {
        RankingMetrics(order: order, logits, labels) { counts[numbers[$0]] }
    }
}

/// Calibration and thresholds, fitted on logits of recordings that were not trained on.
struct ClassifierTuning: Sendable {
    let calibration: [ClassCalibration]
    let thresholds: [Double]

    init(_ classes: [DiagnosisClass], _ scores: HeldOutScores) {
        let known = classes.indices.map { scores.known($0) }
        let calibration = known.map { ClassCalibration(fitting: $0.logits, $0.labels) }
        var thresholds = zip(known, calibration).map { known, calibration in
            Thresholds.best(known.logits.map { calibration.probability($0) }, known.labels)
        }
        let scored = classes.indices.filter {
            ChallengeWeights.index(ofCode: classes[$0].code) != nil
        }
        if let metric = ChallengeWeights.metric(codes: scored.map { classes[$0].code }) {
            let ascended = Thresholds.ascended(
                from: scored.map { thresholds[$0] },
                scores.logits.map { row in
                    scored.map { calibration[$0].probability(row[$0]) }
                },
                scores.labels.map { row in scored.map { row[$0] ?? false } }, metric)
            for (index, threshold) in zip(scored, ascended) { thresholds[index] = threshold }
        }
        self.calibration = calibration
        self.thresholds = thresholds
    }

    /// Calibrated, one a class.
    func probabilities(_ logits: [Double]) -> [Double] {
        zip(calibration, logits).map { $0.probability($1) }
    }
}
