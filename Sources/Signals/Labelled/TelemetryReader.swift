import Foundation

/// A channel of the NASA SMAP and MSL telemetry with its labels.
package struct TelemetrySeries: Hashable, Sendable {
    package let name: String
    package let spacecraft: String
    /// Rows taken to be normal, `[column][row]`: the telemetry first, then the commands sent.
    package let training: [[Double]]
    /// `[column][row]`
    package let test: [[Double]]
    /// Rows of the test with anomalies, ends included, in time order; those that touch are one.
    package let windows: [ClosedRange<Int>]
}

/// Reads the telemetry as it is published: `labeled_anomalies.csv`, `train` and `test` with an
/// array for each channel.
///
/// - Source: Hundman et al. 2018, `khundman/telemanom`.
package enum TelemetryReader {
    private static let labels = "labeled_anomalies.csv"

    /// All labelled channels whose arrays are there, by name; a channel labelled twice is one.
    package static func read(folder: String) throws(LabelledSetError) -> [TelemetrySeries] {
        let text = String(decoding: try NABReader.bytes(labels, in: folder), as: UTF8.self)
        var found: [String: (craft: String, windows: [ClosedRange<Int>])] = [:]
        for (index, line) in text.split(whereSeparator: \.isNewline).enumerated().dropFirst() {
            guard let label = Label(line) else {
                throw LabelledSetError(
                    file: labels,
                    reason: .line(
                        index + 1, needed: "channel, spacecraft, \"[[first, last], …]\", …"))
            }
            let known = found[label.channel]?.windows ?? []
            found[label.channel] = (label.spacecraft, known + label.windows)
        }
        guard !found.isEmpty else { throw LabelledSetError(file: labels, reason: .empty) }
        var all: [TelemetrySeries] = []
        for (name, label) in found.sorted(by: { $0.key < $1.key }) {
            all.append(try series(name, label.craft, label.windows, in: folder))
        }
        return all
    }

    private static func series(
        _ name: String, _ craft: String, _ windows: [ClosedRange<Int>], in folder: String
    ) throws(LabelledSetError) -> TelemetrySeries {
        let training = try columns("train/\(name).npy", in: folder)
        let test = try columns("test/\(name).npy", in: folder)
        guard training.count == test.count else {
            throw LabelledSetError(
                file: "test/\(name).npy",
                reason: .array(needed: "\(training.count) columns, as in training"))
        }
        var merged: [ClosedRange<Int>] = []
        for window in windows.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            guard window.lowerBound >= 0, window.upperBound < test[0].count else {
                throw LabelledSetError(
                    file: labels,
                    reason: .label("\(name) \(window.lowerBound) to \(window.upperBound)"))
            }
            if let last = merged.last, last.upperBound >= window.lowerBound - 1 {
                let end = max(last.upperBound, window.upperBound)
                merged[merged.count - 1] = last.lowerBound...end
            } else {
                merged.append(window)
            }
        }
        return TelemetrySeries(
            name: name, spacecraft: craft, training: training, test: test, windows: merged)
    }

    private static func columns(
        _ path: String, in folder: String
    ) throws(LabelledSetError) -> [[Double]] {
        guard let columns = NPYReader.columns(try NABReader.bytes(path, in: folder)),
            columns.allSatisfy({ $0.allSatisfy(\.isFinite) })
        else { throw LabelledSetError(file: path, reason: .array(needed: NPYReader.needed)) }
        return columns
    }

    /// One line of the labels, such as `A-1,SMAP,"[[4690, 4774]]",[point],8640`.
    private struct Label {
        let channel: String
        let spacecraft: String
        let windows: [ClosedRange<Int>]

        init?(_ line: Substring) {
            let parts = line.split(separator: "\"", omittingEmptySubsequences: false)
            guard parts.count >= 3 else { return nil }
            let names = parts[0].split(separator: ",")
            guard names.count == 2,
                let pairs = try? JSONDecoder().decode(  // Nil says that the line is wrong.
                    [[Int]].self, from: Data(parts[1].utf8))
            else { return nil }
            guard pairs.allSatisfy({ $0.count == 2 && $0[0] <= $0[1] }) else { return nil }
            channel = String(names[0])
            spacecraft = String(names[1])
            windows = pairs.map { $0[0]...$0[1] }
        }
    }
}
