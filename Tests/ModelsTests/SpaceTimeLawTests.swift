import Learning
import Models
import TestSupport
import Tensors
import Testing

@Suite struct SpaceTimeLawTests {
    private static func configuration(
        _ transform: SpaceTimeConfiguration.Transform = .mean
    ) -> SpaceTimeConfiguration {
        SpaceTimeConfiguration(
            lag: 24, horizon: 9, groups: 2, d: 5, dropout: 0.3, transform: transform)
    }

    private static func normals(_ shape: [Int], seed: UInt64) -> Tensor<Double> {
        var random = RandomStream(seed: seed)
        return Tensor(shape, (0..<shape.reduce(1, *)).map { _ in random.normal() })
    }

    struct Case: CustomTestStringConvertible, Sendable {
        let blocks: Int
        let variates: Int
        let auxiliary: Bool
        var embedding: SpaceTimeConfiguration.Embedding?
        var testDescription: String {
            "\(blocks) blocks, \(variates) variates, \(auxiliary ? "three terms" : "one term")"
                + (embedding == .linear ? ", trained embedding" : "")
        }
    }

    @Test(arguments: [
        Case(blocks: 1, variates: 1, auxiliary: true),
        Case(blocks: 2, variates: 1, auxiliary: true),
        Case(blocks: 1, variates: 2, auxiliary: true),
        Case(blocks: 3, variates: 1, auxiliary: false),
        Case(blocks: 1, variates: 1, auxiliary: true, embedding: .linear),
        Case(blocks: 2, variates: 3, auxiliary: true, embedding: .linear),
    ])
    func `with dropout the gradient agrees with differences of the loss`(_ c: Case) {
        var configuration = Self.configuration()
        configuration.encoderBlocks = c.blocks
        configuration.variates = c.variates
        configuration.embedding = c.embedding
        var random = RandomStream(seed: 3)
        let network = SpaceTimeNetwork(configuration, &random)
        var parameters: Parameters<Double> = network.begin(&random)
        let pass = SpaceTimePass<Double>(network, batch: 3, training: true, team: Team(threads: 2))
        pass.load(
            windows: Self.normals([3, 24, c.variates], seed: 1),
            futures: Self.normals([3, 9, c.variates], seed: 2))
        var gradient = Parameters<Double>(zeros: network.layout)
        func loss(_ values: [Double]) -> Double {
            parameters.values = values
            var spare = Parameters<Double>(zeros: network.layout)
            pass.prepare(parameters)
            pass.forward(auxiliary: c.auxiliary, dropoutKey: 77)
            return pass.loss(gradient: &spare)
        }
        let point = parameters.values
        pass.prepare(parameters)
        pass.forward(auxiliary: c.auxiliary, dropoutKey: 77)
        _ = pass.loss(gradient: &gradient)
        let every = max(1, point.count / 150)
        let error = gradientError(
            at: point, gradient: gradient.values,
            indices: Array(stride(from: 0, to: point.count, by: every)), of: loss)
        #expect(error < 1e-7)
    }

    @Test func `a trained embedding of ones repeats the input`() {
        var configuration = Self.configuration()
        var random = RandomStream(seed: 3)
        let network = SpaceTimeNetwork(configuration, &random)
        let parameters: Parameters<Double> = network.begin(&random)
        configuration.embedding = .linear
        let embedded = SpaceTimeNetwork(configuration, preprocess: network.preprocess)
        var others = Parameters<Double>(zeros: embedded.layout)
        for slot in embedded.layout.slots {
            if let own = network.layout.slots.first(where: { $0.name == slot.name }) {
                others[slot] = parameters[own]
            } else if slot.name == "embedding.weight" {
                others.fill(slot, with: 1)
            }
        }
        func forecast(_ network: SpaceTimeNetwork, _ p: Parameters<Double>) -> [Double] {
            let pass = SpaceTimePass<Double>(
                network, batch: 2, training: false, team: Team(threads: 1))
            pass.prepare(p)
            pass.load(windows: Self.normals([2, 24, 1], seed: 1))
            pass.forward()
            return pass.forecasts.values
        }
        for (a, b) in zip(forecast(network, parameters), forecast(embedded, others)) {
            #expect(abs(a - b) < 1e-12)
        }
    }

