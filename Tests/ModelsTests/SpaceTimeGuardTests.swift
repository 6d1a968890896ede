import Learning
import Models
import TestSupport
import Tensors
import Testing

@Suite struct SpaceTimeGuardTests {
    private static func network(
        d: Int, weights: (Double, Double, Double) = (1, 1, 1)
    ) -> (SpaceTimeNetwork, Parameters<Double>) {
        var configuration = SpaceTimeConfiguration(
            lag: 24, horizon: 9, groups: 1, d: d, dropout: 0)
        configuration.lossWeights.forecast = weights.0
        configuration.lossWeights.oneStep = weights.1
        configuration.lossWeights.nextInput = weights.2
        var random = RandomStream(seed: 5)
        let network = SpaceTimeNetwork(configuration, &random)
        return (network, network.begin(&random))
    }

    private static func decoder(_ network: SpaceTimeNetwork, _ name: String) -> Slot? {
        network.layout.slots.first { $0.name == "decoder." + name }
    }

    @Test(arguments: [5, 8, 32])
    func `heads that grow are damped until they do not, and no other number is touched`(
        d: Int
    ) throws {
        let (network, begun) = Self.network(d: d)
        var parameters = begun
        // a = b = k = e_{d−1} in head 3: a pole at 2.
        for name in ["a", "b", "k"] {
            let slot = try #require(Self.decoder(network, name))
            for i in 0..<d { parameters.values[slot.offset + 3 * d + i] = i == d - 1 ? 1 : 0 }
        }
        let before = parameters
        #expect(network.largestResponse(parameters, horizon: 36) > 1e8)
        #expect(network.dampGrowingHeads(&parameters, horizon: 36) == 1)
        #expect(network.largestResponse(parameters, horizon: 36) <= 50)
        let k = try #require(Self.decoder(network, "k"))
        for i in parameters.values.indices
        where !(k.offset + 3 * d..<k.offset + 4 * d).contains(i) {
            #expect(parameters.values[i] == before.values[i])
        }
        #expect(network.dampGrowingHeads(&parameters, horizon: 36) == 0)
    }

    @Test func `with the target detached only the prediction's side has a gradient`() throws {
        let (network, begun) = Self.network(d: 5, weights: (0, 0, 1))
        var random = RandomStream(seed: 6)
        func normals(_ shape: [Int]) -> Tensor<Double> {
            Tensor(shape, (0..<shape.reduce(1, *)).map { _ in random.normal() })
        }
        let pass = SpaceTimePass<Double>(network, batch: 2, training: true, team: Team(threads: 1))
        pass.load(windows: normals([2, 24, 1]), futures: normals([2, 9, 1]))
        func run(_ values: [Double]) {
            var parameters = begun
            parameters.values = values
            pass.prepare(parameters)
            pass.forward(auxiliary: true)
        }
        run(begun.values)
        let target = pass.encoded
        #expect(pass.encodedDeviation > 0.1)
        pass.isTargetDetached = true
        var gradient = Parameters<Double>(zeros: network.layout)
        _ = pass.loss(gradient: &gradient)
        let error = gradientError(at: begun.values, gradient: gradient.values) { values in
            run(values)
            let next = pass.encodedNext
            var (squares, count) = (0.0, 0.0)
            for b in 0..<2 {
                for t in 4..<23 {
                    for c in 0..<8 {
                        let difference = next[b, t, c] - target[b, t + 1, c]
                        squares += difference * difference
                        count += 1
                    }
                }
            }
            return (squares / count).squareRoot()
        }
        #expect(error < 1e-7)
    }

    @Test func `the target is detached where the encoder fell silent`() {
        #expect(SpaceTimeNetwork.isTargetDetached(afterEpochs: 5, deviation: 9e-4))
        #expect(!SpaceTimeNetwork.isTargetDetached(afterEpochs: 4, deviation: 0))
        #expect(!SpaceTimeNetwork.isTargetDetached(afterEpochs: 9, deviation: 2e-3))
    }
}
