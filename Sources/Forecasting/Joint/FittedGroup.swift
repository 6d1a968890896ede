package import Models
package import Series
internal import Tensors

/// How a model of a group is fitted.
package struct GroupFitOptions: Sendable {
    /// What is fitted and combined; a group of one member has nothing to mix, and one whose steps no
    /// calendar tells apart has none.
    package var families: [JointFamily] = [
        .ridge, .ridgeMean, .tsm2, .calendar, .unmixed, .spacetime,
    ]
    /// How TSM2 is trained; seed and threads are those given here.
    package var training = TSM2TrainingOptions.standard
    /// Sizes of TSM2; lag and horizon are those of the task.
    package var network = TSM2Configuration(horizon: 1)
    /// The probabilities of the quantiles; ascending.
    package var levels = QuantileLevel.standard
    package var seed: UInt64 = 0
    package var threads = 1
    package var codeVersion = ""
    package var clock: any Clock<Duration> = ContinuousClock()

    package init() {}
}

/// What is known of the fit of a group's model.
package struct GroupFitReport: Sendable, Equatable, Codable {
    /// One of the models that were fitted.
    package struct Candidate: Sendable, Equatable, Codable {
        package let family: JointFamily
        /// In scaled units.
        package let validationMSE: Double
        package let seconds: Double
    }

    package let task: ForecastTask
    package let split: Split
    /// The members in the order in which they are mixed.
    package let names: [String]
    package let standardisers: [Standardiser]
    /// Members that held no value that varies.
    package let idle: [Int]
    package let candidates: [Candidate]
    /// What was taken and why, in a sentence or two.
    package let reason: String
    /// Of what was taken, in scaled units.
    package let validationMSE: Double
    package let validationMAE: Double
    /// The same of every member; nil where none of its targets is known.
    package let memberMSE: [Double?]
    /// Of repeating the last value.
    package let repeatLastMSE: Double
    package let trainWindows: Int
    package let validationWindows: Int
    package let trainSeconds: Double
    package let seed: UInt64
    package let threads: Int
    package let codeVersion: String
    /// What was known of every row beforehand; nil for nothing.
    package let calendar: GroupCalendar?
}

/// A fitted model of a group: a history of all members in, calibrated forecasts of all of them out.
package struct FittedGroup: Sendable {
    package let report: GroupFitReport
    let forecaster: JointForecaster
    /// Of every member.
    package let calibrators: [ConformalCalibrator]

    /// Forecasts of all members from one moment on, in the units of each.
    package struct Forecast: Sendable, Equatable {
        package let levels: [QuantileLevel]
        /// `[member][step]`
        package let values: [[Double]]
        /// `[member][level][step]`, ascending with the level.
        package let quantiles: [[[Double]]]
    }

    /// Forecasts the steps behind a history.
    ///
    /// - Parameters:
    ///   - history: `[member][row]`, in the units and the order of the fit, NaN where missing; a member of
    ///     which nothing is left is forecast from the others and its own mean. Traps unless all are of one
    ///     length, and as many as there were.
    ///   - start: When its first row is; a model that was told of a calendar traps without it.
    ///   - threads: That may share the work.
    /// - Returns: Values and quantiles for every step of the horizon.
    /// - Throws: `ForecastError.seriesTooShort`, or `.allMissing` where nothing is known of any member.
    package func forecast(
        history: [[Double]], from start: Timestamp? = nil, threads: Int = 1
    ) throws(ForecastError) -> Forecast {
        let (task, series) = (report.task, try recent(history, start))
        let points = forecaster.forecast(
            series, starts: [series.rows - task.lag], task, threads: threads)
        var (values, quantiles): ([[Double]], [[[Double]]]) = ([], [])
        for (member, scale) in report.standardisers.enumerated() {
            let own = points[member * task.horizon..<(member + 1) * task.horizon].map {
                Double($0)
            }
            values.append(own.map { scale.unscale($0) })
            quantiles.append(
                calibrators[member].quantiles(of: own).map { $0.map { scale.unscale($0) } })
        }
        return Forecast(levels: calibrators[0].levels, values: values, quantiles: quantiles)
    }

    /// How much the forecast behind a history rests on each member's past: the root mean square, over steps,
    /// by which a forecast changes where that past lies at its mean throughout.
    ///
    /// - Parameters:
    ///   - history: As for `forecast`.
    ///   - start: As for `forecast`.
    /// - Returns: The greatest weight that a mixing network has in any member's forecast, and the changes of
    ///   what is forecast, in standard deviations of the member that is forecast,
    ///   `[member forecast][member known]`; nil where nothing is mixed, or there are more than
    ///   `influencesMaximum` members.
    /// - Throws: As `forecast`.
    package func influences(
        history: [[Double]], from start: Timestamp? = nil
    ) throws(ForecastError) -> (weight: Double, changes: [[Double]])? {
        let (count, horizon) = (report.names.count, report.task.horizon)
        let weights = forecaster.parts.compactMap { part, weight -> Double? in
            guard case .tsm2(let trained) = part, trained.configuration.mixesVariates else {
                return nil
            }
            return weight
        }
        guard count <= Self.influencesMaximum, let weight = weights.max() else { return nil }
        func said(_ history: [[Double]]) throws(ForecastError) -> [Float] {
            forecaster.forecast(try recent(history, start), starts: [0], report.task, threads: 1)
        }
        let whole = try said(history)
        var changes = [[Double]](repeating: [], count: count)
        for hidden in 0..<count {
            let known = history[hidden].suffix(report.task.lag).filter { $0.isFinite }
            let mean = known.reduce(0, +) / Double(max(1, known.count))
            var other = history
            other[hidden] = history[hidden].map { $0.isFinite ? mean : $0 }
            // Where nothing else is known, nothing can be told.
            let changed = known.isEmpty ? whole : try said(other)
            for member in 0..<count {
                let squares = (member * horizon..<(member + 1) * horizon).reduce(0.0) {
                    let change = Double(changed[$1]) - Double(whole[$1])
                    return $0 + change * change
                }
                changes[member].append((squares / Double(horizon)).squareRoot())
            }
        }
        return (weight, changes)
    }

    /// Members beyond this many are not explained: it takes a forecast of all of them for each.
    package static let influencesMaximum = 128

    /// The last rows of a history, scaled.
    private func recent(
        _ history: [[Double]], _ start: Timestamp?
    ) throws(ForecastError) -> JointSeries {
        let (task, rows) = (report.task, history.first?.count ?? 0)
        precondition(
            history.count == report.names.count && history.allSatisfy { $0.count == rows },
            "FittedGroup: \(history.map(\.count)) rows of \(report.names.count) members")
        guard rows >= task.lag else { throw .seriesTooShort(found: rows, needed: task.lag) }
        let last = history.map { Array($0.suffix(task.lag)) }
        guard last.contains(where: { $0.contains { $0.isFinite } }) else {
            throw .allMissing(rows: task.lag)
        }
        var series = JointSeries(names: report.names, values: last, scaledBy: report.standardisers)
        if let calendar = report.calendar {
            guard let start else { preconditionFailure("FittedGroup: a calendar without a time") }
            let passed = Int64(rows - task.lag) * calendar.stepMicroseconds
            series.know(
                calendar, from: Timestamp(microseconds: start.microseconds + passed),
                beyond: task.horizon)
        }
        return series
    }
}
