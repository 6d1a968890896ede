import Foundation

/// Exponential smoothing fitted to a series: the form, how fast its parts move, and how it began.
package struct ETSFit: Hashable, Sendable {
    package let form: ETSForm
    package let parameters: ETSParameters
    /// The state before the first row.
    package let start: ETSState
    package let logLikelihood: Double
    /// The corrected information criterion; the less the better.
    package let aicc: Double

    /// The newest rows that a fit looks at: more only cost time, since older ones are forgotten.
    package static let rowsMaximum = 4_000
    /// The longest season; its indices are states, and each has to be learnt.
    package static let seasonMaximum = 400
    /// Fewer rows are not fitted.
    package static let rowsMinimum = 6

    /// Whether a season of this many rows enters the forms that are tried on so many rows.
    package static func isSeasonal(_ season: Int, rows: Int) -> Bool {
        season > 1 && season <= seasonMaximum && rows >= 2 * season + 5
    }

    /// The newest rows that a fit with such a season looks at; its first state is before them.
    static func rowsSeen(season: Int) -> Int { max(rowsMaximum, 2 * season + 5) }

    /// Fits every form that suits the series, and takes the one with the least AICc.
    ///
    /// Smoothing parameters, first level and first trend maximise the likelihood, within the usual
    /// bounds 0 < α < 1, 0 < β < α, 0 < γ < 1 − α, 0.8 ≤ φ ≤ 0.98; the seasonal indices begin as the
    /// decomposition gives them, so that a season of 168 rows is no harder than one of 12.
    ///
    /// - Parameters:
    ///   - values: In the unit of the series, finite; of more than `rowsMaximum` the newest.
    ///   - season: Rows of a season; 1 for none.
    /// - Returns: Nil where there are fewer than `rowsMinimum` rows, or too few for any form.
    /// - Source: Hyndman, Koehler, Snyder, Grose 2002; Hyndman, Khandakar 2008, section 2.4.
    package static func best(_ values: [Double], season: Int) -> ETSFit? {
        guard values.count >= rowsMinimum else { return nil }
        let seen = Array(values.suffix(rowsSeen(season: season)))
        let forms = ETSForm.candidates(
            isSeasonal: isSeasonal(season, rows: seen.count),
            isPositive: seen.allSatisfy { $0 > 0 })
        let fits = forms.compactMap { fit(seen, $0, season: season) }
        return fits.min { $0.aicc < $1.aicc }
    }

    /// Fits one form.
    ///
    /// - Parameters:
    ///   - values: In the unit of the series, finite; all are used.
    ///   - form: Multiplicative parts need values above zero, a season two seasons of rows.
    ///   - season: Rows of a season.
    /// - Returns: Nil where there are too few rows for so many parameters, or none fits.
    package static func fit(_ values: [Double], _ form: ETSForm, season: Int) -> ETSFit? {
        let count = Double(values.count)
        let k = Double(form.parameterCount(season: season))
        guard count - k - 1 > 0 else { return nil }
        let start = ETSState(startOf: values, form, season: season)
        let axes = Axes(form, start: start, unit: unit(of: values))
        let found = NelderMead().minimise(from: axes.begin) { place in
            let (parameters, first) = axes.decoded(place)
            var state = first
            return -state.take(values, form, parameters).logLikelihood
        }
        guard found.value.isFinite else { return nil }
        let (parameters, first) = axes.decoded(found.place)
        return ETSFit(
            form: form, parameters: parameters, start: first, logLikelihood: -found.value,
            aicc: 2 * found.value + 2 * k + 2 * k * (k + 1) / (count - k - 1))
    }

    /// The forecasts of the rows after `values`, `[steps]`, in their unit.
    package func forecast(after values: [Double], steps: Int) -> [Double] {
        var state = start
        _ = state.take(values, form, parameters)
        return state.forecast(steps: steps, form, parameters)
    }

    /// The mean step between neighbours: what a change of the first level is measured in.
    private static func unit(of values: [Double]) -> Double {
        let steps = zip(values, values.dropFirst()).reduce(0) { $0 + abs($1.1 - $1.0) }
        let mean = steps / Double(max(1, values.count - 1))
        return mean > 0 ? mean : 1
    }

    /// Places of the search, where every number is allowed, as parameters within their bounds.
    private struct Axes {
        let form: ETSForm
        let start: ETSState
        let unit: Double
        static let open = 1e-4

        init(_ form: ETSForm, start: ETSState, unit: Double) {
            self.form = form
            self.start = start
            self.unit = unit
        }

        /// α 0.3, β 0.1·α, γ 0.1·(1 − α), φ 0.95; the start as it is.
        var begin: [Double] {
            var place = [-0.85, 0]
            if form.trend != .none { place += [-2.2, 0] }
            if form.trend == .damped { place.append(1.1) }
            if form.season != .none { place.append(-2.2) }
            return place
        }

        func decoded(_ place: [Double]) -> (ETSParameters, ETSState) {
            var state = start
            var axis = 0
            func next() -> Double {
                defer { axis += 1 }
                return place[axis]
            }
            var p = ETSParameters(level: Self.within(Self.open, 1 - Self.open, next()))
            state.level += unit * next()
            if form.trend != .none {
                p.trend = p.level * Self.within(Self.open, 1 - Self.open, next())
                state.trend += 0.1 * unit * next()
            }
            if form.trend == .damped { p.damping = Self.within(0.8, 0.98, next()) }
            if form.season != .none {
                p.season = (1 - p.level) * Self.within(Self.open, 1 - Self.open, next())
            }
            return (p, state)
        }

        private static func within(_ low: Double, _ high: Double, _ x: Double) -> Double {
            low + (high - low) / (1 + exp(-x))
        }
    }
}
