import Series
import TestSupport
import Tensors
import Testing

@testable import Signals

/// Filters against SciPy.
@Suite struct FilterTests {
    private static func leads(_ golden: GoldenFile, _ name: String) throws -> [[Double]] {
        let x: Tensor<Double> = try golden.tensor(name)
        return (0..<x.shape[0]).map { lead in
            Array(x.values[lead * x.shape[1]..<(lead + 1) * x.shape[1]])
        }
    }

    private static func excess(
        _ golden: GoldenFile, _ name: String, _ leads: [[Double]]
    ) throws -> Double {
        try golden.excess(
            of: Tensor([leads.count, leads[0].count], leads.flatMap(\.self)), over: name)
    }

    @Test(arguments: GoldenFile.cases("bandpass"))
    func `a band-pass agrees, in one piece, in two, and to and fro`(path: String) throws {
        let golden = try GoldenFile(path)
        let (low, high) = (
            golden.configuration["low"] as? Double, golden.configuration["high"] as? Double
        )
        let filter = BiquadCascade.butterworthBandpass(
            order: golden.integer("order"), low: try #require(low), high: try #require(high),
            rate: Double(golden.integer("rate")))
        let x = try Self.leads(golden, "in/x")
        let split = golden.integer("split")
        let pieces = x.map { lead in
            var state = filter.rest
            let first = filter.filter(Array(lead[..<split]), &state)
            return first + filter.filter(Array(lead[split...]), &state)
        }
        #expect(try Self.excess(golden, "out/causal", pieces) <= 1)
        let settled = x.map { lead in
            var state = filter.settled(at: lead[0])
            return filter.filter(lead, &state)
        }
        #expect(try Self.excess(golden, "out/settled", settled) <= 1)
        #expect(try Self.excess(golden, "out/zero_phase", x.map(filter.zeroPhase)) <= 1)
    }

    @Test(arguments: GoldenFile.cases("notch"))
    func `a notch agrees`(path: String) throws {
        let golden = try GoldenFile(path)
        let (frequency, quality) = (
            golden.configuration["frequency"] as? Double,
            golden.configuration["quality"] as? Double
        )
        let filter = BiquadCascade.notch(
            frequency: try #require(frequency), quality: try #require(quality),
            rate: Double(golden.integer("rate")))
        let s = filter.sections[0]
        #expect(try golden.excess(of: Tensor([3], [s.b0, s.b1, s.b2]), over: "out/b") <= 1)
        #expect(try golden.excess(of: Tensor([3], [1, s.a1, s.a2]), over: "out/a") <= 1)
        let x = try Self.leads(golden, "in/x")
        let causal = x.map { lead in
            var state = filter.rest
            return filter.filter(lead, &state)
        }
        #expect(try Self.excess(golden, "out/causal", causal) <= 1)
        #expect(try Self.excess(golden, "out/zero_phase", x.map(filter.zeroPhase)) <= 1)
    }

    @Test(arguments: GoldenFile.cases("resample_poly"))
    func `polyphase resampling agrees`(path: String) throws {
        let golden = try GoldenFile(path)
        let resampler = PolyphaseResampler(up: golden.integer("up"), down: golden.integer("down"))
        #expect(
            try golden.excess(
                of: Tensor([resampler.taps.count], resampler.taps), over: "alt/filter") <= 1)
        let x = try Self.leads(golden, "in/x")
        #expect(try Self.excess(golden, "out/y", x.map(resampler.resample)) <= 1)
    }

    @Test(arguments: GoldenFile.cases("resample_fourier"))
    func `resampling by the spectrum agrees`(path: String) throws {
        let golden = try GoldenFile(path)
        let resampler = FourierResampler(count: golden.integer("count"))
        let x = try Self.leads(golden, "in/x")
        #expect(try Self.excess(golden, "out/y", x.map(resampler.resample)) <= 1)
    }

    @Test func `rates become the least ratio, and odd ones none`() throws {
        let resampler = try #require(
            PolyphaseResampler(from: SamplingRate(360), to: SamplingRate(100)))
        #expect((resampler.up, resampler.down) == (5, 18))
        #expect(PolyphaseResampler(from: SamplingRate(100_003), to: SamplingRate(100)) == nil)
        #expect(PolyphaseResampler(up: 7, down: 7).resample([1, 2, 3]) == [1, 2, 3])
        #expect(resampler.resample([]) == [])
        #expect(FourierResampler(count: 4).resample([]) == [])
    }

    @Test func `a short signal is filtered as far as it goes`() {
        let filter = BiquadCascade.butterworthBandpass(order: 3, low: 0.5, high: 40, rate: 500)
        #expect(filter.zeroPhase([]) == [])
        #expect(filter.zeroPhase([2]).allSatisfy { abs($0) < 1e-9 })
        #expect(filter.zeroPhase([2, 2, 2, 2]).allSatisfy { abs($0) < 1e-9 })
        #expect(filter.edge == 21)
    }

    @Test(arguments: [2, 8, 15, 16, 17, 33])
    func `rows side by side are what each is alone, to the last bit`(count: Int) throws {
        var chance = RandomStream(seed: 3)
        let rows = (0..<count).map { _ in (0..<301).map { _ in chance.normal() } }
        for order in 1...5 {
            let band = BiquadCascade.butterworthBandpass(
                order: order, low: 0.5, high: 40, rate: 250)
            #expect(band.zeroPhase(rows: rows) == rows.map { band.zeroPhase($0) })
        }
        for (up, down) in [(1, 5), (2, 3), (4, 1), (1, 1)] {
            let resampler = PolyphaseResampler(up: up, down: down)
            #expect(resampler.resample(rows: rows) == rows.map { resampler.resample($0) })
        }
        let band = BiquadCascade.butterworthBandpass(order: 3, low: 0.5, high: 40, rate: 250)
        let uneven = rows + [[1, 2, 3]]
        #expect(band.zeroPhase(rows: uneven) == uneven.map { band.zeroPhase($0) })
    }

    @Test func `a value at a place of the order is that of the sorted array`() {
        var chance = RandomStream(seed: 4)
        for count in [1, 2, 3, 10, 100, 1001] {
            let values = (0..<count).map { _ in Double(chance.integer(below: 50)) }
            let places = [0, count / 100, count / 2, count * 99 / 100, count - 1]
            let sorted = values.sorted()
            #expect(values.ordered(at: places) == places.map { sorted[$0] })
        }
        let ascending = (0..<5000).map(Double.init)
        #expect(ascending.ordered(at: [49, 4949]) == [49, 4949])
        let level = [Double](repeating: 3, count: 5000)
        #expect(level.ordered(at: [0, 49, 4999]) == [3, 3, 3])
    }
}
