import Learning
import Tensors
import Testing

/// One direction of a Mamba block, with and without what an adjoint needs.
@Suite struct SelectiveDirectionTests {
    @Test(arguments: [(32, 8, 61, 2), (21, 3, 25, 1), (64, 16, 24, 5), (16, 2, 2, 1)])
    func `a direction gives the same whether there is an adjoint to come or not`(
        inner: Int, states: Int, length: Int, rank: Int
    ) {
        for isReversed in [false, true] {
            let (single, scale) = Self.difference(
                Float.self, inner, states, length, rank, isReversed)
            #expect(single <= 2e-6 * max(1, scale))
            let (double, _) = Self.difference(Double.self, inner, states, length, rank, isReversed)
            #expect(double <= 1e-13 * max(1, scale))
        }
    }

    /// The largest difference between both ways over all rows that are not masked, and the largest
    /// value.
    private static func difference<S: Scalar>(
        _: S.Type, _ inner: Int, _ states: Int, _ length: Int, _ rank: Int, _ isReversed: Bool
    ) -> (difference: Double, scale: Double) {
        var slots = ParameterLayout()
        let direction = SelectiveDirection(
            &slots, inner: inner, states: states, taps: 4, rank: rank)
        var random = RandomStream(seed: 11)
        var p = Parameters<S>(zeros: slots)
        direction.begin(&p, &random)
        var layout = WorkspaceLayout()
        let parameters = layout.reserve(1, slots.count)
        let weights = DirectionWeights(&layout, direction, isGradient: false)
        let signals = DirectionSignals(&layout, direction, time: length, training: true)
        let scratches = [true, false].map {
            DirectionScratch(&layout, direction, time: length, training: $0)
        }
        let x = layout.reserve(length, inner)
        let outputs = (0..<2).map { _ in layout.reserve(length, inner) }
        let work = Workspace<S>(layout)
        work.load(parameters, from: p.values)
        work.load(x, from: (0..<x.count).map { _ in S(random.normal()) })
        direction.prepare(weights, parameters, work)
        let masked = MaskedRows(0..<length / 5, length - 1..<length)
        masked.clear(x, work)
        for output in outputs { work.fill(output, with: 0.5) }
        direction.forward(
            x, into: outputs[0], adding: true, reversed: isReversed, masked: masked, signals,
            scratches[0], weights, parameters, work)
        direction.forward(
            x, into: outputs[1], adding: true, reversed: isReversed, masked: masked, scratches[1],
            weights, parameters, work)
        var (difference, scale) = (0.0, 0.0)
        for row in 0..<length where !masked.contains(row) {
            for (a, b) in zip(work.values(outputs[0].row(row)), work.values(outputs[1].row(row))) {
                difference = max(difference, abs(Double(a) - Double(b)))
                scale = max(scale, abs(Double(a)))
            }
        }
        return (difference, scale)
    }
}
