import Learning
import Models
import Tensors

/// The tiny ECG Mamba on recordings of 10 s at 100 Hz: logits of one and of thirty-two, and one
/// optimiser step on thirty-two.
///
/// Limit: 23 million fused products a recording, since the last block's output is needed at the class
/// token alone, are 0.29 ms at the 78 GMAC/s of a core; 1.3 million decays, states and outputs come to
/// 0.2 ms, other exponentials to 0.1. A step takes about three times that and the states once more.
enum ECGMambaSubjects {
    static let benchmarks = [
        forward(1), forward(32), recordings,
        Benchmark("ecg.train-step", threads: .many) { setting in
            let trial = ECGTrial(batch: 32, training: true, threads: setting.threads)
            return Contest(
                what: "tiny ECG Mamba, 12 x 1000, batch 32, dropout, AdamW",
                work: Work(32, "recordings"),
                ours: Contestant("RecordingPass.step and AdamW") { try trial.step() },
                opponents: [
                    setting.peers.opponent(
                        "PyTorch reference, eager", script: "numerics.py",
                        workload: "ecg_train_32", threads: setting.threads)
                ])
        },
    ]

    /// The same network beside one of the size of xresnet1d101, which leads the published comparisons on
    /// PTB-XL, in the runtime that such networks are usually served by: on one core each.
    private static let recordings = Benchmark("ecg.recordings") { setting in
        let trial = ECGTrial(batch: 32, training: false, threads: 1)
        func opponent(_ name: String, _ workload: String, batch: Int) -> Opponent {
            setting.peers.opponent(
                name, script: "runtime.py", workload: workload,
                arguments: ["32", "\(batch)", "1000", "26"], threads: 1)
        }
        return Contest(
            what: "tiny ECG Mamba, 32 recordings of 12 x 1000, one core",
            work: Work(32, "recordings"),
            ours: Contestant("RecordingPass.forward") { trial.forward() },
            opponents: [
                opponent("xresnet1d101 in ONNX Runtime, all at once", "xresnet1d101", batch: 32),
                opponent("xresnet1d101, one by one", "xresnet1d101-single", batch: 1),
            ])
    }

    private static func forward(_ batch: Int) -> Benchmark {
        Benchmark("ecg.forward-\(batch)", threads: batch > 1 ? .many : .one) { setting in
            let trial = ECGTrial(batch: batch, training: false, threads: setting.threads)
            return Contest(
                what: "tiny ECG Mamba, 12 x 1000, batch \(batch)",
                work: Work(batch, "recordings"),
                ours: Contestant("RecordingPass.forward") { trial.forward() },
                opponents: [
                    setting.peers.opponent(
                        "PyTorch reference, eager", script: "numerics.py",
                        workload: "ecg_inference_\(batch)", threads: setting.threads)
                ])
        }
    }
}

/// A network, random recordings and an optimiser.
private final class ECGTrial {
    private let pass: any RecordingPass<Float>
    private let batch: RecordingBatch<Float>
    private var random = RandomStream(seed: 7)
    private var (parameters, statistics, gradient):
        (
            Parameters<Float>, Parameters<Float>, Parameters<Float>
        )
    private var optimiser: AdamW<Float>

    init(batch count: Int, training: Bool, threads: Int) {
        let network = ECGMamba(.tiny(classes: 26))
        parameters = network.begin(&random)
        statistics = network.beginStatistics()
        gradient = Parameters(zeros: network.layout)
        optimiser = AdamW(
            network.layout, schedule: LearningRateSchedule(peak: 1e-3, steps: 100_000),
            weightDecay: 0.05)
        var batch = RecordingBatch<Float>(sizes: network.sizes, count: count)
        for i in batch.signals.indices { batch.signals[i] = Float(random.normal()) }
        for i in batch.targets.indices { batch.targets[i] = random.uniform() < 0.1 ? 1 : 0 }
        self.batch = batch
        pass = network.makePass(batch: count, training: training, team: Team(threads: threads))
        pass.prepare(parameters, statistics: statistics)
    }

    func forward() {
        pass.load(batch, records: 0..<batch.count)
        pass.forward()
        keep(pass.logits)
    }

    func step() throws {
        pass.load(batch, records: 0..<batch.count)
        pass.prepare(parameters, statistics: statistics)
        let loss = pass.step(
            RecordingStep(positiveWeights: nil, dropoutKey: random.next()), gradient: &gradient,
            statistics: &statistics)
        guard loss.isFinite, optimiser.update(&parameters, gradient).norm.isFinite else {
            throw BenchmarkError("ecg.train-step: the loss is no number any more")
        }
    }
}
