import Learning
import Models
import TestSupport
import Tensors
import Testing

@Suite struct StackVAETests {
    private static let configuration = StackVAEConfiguration(
        channels: 4, window: 6, hidden: 7, latent: 3, embedding: 5, neighbours: 2)

    private static func normals(_ count: Int, seed: UInt64) -> [Double] {
        var random = RandomStream(seed: seed)
        return (0..<count).map { _ in random.normal() }
    }

    @Test(arguments: [1, 3])
    func `the gradient agrees with differences, that of the graph too`(batch: Int) {
        let network = StackVAE(Self.configuration)
        var random = RandomStream(seed: 5)
        var parameters: Parameters<Double> = network.begin(&random)
        let windows = Self.normals(6 * 4 * batch, seed: 6)
        let noise = Self.normals(3 * 4 * batch, seed: 7)
        let pass = StackVAEPass<Double>(network, batch: batch)
        pass.load(windows)
        var gradient = Parameters<Double>(zeros: network.layout)
        pass.prepare(parameters)
        _ = pass.step(noise: noise, gradient: &gradient)
        var unused = gradient
        let error = gradientError(at: parameters.values, gradient: gradient.values) { point in
            parameters.values = point
            pass.prepare(parameters)
            return pass.step(noise: noise, gradient: &unused)
        }
        #expect(error < 1e-7)
        for slot in network.layout.slots {
            #expect(gradient[slot].values.contains { $0 != 0 }, "\(slot.name)")
        }
    }

    @Test func `a missing value is nobody's error, and the gradient knows`() {
        let network = StackVAE(Self.configuration)
        var random = RandomStream(seed: 5)
        var parameters: Parameters<Double> = network.begin(&random)
        let noise = Self.normals(3 * 4 * 2, seed: 7)
        var windows = Self.normals(6 * 4 * 2, seed: 6)
        let presence = windows.indices.map { $0 % 5 == 0 ? 0.0 : 1 }
        for place in windows.indices where presence[place] == 0 { windows[place] = 0 }
        let pass = StackVAEPass<Double>(network, batch: 2)
        pass.load(windows, presence: presence)
        var gradient = Parameters<Double>(zeros: network.layout)
        pass.prepare(parameters)
        let loss = pass.step(noise: noise, gradient: &gradient)
        var unused = gradient
        let error = gradientError(at: parameters.values, gradient: gradient.values) { point in
            parameters.values = point
            pass.prepare(parameters)
            return pass.step(noise: noise, gradient: &unused)
        }
        #expect(error < 1e-7)
        // As zeros that were seen, they would be.
        pass.load(windows)
        #expect(pass.step(noise: noise, gradient: &unused) > loss)
    }

    @Test func `without neighbours a channel's error depends on that channel alone`() {
        let configuration = StackVAEConfiguration(
            channels: 4, window: 6, hidden: 7, latent: 3, embedding: 5, neighbours: 2, mixing: 0)
        let network = StackVAE(configuration)
        var random = RandomStream(seed: 5)
        let pass = StackVAEPass<Double>(network, batch: 1)
        pass.prepare(network.begin(&random))
        // [window, channel, batch]
        var windows = Self.normals(24, seed: 8)
        pass.load(windows)
        let before = pass.errors()
        for row in 0..<6 { windows[row * 4 + 2] += 1 }
        pass.load(windows)
        let after = pass.errors()
        #expect([0, 1, 3].allSatisfy { before[$0] == after[$0] } && before[2] != after[2])
    }

    @Test func `the published sizes have a tenth of a million parameters`() {
        let count = StackVAE(StackVAEConfiguration(channels: 38)).layout.count
        #expect(count > 100_000 && count < 200_000, "\(count)")
    }
}
