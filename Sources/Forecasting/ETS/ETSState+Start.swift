extension ETSState {
    /// The smallest multiplicative index of a season.
    private static let indexMinimum = 0.01

    /// A state to begin with, from the values themselves: seasonal indices by classical
    /// decomposition (or about a straight line, where there are fewer than three seasons), then level
    /// and trend by a line through the first rows without their season.
    ///
    /// - Parameters:
    ///   - values: In the unit of the series, finite; two seasons at least if the form has them.
    ///   - form: Which parts there are.
    ///   - season: Rows of a season.
    /// - Source: Hyndman et al. 2008, section 2.6.1.
    init(startOf values: [Double], _ form: ETSForm, season: Int) {
        precondition(!values.isEmpty, "ETS: no values")
        let isMultiplicative = form.season == .multiplicative
        var seasonal: [Double] = []
        if form.season != .none {
            precondition(values.count >= 2 * season, "ETS: \(values.count) rows, season \(season)")
            seasonal = Self.indices(values, season: season, isMultiplicative: isMultiplicative)
        }
        let count = min(values.count, max(10, seasonal.isEmpty ? 10 : 2 * season))
        let adjusted = (0..<count).map { row in
            guard !seasonal.isEmpty else { return values[row] }
            let index = seasonal[row % season]
            return isMultiplicative ? values[row] / index : values[row] - index
        }
        let line = Line(adjusted)
        if form.trend == .none {
            self.init(level: adjusted.reduce(0, +) / Double(count), seasonal: seasonal)
        } else {
            // The level before the first row.
            self.init(level: line.start - line.slope, trend: line.slope, seasonal: seasonal)
        }
    }

    /// Seasonal indices `[season]` by row: of mean 0, or of mean 1 where multiplicative.
    private static func indices(
        _ values: [Double], season: Int, isMultiplicative: Bool
    ) -> [Double] {
        let trend = smoothed(values, season: season)
        var sums = [Double](repeating: 0, count: season)
        var counts = sums
        for (row, level) in trend.enumerated() {
            guard let level, !isMultiplicative || level > 0 else { continue }
            sums[row % season] += isMultiplicative ? values[row] / level : values[row] - level
            counts[row % season] += 1
        }
        var indices = sums.indices.map { phase in
            counts[phase] > 0 ? sums[phase] / counts[phase] : (isMultiplicative ? 1 : 0)
        }
        let mean = indices.reduce(0, +) / Double(season)
        for phase in indices.indices {
            indices[phase] =
                isMultiplicative
                ? max(indices[phase] / max(mean, indexMinimum), indexMinimum)
                : indices[phase] - mean
        }
        return indices
    }

    /// The centred moving average over one season, nil where it does not reach; a straight line
    /// where there are fewer than three seasons.
    private static func smoothed(_ values: [Double], season: Int) -> [Double?] {
        guard values.count >= 3 * season else {
            let line = Line(values)
            return values.indices.map { line.start + line.slope * Double($0) }
        }
        var before = [0.0]
        before.reserveCapacity(values.count + 1)
        for value in values { before.append(before[before.count - 1] + value) }
        let half = season / 2
        return values.indices.map { row in
            let (first, end) = (row - half, row - half + season)
            guard first >= 0, end < values.count else { return nil }
            let sum = before[end] - before[first]
            guard season.isMultiple(of: 2) else { return sum / Double(season) }
            // An even season has no middle row: its two ends count by half.
            return (sum + (values[end] - values[first]) / 2) / Double(season)
        }
    }
}

/// The least-squares line through values at 0, 1, 2, ….
private struct Line {
    /// At the first value.
    var start = 0.0
    /// Per row.
    var slope = 0.0

    init(_ values: [Double]) {
        let n = Double(values.count)
        let middle = (n - 1) / 2
        let mean = values.reduce(0, +) / n
        var (product, spread) = (0.0, 0.0)
        for (row, value) in values.enumerated() {
            let t = Double(row) - middle
            product += t * (value - mean)
            spread += t * t
        }
        slope = spread > 0 ? product / spread : 0
        start = mean - slope * middle
    }
}
