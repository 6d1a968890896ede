package import Series

/// What `auto` does: fits several families on the same rows, combines them, and chooses on validation.
package struct AutoFit: Sendable {
    /// One of every family that could be fitted, in the order asked for, and the ensemble if there is
    /// one.
    package let pipelines: [FittedPipeline]
    /// Over `pipelines`.
    package let selection: ModelSelection
    /// Families that could not be fitted, with the reason; the ensemble too.
    package let refused: [(family: Family, reason: String)]

    /// The winner, where one may go live.
    package var winner: FittedPipeline? { selection.winner.map { pipelines[$0] } }

    /// Fits `families` on a history, and combines them where there are several.
    ///
    /// - Parameters:
    ///   - families: In the order they are fitted; the quick ones first. An ensemble needs no mention.
    ///   - series: The history; NaN where missing.
    ///   - task: Lag, horizon, season.
    ///   - split: Of as many rows as the series has.
    ///   - options: Levels, seed, provenance.
    ///   - progress: Told which family is how far; what it throws ends the fit.
    /// - Returns: One of every family, and the choice among them.
    /// - Throws: `ForecastError` where no family can be fitted, or what `progress` throws.
    package static func fit(
        _ families: [Family], series: TimeSeries, task: ForecastTask, split: Split,
        options: FitOptions = FitOptions(), progress: (FitProgress) throws -> Void = { _ in }
    ) throws -> AutoFit {
        var members: [FittedPipeline] = []
        var refused: [(family: Family, reason: String)] = []
        var objection: ForecastError?
        for family in families where family != .ensemble {
            do {
                members.append(
                    try FittedPipeline.fit(
                        family, series: series, task: task, split: split, options: options,
                        progress: progress))
            } catch let error as ForecastError {
                objection = objection ?? error
                refused.append((family, error.description))
            }
        }
        if members.isEmpty, let objection { throw objection }
        return try choosing(members, series: series, options: options, refused: refused)
    }

    /// Combines what was fitted, and chooses.
    ///
    /// - Parameters:
    ///   - members: All fitted on `series` with one task and split.
    ///   - series: What they were fitted on.
    ///   - options: As for the fits.
    ///   - refused: What could not be fitted.
    /// - Returns: One of every family, and the choice among them.
    /// - Throws: `ForecastError`.
    static func choosing(
        _ members: [FittedPipeline], series: TimeSeries, options: FitOptions,
        refused: [(family: Family, reason: String)] = []
    ) throws -> AutoFit {
        var pipelines = members
        var refused = refused
        if members.count > 1 {
            switch try FittedPipeline.combined(members, series: series, options: options) {
            case .fitted(let ensemble): pipelines.append(ensemble)
            case .declined(let reason): refused.append((.ensemble, reason))
            }
        }
        return AutoFit(
            pipelines: pipelines, selection: ModelSelection(pipelines.map(\.report)),
            refused: refused)
    }
}
