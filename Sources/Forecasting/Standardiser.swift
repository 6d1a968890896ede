/// The linear map to a series of mean 0 and deviation 1 on the training rows.
///
/// Published errors on the ETT sets are in these scaled units.
package struct Standardiser: Hashable, Sendable, Codable {
    /// In the unit of the series.
    package let mean: Double
    /// Population standard deviation (n in the denominator), in the unit of the series; above zero.
    package let deviation: Double

    /// - Parameters:
    ///   - mean: Finite.
    ///   - deviation: Finite and above zero, or the call traps.
    package init(mean: Double, deviation: Double) {
        precondition(
            mean.isFinite && deviation.isFinite && deviation > 0,
            "Standardiser: mean or deviation out of range")
        self.mean = mean
        self.deviation = deviation
    }

    /// Learns from training rows only; missing values are passed over.
    ///
    /// - Throws: `allMissing`, or `constantSeries` where the deviation is lost in rounding.
    package init(fitting rows: some Collection<Double>) throws(ForecastError) {
        var count = 0.0
        var sum = 0.0
        for value in rows where value.isFinite {
            count += 1
            sum += value
        }
        guard count > 0 else { throw .allMissing(rows: rows.count) }
        let mean = sum / count
        var squares = 0.0
        for value in rows where value.isFinite { squares += (value - mean) * (value - mean) }
        let deviation = (squares / count).squareRoot()
        // Rounding in a constant of size m leaves a deviation near m·1e-16, which is no signal.
        guard deviation.isFinite, deviation > abs(mean) * 1e-12, deviation > 1e-300 else {
            throw .constantSeries(rows: rows.count)
        }
        self.init(mean: mean, deviation: deviation)
    }

    /// From the unit of the series to scaled units.
    package func scale(_ value: Double) -> Double { (value - mean) / deviation }

    /// From scaled units to the unit of the series.
    package func unscale(_ value: Double) -> Double { value * deviation + mean }

    /// All values in scaled units; missing stays NaN.
    package func scale(_ values: [Double]) -> [Double] { values.map { scale($0) } }

    private enum CodingKeys: String, CodingKey { case mean, deviation }

    package init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        let mean = try fields.decode(Double.self, forKey: .mean)
        let deviation = try fields.decode(Double.self, forKey: .deviation)
        guard mean.isFinite, deviation.isFinite, deviation > 0 else {
            throw DecodingError.dataCorruptedError(
                forKey: .deviation, in: fields, debugDescription: "not a scale")
        }
        self.init(mean: mean, deviation: deviation)
    }
}
