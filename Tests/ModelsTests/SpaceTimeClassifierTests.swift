import Learning
import Models
import TestSupport
import Tensors
import Testing

@Suite struct SpaceTimeClassifierTests {
    @Test(arguments: GoldenFile.cases("spacetime_classifier"), [1, 3])
    func `logits, loss and every gradient agree with the reference`(
        path: String, threads: Int
    ) throws {
        for form in SpaceTimeClassifierPass<Double>.Form.allCases {
            try check(path, threads, form, Double.self)
        }
        for form in SpaceTimeClassifierPass<Float>.Form.allCases {
            try check(path, threads, form, Float.self)
        }
    }

    private func check<S: Scalar>(
        _ path: String, _ threads: Int, _ form: SpaceTimeClassifierPass<S>.Form, _: S.Type
    ) throws {
        let golden = try GoldenFile(path)
        let model = try #require(golden.configuration["model"] as? [String: Any])
        func size(_ key: String) throws -> Int { try #require(model[key] as? Int) }
        let network = SpaceTimeClassifier(
            SpaceTimeClassifierConfiguration(
                channels: try size("channels"), classes: try size("classes"),
                width: try size("width"), blocks: try size("blocks"), d: try size("d"), dropout: 0))
        let x: Tensor<S> = try golden.tensor("in/x")
        let pass = SpaceTimeClassifierPass<S>(
            network, length: x.shape[1], batch: x.shape[0] + 1, training: true,
            team: Team(threads: threads), form: form)
        pass.prepare(try Parameters(network.layout, from: golden.checkpoint))
        pass.load(x)
        let logits = pass.forward()
        let loss: LossValue<S> =
            golden.configuration["loss"] as? String == "bce"
            ? Loss.binaryCrossEntropy(logits, targets: try golden.tensor("in/targets"))
            : Loss.crossEntropy(
                logits, labels: try golden.checkpoint.integers("in/targets").map { Int($0) })
        var gradient = Parameters<S>(zeros: network.layout)
        pass.backward(loss.gradient, gradient: &gradient)
        #expect(try golden.excess(of: logits, over: "out/logits") <= 1)
        #expect(try golden.excess(of: Tensor<S>([], [S(loss.value)]), over: "out/loss") <= 1)
        #expect(try golden.excess(of: pass.inputGradient, over: "grad/in/x") <= 1)
        for slot in network.layout.slots {
            let excess = try golden.excess(of: gradient[slot], over: "grad/param/" + slot.name)
            #expect(excess <= 1, "\(slot.name)")
        }
    }

    private static let configuration = SpaceTimeClassifierConfiguration(
        channels: 2, classes: 3, width: 4, blocks: 2, d: 5, dropout: 0.3)

    private static func normals(_ shape: [Int], seed: UInt64) -> Tensor<Double> {
        var random = RandomStream(seed: seed)
        return Tensor(shape, (0..<shape.reduce(1, *)).map { _ in random.normal() })
    }

    @Test(arguments: [20, 600], SpaceTimeClassifierPass<Double>.Form.allCases)
    func `with padding and dropout the gradient agrees with differences of the loss`(
        length: Int, form: SpaceTimeClassifierPass<Double>.Form
    ) {
        var random = RandomStream(seed: 3)
        let network = SpaceTimeClassifier(Self.configuration)
        var parameters: Parameters<Double> = network.begin(&random)
        let pass = SpaceTimeClassifierPass<Double>(
            network, length: length, batch: 3, training: true, team: Team(threads: 2),
            form: form)
        pass.load(Self.normals([3, length, 2], seed: 1), lengths: [length, 1, length / 2])
        func loss(_ values: [Double]) -> LossValue<Double> {
            parameters.values = values
            pass.prepare(parameters)
            return Loss.crossEntropy(pass.forward(dropoutKey: 77), labels: [2, 0, 1])
        }
        let point = parameters.values
        var gradient = Parameters<Double>(zeros: network.layout)
        pass.backward(loss(point).gradient, gradient: &gradient)
        let error = gradientError(
            at: point, gradient: gradient.values,
            indices: Array(stride(from: 0, to: point.count, by: length > 100 ? 17 : 1))
        ) { loss($0).value }
        #expect(error < 1e-7)
    }

    @Test func `what stands behind a sample's length changes nothing`() {
        var random = RandomStream(seed: 3)
        let network = SpaceTimeClassifier(Self.configuration)
        let parameters: Parameters<Double> = network.begin(&random)
        var samples = Self.normals([2, 30, 2], seed: 5)
        func logits(_ samples: Tensor<Double>, _ lengths: [Int]) -> [Double] {
            let pass = SpaceTimeClassifierPass<Double>(
                network, length: samples.shape[1], batch: 2, training: false,
                team: Team(threads: 1))
            pass.prepare(parameters)
            pass.load(samples, lengths: lengths)
            return pass.forward().values
        }
        let before = logits(samples, [30, 11])
        for t in 11..<30 { samples[1, t, 0] = 100 }
        let behind = logits(samples, [30, 11])
        let alone = logits(
            Tensor([1, 11, 2], Array(samples.values[60..<82])), [11])
        for i in 0..<6 { #expect(abs(before[i] - behind[i]) < 1e-12) }
        for i in 0..<3 { #expect(abs(before[3 + i] - alone[i]) < 1e-12) }
    }
}
