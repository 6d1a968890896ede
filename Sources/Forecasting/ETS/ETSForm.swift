/// One form of exponential smoothing: how error, trend and season enter.
///
/// - Source: Hyndman, Koehler, Ord, Snyder 2008, *Forecasting with Exponential Smoothing*,
///   tables 2.2 and 2.3.
package struct ETSForm: Hashable, Sendable, Codable {
    /// Whether errors grow with the level.
    package enum Error: String, Sendable, Codable, CaseIterable { case additive, multiplicative }
    /// How the level moves on; damped trends level off.
    package enum Trend: String, Sendable, Codable, CaseIterable { case none, additive, damped }
    /// How the season joins the level.
    package enum Season: String, Sendable, Codable, CaseIterable {
        case none, additive, multiplicative
    }

    package let error: Error
    package let trend: Trend
    package let season: Season

    package init(error: Error, trend: Trend, season: Season) {
        self.error = error
        self.trend = trend
        self.season = season
    }

    /// Such as `ETS(M,Ad,A)`.
    package var name: String {
        let trend = [Trend.none: "N", .additive: "A", .damped: "Ad"][trend] ?? ""
        let season = [Season.none: "N", .additive: "A", .multiplicative: "M"][season] ?? ""
        return "ETS(\(error == .additive ? "A" : "M"),\(trend),\(season))"
    }

    /// The forms that suit a series.
    ///
    /// A multiplicative season with an additive error is left out: its variance is not finite in the
    /// long run (Hyndman et al. 2008, section 15.2).
    ///
    /// - Parameters:
    ///   - isSeasonal: Whether seasons may enter.
    ///   - isPositive: Whether all values are above zero, which multiplicative parts need.
    /// - Returns: Errors additive first, then by season and trend.
    package static func candidates(isSeasonal: Bool, isPositive: Bool) -> [ETSForm] {
        Error.allCases.flatMap { error in
            Season.allCases.flatMap { season in
                Trend.allCases.map { ETSForm(error: error, trend: $0, season: season) }
            }
        }.filter { form in
            if form.season != .none, !isSeasonal { return false }
            if form.error == .additive { return form.season != .multiplicative }
            return isPositive
        }
    }

    /// Smoothing parameters, initial states and the variance, as information criteria count them.
    func parameterCount(season m: Int) -> Int {
        var count = 1 + 1 + 1  // α, the first level, the variance
        if trend != .none { count += 2 }
        if trend == .damped { count += 1 }
        if season != .none { count += 1 + m - 1 }
        return count
    }
}
