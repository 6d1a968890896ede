internal import Tensors

/// One model whose logits a classifier adds up.
struct ClassifierMember: Sendable {
    /// How the logits come about.
    enum Model: Sendable {
        case linear(LinearModel)
        case kernel(KernelModel)
        case network(NetworkModel)
    }

    /// Its share in the classifier's logits.
    var weight: Double
    /// Brings the logits of different models to one scale, one a class.
    var calibration: [ClassCalibration]
    let model: Model

    /// Whether it asks how the beats of a recording are.
    var measuresBeats: Bool {
        switch model {
        case .linear(let linear): linear.features.beats != nil
        case .kernel: true
        case .network: false
        }
    }

    /// - Parameters:
    ///   - recordings: Prepared for this model.
    ///   - beats: What is known of the beats of each already; nil where nothing is.
    ///   - threads: How many are worked on at once.
    /// - Returns: `[recordings][classes]`, on the common scale.
    func logits(
        _ recordings: [PreparedECG], beats: [BeatFeatures.Description]? = nil, threads: Int
    ) -> [[Double]] {
        let found =
            switch model {
            case .linear(let linear):
                ParallelMap.map(recordings.count, threads: threads) {
                    linear.logits(recordings[$0], beats: beats?[$0])
                }
            case .kernel(let kernel):
                ParallelMap.map(recordings.count, threads: threads) {
                    kernel.logits(recordings[$0], beats: beats?[$0])
                }
            case .network(let network): network.logits(recordings, threads: threads)
            }
        return found.map { row in zip(calibration, row).map { $0.logit($1) } }
    }
}
