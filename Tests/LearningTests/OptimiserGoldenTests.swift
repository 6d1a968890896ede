import Learning
import TestSupport
import Tensors
import Testing

/// Learning rate and AdamW against an independent reference.
@Suite struct OptimiserGoldenTests {
    @Test(arguments: GoldenFile.cases("schedule"))
    func `the learning rate agrees at every step`(path: String) throws {
        let golden = try GoldenFile(path)
        let schedule = try schedule(golden)
        let rates = (0..<schedule.steps).map { schedule.rate(at: $0) }
        #expect(try golden.excess(of: Tensor([rates.count], rates), over: "out/rate") <= 1)
        #expect(schedule.rate(at: 10 * schedule.steps) == schedule.peak * schedule.floor)
    }

    private func schedule(_ golden: GoldenFile) throws -> LearningRateSchedule {
        let training = try #require(golden.configuration["training"] as? [String: Any])
        let peak = try #require(training["rate"] as? Double)
        return LearningRateSchedule(
            peak: peak, steps: try #require(training["total_steps"] as? Int),
            floor: (training["rate_floor"] as? Double).map { $0 / peak } ?? 0.01,
            warmup: try #require(training["warmup_fraction"] as? Double))
    }

    @Test(arguments: GoldenFile.cases("adamw"))
    func `six updates agree, clipped or not`(path: String) throws {
        try checkUpdates(path, Double.self)
        try checkUpdates(path, Float.self)
    }

    private func checkUpdates<S: Scalar>(_ path: String, _: S.Type) throws {
        let golden = try GoldenFile(path)
        let training = try #require(golden.configuration["training"] as? [String: Any])
        let decayed = try #require(golden.configuration["decayed"] as? [String])
        var layout = ParameterLayout()
        for name in ["weight", "bias", "log_dt"] {
            let shape: Tensor<S> = try golden.tensor("param/" + name)
            _ =
                shape.shape.count == 2
                ? layout.add(name, shape.shape[0], shape.shape[1], decayed: decayed.contains(name))
                : layout.add(name, shape.shape[0], decayed: decayed.contains(name))
        }
        var parameters = try Parameters<S>(layout, from: golden.checkpoint)
        var optimiser = AdamW<S>(
            layout, schedule: try schedule(golden),
            weightDecay: try #require(training["weight_decay"] as? Double),
            clip: try #require(training["clip"] as? Double), rateLimits: ["log_dt": 1e-3])
        var (norms, rates): ([S], [S]) = ([], [])
        for step in 0..<6 {
            var gradient = Parameters<S>(zeros: layout)
            for slot in layout.slots {
                gradient[slot] = try golden.tensor("in/grad\(step)/" + slot.name)
            }
            let (norm, rate) = optimiser.update(&parameters, gradient)
            norms.append(S(norm))
            rates.append(S(rate))
            for slot in layout.slots {
                let name = "out/step\(step)/" + slot.name
                #expect(try golden.excess(of: parameters[slot], over: name) <= 1, "\(name)")
            }
        }
        #expect(try golden.excess(of: Tensor([6], norms), over: "out/norm") <= 1)
        #expect(try golden.excess(of: Tensor([6], rates), over: "out/rate") <= 1)
    }

    @Test func `a gradient of another model traps`() async {
        await #expect(processExitsWith: .failure) {
            var (one, other) = (ParameterLayout(), ParameterLayout())
            _ = one.add("weight", 2, 2)
            _ = other.add("weight", 4)
            var parameters = Parameters<Float>(zeros: one)
            var optimiser = AdamW<Float>(
                one, schedule: LearningRateSchedule(peak: 1, steps: 1), weightDecay: 0)
            _ = optimiser.update(&parameters, Parameters(zeros: other))
        }
    }
}
