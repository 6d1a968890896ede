import Models
import Tensors

/// The windows of a group that a stacked auto-encoder learns from.
struct WindowPlaces: Sendable {
    /// Windows side by side, `[window, channel, place]`.
    struct Batch {
        /// Scaled; 0 where missing.
        var values: [Float]
        /// 0 where missing, else 1; nil where nothing is.
        var presence: [Float]?

        /// Takes a share of the channels of every window for missing.
        mutating func blank(
            _ share: Double, _ c: StackVAEConfiguration, _ batch: Int, _ chance: inout RandomStream
        ) {
            let columns = c.channels * batch
            let blanked = (0..<columns).filter { _ in chance.uniform() < share }
            guard !blanked.isEmpty else { return }
            var presence = presence ?? [Float](repeating: 1, count: values.count)
            for row in 0..<c.window {
                for column in blanked {
                    values[row * columns + column] = 0
                    presence[row * columns + column] = 0
                }
            }
            self.presence = presence
        }
    }

    /// `[channel][row]`, scaled; NaN where missing.
    let series: [[Float]]
    let window: Int
    /// First rows of the windows of which at least half is there.
    let places: [Int]
    private let isWhole: Bool

    init(_ series: [[Float]], window: Int) {
        self.series = series
        self.window = window
        let rows = series.first?.count ?? 0
        var there = [0]
        for row in 0..<rows {
            there.append(there[row] + series.count { !$0[row].isNaN })
        }
        let half = (series.count * window + 1) / 2
        places = (0..<max(0, rows - window + 1)).filter { there[$0 + window] - there[$0] >= half }
        isWhole = there[rows] == rows * series.count
    }

    /// Windows at places of chance.
    func draw(_ count: Int, _ chance: inout RandomStream) -> Batch {
        let starts = (0..<count).map { _ in places[chance.integer(below: places.count)] }
        let windows = Self.windows(series, starts, window)
        return isWhole ? Batch(values: windows.values) : windows
    }

    /// The windows that begin at some rows.
    static func windows(_ series: [[Float]], _ starts: [Int], _ window: Int) -> Batch {
        let columns = series.count * starts.count
        var values = [Float](repeating: 0, count: window * columns)
        var presence = [Float](repeating: 0, count: window * columns)
        for (channel, all) in series.enumerated() {
            for (place, start) in starts.enumerated() {
                var target = channel * starts.count + place
                for row in start..<start + window {
                    let value = all[row]
                    if !value.isNaN {
                        values[target] = value
                        presence[target] = 1
                    }
                    target += columns
                }
            }
        }
        return Batch(values: values, presence: presence)
    }
}
