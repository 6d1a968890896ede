import Learning
import Models
import TestSupport
import Tensors
import Testing

/// The network over groups of series against an independent reference.
@Suite struct TSM2GoldenTests {
    @Test(arguments: GoldenFile.cases("tsm2"), [1, 3])
    func `forecasts, loss and every gradient agree with the reference`(
        path: String, threads: Int
    ) throws {
        try check(path, threads, Double.self)
        try check(path, threads, Float.self)
    }

    private func check<S: Scalar>(_ path: String, _ threads: Int, _: S.Type) throws {
        let run = try TSM2Case<S>(path, threads: threads)
        let golden = run.golden
        run.pass.forward(run.parameters)
        #expect(try golden.excess(of: run.outputs, over: "out/y") <= 1)
        var gradient = Parameters<S>(zeros: run.network.layout)
        let loss = run.step(&gradient)
        #expect(try golden.excess(of: Tensor([], [S(loss)]), over: "out/loss") <= 1)
        for slot in run.network.layout.slots {
            let name = "grad/param/" + slot.name
            guard golden.has(name) else {
                // Weights of sums that nothing reads.
                #expect(gradient[slot].values.allSatisfy { $0 == 0 }, "\(slot.name)")
                continue
            }
            #expect(try golden.excess(of: gradient[slot], over: name) <= 1, "\(slot.name)")
        }
    }

    @Test(arguments: GoldenFile.cases("tsm2_default"))
    func `the default sizes agree with the reference`(path: String) throws {
        try checkDefault(path, Double.self)
        try checkDefault(path, Float.self)
    }

    private func checkDefault<S: Scalar>(_ path: String, _: S.Type) throws {
        let run = try TSM2Case<S>(path, threads: 1)
        run.pass.forward(run.parameters)
        #expect(try run.golden.excess(of: run.outputs, over: "out/y") <= 1)
        var gradient = Parameters<S>(zeros: run.network.layout)
        let loss = run.step(&gradient)
        #expect(try run.golden.excess(of: Tensor([], [S(loss)]), over: "out/loss") <= 1)
        for slot in run.network.layout.slots {
            let norm = Tensor([1], [S(gradient[slot].values.euclideanNorm)])
            let name = "grad_norm/param/" + slot.name
            #expect(try run.golden.excess(of: norm, over: name) <= 1, "\(slot.name)")
        }
    }

    @Test(arguments: GoldenFile.cases("tsm2_steps"))
    func `three steps of training agree with the reference`(path: String) throws {
        try checkSteps(path, Double.self)
        try checkSteps(path, Float.self)
    }

    private func checkSteps<S: Scalar>(_ path: String, _: S.Type) throws {
        let run = try TSM2Case<S>(path, threads: 1)
        let golden = run.golden
        let decayed = try #require(golden.configuration["decayed"] as? [String])
        #expect(Set(run.network.layout.slots.filter(\.isDecayed).map(\.name)) == Set(decayed))
        let training = try #require(golden.configuration["training"] as? [String: Any])
        let peak = try #require(training["rate"] as? Double)
        var optimiser = AdamW<S>(
            run.network.layout, schedule: LearningRateSchedule(peak: peak, steps: 40),
            weightDecay: 0.01)
        var gradient = Parameters<S>(zeros: run.network.layout)
        var (losses, norms): ([S], [S]) = ([], [])
        for _ in 0..<3 {
            losses.append(S(run.step(&gradient)))
            norms.append(S(optimiser.update(&run.parameters, gradient).norm))
        }
        #expect(try golden.excess(of: Tensor([3], losses), over: "out/loss") <= 1)
        #expect(try golden.excess(of: Tensor([3], norms), over: "out/norm") <= 1)
        for slot in run.network.layout.slots {
            let expected: Tensor<Double> = try golden.tensor("out/param/" + slot.name)
            let worst = zip(run.parameters[slot].values, expected.values).map {
                abs(Double($0) - $1)
            }.max()
            let limit =
                S.self == Float.self
                ? golden.stated("float32_parameter_absolute") : golden.tolerance(of: S.self)
            #expect(try #require(worst) <= limit, "\(slot.name)")
        }
    }
}

/// A network, its parameters and its windows, as a golden file has them.
final class TSM2Case<S: Scalar> {
    let golden: GoldenFile
    let network: TSM2Network
    var parameters: Parameters<S>
    let pass: TSM2Pass<S>

    init(_ path: String, threads: Int) throws {
        golden = try GoldenFile(path)
        let model = try #require(golden.configuration["model"] as? [String: Any])
        network = TSM2Network(Self.configuration(model))
        parameters = try Parameters<S>(network.layout, from: golden.checkpoint)
        let (x, target): (Tensor<S>, Tensor<S>) = (
            try golden.tensor("in/x"), try golden.tensor("in/target")
        )
        let (batch, variates) = (x.shape[0], x.shape[2])
        let (steps, horizon) = (x.shape[1], target.shape[1])
        // Window after window, with its future behind it.
        var values: [S] = []
        for variate in 0..<variates {
            for window in 0..<batch {
                values += (0..<steps).map { x[window, $0, variate] }
                values += (0..<horizon).map { target[window, $0, variate] }
            }
        }
        pass = TSM2Pass(
            network, batch: batch, variates: variates, training: true,
            team: Team(threads: threads))
        pass.load(
            TSM2Series(values, variates: variates),
            starts: (0..<batch).map { $0 * (steps + horizon) }, variates: Array(0..<variates))
    }

    /// `[batch, horizon, variate]`
    var outputs: Tensor<S> {
        let y = pass.outputs
        var result = Tensor<S>(zeros: [y.shape[0], y.shape[2], y.shape[1]])
        for window in 0..<y.shape[0] {
            for variate in 0..<y.shape[1] {
                for step in 0..<y.shape[2] {
                    result[window, step, variate] = y[window, variate, step]
                }
            }
        }
        return result
    }

    func step(_ gradient: inout Parameters<S>) -> Double {
        pass.step(parameters, dropoutKey: nil, gradient: &gradient)
    }

    private static func configuration(_ model: [String: Any]) -> TSM2Configuration {
        func integer(_ key: String) -> Int { model[key] as? Int ?? 0 }
        func flag(_ key: String, _ standard: Bool) -> Bool { model[key] as? Bool ?? standard }
        var c = TSM2Configuration(lookback: integer("lookback"), horizon: integer("horizon"))
        (c.patch, c.stride, c.width) = (integer("patch"), integer("stride"), integer("width"))
        (c.layers, c.states) = (integer("layers"), integer("n"))
        c.headRank = integer("head_rank")
        c.mixesVariates = flag("mix_variates", true)
        c.averages = flag("average", true)
        c.isTimeBidirectional = flag("bidirectional_time", false)
        return c
    }
}
