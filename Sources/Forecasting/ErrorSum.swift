/// Squared and absolute errors summed over windows and steps in `Double`, divided once at the end.
struct ErrorSum: Sendable {
    private(set) var squared = 0.0
    private(set) var absolute = 0.0
    private(set) var count = 0

    var mse: Double { squared / Double(count) }
    var mae: Double { absolute / Double(count) }

    /// Adds the errors of one window; both `[horizon]`, in scaled units.
    mutating func add(_ forecast: ArraySlice<Float>, targets: ArraySlice<Double>) {
        precondition(
            forecast.count == targets.count,
            "ErrorSum: \(forecast.count) forecasts, \(targets.count) targets")
        for (f, y) in zip(forecast, targets) {
            let error = Double(f) - y
            squared += error * error
            absolute += abs(error)
        }
        count += targets.count
    }
}
