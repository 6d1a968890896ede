import Foundation
import Learning
import Tensors
import Testing

@Suite struct RationalFilterTests {
    @Test(arguments: [2, 5, 32])
    func `the filter has the kernel of the state space`(d: Int) throws {
        let length = 6 * d + 30
        var layout = ParameterLayout()
        let ssm = CompanionSSM(&layout, width: 3, kernels: 3, d: d)
        var random = RandomStream(seed: 4)
        var parameters = Parameters<Double>(zeros: layout)
        ssm.begin(&parameters, &random)
        let run = KernelRun<Double>(
            a: parameters[ssm.a], b: parameters[ssm.b], c: parameters[ssm.c], length: length,
            .recurrence)
        for g in 0..<3 {
            let response = ssm.filter(g, parameters).response(length)
            for t in 0..<length { #expect(abs(response[t] - run.kernel[g, t]) < 1e-11) }
        }
    }

    @Test func `a damped oscillation is read with its period, half-life and amplitude`() throws {
        // r^t·sin(ω(t + 1))/sin ω, of period 12 and half-life 50.
        let (r, omega) = (pow(0.5, 1 / 50.0), 2 * Double.pi / 12)
        let filter = RationalFilter(
            autoregressive: [2 * r * cos(omega), -r * r], movingAverage: [1, 0])
        let mode = try #require(filter.modes?.first)
        #expect(filter.modes?.count == 1)
        #expect(abs(try #require(mode.period) - 12) < 1e-9)
        #expect(abs(try #require(mode.halfLife) - 50) < 1e-6)
        #expect(abs(mode.amplitude - 1 / sin(omega)) < 1e-9)
    }

    struct Real: CustomTestStringConvertible, Sendable {
        let name: String
        let pole: Double
        let period: Double?
        let halfLife: Double?
        var testDescription: String { name }
    }

    @Test(arguments: [
        Real(name: "an integrator", pole: 1, period: nil, halfLife: nil),
        Real(name: "a decay", pole: 0.5, period: nil, halfLife: 1),
        Real(name: "an alternation", pole: -0.5, period: 2, halfLife: 1),
    ])
    func `real poles are read`(_ c: Real) throws {
        let filter = RationalFilter(autoregressive: [c.pole, 0], movingAverage: [3, 0])
        let modes = try #require(filter.modes)
        #expect(modes.count == 1)
        #expect(modes[0].period == c.period)
        #expect((modes[0].halfLife == nil) == (c.halfLife == nil))
        if let found = modes[0].halfLife, let expected = c.halfLife {
            #expect(abs(found - expected) < 1e-9)
        }
        #expect(abs(modes[0].amplitude - 3) < 1e-9)
    }
}
