package import Series

extension FittedPipeline {
    /// The mean squared error of this pipeline on the validation windows of another fit, in the scaled
    /// units of that fit: what makes a model that is at work comparable with one that has just been
    /// fitted.
    ///
    /// Exactly the windows on which a model of `task` and `split` is judged; this pipeline looks back
    /// from the same origins as far as it needs to.
    ///
    /// - Parameters:
    ///   - series: The history that the other was fitted on.
    ///   - task: Of the other; its own look-back may differ.
    ///   - split: Of the other.
    /// - Returns: The error; nil where the pipeline cannot forecast so far ahead, or there are not
    ///   enough rows before a window.
    /// - Throws: `ForecastError` where the other could not be fitted either, or the step is another.
    package func validationMSE(
        on series: TimeSeries, task: ForecastTask, split: Split
    ) throws(ForecastError) -> Double? {
        try check(stepOf: series)
        if let maximum = forecaster.stepsMaximum, task.horizon > maximum { return nil }
        let prepared = try PreparedSeries(family, series: series, task: task, split: split)
        let shift = task.lag - self.task.lag
        let starts = prepared.plan.validation.starts.map { $0 + shift }
        guard let first = starts.first, first >= 0 else { return nil }
        let own = prepared.inputs.map {
            Float(standardiser.scale(prepared.standardiser.unscale($0)))
        }
        var errors = ErrorSum()
        for begin in stride(from: 0, to: starts.count, by: Validation.chunk) {
            let part = Array(starts[begin..<min(begin + Validation.chunk, starts.count)])
            let forecasts = forecaster.forecast(
                own, starts: part, lag: self.task.lag, steps: task.horizon
            ).map { Float(prepared.standardiser.scale(standardiser.unscale(Double($0)))) }
            for (row, start) in part.enumerated() {
                let origin = start + self.task.lag
                errors.add(
                    forecasts[(row * task.horizon)..<((row + 1) * task.horizon)],
                    targets: prepared.targets[origin..<(origin + task.horizon)])
            }
        }
        return errors.mse.isFinite ? errors.mse : nil
    }
}
