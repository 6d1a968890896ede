/// Consecutive samples of one channel of a recording, as the file gave them: raw integers with the
/// linear map to physical units, so that nothing is lost by storing them.
package struct WaveformChunk: Sendable, Equatable {
    /// Position of the channel in its recording, from 0.
    package let channel: Int
    /// Position of the first sample in the recording, from 0, in samples of this channel.
    package let firstSample: Int64
    /// Raw units per physical unit, not 0; physical value = (raw − baseline) / gain.
    package let gain: Double
    /// The raw value of physical zero.
    package let baseline: Double
    /// Raw samples; nil where the recording has none.
    package let samples: [Int32?]

    package init(
        channel: Int, firstSample: Int64, gain: Double, baseline: Double, samples: [Int32?]
    ) {
        precondition(gain != 0 && gain.isFinite, "WaveformChunk: gain \(gain)")
        self.channel = channel
        self.firstSample = firstSample
        self.gain = gain
        self.baseline = baseline
        self.samples = samples
    }

    /// The physical value at `index`; nil where missing.
    package func physical(_ index: Int) -> Double? {
        samples[index].map { (Double($0) - baseline) / gain }
    }

    /// Whether every sample fits 16 bits, so that it can be stored as `smallint`.
    package var fitsInt16: Bool {
        samples.allSatisfy { $0.map { Int16(exactly: $0) != nil } ?? true }
    }
}
