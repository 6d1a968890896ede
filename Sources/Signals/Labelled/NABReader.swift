import Foundation
import Series

/// A series of the Numenta Anomaly Benchmark with its labels.
package struct NABSeries: Hashable, Sendable {
    /// `category/file.csv`.
    package let name: String
    /// Between two rows, the usual one.
    package let stepSeconds: Double
    package let values: [Double]
    /// Rows of anomalies, ends included, in time order.
    package let windows: [ClosedRange<Int>]
}

/// Reads the benchmark as it is published: `labels/combined_windows.json` names files of `data`.
///
/// - Source: `numenta/NAB`, wiki page "NAB data".
package enum NABReader {
    private static let labels = "labels/combined_windows.json"
    private static let bytesMaximum = 1 << 26

    /// All labelled files of a folder, by name.
    package static func read(folder: String) throws(LabelledSetError) -> [NABSeries] {
        let bytes = try bytes(labels, in: folder)
        guard
            let windows = try? JSONDecoder().decode(  // What is wrong is said below.
                [String: [[String]]].self, from: Data(bytes))
        else {
            throw LabelledSetError(
                file: labels, reason: .json(needed: "file names with pairs of times"))
        }
        guard !windows.isEmpty else { throw LabelledSetError(file: labels, reason: .empty) }
        var all: [NABSeries] = []
        for (name, pairs) in windows.sorted(by: { $0.key < $1.key }) {
            all.append(try series(name, pairs, in: folder))
        }
        return all
    }

    /// The benchmark's own scores by detector, profile and file; empty where the folder has none.
    package static func published(
        folder: String
    ) throws(LabelledSetError) -> [String: [String: [String: Double]]] {
        let path = "published/per_file_scores.csv"
        guard FileManager.default.fileExists(atPath: "\(folder)/\(path)") else { return [:] }
        var scores: [String: [String: [String: Double]]] = [:]
        let lines = String(decoding: try bytes(path, in: folder), as: UTF8.self)
            .split(whereSeparator: \.isNewline)
        for (index, line) in lines.enumerated().dropFirst() {
            // detector, profile, file, threshold, score, counts
            let cells = line.split(separator: ",")
            guard cells.count > 4, let score = Double(cells[4]) else {
                throw LabelledSetError(
                    file: path,
                    reason: .line(index + 1, needed: "detector,profile,file,threshold,score"))
            }
            scores[String(cells[0]), default: [:]][String(cells[1]), default: [:]][
                String(cells[2])] = score
        }
        return scores
    }

    private static func series(
        _ name: String, _ pairs: [[String]], in folder: String
    ) throws(LabelledSetError) -> NABSeries {
        let path = "data/\(name)"
        var (times, values) = ([Timestamp](), [Double]())
        let lines = String(decoding: try bytes(path, in: folder), as: UTF8.self)
            .split(whereSeparator: \.isNewline)
        for (index, line) in lines.enumerated().dropFirst() {
            let cells = line.split(separator: ",")
            guard cells.count == 2, let time = Timestamp(iso8601: cells[0]),
                let value = Double(cells[1])
            else {
                throw LabelledSetError(
                    file: path, reason: .line(index + 1, needed: "a time and a number"))
            }
            times.append(time)
            values.append(value)
        }
        guard times.count > 1 else { throw LabelledSetError(file: path, reason: .empty) }
        var rows: [ClosedRange<Int>] = []
        for pair in pairs {
            let ends = pair.compactMap { Timestamp(iso8601: $0) }
            guard ends.count == 2, ends[0] <= ends[1],
                let first = times.firstIndex(of: ends[0]), let last = times.firstIndex(of: ends[1]),
                rows.last.map({ $0.upperBound < first }) ?? true
            else {
                throw LabelledSetError(
                    file: labels, reason: .label("\(name) \(pair.joined(separator: " to "))"))
            }
            rows.append(first...last)
        }
        return NABSeries(
            name: name, stepSeconds: usualStep(times), values: values, windows: rows)
    }

    /// The median step of the first rows, in seconds; at least one microsecond.
    private static func usualStep(_ times: [Timestamp]) -> Double {
        let head = times.prefix(201)
        let steps = zip(head.dropFirst(), head).map { $0.microseconds - $1.microseconds }.sorted()
        return Double(max(1, steps[steps.count / 2])) / 1e6
    }

    static func bytes(_ path: String, in folder: String) throws(LabelledSetError) -> [UInt8] {
        guard FileManager.default.fileExists(atPath: "\(folder)/\(path)") else {
            throw LabelledSetError(file: path, reason: .missing)
        }
        do throws(CSVError) {
            return try FileBytes.read("\(folder)/\(path)", limit: bytesMaximum)
        } catch {
            throw LabelledSetError(file: path, reason: .unreadable(error.reason.sentence))
        }
    }
}
