import Foundation
import Learning
import Models
import TestSupport
import Tensors
import Testing

/// Laws of the hierarchical network, in a batch and in a stream.
@Suite struct HiSSTests {
    typealias Level = HiSSConfiguration.Level
    typealias Kind = HiSSConfiguration.Kind

    /// Levels of several kinds and ratios, or one that is flat.
    struct Case: CustomTestStringConvertible, Sendable {
        let levels: [Level]

        var testDescription: String {
            levels.map { "\($0.kind.rawValue)/\($0.ratio)" }.joined(separator: " ")
        }

        var configuration: HiSSConfiguration {
            HiSSConfiguration(inputs: 3, outputs: 2, levels: levels)
        }
    }

    static let cases: [Case] = {
        func level(_ kind: Kind, _ width: Int, _ ratio: Int) -> Level {
            Level(kind, width: width, layers: 2, states: 4, ratio: ratio, steps: 0.02...0.5)
        }
        return [
            Case(levels: [level(.s4d, 5, 3), level(.mamba, 4, 1)]),
            Case(levels: [level(.mamba, 4, 4), level(.lstm, 5, 1)]),
            Case(levels: [level(.lstm, 4, 2), level(.s4d, 6, 1)]),
            Case(levels: [level(.s4d, 4, 3), level(.s4d, 5, 2), level(.mamba, 4, 1)]),
            Case(levels: [level(.s4d, 4, 2), level(.lstm, 3, 2), level(.s4d, 4, 3)]),
            Case(levels: [level(.s4d, 6, 5)]), Case(levels: [level(.mamba, 4, 5)]),
            Case(levels: [level(.lstm, 5, 5)]),
        ]
    }()

    private static func trial<S: Scalar & Codable>(
        _ configuration: HiSSConfiguration, count: Int, length: Int, _: S.Type
    ) -> (network: HiSSNetwork, parameters: Parameters<S>, batch: HiSSBatch<S>) {
        let network = HiSSNetwork(configuration)
        var random = RandomStream(seed: 1)
        let parameters: Parameters<S> = network.begin(&random)
        var batch = HiSSBatch<S>(configuration, count: count, length: length)
        for i in batch.inputs.indices { batch.inputs[i] = S(random.normal()) }
        for i in batch.targets.indices { batch.targets[i] = S(random.normal()) }
        return (network, parameters, batch)
    }

    @Test(arguments: cases)
    func `with dropout, short sequences and unknown targets the gradient is that of differences`(
        _ c: Case
    ) {
        var (network, parameters, batch) = Self.trial(
            c.configuration, count: 3, length: 4, Double.self)
        batch.lengths = [4, 1, 0]
        batch.weights[1] = 0
        batch.weights[2] = 0.5
        let pass = HiSSPass<Double>(
            network, batch: 3, length: 4, training: true, team: Team(threads: 1))
        pass.load(batch, sequences: 0..<3)
        var gradient = Parameters<Double>(zeros: network.layout)
        _ = pass.step(parameters, dropoutKey: 9, gradient: &gradient)
        let point = parameters.values
        var unused = gradient
        let error = gradientError(
            at: point, gradient: gradient.values,
            indices: Array(stride(from: 0, to: point.count, by: 3))
        ) {
            parameters.values = $0
            return pass.step(parameters, dropoutKey: 9, gradient: &unused)
        }
        #expect(error < 1e-6)
        for slot in network.layout.slots {
            #expect(gradient[slot].values.contains { $0 != 0 }, "\(slot.name)")
        }
    }

    @Test(arguments: cases)
    func `a stream gives what the batch gives, however samples come and wherever it is stored`(
        _ c: Case
    ) throws {
        let (network, parameters, batch) = Self.trial(
            c.configuration, count: 1, length: 70, Double.self)
        let pass = HiSSPass<Double>(
            network, batch: 1, length: 70, training: false, team: Team(threads: 1))
        pass.load(batch, sequences: 0..<1)
        pass.forward(parameters)
        let expected = pass.outputs.values
        let stream = PreparedHiSS(network, parameters)
        var other = stream.initialState
        var (state, found) = (stream.initialState, [Double]())
        var (random, next) = (RandomStream(seed: 3), 0)
        let samples = batch.inputs.count / 3
        while next < samples {
            let count = min(random.integer(below: 5), samples - next)
            found += stream.append(
                Array(batch.inputs[next * 3..<(next + count) * 3]), to: &state)
            next += count
            // Another stream between, and a restart.
            _ = stream.append([1, 2, 3], to: &other)
            state = try JSONDecoder().decode(
                HiSSState<Double>.self, from: JSONEncoder().encode(state))
            try stream.check(state)
        }
        #expect(found.count == expected.count)
        #expect(zip(found, expected).allSatisfy { abs($0 - $1) < 1e-11 })
    }

