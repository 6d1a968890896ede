import Learning
import Models
import TestSupport
import Tensors
import Testing

/// The network against an independent reference: values, loss and every gradient.
@Suite struct SpaceTimeGoldenTests {
    @Test func `all twelve cases are there`() {
        #expect(GoldenFile.cases("spacetime").count == 12)
    }

    @Test(arguments: GoldenFile.cases("spacetime"), [1, 3])
    func `double precision agrees with the reference`(path: String, threads: Int) throws {
        try check(path, Double.self, threads: threads)
    }

    @Test(arguments: GoldenFile.cases("spacetime"))
    func `single precision agrees with the reference`(path: String) throws {
        try check(path, Float.self, threads: 1)
    }

    private func check<S: Scalar>(_ path: String, _: S.Type, threads: Int) throws {
        let golden = try GoldenFile(path)
        let auxiliary = golden.configuration["auxiliary"] as? Bool ?? true
        let run = try GoldenRun<S>(golden, threads: threads)
        var gradient = Parameters<S>(zeros: run.network.layout)
        let loss = run.loss(auxiliary: auxiliary, gradient: &gradient)
        #expect(try golden.excess(of: Tensor<S>([], [S(loss)]), over: "out/loss") <= 1)
        #expect(try golden.excess(of: run.pass.forecasts, over: "out/forecast") <= 1)
        for slot in run.network.layout.slots {
            let excess = try golden.excess(of: gradient[slot], over: "grad/param/" + slot.name)
            #expect(excess <= 1, "\(slot.name)")
        }

        // What the decoder sees and predicts is looked at before the backward pass reuses its place.
        run.pass.prepare(run.parameters)
        run.pass.forward(auxiliary: true)
        #expect(try golden.excess(of: run.pass.oneStep, over: "out/one_step") <= 1)
        #expect(try golden.excess(of: run.pass.encoded, over: "out/encoded") <= 1)
        #expect(try golden.excess(of: run.pass.encodedNext, over: "out/encoded_next") <= 1)
    }

    @Test func `default sizes agree in single precision`() throws {
        try checkDefault(Float.self)
    }

    @Test func `default sizes agree in double precision`() throws {
        try checkDefault(Double.self)
    }

    private func checkDefault<S: Scalar>(_: S.Type) throws {
        let golden = try GoldenFile("spacetime_default/spacetime")
        let run = try GoldenRun<S>(golden, threads: 2)
        var gradient = Parameters<S>(zeros: run.network.layout)
        let loss = run.loss(auxiliary: true, gradient: &gradient)
        #expect(try golden.excess(of: Tensor<S>([], [S(loss)]), over: "out/loss") <= 1)
        #expect(try golden.excess(of: run.pass.forecasts, over: "out/forecast") <= 1)
        #expect(try golden.excess(of: run.pass.oneStep, over: "out/one_step") <= 1)
        for slot in run.network.layout.slots {
            let (g, p) = (gradient[slot].values, run.parameters[slot].values)
            let dot = zip(g, p).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
            let norm = Tensor<S>([1], [S(g.euclideanNorm)])
            #expect(try golden.excess(of: norm, over: "grad_norm/param/" + slot.name) <= 1)
            #expect(
                try golden.excess(of: Tensor<S>([1], [S(dot)]), over: "grad_dot/param/" + slot.name)
                    <= 1)
        }
    }

    @Test(arguments: GoldenFile.cases("spacetime_training"))
    func `three steps of training agree with the reference`(path: String) throws {
        try checkTraining(path, Double.self)
        try checkTraining(path, Float.self)
    }

    private func checkTraining<S: Scalar>(_ path: String, _: S.Type) throws {
        let golden = try GoldenFile(path)
        let auxiliary = golden.configuration["auxiliary"] as? Bool ?? true
        let run = try GoldenRun<S>(golden, threads: 1)
        let decayed = try #require(golden.configuration["decayed"] as? [String])
        #expect(run.network.layout.slots.filter(\.isDecayed).map(\.name) == decayed)
        var optimiser = AdamW<S>(
            run.network.layout, schedule: LearningRateSchedule(peak: 1e-3, steps: 40),
            weightDecay: 0.01)
        var gradient = Parameters<S>(zeros: run.network.layout)
        var (losses, norms, rates): ([S], [S], [S]) = ([], [], [])
        for _ in 0..<3 {
            losses.append(S(run.loss(auxiliary: auxiliary, gradient: &gradient)))
            let (norm, rate) = optimiser.update(&run.parameters, gradient)
            norms.append(S(norm))
            rates.append(S(rate))
        }
        #expect(try golden.excess(of: Tensor([3], losses), over: "out/loss") <= 1)
        #expect(try golden.excess(of: Tensor([3], norms), over: "out/norm") <= 1)
        #expect(try golden.excess(of: Tensor([3], rates), over: "out/rate") <= 1)
        for slot in run.network.layout.slots {
            let name = "out/param/" + slot.name
            if S.self == Double.self {
                #expect(try golden.excess(of: run.parameters[slot], over: name) <= 1, "\(name)")
            } else {
                let expected: Tensor<Double> = try golden.tensor(name)
                let worst = zip(run.parameters[slot].values, expected.values).map {
                    abs(Double($0) - $1)
                }.max()
                #expect(try #require(worst) <= golden.stated("float32_parameter_absolute"))
            }
        }
    }
}

/// A network with the weights and windows of a golden file.
final class GoldenRun<S: Scalar> {
    let network: SpaceTimeNetwork
    let pass: SpaceTimePass<S>
    var parameters: Parameters<S>

    init(_ golden: GoldenFile, threads: Int) throws {
        let model = try #require(golden.configuration["model"] as? [String: Any])
        var configuration = SpaceTimeConfiguration(
            lag: try #require(model["lag"] as? Int),
            horizon: try #require(model["horizon"] as? Int),
            groups: try #require(model["groups"] as? Int), d: try #require(model["d"] as? Int),
            dropout: 0,
            transform: try #require(
                SpaceTimeConfiguration.Transform(rawValue: model["transform"] as? String ?? "")))
        configuration.variates = try #require(model["variates"] as? Int)
        configuration.encoderBlocks = try #require(model["encoder_blocks"] as? Int)
        let weights = try #require(model["loss_weights"] as? [Double])
        configuration.lossWeights.forecast = weights[0]
        configuration.lossWeights.oneStep = weights[1]
        configuration.lossWeights.nextInput = weights[2]
        let windows = try golden.checkpoint.integers("buffer/blocks.0.preprocess.windows")
        network = SpaceTimeNetwork(configuration, preprocess: Preprocess(windows: windows))
        parameters = try Parameters(network.layout, from: golden.checkpoint)
        let series: Tensor<S> = try golden.tensor("in/series")
        pass = SpaceTimePass(
            network, batch: series.shape[0] + 1, training: true, team: Team(threads: threads))
        pass.load(windows: series, futures: try golden.tensor("in/future"))
    }

    func loss(auxiliary: Bool, gradient: inout Parameters<S>) -> Double {
        pass.prepare(parameters)
        pass.forward(auxiliary: auxiliary)
        return pass.loss(gradient: &gradient)
    }
}
