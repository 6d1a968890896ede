import Learning
import Models
import Tensors

/// One optimiser step of SpaceTime at the published sizes: kernels, forward with dropout, the
/// three-term loss, backward, clipping, AdamW.
///
/// Limit: 59 million fused products a window – 16.5 in the MLP, 17.7 in the forecasts, 24.8 in the
/// recurrences and filters over the window, forward and back – are 2.95 billion a step, 38 ms at the 78
/// GMAC/s of a core that does nothing else; 19 million values of GELU come to 8 ms more. Some 150 MB
/// pass between the cores and the last cache. The opponent is the PyTorch reference with hand-written
/// adjoints for the recurrences and a fused AdamW.
enum SpaceTimeTrainStep {
    static let batch = 50

    static let benchmark = Benchmark("spacetime.train-step", threads: .many) { setting in
        let configuration = SpaceTimeConfiguration.paper(lag: 336, horizon: 720)
        var random = RandomStream(seed: 5)
        let network = SpaceTimeNetwork(configuration, &random)
        var parameters: Parameters<Float> = network.begin(&random)
        var gradient = Parameters<Float>(zeros: network.layout)
        var optimiser = AdamW<Float>(
            network.layout, schedule: LearningRateSchedule(peak: 1e-3, steps: 100_000),
            weightDecay: 0.01)
        let pass = SpaceTimePass<Float>(
            network, batch: batch, training: true, team: Team(threads: setting.threads))
        let span = configuration.lag + configuration.horizon
        let series = (0..<batch * span).map { _ in Float(random.normal()) }
        let starts = (0..<batch).map { $0 * span }
        return Contest(
            what: "batch \(batch), lag \(configuration.lag), horizon \(configuration.horizon), "
                + "D \(configuration.width), d \(configuration.d), three-term loss, AdamW",
            work: Work(batch, "windows"),
            ours: Contestant("SpaceTimePass and AdamW") {
                pass.load(series: series, starts: starts[...], futures: true)
                pass.prepare(parameters)
                pass.forward(auxiliary: true, dropoutKey: random.next())
                let loss = pass.loss(gradient: &gradient)
                guard loss.isFinite, optimiser.update(&parameters, gradient).norm.isFinite else {
                    throw BenchmarkError("spacetime.train-step: the loss is no number any more")
                }
            },
            opponents: [
                setting.peers.opponent(
                    "PyTorch reference, eager", script: "numerics.py",
                    workload: "spacetime_train", threads: setting.threads)
            ])
    }
}

/// One forecast of one window by a prepared SpaceTime model, as a worker makes it.
///
/// Limit: 23 million fused products – 5.5 in the MLP, 2.8 in the recurrences over the window, 11.8 in
/// the closed loop after it, the rest in the first block's kernels – are 0.3 ms at 78 GMAC/s.
enum SpaceTimeForecast {
    static let benchmark = Benchmark("spacetime.forecast") { setting in
        let configuration = SpaceTimeConfiguration.paper(lag: 336, horizon: 720)
        var random = RandomStream(seed: 6)
        let network = SpaceTimeNetwork(configuration, &random)
        let prepared = PreparedSpaceTime(
            network, network.begin(&random), horizon: configuration.horizon, batch: 1)
        let window = Tensor<Float>(
            [1, configuration.lag],
            (0..<configuration.lag).map { _ in Float(random.normal()) })
        let opponent = { (name: String, workload: String) in
            setting.peers.opponent(
                name, script: "numerics.py", workload: workload, threads: setting.threads)
        }
        return Contest(
            what: "batch 1, lag \(configuration.lag), horizon \(configuration.horizon), "
                + "D \(configuration.width), d \(configuration.d), prepared",
            work: Work(1, "forecasts"),
            ours: Contestant("PreparedSpaceTime.forecast") {
                keep(prepared.forecast(windows: window))
            },
            opponents: [
                opponent("PyTorch reference, prepared", "spacetime_inference_prepared"),
                opponent("PyTorch reference, from the weights", "spacetime_inference"),
            ])
    }
}
