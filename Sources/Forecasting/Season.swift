package import Series

/// Finds how many steps a season has.
package enum Season {
    /// Seconds of the calendar's cycles: an hour, a day, a week, a year of 365 days.
    private static let cycles: [Double] = [3_600, 86_400, 604_800, 31_536_000]
    /// The longest season used, in steps: a window has to hold one.
    static let stepsMaximum = 2_048
    /// By how much the autocorrelation one season apart must rise above its surroundings.
    static let prominenceMinimum = 0.05

    /// The season that the data show, or else the one that the step suggests.
    package static func inferred(for series: TimeSeries) -> Int {
        detected(in: series) ?? calendar(step: series.grid.rate)
    }

    /// The season that the calendar suggests for a step: a day for steps from a minute to twelve
    /// hours (24 hours, 96 quarter-hours), a week for daily, a year for weekly and monthly rows, an
    /// hour below a minute; 1 where no cycle is a whole number of steps within the limit.
    package static func calendar(step rate: SamplingRate) -> Int {
        let step = rate.stepSeconds
        switch step {
        case ..<60: return whole(3_600 / step) ?? 1
        case ...43_200: return whole(86_400 / step) ?? whole(3_600 / step) ?? 1
        case ...86_400: return whole(604_800 / step) ?? 1
        case (6.5 * 86_400)...(7.5 * 86_400): return 52
        case (27.5 * 86_400)...(31.5 * 86_400): return 12
        default: return 1
        }
    }

    /// The longest calendar cycle that stands out in the autocorrelation; nil if none does.
    ///
    /// The series is compared with itself one cycle later after a straight line was taken out. The
    /// correlation there must rise above the mean of those half a cycle nearer and farther, so that
    /// a slow wander, which correlates at every lag, is not taken for a season. A longer cycle must
    /// likewise rise above its neighbours one shorter cycle away, so that a mere day is not taken
    /// for a week.
    package static func detected(in series: TimeSeries) -> Int? {
        let values = detrended(series.values)
        let step = series.grid.rate.stepSeconds
        var found: Int?
        for cycle in cycles {
            guard let season = whole(cycle / step), season * 3 <= values.count else { continue }
            let offset = found ?? max(1, season / 2)
            guard season > offset, let peak = autocorrelation(values, lag: season),
                let near = autocorrelation(values, lag: season - offset),
                let far = autocorrelation(values, lag: season + offset)
            else { continue }
            if peak > 0, peak - (near + far) / 2 >= prominenceMinimum { found = season }
        }
        return found
    }

    /// The correlation of a series around zero with itself `lag` steps later, over the pairs that
    /// are both there; nil without any.
    static func autocorrelation(_ values: [Double], lag: Int) -> Double? {
        var product = 0.0
        var early = 0.0
        var late = 0.0
        for index in stride(from: lag, to: values.count, by: 1) {
            let (a, b) = (values[index - lag], values[index])
            guard a.isFinite, b.isFinite else { continue }
            product += a * b
            early += a * a
            late += b * b
        }
        let size = (early * late).squareRoot()
        return size > 0 ? product / size : nil
    }

    /// The steps in a cycle if they are a whole number from 2 up to the limit.
    private static func whole(_ steps: Double) -> Int? {
        let rounded = steps.rounded()
        guard rounded >= 2, rounded <= Double(stepsMaximum), abs(steps - rounded) < 1e-6 * rounded
        else { return nil }
        return Int(rounded)
    }

    /// The values less their least-squares line; missing ones stay NaN.
    private static func detrended(_ values: [Double]) -> [Double] {
        var (count, time, sum, timeSquared, product) = (0.0, 0.0, 0.0, 0.0, 0.0)
        for (index, value) in values.enumerated() where value.isFinite {
            let t = Double(index)
            count += 1
            time += t
            sum += value
            timeSquared += t * t
            product += t * value
        }
        let spread = count * timeSquared - time * time
        let slope = spread > 0 ? (count * product - time * sum) / spread : 0
        let level = count > 0 ? (sum - slope * time) / count : 0
        return values.enumerated().map { $1 - level - slope * Double($0) }
    }
}
