/// Offsets and scales of sensors as they run: every sample is judged by those before it and itself, so
/// that recordings of other amplitudes and offsets become alike without knowing what comes.
///
/// Plain means and variances over the first samples, exponential ones behind: two numbers a channel and a
/// count are all that a stream has to keep.
package struct RunningScaling: Sendable, Equatable, Codable {
    /// Samples that the means reach back, about.
    package let samples: Int
    /// Known so far, up to `samples`.
    package private(set) var count = 0
    package private(set) var means: [Float]
    package private(set) var variances: [Float]

    /// Below this deviation a channel stands still.
    package static var deviationMinimum: Float { 1e-6 }

    /// - Parameters:
    ///   - samples: Above zero.
    ///   - channels: Of a sample.
    package init(samples: Int, channels: Int) {
        precondition(
            min(samples, channels) > 0, "RunningScaling: \(samples) samples of \(channels)")
        self.samples = samples
        means = [Float](repeating: 0, count: channels)
        variances = [Float](repeating: 0, count: channels)
    }

    /// Takes in samples one by one and scales each by what is known then.
    ///
    /// - Parameter values: `[samples, channels]`; finite.
    package mutating func scale(_ values: inout [Float]) {
        let channels = means.count
        for first in stride(from: 0, to: values.count, by: channels) {
            count = min(count + 1, samples)
            // West 1979; a share of 1/count gives the plain moments.
            let share = 1 / Float(count)
            for channel in 0..<channels {
                let difference = values[first + channel] - means[channel]
                means[channel] += share * difference
                variances[channel] =
                    (1 - share) * (variances[channel] + share * difference * difference)
                let deviation = variances[channel].squareRoot()
                values[first + channel] =
                    deviation > Self.deviationMinimum
                    ? (values[first + channel] - means[channel]) / deviation : 0
            }
        }
    }
}

extension RunningScaling {
    /// Numbers of four bytes that are stored of so many channels.
    static func wordCount(channels: Int) -> Int { 1 + 2 * channels }

    /// What `init(words:samples:)` reads: how many are known, means, variances.
    var words: [UInt32] {
        [UInt32(count)] + means.map { $0.bitPattern } + variances.map { $0.bitPattern }
    }

    /// Reads what `words` gave; nil where that is no state of a stream.
    init?(words: [UInt32], samples: Int) {
        let channels = (words.count - 1) / 2
        guard channels > 0, words.count == Self.wordCount(channels: channels),
            words[0] <= samples
        else { return nil }
        self.init(samples: samples, channels: channels)
        count = Int(words[0])
        means = words[1...channels].map { Float(bitPattern: $0) }
        variances = words[(channels + 1)...].map { Float(bitPattern: $0) }
        guard means.allSatisfy({ $0.isFinite }), variances.allSatisfy({ $0 >= 0 && $0.isFinite })
        else { return nil }
    }
}

extension SensorSequence {
    /// The same with inputs in units of their running deviations; untouched for 0 samples.
    func scaled(over samples: Int) -> SensorSequence {
        guard samples > 0 else { return self }
        var values = inputs
        var scaling = RunningScaling(samples: samples, channels: channels)
        scaling.scale(&values)
        return SensorSequence(self, inputs: values)
    }
}
