/// What an evaluation of many series found.
package struct CollectionReport: Sendable, Encodable {
    /// One method over all series.
    package struct Score: Sendable, Encodable {
        package let method: String
        /// Mean absolute scaled error on the newest horizon, the mean over series.
        package let mase: Double
        /// The same on the horizons before, by which was chosen.
        package let validationMASE: Double
        /// Series that the method could not forecast, so that another did.
        package let fallbacks: Int

        private enum CodingKeys: String, CodingKey {
            case method, mase, fallbacks
            case validationMASE = "validation_mase"
        }
    }

    package let name: String
    /// Series judged.
    package let series: Int
    /// Series without a seasonal difference, which have no MASE and are not judged.
    package let constantSeries: Int
    package let horizon: Int
    package let season: Int
    package let lag: Int
    /// Forecasts by which was chosen.
    package let validationOrigins: Int
    /// `auto` is the last.
    package let scores: [Score]
    /// What `auto` is made of, and why.
    package let reason: String
    /// Of everything, from the first fit to the last forecast.
    package var seconds = 0.0
    /// Series left out because they are too short.
    package var shortSeries = 0

    /// Methods that are at least as good as `auto`, of those that it must beat.
    package var notBeaten: [String] {
        guard let auto = scores.last else { return [] }
        let rivals = ["seasonal-naive", "ets", "ridge"]
        return scores.filter { rivals.contains($0.method) && $0.mase <= auto.mase }.map(\.method)
    }

    private enum CodingKeys: String, CodingKey {
        case name, series, horizon, season, lag, scores, reason, seconds
        case constantSeries = "constant_series"
        case validationOrigins = "validation_origins"
        case shortSeries = "short_series"
    }
}
