import Tensors
import Testing

@Suite struct RawSamplesTests {
    @Test func `physical values are those of a division, to the last bit`() {
        var random = RandomStream(seed: 4)
        var gains = [200, -200, 1, 3, 4.88e-3, 1e-99, 1e99, 1e-150, 1e200, 2.0.nextDown]
        for _ in 0..<500 { gains.append(Double.random(in: 1e-4...1e6, using: &random)) }
        for (place, gain) in gains.enumerated() {
            let baseline = [0, 1024, -0.5, 1e-120, 1e-7, 16_384.25, 1e80][place % 7]
            let samples = (0..<257).map { _ in
                Int32.random(in: -2_000_000_000...2_000_000_000, using: &random)
                    >> Int32.random(in: 0...30, using: &random)
            }
            let found = RawSamples.physical(
                samples, missing: .min, baseline: baseline, gain: gain)
            let expected = samples.map { (Double($0) - baseline) / gain }
            #expect(
                found.map(\.bitPattern) == expected.map(\.bitPattern), "gain \(gain), \(baseline)")
        }
    }

    @Test func `a missing sample is not a number, and none gives none`() {
        let found = RawSamples.physical([1, -2048, 3], missing: -2048, baseline: 1, gain: 2)
        #expect(found[0] == 0 && found[1].isNaN && found[2] == 1)
        #expect(RawSamples.physical([], missing: 0, baseline: 0, gain: 1).isEmpty)
    }
}
