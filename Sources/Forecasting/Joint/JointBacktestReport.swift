/// What a backtest of a group found.
package struct JointBacktestReport: Sendable, Encodable {
    /// One family, horizon and seed.
    package struct Row: Sendable, Encodable {
        package let family: String
        package let horizon: Int
        package let seed: UInt64
        /// In scaled units; nil for what is not trained. Weights and choices were made there.
        package let validationMSE: Double?
        /// In scaled units, over all test windows, members and steps.
        package let mse: Double
        package let mae: Double
        /// Of every member, in the order of the group; nil where none of its targets is known.
        package let memberMSE: [Double?]
        package let memberMAE: [Double?]
        /// Test windows.
        package let windows: Int
        /// Of a combination: of all that it had to choose from.
        package let trainSeconds: Double

        private enum CodingKeys: String, CodingKey {
            case family, horizon, seed, mse, mae, windows
            case validationMSE = "validation_mse"
            case memberMSE = "member_mse"
            case memberMAE = "member_mae"
            case trainSeconds = "train_seconds"
        }

        init(
            family: String, horizon: Int, seed: UInt64, validationMSE: Double?,
            errors: JointErrors, windows: Int, trainSeconds: Double
        ) {
            (self.family, self.horizon, self.seed) = (family, horizon, seed)
            self.validationMSE = validationMSE
            (mse, mae) = (errors.all.mse, errors.all.mae)
            memberMSE = errors.members.map { $0.count > 0 ? $0.mse : nil }
            memberMAE = errors.members.map { $0.count > 0 ? $0.mae : nil }
            (self.windows, self.trainSeconds) = (windows, trainSeconds)
        }
    }

    /// What was combined.
    package struct Choice: Sendable, Encodable {
        package let horizon: Int
        package let seed: UInt64
        package let family: String
        /// One sentence or more.
        package let reason: String
    }

    /// One family and horizon over all seeds.
    package struct Summary: Sendable {
        package let family: String
        package let horizon: Int
        package let seeds: Int
        /// Means over the seeds, and the least and the greatest.
        package let mse: Double
        package let mseRange: ClosedRange<Double>
        package let mae: Double
        /// Of every member; nil where none of its targets is known.
        package let memberMSE: [Double?]
        package let windows: Int
        package let trainSeconds: Double
    }

    package internal(set) var results: [Row] = []
    package internal(set) var choices: [Choice] = []
    package let split: Split
    package let lag: Int
    package let members: [String]

    init(split: Split, lag: Int, members: [String]) {
        (self.split, self.lag, self.members) = (split, lag, members)
    }

    /// By family and horizon, in the order of the results.
    package var summary: [Summary] {
        var keys: [(family: String, horizon: Int)] = []
        for row in results where !keys.contains(where: { $0 == (row.family, row.horizon) }) {
            keys.append((row.family, row.horizon))
        }
        return keys.map { key in
            let rows = results.filter { ($0.family, $0.horizon) == key }
            func mean(_ values: [Double]) -> Double {
                values.reduce(0, +) / Double(max(1, values.count))
            }
            let all = rows.map(\.mse)
            return Summary(
                family: key.family, horizon: key.horizon, seeds: rows.count, mse: mean(all),
                mseRange: (all.min() ?? 0)...(all.max() ?? 0), mae: mean(rows.map(\.mae)),
                memberMSE: members.indices.map { member in
                    let own = rows.compactMap { $0.memberMSE[member] }
                    return own.isEmpty ? nil : mean(own)
                }, windows: rows[0].windows, trainSeconds: mean(rows.map(\.trainSeconds)))
        }
    }

    private enum CodingKeys: String, CodingKey {
        case results, choices, split, lag, members
    }
}
