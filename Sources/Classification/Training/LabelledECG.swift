/// A recording to learn from or to judge by.
package struct LabelledECG: Sendable {
    package let name: String
    package let source: String
    /// Recordings of one patient are never on both sides of a split.
    package let patient: String
    /// One a class; nil where it is not known.
    package let labels: [Bool?]
    package let prepared: PreparedECG

    package init(
        name: String, source: String, patient: String, labels: [Bool?], prepared: PreparedECG
    ) {
        self.name = name
        self.source = source
        self.patient = patient
        self.labels = labels
        self.prepared = prepared
    }
}

/// Recordings dealt out so that every patient is in one fold, and every source and rare class in all.
package struct PatientFolds: Sendable {
    /// The fold of each recording.
    package let fold: [Int]
    package let count: Int

    /// Deals patients with rare classes first, each into the fold that has fewest of the kind.
    ///
    /// - Parameters:
    ///   - recordings: In any order; the folds depend on names, not on the order.
    ///   - count: How many folds.
    package init(_ recordings: [LabelledECG], count: Int) {
        precondition(count > 1, "PatientFolds: \(count)")
        let classes = recordings.first?.labels.count ?? 0
        let frequency = (0..<classes).map { k in recordings.count { $0.labels[k] == true } }
        var members: [String: [Int]] = [:]
        for (index, recording) in recordings.enumerated() {
            members[recording.patient, default: []].append(index)
        }
        let groups = members.map { patient, indices in
            let present = (0..<classes).filter { k in
                indices.contains { recordings[$0].labels[k] == true }
            }
            let rarest = present.min { (frequency[$0], $0) < (frequency[$1], $1) }
            return (patient: patient, indices: indices, rarest: rarest)
        }.sorted { a, b in
            let first = a.rarest.map { frequency[$0] } ?? .max
            let second = b.rarest.map { frequency[$0] } ?? .max
            return (first, a.patient) < (second, b.patient)
        }
        struct Kind: Hashable {
            let source: String
            let rarest: Int?
        }
        var dealt: [Kind: [Int]] = [:]
        var totals = [Int](repeating: 0, count: count)
        var fold = [Int](repeating: 0, count: recordings.count)
        for group in groups {
            let sources = group.indices.map { recordings[$0].source }
            let kind = Kind(source: sources.min() ?? "", rarest: group.rarest)
            var alike = dealt[kind] ?? [Int](repeating: 0, count: count)
            let chosen =
                (0..<count).min { (alike[$0], totals[$0], $0) < (alike[$1], totals[$1], $1) } ?? 0
            alike[chosen] += group.indices.count
            totals[chosen] += group.indices.count
            dealt[kind] = alike
            for index in group.indices { fold[index] = chosen }
        }
        self.fold = fold
        self.count = count
    }

    /// The recordings outside of a fold, ascending.
    func outside(_ number: Int) -> [Int] { fold.indices.filter { fold[$0] != number } }

    /// The recordings of a fold, ascending.
    func inside(_ number: Int) -> [Int] { fold.indices.filter { fold[$0] == number } }
}
