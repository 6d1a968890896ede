/// How a stacked auto-encoder is trained.
package struct StackVAEOptions: Hashable, Sendable {
    package let seed: UInt64
    /// Updates, each of one batch of windows drawn at random.
    package let steps: Int
    /// Windows of a batch.
    package let batch: Int
    /// Rows of a window.
    package let window: Int
    package let rate: Double
    package let weightDecay: Double
    package let clip: Double
    /// The share of the channels of every window that are taken for missing, so that the others make
    /// do without a channel that falls silent; in 0..<1.
    package let blanks: Double

    /// The published choices but for the number of steps; traps unless all counts are above zero.
    package init(
        seed: UInt64 = 0, steps: Int = 300, batch: Int = 64, window: Int = 100, rate: Double = 1e-3,
        weightDecay: Double = 1e-3, clip: Double = 12, blanks: Double = 0
    ) {
        precondition(
            steps > 0 && batch > 0 && window > 1 && (0..<1).contains(blanks),
            "StackVAEOptions: \(steps), \(batch), \(window), \(blanks)")
        self.seed = seed
        self.steps = steps
        self.batch = batch
        self.window = window
        self.rate = rate
        self.weightDecay = weightDecay
        self.clip = clip
        self.blanks = blanks
    }
}
