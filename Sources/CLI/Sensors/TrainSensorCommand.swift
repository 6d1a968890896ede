import ArgumentParser
import Forecasting
import Foundation
import Learning
import Models
import Postgres
import Series
import Signals
import Store

/// `systole train hiss`: fits a model that reads fast sensors and gives slower quantities.
struct TrainSensorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hiss",
        abstract: "Fits a model that reads fast sensors and gives slower quantities.",
        discussion: """
            From CSV files each file is a recording, and --inputs and --target name columns; without
            files they name stored series. A fifth of the recordings is kept back to choose the best
            epoch, and a fifth to say how well the model does: whole files where there are five or
            more, later parts of each where there are fewer. Targets may come as often as inputs (their
            means are learned) or only once for many samples.

            --out writes the model to a file, for `systole derive run`. --store puts it into the
            database, where `systole derive add` uses it; it goes live if it is better than always
            saying the mean, and than the live version on the same rows.

            Example:
              systole train hiss walk*.csv --inputs ax,ay,az --target speed --out wrist.safetensors
              systole train hiss --inputs wrist.imu.ax,wrist.imu.ay --target lab.speed --store hiss-wrist
            """)

    @Argument(help: "CSV files, a recording each; none for stored series.") var files: [String] = []
    @Option(help: "Columns, or stored series, that the model reads; separated by commas.")
    var inputs: String
    @Option(help: "Columns, or stored series, that it is to give; separated by commas.")
    var target: String
    @Option(help: "Samples for each output; what the steps of inputs and target say, or 10.")
    var ratio: Int?
    @Option(help: "Channels of a level, from 8 to 512.") var width = 64
    @Option(help: "Outputs that training looks at in one stretch: what the model remembers.")
    var stretch = 150
    @Option(help: "Times the data are gone through at most.") var epochs = 60
    @Option(help: "Peak learning rate.") var rate = 3e-3
    @Option(
        help: "Samples over which inputs are scaled as they run, for devices of other amplitudes.")
    var running = 0
    @Option(help: "Of the first weights and the order of stretches.") var seed: UInt64 = 0
    @Option(help: "Cores to use.") var threads = 1
    @Option(help: "No epoch begins after so many seconds.") var seconds: Double?
    @Option(help: "Stored series: nothing before this time.") var from: String?
    @Option(help: "Stored series: nothing after this time.") var until: String?
    @Option(help: "The file that gets the model.") var out: String?
    @Option(help: "What the model is called in the database.") var store: String?
    @Flag(help: "Print JSON.") var json = false
    @OptionGroup var table: TableOptions
    @OptionGroup var database: DatabaseOptions

    func validate() throws {
        guard out != nil || store != nil else {
            throw ValidationError("the model goes nowhere: give --out FILE or --store NAME")
        }
        let names = Self.names(inputs) + Self.names(target)
        guard !Self.names(inputs).isEmpty, !Self.names(target).isEmpty,
            Set(names).count == names.count
        else {
            throw ValidationError("--inputs and --target name one or more columns each, none twice")
        }
        guard (8...512).contains(width), width % 8 == 0, (2...10_000).contains(stretch),
            (1...10_000).contains(epochs), (1...256).contains(threads),
            (0...1_000_000).contains(running),
            ratio.map({ (1...10_000).contains($0) }) ?? true, rate > 0, rate <= 1
        else { throw ValidationError("a number is outside its range; see --help") }
        if !files.isEmpty, from != nil || until != nil {
            throw ValidationError("--from and --until are for stored series")
        }
    }

    static func names(_ text: String) -> [String] {
        text.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
            .filter { !$0.isEmpty }
    }

    func run() async throws {
        if store == nil, !files.isEmpty {
            let model = try fit(try readFiles())
            return try finish(model, stored: nil)
        }
        try await database.withPool { pool in
            let recordings = files.isEmpty ? [try await readSeries(pool)] : try readFiles()
            let model = try fit(recordings)
            guard let store else { return try finish(model, stored: nil) }
            let verdict = try await SensorModelFiling.store(
                model, name: store, judgedOn: try set(recordings, model), on: pool)
            try finish(model, stored: verdict)
        }
    }

    // MARK: Data

    private func readFiles() throws -> [SensorRecording] {
        try files.map { file in
            let table = try CSVReader(options: try table.options()).read(file: file)
            func tracks(_ names: String) throws -> [SensorTrack] {
                try Self.names(names).map { name in
                    let column = try table.column(named: name)
                    return SensorTrack(
                        channel: column.channel, instants: column.times.map(\.microseconds),
                        values: column.values)
                }
            }
            return SensorRecording(
                name: URL(filePath: file).lastPathComponent, inputs: try tracks(inputs),
                targets: try tracks(target))
        }
    }

    private func readSeries(_ pool: Pool) async throws -> SensorRecording {
        let (inputs, targets) = (Self.names(inputs), Self.names(target))
        var tracks: [SensorTrack] = []
        for key in inputs + targets {
            tracks.append(try await StoredTrack.read(key, from: from, until: until, on: pool))
        }
        return SensorRecording(
            name: inputs[0], inputs: Array(tracks[..<inputs.count]),
            targets: Array(tracks[inputs.count...]))
    }

    private func set(_ recordings: [SensorRecording], _ model: SensorModel) throws -> SensorSet {
        let sequences = recordings.compactMap {
            $0.sequence(stepMicroseconds: model.stepMicroseconds, ratio: model.ratio)
        }
        return SensorSet(
            name: store ?? "files", outputs: model.outputs.map(\.name), splitting: sequences)
    }

    // MARK: Model

    private func fit(_ recordings: [SensorRecording]) throws -> SensorModel {
        let step = try SensorRecording.step(of: recordings)
        let ratio = try ratio ?? SensorRecording.ratio(of: recordings, step: step)
        let first = recordings[0]
        let sequences = recordings.compactMap {
            $0.sequence(stepMicroseconds: step, ratio: ratio)
        }
        let set = SensorSet(
            name: store ?? "files", outputs: Self.names(target), splitting: sequences)
        var configuration = HiSSConfiguration.standard(
            inputs: first.inputs.count, outputs: first.targets.count, ratio: ratio)
        for level in configuration.levels.indices { configuration.levels[level].width = width }
        var options = HiSSTrainingOptions()
        (options.crop, options.epochsMaximum, options.rate) = (stretch, epochs, rate)
        (options.seed, options.threads, options.secondsMaximum) = (seed, threads, seconds)
        options.stepsPerEpochMinimum = 20
        options.runningSamples = running
        let line = ProgressLine()
        defer { line.end() }
        let fitting = SensorFitting(
            configuration: configuration, options: options, software: Systole.build)
        return try fitting.fit(
            set, inputs: channels(first.inputs), outputs: channels(first.targets),
            stepMicroseconds: step
        ) { epoch, loss, error in
            line.show(
                "epoch \(epoch) of \(epochs): loss \(Terminal.number(loss)), "
                    + "validation \(Terminal.number(error))")
        }
    }

    /// Channels by the last part of a key, so that a model of one device reads those of another.
    private func channels(_ tracks: [SensorTrack]) -> [Channel] {
        let names = tracks.map(\.channel.name)
        let short = names.map { $0.split(separator: ".").last.map { String($0) } ?? $0 }
        let isClear = files.isEmpty && Set(short).count == short.count
        return zip(tracks, isClear ? short : names).map {
            Channel(name: $1, unit: $0.channel.unit)
        }
    }

    private func finish(_ model: SensorModel, stored: SensorModelFiling.Verdict?) throws {
        if let out { try OutputFile.write(model.encoded(), to: out) }
        if json {
            return try Terminal.json(SensorModelReport(model, file: out, stored: stored))
        }
        let report = SensorModelReport(model, file: out, stored: stored)
        print(report.text)
    }
}
