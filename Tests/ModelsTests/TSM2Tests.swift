import Models
import Learning
import TestSupport
import Tensors
import Testing

/// Laws of the network over groups of series.
@Suite struct TSM2Tests {
    /// A switch or a form.
    struct Case: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let configuration: TSM2Configuration

        init(_ name: String, _ change: (inout TSM2Configuration) -> Void = { _ in }) {
            testDescription = name
            var c = TSM2Configuration(lookback: 20, horizon: 5)
            (c.patch, c.stride, c.width, c.states, c.headRank) = (8, 4, 5, 3, 4)
            change(&c)
            configuration = c
        }
    }

    static let cases = [
        Case("as it is"), Case("a full head, three layers") { ($0.headRank, $0.layers) = (0, 3) },
        Case("each variate by itself") { $0.mixesVariates = false },
        Case("no sums") { $0.averages = false },
        Case("neither") { ($0.mixesVariates, $0.averages) = (false, false) },
        Case("time both ways") { $0.isTimeBidirectional = true },
        Case("what is known beside") {
            ($0.statics, $0.futures, $0.futurePatch) = (2, 3, 2)
        },
        Case("what is known of the future") { ($0.futures, $0.futurePatch) = (1, 5) },
        Case("streamable") { ($0.isStreamable, $0.contextMaximum) = (true, 3) },
    ]

    /// A network away from its beginning, and random series with some values missing.
    static func trial<S: Scalar>(
        _ c: TSM2Configuration, variates: Int = 3, rows: Int = 60, missing: Bool = true, _: S.Type
    ) -> (network: TSM2Network, parameters: Parameters<S>, series: TSM2Series<S>) {
        let network = TSM2Network(c)
        var random = RandomStream(seed: 1)
        var parameters: Parameters<S> = network.begin(&random)
        for i in parameters.values.indices { parameters.values[i] += S(0.1 * random.normal()) }
        var values = (0..<variates * rows).map { _ in S(random.normal()) }
        if missing {
            for i in values.indices where random.uniform() < 0.1 { values[i] = .nan }
            for i in 0..<rows { values[rows + i] = .nan }  // A whole variate.
        }
        var series = TSM2Series(values, variates: variates)
        series.statics = (0..<variates * c.statics).map { _ in S(random.normal()) }
        series.futures = (0..<rows * c.futures).map { _ in S(random.normal()) }
        return (network, parameters, series)
    }

    @Test(arguments: cases)
    func `with dropout and missing values the gradient is that of differences`(_ c: Case) {
        var (network, parameters, series) = Self.trial(c.configuration, Double.self)
        let pass = TSM2Pass<Double>(
            network, batch: 3, variates: 3, training: true, team: Team(threads: 1))
        let context = min(2, c.configuration.contextMaximum)
        pass.load(series, starts: [0, 7, 20], variates: [2, 0, 1], context: context)
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
            let isUnread =
                !c.configuration.mixesVariates
                && (slot.name.hasSuffix("theta") || slot.name.hasSuffix("gamma"))
            #expect(gradient[slot].values.contains { $0 != 0 } != isUnread, "\(slot.name)")
        }
    }

    @Test(arguments: cases)
    func `the number of threads changes no bit`(_ c: Case) {
        let (network, parameters, series) = Self.trial(c.configuration, Float.self)
        let results = [1, 2, 3].map { threads in
            let pass = TSM2Pass<Float>(
                network, batch: 11, variates: 3, training: true, team: Team(threads: threads))
            pass.load(series, starts: Array(0..<11), variates: [0, 1, 2])
            var gradient = Parameters<Float>(zeros: network.layout)
            let loss = pass.step(parameters, dropoutKey: 3, gradient: &gradient)
            return (loss, gradient, pass.outputs)
        }
        for other in results.dropFirst() {
            #expect(other.0 == results[0].0 && other.1 == results[0].1)
            #expect(other.2 == results[0].2)
        }
    }

    /// Forecasts of one window, `[variate, horizon]`.
    private func forecast<S: Scalar>(
        _ network: TSM2Network, _ parameters: Parameters<S>, _ series: TSM2Series<S>, start: Int,
        _ variates: [Int]
    ) -> Tensor<S> {
        let pass = TSM2Pass<S>(
            network, batch: 1, variates: variates.count, training: false, team: Team(threads: 1))
        pass.load(series, starts: [start], variates: variates)
        pass.forward(parameters)
        return pass.outputs.reshaped([variates.count, network.configuration.horizon])
    }

    @Test(arguments: cases)
    func `with mixers that give 0 there are only embedding, norm and head`(_ c: Case) {
        var (network, parameters, series) = Self.trial(
            c.configuration, missing: false, Double.self)
        for slot in network.layout.slots {
            if slot.name.hasSuffix("out_proj.weight") { parameters.fill(slot, with: 0) }
        }
        var random = RandomStream(seed: 5)
        let fresh: Parameters<Double> = network.begin(&random)
        for slot in network.layout.slots where slot.name.hasPrefix("weights.") {
            parameters[slot] = fresh[slot]
        }
        let before = forecast(network, parameters, series, start: 3, [0, 1, 2])
        // Whatever the mixers' other weights are.
        for slot in network.layout.slots
        where slot.name.contains("mixers") && !slot.name.hasSuffix("out_proj.weight") {
            for i in slot.range { parameters.values[i] += 0.3 * random.normal() }
        }
        #expect(forecast(network, parameters, series, start: 3, [0, 1, 2]) == before)
        // And no variate knows of another.
        let alone = forecast(network, parameters, series, start: 3, [1])
        #expect(alone.values == Array(before.values[5..<10]))
    }

    @Test func `in another order variates have the same forecasts only where they are not mixed`() {
        for c in [Case("mixed"), Case("by itself") { $0.mixesVariates = false }] {
            let (network, parameters, series) = Self.trial(
                c.configuration, missing: false, Double.self)
            let there = forecast(network, parameters, series, start: 0, [0, 1, 2]).values
            let turned = forecast(network, parameters, series, start: 0, [2, 1, 0]).values
            let back = Array(turned[10..<15] + turned[5..<10] + turned[0..<5])
            let difference = zip(there, back).map { abs($0 - $1) }.max() ?? 0
            #expect((difference < 1e-12) == !c.configuration.mixesVariates)
        }
    }

    @Test(arguments: [false, true])
    func `a variate's forecast depends on another's past, and on no future`(mixes: Bool) {
        var c = Self.cases[0].configuration
        c.mixesVariates = mixes
        let (network, parameters, _) = Self.trial(c, Double.self)
        var random = RandomStream(seed: 8)
        var values = (0..<3 * 40).map { _ in random.normal() }
        let before = forecast(
            network, parameters, TSM2Series(values, variates: 3), start: 5, [0, 1, 2])
        values[80 + 12] += 1
        let other = forecast(
            network, parameters, TSM2Series(values, variates: 3), start: 5, [0, 1, 2])
        #expect((other.values[0..<10] != before.values[0..<10]) == mixes)
        #expect(other.values[10..<15] != before.values[10..<15])
        for i in values.indices where i % 40 >= 25 || i % 40 < 5 { values[i] = random.normal() }
        values[80 + 12] -= 1
        #expect(
            forecast(network, parameters, TSM2Series(values, variates: 3), start: 5, [0, 1, 2])
                == before)
    }

    @Test func `offset and scale of each variate carry over to its forecasts`() {
        let (network, parameters, _) = Self.trial(Self.cases[0].configuration, Double.self)
        var random = RandomStream(seed: 8)
        let values = (0..<3 * 40).map { _ in random.normal() }
        let before = forecast(
            network, parameters, TSM2Series(values, variates: 3), start: 5, [0, 1, 2])
        let moved = values.enumerated().map { $0 / 40 == 1 ? 100 * $1 + 7 : $1 }
        let after = forecast(
            network, parameters, TSM2Series(moved, variates: 3), start: 5, [0, 1, 2])
        for (index, (a, b)) in zip(before.values, after.values).enumerated() {
            #expect(abs((index / 5 == 1 ? 100 * a + 7 : a) - b) < (index / 5 == 1 ? 1e-3 : 1e-5))
        }
    }

    @Test func `a variate without any value, or with one value always, has a forecast`() {
        let (network, parameters, series) = Self.trial(Self.cases[0].configuration, Float.self)
        let y = forecast(network, parameters, series, start: 0, [0, 1, 2])
        #expect(y.values.allSatisfy { $0.isFinite })
        var values = series.values
        for i in 0..<60 { values[60 + i] = 42 }
        let constant = forecast(
            network, parameters, TSM2Series(values, variates: 3), start: 0, [0, 1, 2])
        #expect(constant.values[5..<10].allSatisfy { abs($0 - 42) < 0.1 })
    }
}