    @Test(arguments: [
        HiSSConfiguration.standard(inputs: 2, outputs: 1),
        HiSSConfiguration(
            inputs: 2, outputs: 1,
            levels: [
                Level(.s4d, width: 16, layers: 1, states: 8, ratio: 10, steps: 0.02...0.5),
                Level(.s4d, width: 16, layers: 2, states: 64, ratio: 1),
            ]),
        HiSSConfiguration(
            inputs: 2, outputs: 1,
            levels: [Level(.s4d, width: 16, layers: 2, states: 64, ratio: 10)]),
    ])
    func `over a hundred thousand samples stream and batch agree to a hundred thousandth`(
        configuration: HiSSConfiguration
    ) {
        let (network, parameters, batch) = Self.trial(
            configuration, count: 1, length: 10_000, Float.self)
        let pass = HiSSPass<Float>(
            network, batch: 1, length: 10_000, training: false, team: Team(threads: 1))
        pass.load(batch, sequences: 0..<1)
        pass.forward(parameters)
        let expected = pass.outputs.values
        let stream = PreparedHiSS(network, parameters)
        var state = stream.initialState
        let half = batch.inputs.count / 2 + 6
        var found = stream.append(Array(batch.inputs[..<half]), to: &state)
        found += stream.append(Array(batch.inputs[half...]), to: &state)
        let scale = expected.map(abs).max() ?? 0
        let worst = zip(found, expected).map { abs($0 - $1) }.max() ?? .infinity
        #expect(found.count == 10_000 && worst <= 1e-5 * scale, "\(worst / scale)")
    }

    @Test func `chunks know nothing of each other before the last level`() {
        let (network, parameters, batch) = Self.trial(
            Self.cases[0].configuration, count: 1, length: 6, Double.self)
        var moved = batch
        for i in 0..<9 { moved.inputs[9 + i] += 1 }
        let pass = HiSSPass<Double>(
            network, batch: 1, length: 6, training: false, team: Team(threads: 1))
        func outputs(_ batch: HiSSBatch<Double>) -> [Double] {
            pass.load(batch, sequences: 0..<1)
            pass.forward(parameters)
            return pass.outputs.values
        }
        let (before, after) = (outputs(batch), outputs(moved))
        #expect(before[0..<2] == after[0..<2])
        #expect(zip(before, after).dropFirst(2).allSatisfy { $0 != $1 })
    }

    @Test func `the number of threads changes no bit of a step`() {
        let (network, parameters, batch) = Self.trial(
            Self.cases[3].configuration, count: 11, length: 5, Float.self)
        var gradients: [[Float]] = []
        for threads in [1, 2, 3] {
            let pass = HiSSPass<Float>(
                network, batch: 11, length: 5, training: true, team: Team(threads: threads))
            pass.load(batch, sequences: 0..<11)
            var gradient = Parameters<Float>(zeros: network.layout)
            _ = pass.step(parameters, dropoutKey: 4, gradient: &gradient)
            gradients.append(gradient.values)
        }
        #expect(gradients[0] == gradients[1] && gradients[0] == gradients[2])
    }

    @Test func `a state of another network, or a broken one, is refused`() throws {
        let (network, parameters, _) = Self.trial(
            Self.cases[0].configuration, count: 1, length: 1, Double.self)
        let stream = PreparedHiSS(network, parameters)
        let other = PreparedHiSS(
            HiSSNetwork(Self.cases[3].configuration),
            Parameters<Double>(zeros: HiSSNetwork(Self.cases[3].configuration).layout))
        let foreign = other.initialState
        #expect(
            throws: HiSSStateError.sizes(
                levels: 3, inputs: 3, states: foreign.values.count)
        ) { try stream.check(foreign) }
        var broken = stream.initialState
        broken.values[0] = .nan
        #expect(throws: HiSSStateError.notFinite) { try stream.check(broken) }
        broken = stream.initialState
        broken.steps[0] = 3
        #expect(throws: HiSSStateError.steps) { try stream.check(broken) }
        let text = String(decoding: try JSONEncoder().encode(stream.initialState), as: UTF8.self)
        let newer = try JSONDecoder().decode(
            HiSSState<Double>.self,
            from: Data(text.replacing("\"version\":1", with: "\"version\":2").utf8))
        #expect(throws: HiSSStateError.version(found: 2)) { try stream.check(newer) }
    }
}
