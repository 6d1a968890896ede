import ArgumentParser
import Foundation
import Series
import Tensors

/// `systole simulate plant`: a made-up sensor series as CSV, where no data are at hand.
struct SimulateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate",
        abstract: "Writes a made-up sensor series as CSV to standard output.",
        discussion: """
            The series has a yearly and a daily season, weekly load, a slow drift and noise that
            remembers itself; the same seed gives the same bytes.

            Example:
              systole simulate plant --hours 8760 --seed 7 > plant.csv
            """)

    @Argument(help: "What is simulated: plant.")
    var kind: String

    @Option(help: "Hourly rows to write, from 48 to 1000000.")
    var hours = 17_420

    @Option(help: "Seed of the noise.")
    var seed: UInt64 = 1

    func validate() throws {
        guard kind == "plant" else {
            throw ValidationError("there is no simulator '\(kind)'; accepted: plant")
        }
        guard (48...1_000_000).contains(hours) else {
            throw ValidationError("--hours \(hours) is outside 48 to 1000000")
        }
    }

    func run() throws {
        var plant = SimulatedPlant(seed: seed)
        print("date,load,OT")
        for hour in 0..<hours {
            let sample = plant.next()
            let at = TimeGrid(
                start: SimulatedPlant.start, rate: SamplingRate(1, per: 3600), count: hours
            ).instant(at: hour)
            print(
                "\(at),\(Terminal.number(sample.load, digits: 6)),"
                    + Terminal.number(sample.oilTemperature, digits: 6))
        }
    }
}

/// A transformer whose oil warms with load and weather: a first-order lag behind both.
struct SimulatedPlant {
    /// The first hour, 2024-01-01T00:00:00Z.
    static let start = Timestamp(unixSeconds: 1_704_067_200)

    private var random: RandomStream
    private var hour = 0
    private var noise = 0.0
    private var oil = 20.0

    init(seed: UInt64) {
        random = RandomStream(seed: seed)
    }

    /// The next hour: load in kW, oil temperature in °C.
    mutating func next() -> (load: Double, oilTemperature: Double) {
        let time = Double(hour)
        let day = 2 * Double.pi * time / 24
        let isWeekend = (hour / 24) % 7 >= 5
        noise = 0.9 * noise + 0.6 * random.normal()
        let load = (isWeekend ? 8 : 12) + 4 * sin(day - 2) + 1.5 * sin(2 * day) + noise
        let weather = 12 - 10 * sin(2 * Double.pi * time / 8766 + 1.3) + 4 * sin(day - 2.4)
        oil += 0.12 * (weather + 1.1 * load - oil) + 0.15 * random.normal()
        hour += 1
        return (load, oil)
    }
}
