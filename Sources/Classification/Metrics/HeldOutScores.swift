/// Logits of recordings that were not trained on, beside what is known of them.
struct HeldOutScores: Sendable {
    /// `[recordings][classes]`
    let logits: [[Double]]
    /// `[recordings][classes]`; nil where it is not known.
    let labels: [[Bool?]]

    var classCount: Int { labels.first?.count ?? 0 }

    /// Those of some recordings.
    func part(_ recordings: [Int]) -> HeldOutScores {
        HeldOutScores(
            logits: recordings.map { logits[$0] }, labels: recordings.map { labels[$0] })
    }

    /// Those of one class whose label is known: numbers of recordings, logits, labels.
    func known(_ index: Int) -> (recordings: [Int], logits: [Double], labels: [Bool]) {
        var result: (recordings: [Int], logits: [Double], labels: [Bool]) = ([], [], [])
        for (recording, row) in labels.enumerated() {
            guard let label = row[index] else { continue }
            result.recordings.append(recording)
            result.logits.append(logits[recording][index])
            result.labels.append(label)
        }
        return result
    }

    /// The mean AUROC over the classes where it is defined.
    var macroAUROC: Double {
        (0..<classCount).map { index in
            let known = known(index)
            return RankingMetrics(scores: known.logits, labels: known.labels).auroc
        }.meanOfDefined
    }
}
