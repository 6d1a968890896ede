/// One channel of a piece.
package struct PieceChannel: Sendable, Hashable {
    package let channel: Channel
    /// Raw units per physical unit, not 0; physical value = (raw − baseline) / gain. 1 for reals.
    package let gain: Double
    /// The raw value of physical zero. 0 for reals.
    package let baseline: Double

    package init(channel: Channel, gain: Double = 1, baseline: Double = 0) {
        precondition(gain != 0 && gain.isFinite, "PieceChannel: gain \(gain)")
        self.channel = channel
        self.gain = gain
        self.baseline = baseline
    }
}

/// Some consecutive samples of all channels of a recording that is still coming in.
///
/// Pieces of a recording may be of any size; they say where they belong, so that one that comes twice,
/// late or not at all does no harm.
package struct WaveformPiece: Sendable, Equatable {
    /// What samples are.
    package enum Form: String, Sendable {
        /// Raw integers with a gain.
        case integers
        /// Physical values of single precision.
        case reals
    }

    /// Stands for a missing sample among `words`; no sample has this pattern.
    package static let missing = Int32.min
    /// Slowest and fastest rate that recordings may have, in hertz.
    package static let hertz = 1.0...100_000.0
    /// The most channels.
    package static let channelsMaximum = 1000

    /// The key of the recording.
    package let recording: String
    package let channels: [PieceChannel]
    package let rate: SamplingRate
    /// Position of the first sample in the recording, from 0; nil where `at` tells it.
    package let first: Int64?
    /// The device's time of the first sample.
    package let at: Timestamp?
    package let form: Form
    /// The samples of the first channel, then those of the second, …: raw, or the bits of a single.
    package let words: [Int32]
    /// Whether the recording ends with it.
    package let isLast: Bool

    /// Samples of each channel.
    package var count: Int { words.count / channels.count }

    package init(
        recording: String, channels: [PieceChannel], rate: SamplingRate, first: Int64?,
        at: Timestamp?, form: Form, words: [Int32], isLast: Bool = false
    ) {
        precondition(!channels.isEmpty, "WaveformPiece: no channels")
        precondition(
            words.count % channels.count == 0,
            "WaveformPiece: \(words.count) samples of \(channels.count) channels")
        precondition(first != nil || at != nil, "WaveformPiece: neither position nor time")
        self.recording = recording
        self.channels = channels
        self.rate = rate
        self.first = first
        self.at = at
        self.form = form
        self.words = words
        self.isLast = isLast
    }

    /// The word for a physical value; what is no number is missing.
    package static func word(_ value: Float) -> Int32 {
        // Zero has one sign only, whose bits mean missing here.
        value.isFinite ? (value == 0 ? 0 : Int32(bitPattern: value.bitPattern)) : missing
    }
}

/// The tens of seconds, counted from the start of a recording, by which its chunks are cut.
///
/// The first chunk may be shorter, for recordings that begin together: their chunks then end at
/// different times, and what it takes to write them is spread over the ten seconds.
package struct ChunkGrid: Sendable, Hashable {
    package let rate: SamplingRate
    /// The length of a chunk.
    package let seconds: Int64
    /// By how many samples the first chunk is shorter.
    package private(set) var phase: Int64 = 0

    package init(rate: SamplingRate, seconds: Int64 = 10) {
        precondition(seconds > 0, "ChunkGrid: \(seconds) seconds")
        self.rate = rate
        self.seconds = seconds
    }

    /// The grid of a recording that is fed in pieces, the same whenever it is asked for.
    ///
    /// - Parameters:
    ///   - rate: Its rate.
    ///   - key: Its key, whose FNV-1a hash says how much shorter the first chunk is.
    package init(rate: SamplingRate, staggeredBy key: String) {
        self.init(rate: rate)
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in key.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        phase = Int64((hash >> 16) % UInt64(start(of: 1)))
    }

    /// The first sample at or after the beginning of a chunk.
    package func start(of ordinal: Int64) -> Int64 {
        guard ordinal > 0 else { return 0 }
        let span = Int128(seconds) * Int128(rate.numerator)
        return Int64((Int128(ordinal) * span - 1) / Int128(rate.denominator)) + 1 - phase
    }

    /// The chunk that a sample lies in.
    package func ordinal(of sample: Int64) -> Int64 {
        Int64(
            Int128(sample + phase) * Int128(rate.denominator)
                / (Int128(seconds) * Int128(rate.numerator)))
    }

    /// The samples of a chunk.
    package func samples(of ordinal: Int64) -> Range<Int64> {
        start(of: ordinal)..<start(of: ordinal + 1)
    }
}
