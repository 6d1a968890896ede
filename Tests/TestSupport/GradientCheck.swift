/// Compares a gradient with central differences of `loss`, in `Double`.
///
/// - Parameters:
///   - point: Where the gradient was taken.
///   - gradient: The gradient that is checked, one number for every number of `point`.
///   - step: Half the distance between the two evaluations.
///   - indices: Which components are checked; all where nil.
///   - loss: The function of which `gradient` is the gradient.
/// - Returns: The largest difference, relative to the largest component seen or to 1 where all are
///   smaller.
package func gradientError(
    at point: [Double], gradient: [Double], step: Double = 1e-6, indices: [Int]? = nil,
    of loss: ([Double]) -> Double
) -> Double {
    precondition(point.count == gradient.count, "gradientError: \(gradient.count) components")
    var (worst, scale) = (0.0, 1.0)
    for index in indices ?? Array(point.indices) {
        var moved = point
        moved[index] = point[index] + step
        let above = loss(moved)
        moved[index] = point[index] - step
        let difference = (above - loss(moved)) / (2 * step)
        worst = max(worst, abs(difference - gradient[index]))
        scale = max(scale, abs(difference))
    }
    return worst / scale
}