    @Test func `another key drops other elements, and none are dropped without one`() {
        var random = RandomStream(seed: 3)
        let network = SpaceTimeNetwork(Self.configuration(), &random)
        let parameters: Parameters<Double> = network.begin(&random)
        let pass = SpaceTimePass<Double>(network, batch: 1, training: true, team: Team(threads: 1))
        pass.load(windows: Self.normals([1, 24, 1], seed: 1))
        pass.prepare(parameters)
        func forecast(_ key: UInt64?) -> Tensor<Double> {
            pass.forward(dropoutKey: key)
            return pass.forecasts
        }
        #expect(forecast(1) == forecast(1))
        #expect(forecast(1) != forecast(2))
        #expect(forecast(nil) == forecast(nil))
        #expect(forecast(nil) != forecast(1))
    }

    @Test(arguments: SpaceTimeConfiguration.Transform.allCases)
    func `a window's forecast does not depend on its neighbours, nor on the threads`(
        transform: SpaceTimeConfiguration.Transform
    ) {
        var random = RandomStream(seed: 9)
        let network = SpaceTimeNetwork(Self.configuration(transform), &random)
        let parameters: Parameters<Float> = network.begin(&random)
        let windows = Self.normals([20, 24], seed: 4).converted(to: Float.self)
        let together = PreparedSpaceTime(network, parameters, horizon: 9, batch: 7, threads: 3)
            .forecast(windows: windows)
        let alone = PreparedSpaceTime(network, parameters, horizon: 9, batch: 1)
        for index in 0..<20 {
            let window = Tensor([1, 24], Array(windows.values[24 * index..<24 * (index + 1)]))
            let expected = alone.forecast(windows: window).values
            let found = together.values[9 * index..<9 * (index + 1)]
            for (a, b) in zip(found, expected) { #expect(abs(a - b) < 1e-5 * max(1, abs(b))) }
        }
    }

    @Test(arguments: [SpaceTimeConfiguration.Transform.mean, .last, .standardise])
    func `a shifted window has the shifted forecast`(transform: SpaceTimeConfiguration.Transform) {
        var random = RandomStream(seed: 9)
        let network = SpaceTimeNetwork(Self.configuration(transform), &random)
        let parameters: Parameters<Double> = network.begin(&random)
        let pass = SpaceTimePass<Double>(network, batch: 2, training: false, team: Team(threads: 1))
        pass.prepare(parameters)
        let windows = Self.normals([2, 24, 1], seed: 4)
        func forecast(_ windows: Tensor<Double>) -> [Double] {
            pass.load(windows: windows)
            pass.forward()
            return pass.forecasts.values
        }
        let plain = forecast(windows)
        let shifted = forecast(Tensor(windows.shape, windows.values.map { $0 + 100 }))
        for (a, b) in zip(plain, shifted) { #expect(abs(a + 100 - b) < 1e-8) }
    }

    @Test func `a stable network responds within bounds and a growing one does not`() {
        var random = RandomStream(seed: 5)
        var configuration = Self.configuration()
        configuration.d = 32
        let network = SpaceTimeNetwork(configuration, &random)
        var parameters: Parameters<Float> = network.begin(&random)
        #expect(network.largestResponse(parameters, horizon: 36) < 2)
        // a = b = k = e_{d−1}: a pole at 2.
        for slot in network.layout.slots where slot.name.hasPrefix("decoder.") {
            guard slot.shape.count == 2 else { continue }
            for i in 0..<slot.shape[1] { parameters.values[slot.offset + i] = 0 }
            parameters.values[slot.offset + slot.shape[1] - 1] = 1
        }
        #expect(network.largestResponse(parameters, horizon: 36) > 1e9)
        #expect(network.largestResponse(parameters, horizon: 3000) == .infinity)
    }

    @Test func `weights of another model trap`() async {
        await #expect(processExitsWith: .failure) {
            var random = RandomStream(seed: 1)
            let small = SpaceTimeNetwork(
                SpaceTimeConfiguration(lag: 8, horizon: 2, groups: 1, d: 2), &random)
            let large = SpaceTimeNetwork(
                SpaceTimeConfiguration(lag: 8, horizon: 2, groups: 1, d: 3), &random)
            let pass = SpaceTimePass<Float>(
                small, batch: 1, training: false, team: Team(threads: 1))
            pass.prepare(large.begin(&random))
        }
    }
}
