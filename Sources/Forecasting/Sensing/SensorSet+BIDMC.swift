internal import Foundation
internal import Signals

/// The recordings of BIDMC, and how training hears them at other speeds.
extension SensorSet {
    /// Reads BIDMC; see `Source`.
    static func bidmc(_ folder: String) throws(LabelledSetError) -> SensorSet {
        let suffix = "_Numerics.csv"
        let subjects = try bidmcSubjects(folder)
        let groups = Set(subjects.values).sorted()
        var parts: [[SensorSequence]] = [[], [], []]
        var stretched: [SensorSequence] = []
        for name in try files(folder, suffix) {
            let record = String(name.dropLast(suffix.count))
            guard let group = subjects[record].flatMap({ groups.firstIndex(of: $0) }) else {
                throw LabelledSetError(
                    file: "records.csv", reason: .label(record))
            }
            let signals = try NumberTable("\(record)_Signals.csv", in: folder)
            let numerics = try NumberTable(name, in: folder)
            var (waves, rates): ([[Double]], [[Double]]) = ([], [])
            for channel in ["PLETH", "II"] {
                waves.append(try signals.column(channel, file: "\(record)_Signals.csv"))
            }
            for channel in ["HR", "RESP", "SpO2"] {
                // A second's number stands at its end.
                rates.append(
                    try numerics.column(channel, file: name).dropFirst().map {
                        $0 > 0 ? $0 : .nan
                    })
            }
            // Of every five subjects three are for training.
            let part = [0, 0, 0, 1, 2][group % 5]
            parts[part].append(
                SensorSequence(
                    name: record, inputs: waves.map { means($0, of: 5) }, targets: rates,
                    ratio: 25))
            guard part == 0 else { continue }
            for speed in speeds {
                stretched.append(
                    played("\(record) at \(speed)", waves: waves, rates: rates, speed: speed))
            }
        }
        return SensorSet(
            name: Source.bidmc.rawValue,
            outputs: ["heart rate, 1/min", "respiratory rate, 1/min", "oxygen saturation, %"],
            train: parts[0], stretched: stretched, validation: parts[1], test: parts[2])
    }

    /// How fast training hears the same hearts again: nineteen recordings have little more than nineteen
    /// heart rates.
    private static let speeds = [0.68, 0.76, 0.84, 0.92, 1.08, 1.17, 1.27, 1.38]

    /// A recording of BIDMC as it would be at another speed: rates follow, oxygen saturation stays.
    ///
    /// - Parameters:
    ///   - name: Of the sequence.
    ///   - waves: `[channel][row]` at 125 Hz.
    ///   - rates: `[output][second]`: two rates, and what is none.
    ///   - speed: Above zero.
    /// - Returns: The sequence at 25 Hz.
    static func played(
        _ name: String, waves: [[Double]], rates: [[Double]], speed: Double
    ) -> SensorSequence {
        let seconds = Double(rates.map(\.count).min() ?? 0)
        let rows = Int(seconds * 25 / speed)
        let inputs = waves.map { wave in
            (0..<rows).map { row in
                let first = min(wave.count - 1, Int((Double(5 * row) * speed).rounded()))
                let end = min(wave.count, Int((Double(5 * (row + 1)) * speed).rounded()))
                let part = wave[first..<max(first + 1, end)]
                return part.reduce(0, +) / Double(part.count)
            }
        }
        let targets = rates.indices.map { output in
            (0..<rows / 25).map { second in
                let at = Int((Double(second + 1) * speed).rounded()) - 1
                let value = rates[output][max(0, min(rates[output].count - 1, at))]
                return output < 2 ? value * speed : value
            }
        }
        return SensorSequence(name: name, inputs: inputs, targets: targets, ratio: 25)
    }

    private static func bidmcSubjects(
        _ folder: String
    ) throws(LabelledSetError) -> [String: String] {
        let path = "\(folder)/records.csv"
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
            throw LabelledSetError(file: "records.csv", reason: .missing)
        }
        var subjects: [String: String] = [:]
        for line in text.split(whereSeparator: \.isNewline).dropFirst() {
            let cells = line.split(separator: ",", omittingEmptySubsequences: false)
            if cells.count > 1 { subjects[String(cells[0])] = String(cells[1]) }
        }
        return subjects
    }
}
