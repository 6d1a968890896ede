internal import Foundation
internal import Tensors

/// Random changes that leave a diagnosis as it is.
///
/// - Source: Zhang et al., ICLR 2018 (mixtures); the others are common practice for electrocardiograms.
struct ECGAugmentation: Sendable, Hashable, Codable {
    /// The largest shift to the right, in seconds; what comes free is padding.
    var shiftSeconds = 2.0
    /// The chance of each lead to be silent.
    var leadLoss = 0.1
    /// The factor of all leads lies within 1 ± this.
    var gain = 0.2
    /// The largest deviation of white noise, and of a wandering baseline, in units of the leads.
    var noise = 0.05
    var wander = 0.05

    /// Fills one window of a batch, changed at random.
    ///
    /// - Parameters:
    ///   - window: `[leads, samples]`, scaled.
    ///   - padding: Zeros at its start.
    ///   - samples: Of each lead.
    ///   - hertz: Of the samples.
    ///   - target: Where the changed window goes, `[leads, samples]`.
    ///   - random: Which change.
    /// - Returns: Zeros at the start of the changed window.
    func apply(
        _ window: [Float], padding: Int, samples: Int, hertz: Double,
        into target: inout ArraySlice<Float>, _ random: inout RandomStream
    ) -> Int {
        let leads = window.count / samples
        let shift = random.integer(below: Int(shiftSeconds * hertz) + 1)
        let first = min(samples - 1, padding + shift)
        let factor = Float(1 + gain * (2 * random.uniform() - 1))
        let deviation = Float(noise * random.uniform())
        let frequency = 0.05 + 0.45 * random.uniform()
        for lead in 0..<leads {
            let start = target.startIndex + lead * samples
            for i in 0..<samples { target[start + i] = 0 }
            guard random.uniform() >= leadLoss else { continue }
            // A wave is a point that turns on a circle.
            let height = wander * (2 * random.uniform() - 1)
            let phase = 2 * Double.pi * random.uniform()
            let turn = 2 * Double.pi * frequency / hertz
            let (stepCosine, stepSine) = (Float(cos(turn)), Float(sin(turn)))
            var (x, y) = (Float(height * cos(phase)), Float(height * sin(phase)))
            for i in first..<samples {
                (x, y) = (x * stepCosine - y * stepSine, x * stepSine + y * stepCosine)
                let added = y + deviation * Self.noise(&random)
                target[start + i] = factor * window[lead * samples + i - shift] + added
            }
        }
        return first
    }

    /// Mean 0 and deviation 1, nearly normal: the sum of four numbers of 16 bits.
    private static func noise(_ random: inout RandomStream) -> Float {
        let bits = random.next()
        let sum = (bits & 0xFFFF) + (bits >> 16 & 0xFFFF) + (bits >> 32 & 0xFFFF) + (bits >> 48)
        return (Float(sum) - 2 * 65535) * (1 / 37837.0)
    }
}
