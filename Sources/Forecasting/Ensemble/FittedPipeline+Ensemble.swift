package import Series

/// What came of combining fitted models.
package enum Combination: Sendable {
    /// The combination errs less than the best member, also where its weights were not fitted.
    case fitted(FittedPipeline)
    /// It does not; one sentence says why.
    case declined(reason: String)
}

extension FittedPipeline {
    /// Members beyond this many are not combined.
    package static let membersMaximum = 16
    /// Lighter members are dropped: they cost time and change nothing.
    static let weightMinimum = 0.02

    /// Combines fitted models into one, with weights fitted on the validation windows.
    ///
    /// The weights are none below zero and 1 in sum, drawn halfway towards equal ones. There is a
    /// combination unless its best member alone is better on every stretch of the validation windows, or
    /// better by far: what follows may resemble any of them, see ops/decisions/0016.
    ///
    /// - Parameters:
    ///   - members: Fitted on this series with one task and split; ensembles among them are passed
    ///     over.
    ///   - series: What they were fitted on.
    ///   - options: Levels and provenance, as for a fit.
    /// - Returns: The combination, or why there is none.
    /// - Throws: `ForecastError`.
    package static func combined(
        _ members: [FittedPipeline], series: TimeSeries, options: FitOptions = FitOptions()
    ) throws -> Combination {
        let members = members.filter { $0.family != .ensemble }.prefix(membersMaximum)
        guard let first = members.first, members.count > 1 else {
            return .declined(reason: "There is no second model to combine with.")
        }
        precondition(
            members.allSatisfy {
                $0.task == first.task && $0.report.split == first.report.split
                    && $0.standardiser == first.standardiser
            }, "FittedPipeline: members of different tasks")
        let prepared = try PreparedSeries(
            .ensemble, series: series, task: first.task, split: first.report.split)
        let timed = try options.clock.timed { Combined(members.map(\.forecaster), on: prepared) }
        let combined = timed.value
        guard let forecaster = combined.forecaster else {
            return .declined(reason: combined.reason)
        }
        let memberSeconds = members.reduce(0) { $0 + $1.report.trainSeconds }
        let trained = TrainedForecaster(
            forecaster: .ensemble(forecaster),
            settings: ["members": forecaster.recipe, "comparison": combined.reason])
        return .fitted(
            try assembled(
                .ensemble, trained, on: prepared, series: series, split: first.report.split,
                seconds: timed.seconds + memberSeconds, options: options))
    }

    /// Fits members of every family, and combines them.
    ///
    /// - Throws: `ForecastError`, among them `noEnsemble` where no combination is better than its
    ///   best member, or what `progress` throws.
    static func fitEnsemble(
        series: TimeSeries, task: ForecastTask, split: Split, options: FitOptions,
        progress: (FitProgress) throws -> Void
    ) throws -> FittedPipeline {
        let fit = try AutoFit.fit(
            Family.singles, series: series, task: task, split: split, options: options,
            progress: progress)
        guard let ensemble = fit.pipelines.first(where: { $0.family == .ensemble }) else {
            throw ForecastError.noEnsemble
        }
        return ensemble
    }
}

/// Forecasters with fitted weights, if they are worth it.
private struct Combined {
    /// Nil where the best member is as good.
    let forecaster: EnsembleForecaster?
    /// One sentence.
    let reason: String

    init(_ members: [Forecaster], on prepared: PreparedSeries) {
        let errors = MemberErrors(members, on: prepared)
        let weights = SimplexWeights.robust(errors.all)
        let kept = weights.indices.filter { weights[$0] >= FittedPipeline.weightMinimum }
        guard kept.count > 1 else {
            forecaster = nil
            reason = "One model takes all the weight."
            return
        }
        let comparison = errors.comparison(weights)
        reason = comparison.sentence
        guard comparison.isWorthIt else {
            forecaster = nil
            return
        }
        let sum = kept.reduce(0) { $0 + weights[$1] }
        forecaster = EnsembleForecaster(
            members: kept.map { members[$0] }, weights: kept.map { weights[$0] / sum })
    }
}

extension Double {
    /// Four significant digits or so, for sentences; the exact number stays in the report.
    package var short: String {
        guard isFinite, self != 0 else { return "\(self)" }
        var factor = 1e4
        var size = magnitude
        while size >= 10, factor > 1 { (size, factor) = (size / 10, factor / 10) }
        return "\((self * factor).rounded() / factor)"
    }
}
