package import Series
package import Signals

/// A recording as a classifier wants it: fixed leads in a fixed order, rate, band and length.
package struct PreparedECG: Sendable, Equatable {
    /// What was done to a recording on the way: a word for tables and one sentence for people.
    package struct Note: Hashable, Sendable, CustomStringConvertible {
        /// A word that stays the same in all versions.
        package let code: String
        package let description: String

        init(_ code: String, _ description: String) {
            self.code = code
            self.description = description
        }
    }

    /// The rows of a window.
    package let leads: [Lead]
    /// Of all windows.
    package let rate: SamplingRate
    /// Samples of one lead in one window.
    package let sampleCount: Int
    /// Every window is `[leads, sampleCount]`, row-major, in millivolts; lost leads are zeros.
    package let windows: [[Float]]
    /// The instant of each window's first sample, in seconds from the start of the recording. Of a
    /// window that begins with padding it is below zero.
    package let starts: [Double]
    /// Samples at the beginning of the only window that the recording does not have, and are zeros.
    package let padding: Int
    /// Leads that are absent, flat, saturated or full of gaps, and therefore zeros.
    package let lost: [Lead]
    /// 0…1, as `SignalQuality.score`.
    package let quality: Double
    package let notes: [Note]

    package init(
        leads: [Lead], rate: SamplingRate, sampleCount: Int, windows: [[Float]], starts: [Double],
        padding: Int = 0, lost: [Lead] = [], quality: Double = 1, notes: [Note] = []
    ) {
        precondition(
            !windows.isEmpty && windows.count == starts.count
                && windows.allSatisfy { $0.count == leads.count * sampleCount },
            "PreparedECG: \(windows.map(\.count)) for \(leads.count) leads of \(sampleCount)")
        precondition((0..<sampleCount).contains(padding), "PreparedECG: padding \(padding)")
        self.leads = leads
        self.rate = rate
        self.sampleCount = sampleCount
        self.windows = windows
        self.starts = starts
        self.padding = padding
        self.lost = lost
        self.quality = quality
        self.notes = notes
    }

    /// The recording as if it ended after its first window.
    var firstWindow: PreparedECG { replacing(windows[0]) }

    /// The recording with `window` alone, in place of its first.
    func replacing(_ window: [Float]) -> PreparedECG {
        PreparedECG(
            leads: leads, rate: rate, sampleCount: sampleCount, windows: [window],
            starts: [starts[0]], padding: padding, lost: lost, quality: quality, notes: notes)
    }
}
