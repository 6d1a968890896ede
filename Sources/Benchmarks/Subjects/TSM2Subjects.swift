import Learning
import Models
import Tensors

/// The network over groups of series at its default sizes: one optimiser step on 64 windows of seven
/// variates.
///
/// Limit of a step: 18,368 tokens, of 39 thousand fused products each on the way forward and twice that
/// back, and 0.12 billion of the head, are 33 ms at the 69 GMAC/s that a core's products can have; 3.5
/// million registers of scans 8 ms forward and 12 back at the operations they take; some 30 passes over
/// 7 million inner values another 15 (ops/decisions/0018 has the rates).
enum TSM2Subjects {
    static let benchmarks = [train, forecast]

    private static let train = Benchmark("tsm2.train", threads: .many) { setting in
        let trial = TSM2Trial(threads: setting.threads)
        return Contest(
            what: "batch 64, look-back 336, horizon 96, 7 variates, cpu default, dropout, AdamW",
            work: Work(64, "windows"),
            ours: Contestant("TSM2Pass.step and AdamW") { try trial.step() },
            opponents: [
                setting.peers.opponent(
                    "PyTorch reference, eager", script: "numerics.py", workload: "tsm2_train",
                    threads: setting.threads)
            ])
    }

    private static let forecast = Benchmark("tsm2.forecast") { _ in
        let network = TSM2Network(TSM2Configuration(horizon: 96))
        var random = RandomStream(seed: 9)
        let prepared = PreparedTSM2<Float>(network, network.begin(&random), variates: 7)
        let series = TSM2Series<Float>(
            (0..<7 * 1000).map { _ in Float(random.normal()) }, variates: 7)
        let starts = (0..<64).map { $0 * 8 }
        return Contest(
            what: "64 windows of 7 variates, look-back 336, horizon 96, one core",
            work: Work(64, "windows"),
            ours: Contestant("PreparedTSM2.forecast") {
                keep(prepared.forecast(series, starts: starts).values)
            }, opponents: [])
    }
}

/// A network, random series and an optimiser.
private final class TSM2Trial {
    private let pass: TSM2Pass<Float>
    private let series: TSM2Series<Float>
    private let starts = (0..<64).map { $0 * 8 }
    private let variates = Array(0..<7)
    private var random = RandomStream(seed: 8)
    private var (parameters, gradient): (Parameters<Float>, Parameters<Float>)
    private var optimiser: AdamW<Float>

    init(threads: Int) {
        let network = TSM2Network(TSM2Configuration(horizon: 96))
        parameters = network.begin(&random)
        gradient = Parameters(zeros: network.layout)
        optimiser = AdamW(
            network.layout, schedule: LearningRateSchedule(peak: 1e-3, steps: 100_000),
            weightDecay: 0.01)
        var values: [Float] = []
        for _ in 0..<7 * 1000 { values.append(Float(random.normal())) }
        series = TSM2Series(values, variates: 7)
        pass = TSM2Pass(
            network, batch: 64, variates: 7, training: true, team: Team(threads: threads))
    }

    func step() throws {
        pass.load(series, starts: starts, variates: variates)
        let loss = pass.step(parameters, dropoutKey: random.next(), gradient: &gradient)
        guard loss.isFinite, optimiser.update(&parameters, gradient).norm.isFinite else {
            throw BenchmarkError("tsm2.train: the loss is no number any more")
        }
    }
}
