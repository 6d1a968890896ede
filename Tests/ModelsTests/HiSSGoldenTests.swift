import Learning
import Models
import TestSupport
import Tensors
import Testing

/// The hierarchical network against an independent reference.
@Suite struct HiSSGoldenTests {
    @Test(arguments: GoldenFile.cases("hiss"), [1, 3])
    func `predictions, loss and every gradient agree with the reference`(
        path: String, threads: Int
    ) throws {
        try check(path, threads, Double.self)
        try check(path, threads, Float.self)
    }

    private func check<S: Scalar & Codable>(_ path: String, _ threads: Int, _: S.Type) throws {
        let run = try HiSSCase<S>(path, threads: threads)
        let golden = run.golden
        run.pass.forward(run.parameters)
        #expect(try golden.excess(of: run.pass.outputs, over: "out/y") <= 1)
        let stream = PreparedHiSS(run.network, run.parameters)
        var (states, predictions): ([HiSSState<S>], [S]) = ([], [])
        let size = run.batch.inputs.count / run.batch.count
        for sequence in 0..<run.batch.count {
            states.append(stream.initialState)
            predictions += stream.append(
                Array(run.batch.inputs[sequence * size..<(sequence + 1) * size]),
                to: &states[sequence])
        }
        let streamed = Tensor(run.pass.outputs.shape, predictions)
        #expect(try golden.excess(of: streamed, over: "out/y") <= 1)
        var gradient = Parameters<S>(zeros: run.network.layout)
        let loss = run.step(&gradient)
        #expect(try golden.excess(of: Tensor([], [S(loss)]), over: "out/loss") <= 1)
        for slot in run.network.layout.slots {
            let excess = try golden.excess(of: gradient[slot], over: "grad/param/" + slot.name)
            #expect(excess <= 1, "\(slot.name)")
        }
    }

    @Test(arguments: GoldenFile.cases("hiss_default"))
    func `the default sizes agree with the reference`(path: String) throws {
        try checkDefault(path, Double.self)
        try checkDefault(path, Float.self)
    }

    private func checkDefault<S: Scalar & Codable>(_ path: String, _: S.Type) throws {
        let run = try HiSSCase<S>(path, threads: 1)
        #expect(run.network.layout.count == 92_034)
        run.pass.forward(run.parameters)
        #expect(try run.golden.excess(of: run.pass.outputs, over: "out/y") <= 1)
        var gradient = Parameters<S>(zeros: run.network.layout)
        let loss = run.step(&gradient)
        #expect(try run.golden.excess(of: Tensor([], [S(loss)]), over: "out/loss") <= 1)
        for slot in run.network.layout.slots {
            let norm = Tensor([1], [S(gradient[slot].values.euclideanNorm)])
            let name = "grad_norm/param/" + slot.name
            #expect(try run.golden.excess(of: norm, over: name) <= 1, "\(slot.name)")
        }
    }

    @Test(arguments: GoldenFile.cases("hiss_steps"))
    func `three steps of training agree with the reference`(path: String) throws {
        try checkSteps(path, Double.self)
        try checkSteps(path, Float.self)
    }

    private func checkSteps<S: Scalar & Codable>(_ path: String, _: S.Type) throws {
        let run = try HiSSCase<S>(path, threads: 1)
        let golden = run.golden
        let decayed = try #require(golden.configuration["decayed"] as? [String])
        #expect(run.network.layout.slots.filter(\.isDecayed).map(\.name) == decayed)
        let capped = try #require(golden.configuration["rate_capped"] as? [String])
        #expect(run.network.rateLimits.keys.sorted() == capped.sorted())
        let training = try #require(golden.configuration["training"] as? [String: Any])
        let peak = try #require(training["rate"] as? Double)
        var optimiser = AdamW<S>(
            run.network.layout, schedule: LearningRateSchedule(peak: peak, steps: 40),
            weightDecay: 0.01, rateLimits: run.network.rateLimits)
        var gradient = Parameters<S>(zeros: run.network.layout)
        var (losses, norms): ([S], [S]) = ([], [])
        for _ in 0..<3 {
            losses.append(S(run.step(&gradient)))
            norms.append(S(optimiser.update(&run.parameters, gradient).norm))
        }
        #expect(try golden.excess(of: Tensor([3], losses), over: "out/loss") <= 1)
        #expect(try golden.excess(of: Tensor([3], norms), over: "out/norm") <= 1)
        for slot in run.network.layout.slots {
            let name = "out/param/" + slot.name
            let expected: Tensor<Double> = try golden.tensor(name)
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

/// A network, its parameters and its batch, as a golden file has them.
final class HiSSCase<S: Scalar & Codable> {
    let golden: GoldenFile
    let network: HiSSNetwork
    var parameters: Parameters<S>
    var batch: HiSSBatch<S>
    let pass: HiSSPass<S>

    init(_ path: String, threads: Int) throws {
        golden = try GoldenFile(path)
        let model = try #require(golden.configuration["model"] as? [String: Any])
        network = HiSSNetwork(Self.configuration(model))
        parameters = try Parameters<S>(network.layout, from: golden.checkpoint)
        let x: Tensor<S> = try golden.tensor("in/x")
        let length = x.shape[1] / network.configuration.ratio
        batch = HiSSBatch(network.configuration, count: x.shape[0], length: length)
        batch.inputs = x.values
        batch.targets = try golden.tensor("in/target", of: S.self).values
        let lengths = golden.checkpoint.tensors["in/lengths"]?.values
        let outputs = network.configuration.outputs
        if case .integer(let lengths)? = lengths {
            for (sequence, count) in lengths.enumerated() {
                for t in Int(count)..<length {
                    for i in 0..<outputs {
                        batch.weights[(sequence * length + t) * outputs + i] = 0
                    }
                }
            }
        }
        pass = HiSSPass(
            network, batch: x.shape[0], length: length, training: true,
            team: Team(threads: threads))
        pass.load(batch, sequences: 0..<batch.count)
    }

    func step(_ gradient: inout Parameters<S>) -> Double {
        pass.step(parameters, dropoutKey: nil, gradient: &gradient)
    }

    private static func configuration(_ model: [String: Any]) -> HiSSConfiguration {
        func integer(_ key: String) -> Int { model[key] as? Int ?? 0 }
        func level(_ name: String, _ width: String, ratio: Int) -> HiSSConfiguration.Level {
            let kind = HiSSConfiguration.Kind(rawValue: model[name] as? String ?? "")
            return HiSSConfiguration.Level(
                kind ?? .lstm, width: integer(width), layers: integer("\(name)_layers"),
                states: integer("\(name)_n"), ratio: ratio)
        }
        var configuration = HiSSConfiguration(
            inputs: integer("inputs"), outputs: integer("outputs"),
            levels: [
                level("low", "low_width", ratio: integer("chunk")),
                level("high", "width", ratio: 1),
            ])
        configuration.appendsDeltas = model["append_deltas"] as? Bool ?? true
        return configuration
    }
}
