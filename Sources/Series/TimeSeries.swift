/// A run of missing samples.
package struct Gap: Hashable, Sendable {
    /// Indices of the missing samples; never empty.
    package let range: Range<Int>

    package init(_ range: Range<Int>) {
        precondition(!range.isEmpty, "Gap: an empty range")
        self.range = range
    }
}

/// A unit of measurement by its UCUM symbol, such as `Cel`, `mV`, `kW`; empty where unknown.
package struct PhysicalUnit: Hashable, Sendable, CustomStringConvertible {
    package let symbol: String

    package init(_ symbol: String) { self.symbol = symbol }

    /// A unit as people write it, in UCUM where we know how.
    package init(spelled text: String) { symbol = Self.symbols[text] ?? text }

    private static let symbols = [
        "°C": "Cel", "℃": "Cel", "degC": "Cel", "°F": "[degF]", "µV": "uV",
        "μV": "uV", "m³": "m3", "m²": "m2", "µg/m³": "ug/m3", "mg/m³": "mg/m3", "Ω": "Ohm",
        "°": "deg", "kWh": "kW.h", "Wh": "W.h", "m/s²": "m/s2",
    ]

    /// A quantity whose unit nobody has told us.
    package static let unknown = PhysicalUnit("")

    package var description: String { symbol }
}

/// What one column of measurements is: its name and its unit.
package struct Channel: Hashable, Sendable {
    package let name: String
    package let unit: PhysicalUnit

    package init(name: String, unit: PhysicalUnit = .unknown) {
        self.name = name
        self.unit = unit
    }
}

/// One channel sampled on a grid. A missing sample is NaN, and stays so: nothing interpolates it
/// silently.
package struct TimeSeries: Sendable {
    package let channel: Channel
    package let grid: TimeGrid
    /// `[grid.count]`, in `channel.unit`; NaN where missing, never infinite.
    package let values: [Double]

    package init(channel: Channel, grid: TimeGrid, values: [Double]) {
        precondition(
            values.count == grid.count,
            "TimeSeries: \(values.count) values on \(grid.count) instants"
        )
        self.channel = channel
        self.grid = grid
        self.values = values
    }

    /// The runs of missing samples, in order.
    package var gaps: [Gap] {
        var found: [Gap] = []
        var start: Int?
        for (index, value) in values.enumerated() {
            if value.isNaN {
                start = start ?? index
            } else if let first = start {
                found.append(Gap(first..<index))
                start = nil
            }
        }
        if let first = start { found.append(Gap(first..<values.count)) }
        return found
    }

    /// How many samples are missing.
    package var missingCount: Int { values.count { $0.isNaN } }

    /// The series with the samples in some stretches of time, ends included, missing.
    package func masking(_ stretches: [ClosedRange<Timestamp>]) -> TimeSeries {
        guard !stretches.isEmpty else { return self }
        var values = values
        for stretch in stretches {
            // Far ends would leave the range of the grid.
            let (low, high) = (
                max(stretch.lowerBound, grid.start), min(stretch.upperBound, grid.end)
            )
            guard low <= high else { continue }
            let first = grid.nearestIndex(to: low)
            for index in max(0, first - 1)..<min(values.count, grid.nearestIndex(to: high) + 2)
            where stretch.contains(grid.instant(at: index)) { values[index] = .nan }
        }
        return TimeSeries(channel: channel, grid: grid, values: values)
    }

    /// The samples in `range`, on their part of the grid.
    package func slice(_ range: Range<Int>) -> TimeSeries {
        TimeSeries(
            channel: channel, grid: grid.suffix(from: range.lowerBound, count: range.count),
            values: Array(values[range]))
    }
}

/// One value at one instant. A missing value is no observation.
package struct Observation: Hashable, Sendable {
    package let at: Timestamp
    /// Finite.
    package let value: Double

    package init(at: Timestamp, value: Double) {
        self.at = at
        self.value = value
    }
}

/// The number a series has in the database.
package struct SeriesID: Hashable, Sendable, CustomStringConvertible {
    package let number: Int64

    package init(_ number: Int64) { self.number = number }

    package var description: String { String(number) }
}
