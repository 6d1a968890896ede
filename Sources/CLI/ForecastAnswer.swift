import Series

/// A forecast as commands print it.
struct ForecastAnswer: Encodable {
    /// One step of the horizon.
    struct Step: Encodable {
        let step: Int
        let at: String
        let value: Double
        let lower80: Double
        let upper80: Double
        let lower95: Double
        let upper95: Double

        private enum CodingKeys: String, CodingKey {
            case step, at, value
            case lower80 = "lower_80"
            case upper80 = "upper_80"
            case lower95 = "lower_95"
            case upper95 = "upper_95"
        }
    }

    /// The series, such as a column's name or a stored key.
    let series: String
    let unit: String
    let family: String
    /// Why this family.
    let reason: String
    let dataUntil: String
    let horizon: Int
    let forecast: [Step]

    init(_ forecast: Forecast, of channel: Channel, family: String, reason: String) {
        series = channel.name
        unit = channel.unit.symbol
        self.family = family
        self.reason = reason
        dataUntil = forecast.dataUntil.description
        horizon = forecast.grid.count
        self.forecast = Self.steps(of: forecast)
    }

    private static func steps(of forecast: Forecast) -> [Step] {
        let bounds = [0.1, 0.9, 0.025, 0.975].map {
            forecast.quantile($0) ?? forecast.values
        }
        return forecast.values.indices.map { index in
            Step(
                step: index + 1, at: forecast.grid.instant(at: index).description,
                value: forecast.values[index], lower80: bounds[0][index],
                upper80: bounds[1][index], lower95: bounds[2][index], upper95: bounds[3][index])
        }
    }

    /// Prints at most `most` steps as a table, the first ones.
    func printTable(most: Int = 24) {
        let rows = forecast.prefix(most).map { step in
            [String(step.step), step.at]
                + [step.lower95, step.lower80, step.value, step.upper80, step.upper95].map {
                    Terminal.number($0)
                }
        }
        Terminal.table(
            ["step", "at", "lower_95", "lower_80", "value", "upper_80", "upper_95"], rows)
        if forecast.count > most {
            print("… and \(forecast.count - most) more steps; --json prints them all")
        }
    }

    private enum CodingKeys: String, CodingKey {
        case series, unit, family, reason, horizon, forecast
        case dataUntil = "data_until"
    }
}
