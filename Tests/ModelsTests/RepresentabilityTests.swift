import Learning
import Models
import Tensors
import Testing

/// A whole network with weights set by hand continues autoregressive series without error, and
/// reads itself as what they are.
@Suite struct RepresentabilityTests {
    struct Case: CustomTestStringConvertible, Sendable {
        let name: String
        /// Of the series, lag 1 and following.
        let coefficients: [Double]
        /// What one head needs, each of L1 norm 1 (or 0), `[d]`; and its gain.
        let a: [Double]
        let b: [Double]
        let c: [Double]
        let k: [Double]
        var gain = 1.0
        /// The order of the differences that the head sees: 0 or 1.
        var difference = 0
        var testDescription: String { name }
    }

    static let cases = [
        // A register of past values; b has its rest where it is shifted out at once.
        Case(
            name: "AR(4)", coefficients: [0.4, -0.3, 0.1, 0.1], a: [0, 0, 0, 0, 0],
            b: [0.9, 0, 0, 0, 0.1], c: [4, -3, 1, 1, 0], k: [4, -3, 1, 1, 0]),
        // Of the differences Δ, x = (0.6·Δ_t, 0.6·Δ_{t−1} + 0.4·Δ_t, the sum of the rest); the last
        // register is an integrator. The level is the sum of all, the next Δ is the first entry.
        Case(
            name: "ARIMA(1,1,0)", coefficients: [1.6, -0.6], a: [0, 0, 1], b: [0.6, 0.4, 0],
            c: [2, 1, 1], k: [1, 0, 0], gain: 4, difference: 1),
        Case(
            name: "seasonal, 24", coefficients: unit(23, of: 24), a: unit(-1, of: 24),
            b: unit(0, of: 24), c: unit(23, of: 24), k: unit(23, of: 24)),
    ]

    private static func unit(_ index: Int, of count: Int) -> [Double] {
        (0..<count).map { $0 == index ? 1 : 0 }
    }

    @Test(arguments: cases, [1, 96, 720])
    func `the network has no error over any horizon`(_ c: Case, horizon: Int) {
        let (network, parameters) = byHand(c)
        var random = RandomStream(seed: 5)
        var series = (0..<c.coefficients.count).map { _ in random.normal() }
        while series.count < 60 + horizon {
            series.append(
                zip(c.coefficients, series.reversed()).reduce(0) { $0 + $1.0 * $1.1 })
        }
        let pass = SpaceTimePass<Double>(
            network, batch: 1, horizon: horizon, training: false, team: Team(threads: 1))
        pass.prepare(parameters)
        pass.load(windows: Tensor([1, 60, 1], Array(series[..<60])))
        pass.forward()
        for (a, b) in zip(pass.forecasts.values, series[60...]) { #expect(abs(a - b) < 1e-10) }
        let stream = SpaceTimeStream(network, parameters)
        stream.push(Tensor([60, 1], Array(series[..<60])))
        for (a, b) in zip(stream.forecast(steps: horizon).values, series[60...]) {
            #expect(abs(a - b) < 1e-10)
        }
    }

    @Test(arguments: cases)
    func `the reading names the coefficients`(_ c: Case) {
        let (network, parameters) = byHand(c)
        let head = network.reading(parameters).decoder[c.difference]
        for (lag, phi) in head.filter.autoregressive.enumerated() {
            let expected = lag < c.coefficients.count ? c.coefficients[lag] : 0
            #expect(abs(phi - expected) < 1e-12)
        }
    }

    @Test func `a seasonal network is read as its period and its harmonics, which do not decay`() {
        let (network, parameters) = byHand(Self.cases[2])
        let components = network.reading(parameters).components
        #expect(components.count == 13)
        for component in components { #expect(component.halfLife == nil) }
        let periods = components.compactMap(\.period).sorted(by: >)
        for (index, period) in periods.enumerated() {
            #expect(abs(period - 24 / Double(index + 1)) < 1e-6)
        }
        #expect(abs(components.reduce(0) { $0 + $1.share } - 1) < 1e-9)
    }

    /// The encoder hands on preprocessed inputs as they are. The same head stands on a channel of
    /// either group, with opposite gains: GELU(y) − GELU(−y) is y.
    private func byHand(_ c: Case) -> (SpaceTimeNetwork, Parameters<Double>) {
        let d = c.a.count
        let network = SpaceTimeNetwork(
            SpaceTimeConfiguration(
                lag: 60, horizon: 9, groups: 2, d: d, dropout: 0, transform: .none),
            preprocess: Preprocess(windows: [4, 5, 6, 7, 8, 9, 10, 11]))
        var p = Parameters<Double>(zeros: network.layout)
        let rows = ["a": c.a, "b": c.b, "c": c.c, "k": c.k]
        for slot in network.layout.slots {
            for (channel, sign) in [(c.difference, 1.0), (8 + c.difference, -1.0)] {
                switch slot.name {
                case "decoder.gain": p.values[slot.offset + channel] = sign * c.gain
                case "head.weight": p.values[slot.offset + channel] = sign
                default:
                    guard slot.name.hasPrefix("decoder."),
                        let row = rows[String(slot.name.dropFirst(8))]
                    else { continue }
                    for i in 0..<d { p.values[slot.offset + channel * d + i] = row[i] }
                }
            }
        }
        return (network, p)
    }
}
