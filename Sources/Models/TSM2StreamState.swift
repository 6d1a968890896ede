package import Tensors

/// Everything that a streamable network keeps of a group's past: what goes on from it gives the same bits
/// as if it had never been stored.
package struct TSM2StreamState<S: Scalar & Codable>: Sendable, Equatable, Codable {
    /// Of this description; a newer program may write another.
    package static var currentVersion: Int { 1 }

    package private(set) var version = Self.currentVersion
    /// Rows that came so far.
    package var rows = 0
    /// Patches since the network began, or began anew.
    package var patches = 0
    /// The last `lookback` rows, the newest last, `[row, variate]`; 0 where missing.
    package var recent: [S] = []
    /// Whether each of those values is there.
    package var known: [Bool] = []
    /// States of all mixers, features of the last patches, offsets and scales.
    package var values: [S]

    init(count: Int) { values = [S](repeating: 0, count: count) }
}
