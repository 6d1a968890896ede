import Foundation
import Tensors

/// Raw samples that look like a biosignal to a codec: slow waves, spikes and noise.
enum SyntheticSamples {
    /// `[channels][count]`, each sample within ±1000.
    static func channels(_ channels: Int, count: Int) -> [[Int16]] {
        var random = RandomStream(seed: 2)
        return (0..<channels).map { channel in
            (0..<count).map { index in
                let phase = Double(index + 31 * channel)
                let spike = (index + 17 * channel) % 300 < 12 ? 500.0 : 0
                let noise = 20 * (random.uniform() - 0.5)
                return Int16(250 * sin(phase / 97) + 150 * sin(phase / 11) + spike + noise)
            }
        }
    }

    /// What both sides of a reading benchmark have to find in the file.
    static func sum(_ channels: [[Int16]]) -> Double {
        channels.reduce(0) { total, samples in
            total + Double(samples.reduce(0) { $0 + Int($1) })
        }
    }
}
