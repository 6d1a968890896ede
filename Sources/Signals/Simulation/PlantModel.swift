import Foundation
package import Series
import Tensors

/// A made-up plant, hour by hour: a transformer whose oil warms with load and weather, and a pump beside
/// it that wears, with faults that are told. The same seed gives the same numbers.
package struct PlantModel: Sendable {
    /// The first hour, 2024-01-01T00:00:00Z.
    package static let start = Timestamp(unixSeconds: 1_704_067_200)

    /// What can be wrong.
    package enum Fault: String, Sendable, CaseIterable {
        /// The oil is not cooled.
        case cooling
        /// The pump's bearing runs rough.
        case bearing
        /// The flow meter shows the same number again and again.
        case stuck
        /// The pressure falls for hours.
        case leak
    }

    /// One hour.
    package struct Sample: Sendable {
        /// In kilowatts.
        package var load = 0.0
        /// In degrees Celsius.
        package var oilTemperature = 0.0
        package var weather = 0.0
        /// In litres a second.
        package var flow = 0.0
        /// In bar.
        package var pressure = 0.0
        /// In millimetres a second.
        package var vibration = 0.0
        package var fault: Fault?
    }

    private var random: RandomStream
    private var rest: RandomStream
    private let faultsPerYear: Double
    private var hour = 0
    private var noise = 0.0
    private var oil = 20.0
    private var wear = 0.0
    private var shown = 0.0
    private var fault: (kind: Fault, from: Int, until: Int)?

    /// - Parameters:
    ///   - seed: Of everything that chance decides.
    ///   - faultsPerYear: How often something goes wrong.
    package init(seed: UInt64, faultsPerYear: Double = 0) {
        precondition(faultsPerYear >= 0, "PlantModel: \(faultsPerYear) faults")
        random = RandomStream(seed: seed)
        rest = random.stream(1)
        self.faultsPerYear = faultsPerYear
    }

    /// The next hour.
    package mutating func next() -> Sample {
        var sample = Sample()
        let time = Double(hour)
        let day = 2 * Double.pi * time / 24
        let isWeekend = (hour / 24) % 7 >= 5
        noise = 0.9 * noise + 0.6 * random.normal()
        sample.load = (isWeekend ? 8 : 12) + 4 * sin(day - 2) + 1.5 * sin(2 * day) + noise
        let weather = 12 - 10 * sin(2 * Double.pi * time / 8766 + 1.3) + 4 * sin(day - 2.4)
        turnFault()
        let cooling = fault?.kind == .cooling ? 0.04 : 0.12
        let aim = weather + 1.1 * sample.load
        oil += 0.12 * (aim - oil) + 0.15 * random.normal()
        if fault?.kind == .cooling { oil += (0.12 - cooling) * 8 }
        sample.oilTemperature = oil
        sample.weather = weather
        addPump(to: &sample)
        sample.fault = fault?.kind
        hour += 1
        return sample
    }

    /// Begins and ends faults.
    private mutating func turnFault() {
        if let running = fault, hour >= running.until { fault = nil }
        // Drawn every hour, so that one fault moves no other.
        let (chance, kind, length) = (rest.uniform(), rest.uniform(), rest.uniform())
        guard fault == nil, chance < faultsPerYear / 8766 else { return }
        let kinds = Fault.allCases
        fault = (kinds[Int(kind * Double(kinds.count))], hour, hour + 6 + Int(66 * length))
    }

    /// The pump: its flow follows the load, its bearing wears for half a year and is then replaced.
    private mutating func addPump(to sample: inout Sample) {
        wear = hour % 4383 == 0 ? 0 : wear + 0.5 / 4383
        let (a, b, c) = (rest.normal(), rest.normal(), rest.normal())
        sample.flow = 20 + 1.2 * sample.load + 0.4 * a
        sample.pressure = 6 - 0.05 * sample.load + 0.05 * b
        sample.vibration = 1.5 + wear + 0.02 * sample.load + 0.1 * abs(c)
        guard let fault else {
            shown = sample.flow
            return
        }
        let hours = Double(hour - fault.from)
        switch fault.kind {
        case .bearing: sample.vibration += 1 + 0.05 * hours
        case .stuck: sample.flow = shown
        case .leak: sample.pressure -= min(3, 0.1 * hours)
        case .cooling: break
        }
    }
}
