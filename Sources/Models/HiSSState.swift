package import Tensors

/// Everything that a hierarchical model keeps of a stream's past: what goes on from it gives the same bits
/// as if it had never been stored.
package struct HiSSState<S: Scalar & Codable>: Sendable, Equatable, Codable {
    /// Of this description; a newer program may write another.
    package static var currentVersion: Int { 1 }

    package private(set) var version = Self.currentVersion
    /// Samples that came so far.
    package var samples = 0
    /// Steps that each level has taken since its last output, `[levels]`.
    package var steps: [Int]
    /// The sample before, `[inputs]`, where differences are taken.
    package var before: [S]
    /// The states of all layers.
    package var values: [S]

    init(levels: Int, inputs: Int, count: Int) {
        steps = [Int](repeating: 0, count: levels)
        before = [S](repeating: 0, count: inputs)
        values = [S](repeating: 0, count: count)
    }
}

/// Why a stream cannot go on from a stored state.
package enum HiSSStateError: Error, Equatable {
    /// Bytes that are no state at all, or not all of one.
    case damaged
    /// Written by a newer program.
    case version(found: Int)
    /// Of another network: so many levels, inputs and states.
    case sizes(levels: Int, inputs: Int, states: Int)
    /// Steps that no level can have taken.
    case steps
    /// A state is not finite.
    case notFinite
}

extension PreparedHiSS {
    /// Of a stream that has not begun.
    package var initialState: HiSSState<S> {
        HiSSState(
            levels: network.levels.count, inputs: network.configuration.inputs, count: stateCount)
    }

    /// Whether a stream of this network can go on from a state that was stored.
    ///
    /// - Parameter state: Which.
    /// - Throws: `HiSSStateError`, what is wrong with it.
    package func check(_ state: HiSSState<S>) throws(HiSSStateError) {
        let own = initialState
        guard state.version == own.version else { throw .version(found: state.version) }
        guard
            state.steps.count == own.steps.count && state.before.count == own.before.count
                && state.values.count == own.values.count
        else {
            throw .sizes(
                levels: state.steps.count, inputs: state.before.count, states: state.values.count)
        }
        let ratios = network.configuration.levels.map(\.ratio)
        guard
            state.samples >= 0
                && zip(state.steps, ratios).allSatisfy({ (0..<$1).contains($0) })
        else { throw .steps }
        guard state.values.allSatisfy({ $0.isFinite }) && state.before.allSatisfy({ $0.isFinite })
        else {
            throw .notFinite
        }
    }
}
