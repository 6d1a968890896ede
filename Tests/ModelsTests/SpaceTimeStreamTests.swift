import Learning
import Models
import TestSupport
import Tensors
import Testing

/// One sample after the other against whole windows.
@Suite struct SpaceTimeStreamTests {
    struct Case: CustomTestStringConvertible, Sendable {
        let blocks: Int
        let variates: Int
        var transform = SpaceTimeConfiguration.Transform.none
        var testDescription: String {
            "\(blocks) blocks, \(variates) variates, transform \(transform)"
        }

        func network<S: Scalar>(lag: Int = 60, d: Int = 6) -> (SpaceTimeNetwork, Parameters<S>) {
            var configuration = SpaceTimeConfiguration(
                lag: lag, horizon: 9, groups: 2, d: d, dropout: 0.3, transform: transform)
            configuration.encoderBlocks = blocks
            configuration.variates = variates
            var random = RandomStream(seed: 8)
            let network = SpaceTimeNetwork(configuration, &random)
            return (network, network.begin(&random))
        }
    }

    static let cases = [
        Case(blocks: 1, variates: 1), Case(blocks: 2, variates: 1), Case(blocks: 1, variates: 3),
    ]

    private func normals<S: Scalar>(_ count: Int, _ variates: Int, seed: UInt64 = 4) -> Tensor<S> {
        var random = RandomStream(seed: seed)
        return Tensor(
            [count, variates], (0..<count * variates).map { _ in S(random.normal()) })
    }

    /// The forecast of the network on one window.
    private func windowed<S: Scalar>(
        _ network: SpaceTimeNetwork, _ parameters: Parameters<S>, _ window: Tensor<S>, steps: Int
    ) -> Tensor<S> {
        let pass = SpaceTimePass<S>(
            network, batch: 1, horizon: steps, training: false, team: Team(threads: 1))
        pass.prepare(parameters)
        pass.load(windows: window.reshaped([1] + window.shape))
        pass.forward()
        return pass.forecasts.reshaped([steps, window.shape[1]])
    }

    private func rows<S: Scalar>(_ samples: Tensor<S>, _ range: Range<Int>) -> Tensor<S> {
        let width = samples.shape[1]
        return Tensor(
            [range.count, width],
            Array(samples.values[range.lowerBound * width..<range.upperBound * width]))
    }

    /// The largest difference, relative to values above 1.
    private func distance<S: Scalar>(_ x: Tensor<S>, _ y: Tensor<S>) -> Double {
        let scale = max(1, Double(y.largestMagnitude))
        return zip(x.values, y.values).reduce(0) {
            max($0, abs(Double($1.0) - Double($1.1)) / scale)
        }
    }

    @Test(arguments: cases)
    func `a stream that begins with the window forecasts as the window does`(_ c: Case) {
        let (network, parameters): (_, Parameters<Double>) = c.network()
        let samples: Tensor<Double> = normals(60, c.variates)
        let stream = SpaceTimeStream(network, parameters)
        stream.push(samples)
        for steps in [1, 9, 150] {
            let expected = windowed(network, parameters, samples, steps: steps)
            #expect(distance(stream.forecast(steps: steps), expected) < 1e-10)
        }
        #expect(stream.forecast(steps: 0).count == 0)
    }

    @Test func `after five windows a stream with a fixed offset has come close to the window`() {
        // The published sizes, weights as training begins, a series that is scaled and not centred.
        var configuration = SpaceTimeConfiguration(
            lag: 336, horizon: 96, groups: 16, d: 64, dropout: 0, transform: .none)
        configuration.variates = 1
        var random = RandomStream(seed: 8)
        let network = SpaceTimeNetwork(configuration, &random)
        let parameters: Parameters<Float> = network.begin(&random)
        var samples: Tensor<Float> = normals(5 * 336, 1)
        for i in 0..<samples.count { samples.values[i] -= 0.5 }  // The offset, taken off.
        let stream = SpaceTimeStream(network, parameters)
        stream.push(samples)
        let expected = windowed(
            network, parameters, rows(samples, 4 * 336..<5 * 336), steps: 96)
        #expect(distance(stream.forecast(steps: 96), expected) < 1e-3)
    }

    @Test(arguments: [
        Case(blocks: 1, variates: 1, transform: .mean),
        Case(blocks: 1, variates: 1, transform: .last),
        Case(blocks: 2, variates: 2, transform: .standardise),
    ])
    func `at an anchor the forecast is the window's own`(_ c: Case) {
        let (network, parameters): (_, Parameters<Double>) = c.network()
        let samples: Tensor<Double> = normals(200, c.variates)
        let stream = SpaceTimeStream(network, parameters)
        stream.push(samples)
        stream.anchor()
        let expected = windowed(network, parameters, rows(samples, 140..<200), steps: 20)
        #expect(distance(stream.forecast(steps: 20), expected) < 1e-10)
    }

