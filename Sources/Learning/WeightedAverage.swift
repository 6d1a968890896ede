package import Tensors

/// A sum of signals by learned scalars, `x = Σ w_i·y_i`.
///
/// The weights are free: a network that has one between its layers begins as the plain one whose next
/// layer reads the last, if that weight is begun at 1 and all others at 0.
///
/// - Source: Behrouz, Santacatterina, Zabih 2024 (MambaMixer), eq. 9 and 10.
package struct WeightedAverage: Sendable {
    let weights: Slot  // [signals]

    package var count: Int { weights.count }

    package init(_ layout: inout ParameterLayout, _ name: String, count: Int) {
        weights = layout.add(name, count, decayed: false)
    }

    /// 0 for all signals but one; for all where nil.
    package func begin<S>(_ p: inout Parameters<S>, at one: Int?) {
        p.fill(weights, with: 0)
        if let one { p.values[weights.offset + one] = 1 }
    }

    /// Fills x with the sum of the first `count` signals, or adds it; all without gaps.
    package func forward<S>(
        _ signals: [Panel], into x: Panel, adding: Bool, _ p: Panel, _ work: Workspace<S>
    ) {
        for index in 0..<count {
            let weight = work[p, 0, weights.offset + index]
            let y = signals[index].rows(0..<x.rows)
            if index == 0, !adding {
                work.combine(weight, y, 0, x)
            } else {
                work.add(y, to: x, times: weight)
            }
        }
    }

    /// Adds to the gradients of the signals and of the weights.
    ///
    /// - Parameters:
    ///   - dx: ∂L/∂x.
    ///   - signals: What `forward` was given.
    ///   - slopes: Gradients of those, which are added to.
    ///   - p: All parameters.
    ///   - gradient: All their gradients.
    ///   - work: The memory of all panels.
    package func backward<S>(
        _ dx: Panel, _ signals: [Panel], slopes: [Panel], _ p: Panel, gradient: Panel,
        _ work: Workspace<S>
    ) {
        let rows = 0..<dx.rows
        for index in 0..<count {
            let place = weights.offset + index
            work[gradient, 0, place] += S(work.dot(dx, signals[index].rows(rows)))
            work.add(dx, to: slopes[index].rows(rows), times: work[p, 0, place])
        }
    }
}
