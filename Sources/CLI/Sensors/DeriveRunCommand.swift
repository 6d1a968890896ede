import ArgumentParser
import Forecasting
import Foundation
import Series
import Signals

/// `systole derive run`: a sensor model over CSV files, with no database.
struct DeriveRunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Runs a sensor model over CSV files, with no database.",
        discussion: """
            Each file is a stream of its own. A row is written for every output that the model gives:
            none where a channel shows less than half of the samples. Rows are the same as those that
            `systole derive add` would store.

            Example:
              systole derive run wrist.safetensors new.csv --out speed.csv
            """)

    @Argument(help: "The model, from systole train hiss --out.") var model: String
    @Argument(help: "CSV files with a column for each input.") var files: [String]
    @Option(help: "The file that gets the rows; standard output unless given.") var out: String?
    @OptionGroup var table: TableOptions

    func run() throws {
        let model = try ModelFile.read(model)
        var lines = ["file,time,\(model.outputs.map(\.name).joined(separator: ","))"]
        for file in files { lines += try rows(of: file, model) }
        let text = lines.joined(separator: "\n") + "\n"
        guard let out else { return print(text, terminator: "") }
        try OutputFile.write(text, to: out)
        print("\(lines.count - 1) rows: \(out)")
    }

    private func rows(of file: String, _ model: SensorModel) throws -> [String] {
        let table = try CSVReader(options: try table.options()).read(file: file)
        let tracks = try model.inputs.map { input in
            let column = try table.column(named: input.name)
            return SensorTrack(
                channel: column.channel, instants: column.times.map(\.microseconds),
                values: column.values)
        }
        let name = URL(filePath: file).lastPathComponent
        let derived: DerivedRecording
        do {
            derived = try DerivedRecording(tracks, by: model)
        } catch let error as DerivedRecordingError {
            throw ValidationError("\(file): \(error)")
        }
        if derived.merged > 1 {
            Terminal.complain("\(file): a sample is the mean of \(derived.merged) rows")
        }
        for at in derived.resets {
            Terminal.complain("\(file): begins anew at \(at), behind a gap that is too long")
        }
        return derived.instants.indices.map { index in
            let width = model.outputs.count
            let values = derived.values[index * width..<(index + 1) * width]
            return "\(name),\(derived.instants[index]),"
                + values.map { "\($0)" }.joined(separator: ",")
        }
    }
}

/// Model files of sensor models.
enum ModelFile {
    static func read(_ path: String) throws -> SensorModel {
        let data: Data
        do {
            data = try Data(contentsOf: URL(filePath: path), options: .mappedIfSafe)
        } catch {
            throw ValidationError("\(path) cannot be read")
        }
        do {
            return try SensorModel(decoding: [UInt8](data))
        } catch {
            throw ValidationError("\(path): \(error)")
        }
    }
}
