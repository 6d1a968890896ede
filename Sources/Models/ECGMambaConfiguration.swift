/// The sizes of an ECG Mamba network.
package struct ECGMambaConfiguration: Sendable, Equatable, Codable {
    /// One strided convolution of the stem.
    package struct StemLayer: Sendable, Equatable, Codable {
        package var channels: Int
        package var taps: Int
        package var stride: Int
        package var padding: Int

        package init(channels: Int, taps: Int, stride: Int, padding: Int) {
            self.channels = channels
            self.taps = taps
            self.stride = stride
            self.padding = padding
        }
    }

    /// What the head sees of all tokens.
    package enum Pooling: String, Sendable, Codable, CaseIterable {
        /// A class token behind all others. The last block's backward scan meets it first, so that it
        /// sees nothing else there.
        case end
        /// A class token in the middle.
        case middle
        /// The mean of all tokens that are no padding; there is no class token.
        case mean
    }

    package var sizes: RecordingSizes
    package var stem: [StemLayer]
    package var depth: Int
    /// States of every channel of a scan.
    package var states: Int
    package var dropout = 0.1
    /// The share of recordings that pass by the last block; earlier blocks are passed by less often.
    package var dropPath = 0.05
    package var pooling = Pooling.end
    /// Whether the two directions of a block are halved before they are added.
    package var isHalved = false

    package init(sizes: RecordingSizes, stem: [StemLayer], depth: Int, states: Int) {
        self.sizes = sizes
        self.stem = stem
        self.depth = depth
        self.states = states
    }

    /// Width of the blocks: channels of the last stem layer.
    package var width: Int { stem.last?.channels ?? 0 }

    /// Tokens out of the stem, without the class token.
    package var tokens: Int {
        stem.reduce(sizes.samples) { ($0 + 2 * $1.padding - $1.taps) / $1.stride + 1 }
    }

    /// Points in time of a recording for each token.
    package var stride: Int { stem.reduce(1) { $0 * $1.stride } }

    /// Row of the class token among all tokens; nil where there is none.
    var classRow: Int? {
        switch pooling {
        case .end: tokens
        case .middle: tokens / 2
        case .mean: nil
        }
    }

    /// Rows of a block.
    var rows: Int { tokens + (classRow == nil ? 0 : 1) }

    /// 0.14 million parameters, 10 s at 100 Hz: minutes an epoch on two cores.
    package static func tiny(classes: Int, leads: Int = 12, extra: Int = 0) -> Self {
        short((32, 64), depth: 3, RecordingSizes(leads, 1000, classes, extra))
    }

    /// 0.35 million parameters, 10 s at 100 Hz.
    package static func small(classes: Int, leads: Int = 12, extra: Int = 0) -> Self {
        short((64, 96), depth: 4, RecordingSizes(leads, 1000, classes, extra))
    }

    /// 2.5 million parameters, 8 s at 500 Hz.
    package static func mid(classes: Int, leads: Int = 12, extra: Int = 0) -> Self {
        long((64, 192), depth: 8, RecordingSizes(leads, 4096, classes, extra))
    }

    /// 26 million parameters, 16 s at 500 Hz: the published sizes.
    package static func paper(classes: Int, leads: Int = 12, extra: Int = 0) -> Self {
        long((128, 384), depth: 24, RecordingSizes(leads, 8192, classes, extra))
    }

    private static func short(
        _ channels: (Int, Int), depth: Int, _ sizes: RecordingSizes
    ) -> Self {
        Self(
            sizes: sizes,
            stem: [
                StemLayer(channels: channels.0, taps: 7, stride: 2, padding: 3),
                StemLayer(channels: channels.1, taps: 5, stride: 2, padding: 2),
            ], depth: depth, states: 8)
    }

    private static func long(_ channels: (Int, Int), depth: Int, _ sizes: RecordingSizes) -> Self {
        Self(
            sizes: sizes,
            stem: [
                StemLayer(channels: channels.0, taps: 14, stride: 3, padding: 2),
                StemLayer(channels: channels.1, taps: 15, stride: 4, padding: 100),
            ], depth: depth, states: 16)
    }
}

extension RecordingSizes {
    fileprivate init(_ leads: Int, _ samples: Int, _ classes: Int, _ extra: Int) {
        self.init(leads: leads, samples: samples, classes: classes, extra: extra)
    }
}
