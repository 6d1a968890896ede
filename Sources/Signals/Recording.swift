import Foundation
package import Series
internal import Tensors

/// A biosignal recording as its file gave it: raw integers with the map to physical units.
package struct Recording: Sendable {
    /// One channel of a recording.
    package struct Signal: Sendable {
        /// What `samples` holds where the recording has none.
        package static let missing = Int32.min

        package let channel: Channel
        package let rate: SamplingRate
        /// Raw units per physical unit, not 0; physical value = (raw − baseline) / gain.
        package let gain: Double
        package let baseline: Double
        /// Raw samples, `Signal.missing` where there are none. May end before `declaredCount`.
        package let samples: [Int32]
        /// How many samples the header promises; the file may hold fewer.
        package let declaredCount: Int

        package init(
            channel: Channel, rate: SamplingRate, gain: Double, baseline: Double,
            samples: [Int32], declaredCount: Int
        ) {
            precondition(gain != 0 && gain.isFinite, "Signal: gain \(gain)")
            self.channel = channel
            self.rate = rate
            self.gain = gain
            self.baseline = baseline
            self.samples = samples
            self.declaredCount = declaredCount
        }

        /// The raw sample at `index`; nil where it is missing or the file ends before it.
        package subscript(index: Int) -> Int32? {
            guard index < samples.count, samples[index] != Self.missing else { return nil }
            return samples[index]
        }

        /// The sample at `index` in `channel.unit`; NaN where missing.
        package func physical(_ index: Int) -> Double {
            self[index].map { (Double($0) - baseline) / gain } ?? .nan
        }

        /// How many samples are missing, with those the file ends before.
        package var missingCount: Int {
            declaredCount - samples.count + samples.count { $0 == Self.missing }
        }
    }

    /// What is odd about a recording that could be read all the same.
    package enum Finding: Sendable, Equatable {
        /// The file ends before the header says.
        case truncated(channel: Int, declared: Int, found: Int)
        /// The sum of the samples differs from the header's.
        case checksum(channel: Int, declared: Int, found: Int)
        /// The header names no gain; 200 raw units per millivolt is the format's default.
        case uncalibrated(channel: Int)
        /// The header's start is no time, so that the recording has none.
        case unreadableStart(String)
        /// Samples are missing between two parts of a recording.
        case gap(afterSeconds: Double, seconds: Double)
        /// A segment of the recording cannot be read, and is a gap.
        case segmentUnread(String)
        /// Segments have different gains; all samples are in units of the finest.
        case rescaled(channel: Int)
        /// The recording has annotations, which are not read.
        case annotationsLeftAside(signals: Int)
    }

    package let name: String
    /// The instant of the first sample, taken as UTC; nil where the file does not tell the date.
    package let start: Timestamp?
    package let signals: [Signal]
    /// Free text of the header, line by line.
    package let comments: [String]
    package let findings: [Finding]

    package init(
        name: String, start: Timestamp?, signals: [Signal], comments: [String] = [],
        findings: [Finding] = []
    ) {
        self.name = name
        self.start = start
        self.signals = signals
        self.comments = comments
        self.findings = findings
    }

    /// The length of the longest signal, as the header promises it.
    package var durationSeconds: Double {
        signals.map { Double($0.declaredCount) * $0.rate.stepSeconds }.max() ?? 0
    }

    /// The samples of one signal in `channel.unit`, NaN where missing.
    package func physical(_ index: Int) -> [Double] {
        let signal = signals[index]
        return RawSamples.physical(
            signal.samples, missing: Signal.missing, baseline: signal.baseline, gain: signal.gain)
    }

    /// One signal in physical units on its grid; nil where the recording has no start.
    package func series(_ index: Int) -> TimeSeries? {
        guard let start else { return nil }
        let signal = signals[index]
        return TimeSeries(
            channel: signal.channel,
            grid: TimeGrid(start: start, rate: signal.rate, count: signal.samples.count),
            values: physical(index))
    }

    /// The samples cut every `seconds` from the start of the recording, channel by channel. A
    /// chunk without a single sample is left out.
    package func chunks(seconds: Int = 10) -> [WaveformChunk] {
        precondition(seconds > 0, "chunks: \(seconds) seconds")
        var chunks: [WaveformChunk] = []
        for (index, signal) in signals.enumerated() {
            var first = 0
            var ordinal: Int128 = 0
            let (step, span) = (
                Int128(signal.rate.denominator), Int128(seconds) * Int128(signal.rate.numerator)
            )
            while first < signal.samples.count {
                // Where a sample takes longer than a chunk, the chunks up to the next one are empty.
                ordinal = max(ordinal, Int128(first) * step / span) + 1
                // The first sample at or after the end of this chunk.
                let next = Int((ordinal * span - 1) / step) + 1
                let range = first..<min(signal.samples.count, next)
                first = next
                let samples = range.map { signal[$0] }
                guard samples.contains(where: { $0 != nil }) else { continue }
                chunks.append(
                    WaveformChunk(
                        channel: index, firstSample: Int64(range.lowerBound), gain: signal.gain,
                        baseline: signal.baseline, samples: samples))
            }
        }
        return chunks
    }
}

extension SamplingRate {
    /// A rate written as a decimal number of hertz, such as `62.4725`; nil unless above zero with
    /// at most 18 digits. Beyond six decimals it is the simplest fraction that is written so:
    /// 0.0166666666667 is 1/60.
    init?(decimalHertz text: some StringProtocol) {
        guard let (value, scale) = text.exactDecimal, value > 0 else { return nil }
        guard scale > 1_000_000 else {
            self.init(value, per: scale)
            return
        }
        // Convergents of the continued fraction, until one rounds to what is written.
        var (a, b) = (value, scale)
        var (low, high) = ((n: Int64(0), d: Int64(1)), (n: Int64(1), d: Int64(0)))
        while b != 0 {
            let quotient = a / b
            let next = (n: quotient * high.n + low.n, d: quotient * high.d + low.d)
            (low, high) = (high, next)
            (a, b) = (b, a % b)
            let written = (Double(next.n) / Double(next.d) * Double(scale)).rounded()
            if next.n > 0, written == Double(value) { break }
        }
        guard high.n > 0, high.d > 0, high.d <= 1_000_000 else { return nil }
        self.init(high.n, per: high.d)
    }
}

extension StringProtocol {
    /// A plain decimal number without sign or exponent as the exact fraction `value / scale`; nil
    /// for anything else and for more than 18 digits.
    var exactDecimal: (value: Int64, scale: Int64)? {
        let parts = split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        let fraction = parts.count > 1 ? String(parts[1]) : ""
        let digits = String(parts[0]) + fraction
        guard digits.utf8.count <= 18, !digits.isEmpty,
            digits.utf8.allSatisfy({ (48...57).contains($0) }), let value = Int64(digits)
        else { return nil }
        return (value, fraction.reduce(1) { scale, _ in scale * 10 })
    }
}

extension String {
    /// Text in UTF-8, or in Windows-1252 where it is not that; older files have their µ, ° and € so.
    ///
    /// That is Latin-1 with letters in place of the control characters that no text has.
    /// - Source: WHATWG Encoding Standard, 9.1: what says that it is Latin-1 is read so.
    init(utf8OrWindows1252 bytes: some Collection<UInt8>) {
        self =
            String(validating: bytes, as: UTF8.self)
            ?? String(bytes: bytes, encoding: .windowsCP1252)
            // Five bytes mean nothing there.
            ?? String(String.UnicodeScalarView(bytes.map { Unicode.Scalar($0) }))
    }
}
