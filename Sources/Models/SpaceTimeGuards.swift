package import Learning
internal import Tensors

/// What keeps a training from loops that grow, and from an encoder that falls silent.
///
/// - Source: Montel's bound on the roots of a polynomial; ops/decisions/0005.
extension SpaceTimeNetwork {
    /// The largest response of any channel's closed loop to a unit state within `horizon` steps.
    ///
    /// It stays near 1 while the loop is stable; a model in which it grows must not be published.
    package func largestResponse<S>(_ parameters: Parameters<S>, horizon: Int) -> Double {
        let probe = ResponseProbe<S>(self, parameters, horizon: horizon)
        return (0..<decoder.heads).reduce(0) { largest, head in
            max(largest, probe.gain(head) * probe.largestRow(head))
        }
    }

    /// Weakens the feedback of every head whose rows `c·M^h` exceed `limit` within `horizon` steps,
    /// until none do.
    ///
    /// Scaling k by 0.9 would change nothing, since k is L1-normalised in every pass. The tenth that
    /// is taken goes to all entries alike instead, with alternating signs, negative for the state's
    /// last element: a feedback of at most 1/d anywhere.
    ///
    /// - Parameters:
    ///   - parameters: Changed in k of the heads concerned, and nowhere else.
    ///   - horizon: Steps; four times what a model is trained for.
    ///   - limit: What a row may reach.
    /// - Returns: How many heads were changed.
    package func dampGrowingHeads<S>(
        _ parameters: inout Parameters<S>, horizon: Int, limit: Double = 50
    ) -> Int {
        let d = configuration.d
        let probe = ResponseProbe<S>(self, parameters, horizon: horizon)
        var damped = 0
        for head in 0..<decoder.heads where !(probe.largestRow(head) <= limit) {
            damped += 1
            let start = decoder.k.offset + head * d
            for _ in 0..<Self.dampingsMaximum {
                let row = parameters.values[start..<start + d]
                let norm = row.reduce(0) { $0 + abs($1) }
                for i in 0..<d {
                    let spread: S = (d - i) % 2 == 1 ? -1 / S(d) : 1 / S(d)
                    parameters.values[start + i] =
                        0.9 * parameters.values[start + i] / max(norm, 1e-4) + 0.1 * spread
                }
                probe.load(parameters)
                if probe.largestRow(head) <= limit { break }
            }
        }
        return damped
    }

    /// Beyond so many nothing of the old k is left: 0.9⁶⁶ < 0.001.
    private static var dampingsMaximum: Int { 66 }

    /// Whether the loss should take the decoder's next inputs as given from now on: after five epochs
    /// in which both sides could meet by falling silent.
    ///
    /// - Parameters:
    ///   - epochs: Whole epochs so far.
    ///   - deviation: What `SpaceTimePass.encodedDeviation` said last.
    /// - Returns: The value for `SpaceTimePass.isTargetDetached`.
    package static func isTargetDetached(afterEpochs epochs: Int, deviation: Double) -> Bool {
        epochs >= 5 && deviation < 1e-3
    }
}

extension SpaceTimePass {
    /// The standard deviation of the decoder's inputs over the last pass; call it before `loss`,
    /// which reuses their place.
    package var encodedDeviation: Double {
        let output = memory.encoders[memory.encoders.count - 1].output
        var (sum, squares) = (0.0, 0.0)
        // Channels beyond the width add nothing to either.
        for block in 0..<output.count {
            let values = output.block(block, windows: 0..<batch)
            sum += work.sum(values)
            squares += work.dot(values, values)
        }
        let count = Double(network.configuration.width * batch * network.configuration.lag)
        return max(0, squares / count - sum / count * (sum / count)).squareRoot()
    }
}

/// Computes the closed loop's rows, one head at a time.
private final class ResponseProbe<S: Scalar> {
    private let decoder: ClosedLoopSSM
    private let flat: Panel
    private let columns: Panel
    private let rows: Panel
    private let work: Workspace<S>

    init(_ network: SpaceTimeNetwork, _ parameters: Parameters<S>, horizon: Int) {
        decoder = network.decoder
        let d = network.configuration.d
        var layout = WorkspaceLayout()
        flat = layout.reserve(1, parameters.layout.count)
        columns = layout.reserve(4, d)
        rows = layout.reserve(horizon, d)
        work = Workspace(layout)
        load(parameters)
    }

    func load(_ parameters: Parameters<S>) { work.load(flat, from: parameters.values) }

    func gain(_ head: Int) -> Double {
        abs(Double(work[decoder.gain.panel(in: flat), 0, head]))
    }

    /// The largest magnitude in `c·M^h`; infinity where one is no number.
    func largestRow(_ head: Int) -> Double {
        for (index, slot) in [decoder.a, decoder.b, decoder.c, decoder.k].enumerated() {
            work.normalise(slot.panel(in: flat).row(head), into: columns.row(index))
        }
        work.forecastRows(
            a: columns.row(0), b: columns.row(1), c: columns.row(2), k: columns.row(3), into: rows)
        let largest = Double(Tensor([rows.count], work.values(rows)).largestMagnitude)
        return largest.isFinite ? largest : .infinity
    }
}
