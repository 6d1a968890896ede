internal import Models
internal import Series
internal import Tensors

/// The recordings that a network learns from, scaled, and what it is to say of them.
struct NetworkExamples: Sendable {
    /// Each between 0 and 1, `[recordings][classes]`; nil where it is not known.
    typealias Targets = [[Float?]]

    /// In 1/mV, `[leads]`.
    let scales: [Float]
    /// `[classes]`, `clip(√(negatives/positives), 1, 10)` over those that are known.
    let positiveWeights: [Double]
    private let recordings: [PreparedECG]
    private let targets: Targets

    /// - Parameters:
    ///   - recordings: All there are.
    ///   - targets: Of all of them.
    ///   - training: Numbers of those to learn from; at least one.
    ///   - scales: Of a network that has learnt before; from the recordings where nil.
    init(
        _ recordings: [PreparedECG], _ targets: Targets, _ training: [Int], scales: [Float]? = nil
    ) {
        self.recordings = recordings
        self.targets = targets
        self.scales =
            scales
            ?? recordings[training[0]].leads.indices.map { lead in
                var (sum, count) = (0.0, 0)
                for index in training {
                    let prepared = recordings[index]
                    let start = lead * prepared.sampleCount
                    for value in prepared.windows[0][start..<start + prepared.sampleCount] {
                        sum += Double(value * value)
                    }
                    count += prepared.sampleCount
                }
                return Float(1 / max(1e-3, (sum / Double(count)).squareRoot()))
            }
        positiveWeights = targets[training[0]].indices.map { k in
            let known = training.compactMap { targets[$0][k] }
            let positives = known.reduce(0) { $0 + Double($1) }
            guard positives > 0 else { return 10 }
            return min(10, max(1, ((Double(known.count) - positives) / positives).squareRoot()))
        }
    }

    /// Labels as targets.
    static func targets(_ recordings: [LabelledECG]) -> Targets {
        recordings.map { recording in
            recording.labels.map { label in label.map { $0 ? 1 : 0 } }
        }
    }

    /// Fills a batch with changed windows of some recordings.
    func fill(
        _ batch: inout RecordingBatch<Float>, _ chosen: [Int], _ augmentation: ECGAugmentation,
        threads: Int, _ random: inout RandomStream
    ) {
        let key = random.next()
        let filled = ParallelMap.map(chosen.count, threads: threads) { place in
            var own = RandomStream(seed: key).stream(UInt64(place))
            return window(recordings[chosen[place]], augmentation, &own)
        }
        let classes = batch.sizes.classes
        for (place, index) in chosen.enumerated() {
            batch.signals.replaceSubrange(batch.signalRange(place), with: filled[place].window)
            batch.padding[place] = filled[place].padding
            for (k, target) in targets[index].enumerated() {
                batch.targets[place * classes + k] = target ?? 0
                batch.weights[place * classes + k] = target == nil ? 0 : 1
            }
        }
    }

    private func window(
        _ prepared: PreparedECG, _ augmentation: ECGAugmentation, _ random: inout RandomStream
    ) -> (window: [Float], padding: Int) {
        var window = prepared.windows[random.integer(below: prepared.windows.count)]
        let samples = prepared.sampleCount
        for (lead, scale) in scales.enumerated() {
            for i in lead * samples..<(lead + 1) * samples { window[i] *= scale }
        }
        var target = [Float](repeating: 0, count: window.count)[...]
        let padding = augmentation.apply(
            window, padding: prepared.padding, samples: samples, hertz: prepared.rate.hertz,
            into: &target, &random)
        return (Array(target), padding)
    }
}

extension RecordingBatch<Float> {
    /// Mixes every recording with the next one (MixUp); a target is known where both are.
    mutating func mix(by share: Double) {
        let part = Float(max(share, 1 - share))
        let old = self
        let classes = sizes.classes
        for record in 0..<count {
            let other = (record + 1) % count
            let (mine, theirs) = (signalRange(record), signalRange(other))
            for (i, j) in zip(mine, theirs) {
                signals[i] = part * old.signals[i] + (1 - part) * old.signals[j]
            }
            padding[record] = min(old.padding[record], old.padding[other])
            for k in 0..<classes {
                let (i, j) = (record * classes + k, other * classes + k)
                targets[i] = part * old.targets[i] + (1 - part) * old.targets[j]
                weights[i] = min(old.weights[i], old.weights[j])
            }
        }
    }
}
