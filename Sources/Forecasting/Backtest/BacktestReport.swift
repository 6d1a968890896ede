/// What a backtest found.
///
/// Encodes as `{"results": [{"family", "horizon", "seed", "mse", "mae", "windows",
/// "train_seconds"}…], "summary": […], "auto": […], "rows": {…}}`.
package struct BacktestReport: Sendable, Encodable {
    /// One family, horizon and seed.
    package struct Row: Hashable, Sendable, Encodable {
        package let family: String
        package let horizon: Int
        package let seed: UInt64
        /// In scaled units, over all windows and steps.
        package let mse: Double
        /// In scaled units, over all windows and steps.
        package let mae: Double
        /// Test windows.
        package let windows: Int
        /// Of `auto`: of all that it had to choose from.
        package let trainSeconds: Double

        private enum CodingKeys: String, CodingKey {
            case family, horizon, seed, mse, mae, windows
            case trainSeconds = "train_seconds"
        }

        init(
            family: String, horizon: Int, seed: UInt64, errors: ErrorSum, windows: Int,
            trainSeconds: Double
        ) {
            self.family = family
            self.horizon = horizon
            self.seed = seed
            mse = errors.mse
            mae = errors.mae
            self.windows = windows
            self.trainSeconds = trainSeconds
        }
    }

    /// One family and horizon over all seeds.
    package struct Summary: Hashable, Sendable, Encodable {
        package let family: String
        package let horizon: Int
        package let seeds: Int
        package let mse: Double
        /// Sample standard deviation over the seeds; 0 where they all agree or there is only one.
        package let mseDeviation: Double
        package let mae: Double
        package let maeDeviation: Double
        package let windows: Int
        /// Mean over the seeds.
        package let trainSeconds: Double

        private enum CodingKeys: String, CodingKey {
            case family, horizon, seeds, mse, mae, windows
            case mseDeviation = "mse_std"
            case maeDeviation = "mae_std"
            case trainSeconds = "train_seconds"
        }
    }

    /// What `auto` would ship.
    package struct Choice: Hashable, Sendable, Encodable {
        package let horizon: Int
        package let seed: UInt64
        package let family: String
        /// One sentence or more.
        package let reason: String
    }

    /// How the error of one family grows with the step; of the first seed.
    package struct Curve: Hashable, Sendable {
        package let family: String
        package let horizon: Int
        /// `[horizon]`, scaled.
        package let mseByStep: [Double]
        /// `[horizon]`, scaled: the forecast of the example window.
        package let example: [Double]
    }

    /// One test window to look at.
    package struct Example: Hashable, Sendable {
        package let horizon: Int
        /// The first row forecast.
        package let row: Int
        /// Before that row, scaled.
        package let history: [Double]
        /// `[horizon]`, scaled.
        package let truth: [Double]
    }

    package internal(set) var results: [Row] = []
    package internal(set) var choices: [Choice] = []
    package internal(set) var curves: [Curve] = []
    package internal(set) var examples: [Example] = []
    package let split: Split
    /// Test windows left out because of missing values, over all horizons.
    package internal(set) var excludedWindows = 0
    /// Rows at the end of the series that no part used.
    package var rowsUnused: Int { split.unused }

    init(split: Split) { self.split = split }

    /// By family and horizon, in the order of the results.
    package var summary: [Summary] {
        var keys: [Key] = []
        var groups: [Key: [Row]] = [:]
        for row in results {
            let key = Key(family: row.family, horizon: row.horizon)
            if groups[key] == nil { keys.append(key) }
            groups[key, default: []].append(row)
        }
        return keys.map { key in
            let rows = groups[key] ?? []
            let (mse, mae) = (Spread(rows.map(\.mse)), Spread(rows.map(\.mae)))
            return Summary(
                family: key.family, horizon: key.horizon, seeds: rows.count, mse: mse.mean,
                mseDeviation: mse.deviation, mae: mae.mean, maeDeviation: mae.deviation,
                windows: rows[0].windows, trainSeconds: Spread(rows.map(\.trainSeconds)).mean)
        }
    }

    private struct Key: Hashable {
        let family: String
        let horizon: Int
    }

    private struct Spread {
        let mean: Double
        let deviation: Double

        init(_ values: [Double]) {
            let mean = values.reduce(0, +) / Double(values.count)
            let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
            self.mean = mean
            deviation = values.count > 1 ? (squares / Double(values.count - 1)).squareRoot() : 0
        }
    }

    private enum CodingKeys: String, CodingKey {
        case results, summary, rows
        case choices = "auto"
    }

    private struct Rows: Encodable {
        let train, validation, test, unused: Int
    }

    package func encode(to encoder: any Encoder) throws {
        var fields = encoder.container(keyedBy: CodingKeys.self)
        try fields.encode(results, forKey: .results)
        try fields.encode(summary, forKey: .summary)
        try fields.encode(choices, forKey: .choices)
        let rows = Rows(
            train: split.train, validation: split.validation, test: split.test,
            unused: split.unused)
        try fields.encode(rows, forKey: .rows)
    }
}
