package import Tensors

/// Several series on one grid, as a pass gathers windows from them, with what is known beside them.
package struct TSM2Series<S: Scalar>: Sendable {
    package let variates: Int
    /// Of every variate.
    package let rows: Int
    /// `[variate, row]`; 0 where a value is missing.
    package let values: [S]
    /// 1 where a value is there, else 0: `[variate, row]`; nil where all are.
    package let known: [S]?
    /// `[variate, statics]`
    package var statics: [S] = []
    /// Known beforehand of every row and, for forecasts, of those to come: `[row, futures]`.
    package var futures: [S] = []

    /// - Parameters:
    ///   - values: `[variate, row]`, scaled; NaN where missing.
    ///   - variates: How many; at least one.
    package init(_ values: [S], variates: Int) {
        precondition(
            variates > 0 && values.count % variates == 0,
            "TSM2Series: \(values.count) values of \(variates) variates")
        self.variates = variates
        rows = values.count / variates
        guard values.contains(where: { !$0.isFinite }) else {
            (self.values, known) = (values, nil)
            return
        }
        self.values = values.map { $0.isFinite ? $0 : 0 }
        known = values.map { $0.isFinite ? 1 : 0 }
    }
}
