package import Series

extension CSVTable {
    /// The most instants on one grid: fifty years of minutes are 26 million.
    package static let gridInstantsMaximum = 50_000_000

    /// A channel on a regular grid; instants without a row are NaN.
    ///
    /// - Parameters:
    ///   - name: The channel.
    ///   - step: The distance of two instants; nil for the commonest distance of two times.
    /// - Returns: The series from the first to the last of its times.
    /// - Throws: `CSVError` for an unknown name, times that are not equally spaced, a single time,
    ///   or a grid of absurd length.
    package func series(
        named name: String, step: Duration? = nil
    ) throws(CSVError) -> TimeSeries {
        let column = try column(named: name)
        let grid = try GridInference(column, file: file).grid(step: step?.wholeMicroseconds)
        if grid.count == column.times.count {
            return TimeSeries(channel: column.channel, grid: grid, values: column.values)
        }
        var values = [Double](repeating: .nan, count: grid.count)
        for (time, value) in zip(column.times, column.values) {
            values[grid.nearestIndex(to: time)] = value
        }
        return TimeSeries(channel: column.channel, grid: grid, values: values)
    }
}

/// The step of times that come from a clock which need not be exact.
package enum RegularStep {
    /// The commonest distance of two neighbours, if nearly all distances are multiples of it.
    ///
    /// - Parameter times: Strictly ascending; three or more, or there is no answer.
    /// - Returns: Microseconds; nil where one distance in twenty is further than a twentieth of
    ///   the step from a multiple of it.
    package static func microseconds(between times: [Timestamp]) -> Int64? {
        guard times.count >= 3 else { return nil }
        let step = commonest(times)
        let regular = zip(times, times.dropFirst()).count { earlier, later in
            let distance = later.microseconds - earlier.microseconds
            let nearest = (distance + step / 2) / step * step
            return nearest > 0 && abs(distance - nearest) <= step / 20
        }
        return (times.count - 1 - regular) * 20 <= times.count - 1 ? step : nil
    }

    /// The commonest distance of two neighbours; of several, the shortest.
    static func commonest(_ times: [Timestamp]) -> Int64 {
        var counts: [Int64: Int] = [:]
        for (earlier, later) in zip(times, times.dropFirst()) {
            counts[later.microseconds - earlier.microseconds, default: 0] += 1
        }
        return counts.max { ($0.value, -$0.key) < ($1.value, -$1.key) }?.key ?? 1
    }
}

/// Finds the grid under the times of a channel.
private struct GridInference {
    let channel: String
    let file: String
    /// Strictly ascending.
    let times: [Timestamp]

    init(_ column: CSVTable.Column, file: String) {
        channel = column.channel.name
        times = column.times
        self.file = file
    }

    func grid(step told: Int64?) throws(CSVError) -> TimeGrid {
        guard let first = times.first, let last = times.last else {
            throw error(.noStep(channel: channel))
        }
        if let told {
            return try fitted(start: first, rate: SamplingRate(stepMicroseconds: told))
        }
        guard times.count > 1 else { throw error(.oneRow(channel: channel)) }
        let step = RegularStep.commonest(times)
        let whole = (last.microseconds - first.microseconds) / step
        if whole == Int64(times.count - 1), isRegular(step) {
            return TimeGrid(
                start: first, rate: SamplingRate(stepMicroseconds: step), count: times.count)
        }
        if let fine = roundedRate(step) { return try fitted(start: first, rate: fine) }
        return try fitted(start: first, rate: SamplingRate(stepMicroseconds: step))
    }

    private func error(_ reason: CSVError.Reason) -> CSVError {
        CSVError(file: file, line: nil, reason: reason)
    }

    private func isRegular(_ step: Int64) -> Bool {
        !times.indices.dropFirst().contains {
            times[$0].microseconds - times[$0 - 1].microseconds != step
        }
    }

    /// A whole number of hertz whose instants were written with rounded times, such as 360 Hz in
    /// milliseconds: 0, 3, 6, 8, 11, …; nil where the times are not of that kind.
    private func roundedRate(_ step: Int64) -> SamplingRate? {
        guard step < 1_000_000 else { return nil }
        let resolution = times.dropFirst().reduce(Int64(0)) {
            Self.divisor($0, $1.microseconds - times[0].microseconds)
        }
        var near: (sum: Int64, count: Int64) = (0, 0)
        for i in times.indices.dropFirst() {
            let distance = times[i].microseconds - times[i - 1].microseconds
            if abs(distance - step) <= resolution { near = (near.sum + distance, near.count + 1) }
        }
        let hertz = 1e6 * Double(near.count) / Double(near.sum)
        guard near.count > 1, hertz >= 1, resolution * 2 <= step,
            abs(hertz - hertz.rounded()) < 0.001 * hertz
        else { return nil }
        let rate = SamplingRate(Int64(hertz.rounded()))
        let grid = TimeGrid(start: times[0], rate: rate, count: times.count)
        let fits = times.allSatisfy {
            let instant = grid.instant(at: grid.nearestIndex(to: $0))
            return abs(instant.microseconds - $0.microseconds) <= resolution
        }
        return fits ? rate : nil
    }

    private static func divisor(_ a: Int64, _ b: Int64) -> Int64 { b == 0 ? a : divisor(b, a % b) }

    /// The grid that holds all times; a time off it is an error. Where most times share a phase
    /// that is not the first one's, it is the first that is off.
    private func fitted(start: Timestamp, rate: SamplingRate) throws(CSVError) -> TimeGrid {
        let endless = TimeGrid(start: start, rate: rate, count: 0)
        // Times are microseconds; a rate such as 360 Hz has instants between them.
        let isWhole = 1_000_000 * Int128(rate.denominator) % Int128(rate.numerator) == 0
        let slack: Int64 = isWhole ? 0 : 1_000_000 / rate.numerator / 2
        func isOff(_ time: Timestamp) -> Bool {
            let instant = endless.instant(at: endless.nearestIndex(to: time))
            return abs(instant.microseconds - time.microseconds) > slack
        }
        if let stray = times.first(where: isOff) {
            let offCount = times.count(where: isOff)
            let at = offCount * 2 > times.count ? start : stray
            throw error(
                .offGrid(channel: channel, at: at.description, stepSeconds: rate.stepSeconds))
        }
        let count = endless.nearestIndex(to: times[times.count - 1]) + 1
        guard count <= CSVTable.gridInstantsMaximum else {
            throw error(
                .gridTooLarge(
                    channel: channel, instants: count,
                    accepted: CSVTable.gridInstantsMaximum))
        }
        return TimeGrid(start: start, rate: rate, count: count)
    }
}
