import Series

/// A model's errors on the validation windows, beside those of the baselines on the same windows.
struct Validation: Sendable {
    /// Windows forecast at a time.
    static let chunk = 256

    private(set) var errors = ErrorSum()
    private(set) var seasonalNaive = ErrorSum()
    private(set) var repeatLast = ErrorSum()
    /// `[horizon][windows]`, y − ŷ, scaled, in time order; every so many windows where there are
    /// more than are kept.
    private(set) var residuals: [[Double]]

    init(_ forecaster: Forecaster, on prepared: PreparedSeries) {
        let (lag, horizon) = (prepared.task.lag, prepared.task.horizon)
        let starts = prepared.plan.validation.starts
        let stride = (starts.count - 1) / FittedPipeline.residualWindowsMaximum + 1
        let series = prepared.inputs.map { Float($0) }
        let baselines = [SeasonalNaive(season: prepared.task.season), .repeatLast]
        residuals = Array(repeating: [], count: horizon)
        for first in Swift.stride(from: 0, to: starts.count, by: Self.chunk) {
            let part = Array(starts[first..<min(first + Self.chunk, starts.count)])
            let forecasts = forecaster.forecast(series, starts: part, lag: lag, steps: horizon)
            for (row, start) in part.enumerated() {
                let origin = start + lag - 1
                let targets = prepared.targets[(origin + 1)..<(origin + 1 + horizon)]
                let forecast = forecasts[(row * horizon)..<((row + 1) * horizon)]
                errors.add(forecast, targets: targets)
                let naive = baselines.map { $0.forecast(series, origin: origin, steps: horizon) }
                seasonalNaive.add(naive[0][...], targets: targets)
                repeatLast.add(naive[1][...], targets: targets)
                guard (first + row) % stride == 0 else { continue }
                for (step, (f, y)) in zip(forecast, targets).enumerated() {
                    residuals[step].append(y - Double(f))
                }
            }
        }
    }

    /// What a user should know about the calibration.
    func notes(_ options: FitOptions) -> [String] {
        let calibrator = ConformalCalibrator(
            residuals: [residuals[0]], method: options.calibration, levels: options.levels)
        return options.nominals.compactMap { nominal in
            let attainable = calibrator.attainable(nominal)
            guard attainable < nominal else { return nil }
            return "With \(calibrator.windows) calibration windows the \(Self.percent(nominal)) "
                + "interval promises only \(Self.percent(attainable))."
        }
    }

    private static func percent(_ share: Double) -> String {
        "\((share * 1_000).rounded() / 10) %"
    }
}
