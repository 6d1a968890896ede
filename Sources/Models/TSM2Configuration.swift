/// The sizes and switches of a TSM2 network, see `TSM2Network`.
package struct TSM2Configuration: Sendable, Hashable, Codable {
    /// Steps that a window looks back on.
    package var lookback: Int
    /// Steps of a forecast.
    package var horizon: Int
    /// Steps of a patch.
    package var patch = 16
    /// Steps from one patch to the next.
    package var stride = 8
    package var width = 32
    /// Pairs of a time mixer and a variate mixer.
    package var layers = 2
    /// Of every channel of a scan.
    package var states = 8
    /// Inner channels of a mixer for each one of the width.
    package var expansion = 2
    /// Probability of every mask in a training.
    package var dropout = 0.3
    /// What the head's map goes through; one full map where 0.
    package var headRank = 64
    /// Whether variates are mixed; without it each is forecast by itself.
    package var mixesVariates = true
    /// Whether every mixer reads a learned sum of all that was made before it.
    package var averages = true
    /// Whether time mixers also run backwards.
    package var isTimeBidirectional = false
    /// Numbers that are known of a variate once and for all.
    package var statics = 0
    /// Numbers that are known of every step of the horizon beforehand, such as the hour of the day.
    package var futures = 0
    /// Steps of the horizon that make one token.
    package var futurePatch = 24
    /// Whether one patch after the other can be taken without looking at those before again: there are no
    /// positions, and offset and scale are those of the first `lookback` steps.
    package var isStreamable = false
    /// Patches beyond `lookback` that a streamable network may have seen before it begins anew.
    package var contextMaximum = 0

    package init(lookback: Int = 336, horizon: Int) {
        self.lookback = lookback
        self.horizon = horizon
    }

    /// Patches of a window.
    package var patches: Int { (lookback - patch) / stride + 1 }

    /// Tokens of what is known of the horizon.
    package var futureTokens: Int {
        futures > 0 ? (horizon + futurePatch - 1) / futurePatch : 0
    }

    /// Tokens that stand before the patches of every variate.
    package var leadingTokens: Int { (statics > 0 ? 1 : 0) + futureTokens }

    /// Tokens that the head reads of a variate.
    package var tokens: Int { leadingTokens + patches }

    /// Whether the sizes are above zero, the last patch ends with the window, and what streams does so.
    package var isValid: Bool {
        [lookback, horizon, patch, stride, width, layers, states, expansion, futurePatch].allSatisfy
        {
            (1...1 << 20).contains($0)
        } && [headRank, statics, futures, contextMaximum].allSatisfy { (0...1 << 20).contains($0) }
            && (0..<1).contains(dropout) && lookback >= patch && (lookback - patch) % stride == 0
            && (isStreamable
                ? !isTimeBidirectional && leadingTokens == 0 : contextMaximum == 0)
    }
}
