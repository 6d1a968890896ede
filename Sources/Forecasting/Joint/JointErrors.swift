package import Models

/// Squared and absolute errors of forecasts of a group, for every member, summed in `Double`.
package struct JointErrors: Sendable {
    /// Errors summed over windows and steps.
    package struct Sum: Sendable {
        package fileprivate(set) var squared = 0.0
        package fileprivate(set) var absolute = 0.0
        /// Known targets.
        package fileprivate(set) var count = 0

        package var mse: Double { squared / Double(count) }
        package var mae: Double { absolute / Double(count) }
    }

    /// Of every member.
    package private(set) var members: [Sum]

    package init(members: Int) { self.members = Array(repeating: Sum(), count: members) }

    /// Over all members: every known target counts alike.
    package var all: Sum {
        members.reduce(into: Sum()) { sum, own in
            sum.squared += own.squared
            sum.absolute += own.absolute
            sum.count += own.count
        }
    }

    /// Adds the errors of some windows; targets that are missing do not count.
    ///
    /// - Parameters:
    ///   - forecasts: `[window, member, horizon]`, scaled.
    ///   - series: Where the targets are.
    ///   - starts: The windows' first rows.
    ///   - lag: From there to the first row that is forecast.
    ///   - variates: Which of the series are forecast; all unless given.
    package mutating func add(
        _ forecasts: [Float], _ series: TSM2Series<Float>, starts: [Int], lag: Int,
        of variates: [Int]? = nil
    ) {
        let variates = variates ?? Array(members.indices)
        precondition(variates.count == members.count, "JointErrors: \(variates.count) variates")
        let horizon = forecasts.count / max(1, starts.count * members.count)
        precondition(
            forecasts.count == starts.count * members.count * horizon,
            "JointErrors: \(forecasts.count) numbers for \(starts.count) windows")
        for (window, start) in starts.enumerated() {
            for member in members.indices {
                let place = (window * members.count + member) * horizon
                let from = variates[member] * series.rows + start + lag
                var sum = members[member]
                for step in 0..<horizon {
                    if let known = series.known, known[from + step] == 0 { continue }
                    let error = Double(forecasts[place + step]) - Double(series.values[from + step])
                    sum.squared += error * error
                    sum.absolute += abs(error)
                    sum.count += 1
                }
                members[member] = sum
            }
        }
    }
}
