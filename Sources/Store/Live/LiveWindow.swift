import Series

/// The ten seconds of a recording that become a chunk a channel.
struct LiveWindow: Equatable {
    /// Which samples.
    let samples: Range<Int64>
    /// Those of the first channel, then those of the second, …; `WaveformPiece.missing` where none.
    private(set) var words: [Int32]
    private let width: Int

    init(_ samples: Range<Int64>, channels: Int) {
        self.samples = samples
        width = samples.count
        words = [Int32](repeating: WaveformPiece.missing, count: width * channels)
    }

    /// Puts what is stored where it belongs.
    ///
    /// - Parameters:
    ///   - source: Of one channel after the other.
    ///   - first: The position of the first of them.
    ///   - channels: Which channels they are of.
    mutating func load(_ source: [Int32], first: Int64, channels: Range<Int>) {
        let count = source.count / channels.count
        let range = (first..<first + Int64(count)).clamped(to: samples)
        guard !range.isEmpty else { return }
        for (index, channel) in channels.enumerated() {
            let from = index * count + Int(range.lowerBound - first)
            let to = channel * width + Int(range.lowerBound - samples.lowerBound)
            words.replaceSubrange(
                to..<to + range.count, with: source[from..<from + range.count])
        }
    }

    /// Lays a piece over what is here, as far as it lies in this window.
    ///
    /// - Parameters:
    ///   - piece: It fills what is missing; what differs is kept or revised.
    ///   - first: The position of its first sample.
    ///   - rule: Whether a differing sample replaces what is here.
    ///   - counts: What became of its samples is added.
    /// - Returns: Whether anything here has changed.
    mutating func lay(
        _ piece: WaveformPiece, first: Int64, rule: ConflictRule, _ counts: inout LiveCounts
    ) -> Bool {
        let range = (first..<first + Int64(piece.count)).clamped(to: samples)
        guard !range.isEmpty else { return false }
        var changed = false
        for channel in piece.channels.indices {
            let from = channel * piece.count + Int(range.lowerBound - first)
            let to = channel * width + Int(range.lowerBound - samples.lowerBound)
            for index in 0..<range.count {
                let word = piece.words[from + index]
                guard word != WaveformPiece.missing else { continue }
                let here = words[to + index]
                if here == word {
                    counts.duplicates += 1
                } else if here == WaveformPiece.missing {
                    counts.stored += 1
                    words[to + index] = word
                    changed = true
                } else if rule == .revise {
                    counts.revised += 1
                    words[to + index] = word
                    changed = true
                } else {
                    counts.conflicts += 1
                }
            }
        }
        return changed
    }

    /// The samples of one channel before `end`.
    func channel(_ channel: Int, before end: Int64) -> [Int32] {
        let count = Int(min(samples.upperBound, end) - samples.lowerBound)
        return Array(words[channel * width..<channel * width + count])
    }

    /// The stretches in which no sample is missing in all channels, ready to be stored as they are.
    func spans() -> [LiveSpan] {
        let channels = words.count / max(width, 1)
        func isEmpty(_ index: Int) -> Bool {
            (0..<channels).allSatisfy { words[$0 * width + index] == WaveformPiece.missing }
        }
        var spans: [LiveSpan] = []
        var start: Int?
        for index in 0...width {
            let isThere = index < width && !isEmpty(index)
            if isThere, start == nil { start = index }
            if !isThere, let from = start {
                let cut = (0..<channels).flatMap { words[$0 * width + from..<$0 * width + index] }
                spans.append(
                    LiveSpan(
                        first: samples.lowerBound + Int64(from), count: index - from, words: cut))
                start = nil
            }
        }
        return spans
    }
}

/// Consecutive samples of all channels: a row of the tail.
struct LiveSpan: Equatable {
    let first: Int64
    private(set) var count: Int
    /// Those of the first channel, then those of the second, ….
    private(set) var words: [Int32]

    var end: Int64 { first + Int64(count) }

    init(first: Int64, count: Int, words: [Int32]) {
        self.first = first
        self.count = count
        self.words = words
    }

    /// The samples of a piece from `start` on.
    init(_ piece: WaveformPiece, first: Int64, from start: Int64) {
        let skip = Int(max(0, start - first))
        self.first = first + Int64(skip)
        count = piece.count - skip
        words =
            skip == 0
            ? piece.words
            : piece.channels.indices.flatMap {
                piece.words[$0 * piece.count + skip..<($0 + 1) * piece.count]
            }
    }

    /// Spans that follow each other as one.
    static func joined(_ spans: [LiveSpan], channels: Int) -> LiveSpan {
        if spans.count == 1 { return spans[0] }
        let count = spans.reduce(0) { $0 + $1.count }
        var words: [Int32] = []
        words.reserveCapacity(count * channels)
        for channel in 0..<channels {
            for span in spans {
                words += span.words[channel * span.count..<(channel + 1) * span.count]
            }
        }
        return LiveSpan(first: spans[0].first, count: count, words: words)
    }
}

/// What became of the samples of some pieces; all channels together, missing ones left out.
package struct LiveCounts: Sendable, Equatable {
    package var pieces = 0
    package var stored = 0
    /// Were there already.
    package var duplicates = 0
    /// Differ from what is stored, which stays.
    package var conflicts = 0
    /// Replaced what was stored.
    package var revised = 0
    /// Stretches that were left out when something behind them came, and their samples together.
    package var gaps = 0
    package var gapSamples: Int64 = 0

    package init() {}

    static func += (a: inout LiveCounts, b: LiveCounts) {
        a.pieces += b.pieces
        a.stored += b.stored
        a.duplicates += b.duplicates
        a.conflicts += b.conflicts
        a.revised += b.revised
        a.gaps += b.gaps
        a.gapSamples += b.gapSamples
    }
}