    @Test(arguments: cases + [Case(blocks: 1, variates: 2, transform: .mean)])
    func `samples together give what they give one by one`(_ c: Case) {
        let (network, parameters): (_, Parameters<Double>) = c.network()
        let samples: Tensor<Double> = normals(170, c.variates)
        let (together, single) = (
            SpaceTimeStream(network, parameters), SpaceTimeStream(network, parameters)
        )
        together.push(samples)
        for t in 0..<170 { single.push(rows(samples, t..<t + 1)) }
        #expect(together.sinceAnchor == single.sinceAnchor)
        #expect(distance(together.forecast(steps: 12), single.forecast(steps: 12)) < 1e-12)
    }

    @Test func `a series that rises is anchored at once, and a constant one in its turn`() {
        let (network, parameters): (_, Parameters<Float>) =
            Case(blocks: 1, variates: 1, transform: .mean).network()
        let stream = SpaceTimeStream(network, parameters)
        stream.push(Tensor([105, 1], [Float](repeating: 7, count: 105)))
        #expect(stream.offsets == [7])
        // 60 / 4 = 15 samples apart: at 1, 16, …, 91, 106.
        #expect(stream.sinceAnchor == 14)
        stream.push(Tensor([1, 1], [7]))
        #expect(stream.sinceAnchor == 0)
        // The mean moves by √(p/(1−p)) deviations for a share p of new values: above a half
        // beyond 12 of 60.
        stream.push(Tensor([11, 1], [Float](repeating: 9, count: 11)))
        #expect(stream.sinceAnchor == 11)
        stream.push(Tensor([2, 1], [9, 9]))
        #expect(stream.sinceAnchor < 2)
        #expect(stream.offsets[0] > 7.3)
        let frozen = SpaceTimeStream(network, parameters, anchoring: .never, offset: 7)
        frozen.push(Tensor([100, 1], [Float](repeating: 9, count: 100)))
        #expect(frozen.offsets == [7])
        #expect(frozen.sinceAnchor == 100)
    }

    @Test(arguments: [
        Case(blocks: 2, variates: 1, transform: .mean), Case(blocks: 1, variates: 3),
    ])
    func `a stream that was stored goes on with the same bits`(_ c: Case) throws {
        let (network, parameters): (_, Parameters<Float>) = c.network()
        let samples: Tensor<Float> = normals(240, c.variates)
        let stream = SpaceTimeStream(network, parameters)
        stream.push(rows(samples, 0..<133))
        let bytes = stream.state.encoded()
        let other = SpaceTimeStream(network, parameters)
        other.push(rows(samples, 200..<240))
        try other.restore(Checkpoint(decoding: bytes))
        #expect(other.forecast(steps: 30) == stream.forecast(steps: 30))
        let isSame = other.state.encoded() == bytes
        #expect(isSame)
        for stream in [stream, other] { stream.push(rows(samples, 133..<200)) }
        #expect(other.forecast(steps: 30) == stream.forecast(steps: 30))
        #expect(other.sinceAnchor == stream.sinceAnchor)
    }

    @Test func `a state of another network, version or kind is refused`() throws {
        let (network, parameters): (_, Parameters<Float>) =
            Case(blocks: 1, variates: 1).network()
        let (larger, others): (_, Parameters<Float>) = Case(blocks: 1, variates: 1).network(d: 7)
        let stream = SpaceTimeStream(network, parameters)
        stream.push(normals(30, 1))
        let before = stream.forecast(steps: 5)
        #expect(throws: StreamStateError.checkpoint(.missing("stream/decoder"))) {
            try stream.restore(SpaceTimeStream(larger, others).state)
        }
        var state = stream.state
        state.metadata["spacetime.stream"] =
            #"{"version":2,"buffered":30,"sinceAnchor":0}"#
        #expect(throws: StreamStateError.version(found: 2)) { try stream.restore(state) }
        state.metadata["spacetime.stream"] =
            #"{"version":1,"buffered":61,"sinceAnchor":0}"#
        #expect(throws: StreamStateError.description) { try stream.restore(state) }
        #expect(throws: StreamStateError.description) { try stream.restore(Checkpoint()) }
        state = stream.state
        state.set("stream/scales", Tensor<Float>([1], [.nan]))
        #expect(throws: StreamStateError.notFinite("stream/scales")) { try stream.restore(state) }
        #expect(stream.forecast(steps: 5) == before)
    }

    @Test func `a missing sample traps`() async {
        await #expect(processExitsWith: .failure) {
            var random = RandomStream(seed: 8)
            let network = SpaceTimeNetwork(
                SpaceTimeConfiguration(lag: 8, horizon: 2, groups: 1, d: 2), &random)
            let stream = SpaceTimeStream<Float>(network, network.begin(&random))
            stream.push(Tensor([1, 1], [.nan]))
        }
    }
}
