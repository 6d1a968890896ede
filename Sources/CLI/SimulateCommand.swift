import ArgumentParser
import Foundation
import Series
import Signals

/// `systole simulate`: made-up sensor series and electrocardiograms, where no data are at hand.
struct SimulateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate",
        abstract: "Writes made-up sensor series or electrocardiograms, or sends them by MQTT.",
        discussion: """
            Example:
              systole simulate plant --hours 8760 --seed 7 > plant.csv
              systole simulate ecg --seconds 60 > ecg.csv
              systole source add mqtt://localhost --name ward --topic 'ward/+=waveform:ward/{2}'
              systole simulate ecg --mqtt mqtt://localhost --topic ward/7 --seconds 3600
            """,
        subcommands: [Plant.self, Electrocardiogram.self])

    /// `systole simulate plant`
    struct Plant: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "plant",
            abstract:
                "A transformer whose oil warms with load and weather; with faults, a pump too.",
            discussion: """
                The series have a yearly and a daily season, weekly load, a slow drift and noise that
                remembers itself; the same seed and the same start give the same bytes.

                To a broker it is sent as it happens: at --speed 3600 an hour a second, beginning so
                long ago that the last hour is sent as it ends. What is ahead of the clock, as a
                --start of yours may be, is put aside by sources until its time has come.

                Example:
                  systole simulate plant --hours 8760 --seed 7 > plant.csv
                  systole simulate plant --faults 12 --format ndjson --start 2026-01-01
                  systole source add mqtt://localhost --name plant --topic 'plant/+=json:plant.{2}'
                  systole simulate plant --mqtt mqtt://localhost --topic plant/one --hours 720 --speed 3600
                """)

        @Option(help: "Hourly rows to write, from 48 to 1000000.")
        var hours = 17_420

        @Option(help: "Seed of everything that chance decides.")
        var seed: UInt64 = 1

        @Option(help: "Faults a year; they are told in a column of their own. None without it.")
        var faults: Double?

        @OptionGroup var sink: SimulationSink

        func validate() throws {
            guard (48...1_000_000).contains(hours) else {
                throw ValidationError("--hours \(hours) is outside 48 to 1000000")
            }
            if let faults, !(0...1000).contains(faults) {
                throw ValidationError("--faults \(faults) is outside 0 to 1000")
            }
        }

        func run() async throws {
            var plant = PlantModel(seed: seed, faultsPerYear: faults ?? 0)
            var outlet = try await sink.open(
                defaultTopic: "plant", span: .seconds(3600 * (hours - 1)), step: .seconds(3600))
            if sink.format == .csv, !outlet.isLive {
                try await outlet.write(
                    "date,load,OT"
                        + (faults == nil ? "" : ",weather,flow,pressure,vibration,fault"),
                    at: 0)
            }
            let grid = TimeGrid(
                start: outlet.start, rate: SamplingRate(1, per: 3600), count: hours)
            for hour in 0..<hours {
                let sample = plant.next()
                try await outlet.write(
                    line(sample, grid.instant(at: hour)), at: Double(hour) * 3600)
            }
            try await outlet.close()
        }

        private func line(_ sample: PlantModel.Sample, _ at: Timestamp) -> String {
            var values = [("load", sample.load), ("OT", sample.oilTemperature)]
            if faults != nil {
                values += [
                    ("weather", sample.weather), ("flow", sample.flow),
                    ("pressure", sample.pressure), ("vibration", sample.vibration),
                ]
            }
            let numbers = values.map { ($0.0, Terminal.number($0.1, digits: 6)) }
            let fault = faults == nil ? nil : sample.fault?.rawValue ?? ""
            if sink.isJSON {
                let fields = numbers.map { "\"\($0.0)\":\($0.1)" }
                let told = fault.map { $0.isEmpty ? [] : [",\"fault\":\"\($0)\""] } ?? []
                return "{\"time\":\"\(at)\"," + fields.joined(separator: ",") + told.joined() + "}"
            }
            return ([at.description] + numbers.map(\.1) + (fault.map { [$0] } ?? []))
                .joined(separator: ",")
        }
    }

    /// `systole simulate ecg`
    struct Electrocardiogram: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "ecg", abstract: "A twelve-lead electrocardiogram of a made-up heart.",
            discussion: """
                The heart's rate varies as in people, the recorder adds drift, hum and noise, and
                electrodes may come off. Research only: it is nobody's heart. The same seed and the
                same start give the same bytes.

                Example:
                  systole simulate ecg --seconds 60 --heart-rate 72 > ecg.csv
                  systole simulate ecg --seconds 60 --start 2026-01-01T12:00:00Z --format ndjson
                  systole source add mqtt://localhost --name ward --topic 'ward/+=waveform:ward/{2}'
                  systole simulate ecg --mqtt mqtt://localhost --topic ward/7 --seconds 3600
                """)

        @Option(help: "Length in seconds, from 1 to 604800.") var seconds = 60
        @Option(help: "Samples a second of each lead, from 50 to 2000.") var rate = 500
        @Option(name: .customLong("heart-rate"), help: "Beats a minute, from 20 to 250.")
        var heartRate = 65.0
        @Option(help: "Seed of everything that chance decides.") var seed: UInt64 = 1
        @Option(help: "Noise as a multiple of the usual; 0 for none.") var noise = 1.0
        @Option(
            name: .customLong("losses"), help: "How often an hour an electrode comes off.")
        var lossesPerHour = 0.0
        @Option(
            name: .customLong("piece"), help: "Samples of each lead in a message, from 1 to 100000."
        )
        var pieceSamples = 100

        @OptionGroup var sink: SimulationSink

        func validate() throws {
            let ranges: [(String, Double, ClosedRange<Double>)] = [
                ("--seconds", Double(seconds), 1...604_800), ("--rate", Double(rate), 50...2000),
                ("--heart-rate", heartRate, 20...250), ("--noise", noise, 0...1000),
                ("--losses", lossesPerHour, 0...100_000),
                ("--piece", Double(pieceSamples), 1...100_000),
            ]
            for (name, value, range) in ranges where !range.contains(value) {
                throw ValidationError(
                    "\(name) is \(range.lowerBound) to \(range.upperBound), found \(value)")
            }
        }

        func run() async throws {
            var options = ECGModel.Options()
            options.rate = SamplingRate(Int64(rate))
            options.heartRate = heartRate
            options.seed = seed
            options.lossesPerHour = lossesPerHour
            options.wander *= noise
            options.mains *= noise
            options.muscle *= noise
            var model = ECGModel(options)
            var outlet = try await sink.open(
                defaultTopic: "ecg", span: .seconds(seconds), step: .milliseconds(1))
            if sink.isJSON {
                try await sendPieces(&model, &outlet)
            } else {
                try await writeRows(&model, &outlet)
            }
            try await outlet.close()
        }

        private func writeRows(
            _ model: inout ECGModel, _ outlet: inout SimulationOutlet
        ) async throws {
            try await outlet.write(
                "time," + ECGModel.leads.map { "\($0) [mV]" }.joined(separator: ","), at: 0)
            var sample = [Float](repeating: 0, count: ECGModel.leads.count)
            let grid = TimeGrid(
                start: outlet.start, rate: SamplingRate(Int64(rate)), count: seconds * rate)
            for index in 0..<seconds * rate {
                model.next(into: &sample)
                let numbers = sample.map {
                    $0.isNaN ? "" : Terminal.number(Double($0), digits: 4)
                }
                try await outlet.write(
                    ([grid.instant(at: index).description] + numbers).joined(separator: ","),
                    at: Double(index) / Double(rate))
            }
        }

        /// Pieces of a live recording, as `WaveformPieceReader` reads them.
        private func sendPieces(
            _ model: inout ECGModel, _ outlet: inout SimulationOutlet
        ) async throws {
            var sample = [Float](repeating: 0, count: ECGModel.leads.count)
            let grid = TimeGrid(start: outlet.start, rate: SamplingRate(Int64(rate)), count: 0)
            let names = ECGModel.leads.map { "\"\($0)\"" }.joined(separator: ",")
            var first = 0
            while first < seconds * rate {
                let count = min(pieceSamples, seconds * rate - first)
                var rows = [[String]](repeating: [], count: sample.count)
                for _ in 0..<count {
                    model.next(into: &sample)
                    for lead in sample.indices {
                        rows[lead].append(
                            sample[lead].isNaN ? "null" : "\(Int((sample[lead] * 1000).rounded()))")
                    }
                }
                let samples = rows.map { "[" + $0.joined(separator: ",") + "]" }
                let key = outlet.isLive ? "" : "\"recording\":\"simulated/\(seed)\","
                try await outlet.write(
                    "{\(key)\"channels\":[\(names)],\"unit\":\"mV\",\"gain\":1000,\"rate\":\(rate),"
                        + "\"first\":\(first),\"at\":\"\(grid.instant(at: first))\","
                        + "\"samples\":[\(samples.joined(separator: ","))]}",
                    at: Double(first + count) / Double(rate))
                first += count
            }
        }
    }
}
