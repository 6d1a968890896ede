import Foundation

/// The smoothing parameters, in the error-correction form.
package struct ETSParameters: Hashable, Sendable, Codable {
    /// Of the level, α in 0...1.
    package var level = 0.0
    /// Of the trend, β in 0...α.
    package var trend = 0.0
    /// Of the season, γ in 0...1−α.
    package var season = 0.0
    /// φ: 1 unless the trend is damped.
    package var damping = 1.0

    package init(level: Double, trend: Double = 0, season: Double = 0, damping: Double = 1) {
        self.level = level
        self.trend = trend
        self.season = season
        self.damping = damping
    }

    /// How many of them a form uses.
    func count(_ form: ETSForm) -> Int {
        var count = 1
        if form.trend != .none { count += 1 }
        if form.trend == .damped { count += 1 }
        if form.season != .none { count += 1 }
        return count
    }

    /// Whether every number lies where it may.
    var isSane: Bool {
        (0...1).contains(level) && (0...1).contains(trend) && (0...1).contains(season)
            && (0...1).contains(damping)
    }
}

/// Where exponential smoothing stands between two rows, in the unit of the series.
package struct ETSState: Hashable, Sendable {
    package var level: Double
    /// Per row; 0 without a trend.
    package var trend: Double
    /// `[season]`, by row modulo season; empty without one.
    package var seasonal: [Double]
    /// The place in `seasonal` of the next row.
    package var phase: Int

    package init(level: Double, trend: Double = 0, seasonal: [Double] = [], phase: Int = 0) {
        self.level = level
        self.trend = trend
        self.seasonal = seasonal
        self.phase = phase
    }
}

extension ETSState {
    /// How well one-step forecasts fitted.
    struct Fit {
        /// Σ of squared errors; relative errors where the error is multiplicative.
        var squares = 0.0
        /// Σ log|μ|, needed where the error is multiplicative.
        var logarithms = 0.0
        var count = 0

        /// The log-likelihood with the variance that maximises it, under normal errors.
        ///
        /// - Source: Hyndman et al. 2008, equation 5.3.
        var logLikelihood: Double {
            let n = Double(count)
            guard squares > 0, squares.isFinite, logarithms.isFinite else { return -.infinity }
            return -0.5 * n * (log(2 * .pi * squares / n) + 1) - logarithms
        }
    }

    /// Below this a divisor counts as this: a level or season at zero must not make an infinity.
    private static let divisorMinimum = 1e-9

    /// Takes in rows one after the other.
    ///
    /// The states move by the error `e = y − μ` in the same way whether the error counts as additive
    /// or as multiplicative; only the likelihood tells the two apart.
    ///
    /// - Parameters:
    ///   - values: In the unit of the series, finite.
    ///   - form: Which parts there are.
    ///   - p: How fast they move.
    /// - Returns: The errors of the one-step forecasts; a likelihood of −∞ where a multiplicative
    ///   part met a forecast that is not above zero.
    mutating func take(
        _ values: some Collection<Double>, _ form: ETSForm, _ p: ETSParameters
    ) -> Fit {
        var fit = Fit()
        let isRelative = form.error == .multiplicative
        let season = form.season
        for y in values {
            let base = level + p.damping * trend
            var index = 0.0
            var mean = base
            switch season {
            case .none: break
            case .additive:
                index = seasonal[phase]
                mean += index
            case .multiplicative:
                index = seasonal[phase]
                mean *= index
            }
            let error = y - mean
            var (levelError, seasonError) = (error, error)
            if season == .multiplicative {
                levelError = error / Self.divisor(index)
                seasonError = error / Self.divisor(base)
            }
            level = base + p.level * levelError
            trend = p.damping * trend + p.trend * levelError
            if season != .none {
                seasonal[phase] = index + p.season * seasonError
                phase += 1
                if phase == seasonal.count { phase = 0 }
            }
            if isRelative {
                guard mean > 0 else {
                    fit.squares = .infinity
                    continue
                }
                fit.squares += (error / mean) * (error / mean)
                fit.logarithms += log(mean)
            } else {
                fit.squares += error * error
            }
            fit.count += 1
        }
        return fit
    }

    private static func divisor(_ value: Double) -> Double {
        abs(value) < divisorMinimum ? (value < 0 ? -divisorMinimum : divisorMinimum) : value
    }

    /// The forecasts of the next rows, `[steps]`, in the unit of the series.
    func forecast(steps: Int, _ form: ETSForm, _ p: ETSParameters) -> [Double] {
        var (base, slope, place) = (level, trend, phase)
        return (0..<steps).map { _ in
            slope *= p.damping
            base += slope
            guard form.season != .none else { return base }
            defer { place = place + 1 == seasonal.count ? 0 : place + 1 }
            return form.season == .additive ? base + seasonal[place] : base * seasonal[place]
        }
    }
}
