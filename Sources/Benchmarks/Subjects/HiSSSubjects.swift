import Learning
import Models
import Tensors

/// The hierarchical model at its default sizes: one optimiser step on sixteen sequences, and a stream of
/// samples that come one by one.
///
/// Limit of a step: 0.42 billion fused products forward and twice that back – 0.2 in the low level's map to
/// twice its width, 0.17 in Mamba's maps, the rest at both ends – are 16 ms at the 78 GMAC/s of a core that
/// does nothing else; 1.5 million values each of norm, GELU and gate, forward and back, come to some 8 ms,
/// the scans to 6. A sample of a stream takes 25 thousand products on its way to the low level's last state:
/// 0.3 µs, were they a matrix's and not a vector's.
enum HiSSSubjects {
    static let benchmarks = [train, stream]

    private static let train = Benchmark("hiss.train", threads: .many) { setting in
        let trial = HiSSTrial(threads: setting.threads)
        return Contest(
            what: "batch 16, 150 chunks of 10, 6 inputs, cpu default, dropout, AdamW",
            work: Work(16, "sequences"),
            ours: Contestant("HiSSPass.step and AdamW") { try trial.step() },
            opponents: [
                setting.peers.opponent(
                    "PyTorch reference, eager", script: "numerics.py", workload: "hiss_train",
                    threads: setting.threads)
            ])
    }

    private static let stream = Benchmark("hiss.stream") { _ in
        let network = HiSSNetwork(.standard(inputs: 6, outputs: 2))
        var random = RandomStream(seed: 9)
        let prepared = PreparedHiSS<Float>(network, network.begin(&random))
        var states = [HiSSState<Float>](repeating: prepared.initialState, count: 200)
        let second = (0..<600).map { _ in Float(random.normal()) }
        return Contest(
            what: "200 streams of six axes at 100 Hz, a second of each, one core",
            work: Work(20_000, "samples"),
            ours: Contestant("PreparedHiSS.append") {
                for index in states.indices {
                    keep(prepared.append(second, to: &states[index]))
                }
            }, opponents: [])
    }
}

/// A network, random sequences and an optimiser.
private final class HiSSTrial {
    private let pass: HiSSPass<Float>
    private let batch: HiSSBatch<Float>
    private var random = RandomStream(seed: 8)
    private var (parameters, gradient): (Parameters<Float>, Parameters<Float>)
    private var optimiser: AdamW<Float>

    init(threads: Int) {
        let network = HiSSNetwork(.standard(inputs: 6, outputs: 2))
        parameters = network.begin(&random)
        gradient = Parameters(zeros: network.layout)
        optimiser = AdamW(
            network.layout, schedule: LearningRateSchedule(peak: 1e-3, steps: 100_000),
            weightDecay: 0.01, rateLimits: network.rateLimits)
        var batch = HiSSBatch<Float>(network.configuration, count: 16, length: 150)
        for i in batch.inputs.indices { batch.inputs[i] = Float(random.normal()) }
        for i in batch.targets.indices { batch.targets[i] = Float(random.normal()) }
        self.batch = batch
        pass = HiSSPass(
            network, batch: 16, length: 150, training: true, team: Team(threads: threads))
    }

    func step() throws {
        pass.load(batch, sequences: 0..<16)
        let loss = pass.step(parameters, dropoutKey: random.next(), gradient: &gradient)
        guard loss.isFinite, optimiser.update(&parameters, gradient).norm.isFinite else {
            throw BenchmarkError("hiss.train: the loss is no number any more")
        }
    }
}
