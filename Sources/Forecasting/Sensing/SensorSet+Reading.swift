internal import Foundation
package import Signals

/// The sets of data that sensor models are judged on, as their publishers lay them out.
extension SensorSet {
    /// The sets known.
    package enum Source: String, Sendable, CaseIterable {
        /// Photoplethysmogram and ECG of intensive-care patients at 25 Hz (means of five samples at 125) →
        /// heart rate, respiratory rate and oxygen saturation at 1 Hz. Subjects are kept apart.
        case bidmc
        /// Acceleration, rotation and magnetic field at 57.1 Hz (means of five samples at 285.7) → velocity
        /// and rotation rate in the frame of the room at 5.7 Hz. Trials are kept apart.
        case broad
        /// Eight gas and weather sensors by the hour → means over six hours of what a certified analyser
        /// measured. The newest fifth of the year is test, the fifth before it validation.
        case airquality
    }

    /// Reads a set from a folder, where its archive has been unpacked.
    ///
    /// - Parameters:
    ///   - source: Which.
    ///   - folder: Where.
    /// - Returns: Its sequences, with those of training, validation and test kept apart.
    /// - Throws: `LabelledSetError` for a file that is missing or not what it should be.
    package static func read(
        _ source: Source, folder: String
    ) throws(LabelledSetError) -> SensorSet {
        switch source {
        case .bidmc: try bidmc(folder)
        case .broad: try broad(folder)
        case .airquality: try airQuality(folder)
        }
    }

    // MARK: BROAD

    private static func broad(_ folder: String) throws(LabelledSetError) -> SensorSet {
        let sensors = ["acc", "gyr", "mag"].flatMap { name in
            ["x", "y", "z"].map { "\(name)_\($0)" }
        }
        // One trial of rotation and one of translation each for validation and for test; the others teach.
        let places = ["05": 1, "14": 1, "02": 2, "11": 2]
        var parts: [[SensorSequence]] = [[], [], []]
        for name in try files(folder, ".csv") {
            guard name.prefix(2).allSatisfy(\.isNumber), name.contains("disturbed") else {
                continue
            }
            let table = try NumberTable(name, in: folder)
            var (inputs, targets): ([[Double]], [[Double]]) = ([], [])
            for sensor in sensors {
                inputs.append(means(try table.column(sensor, file: name), of: 5))
            }
            for axis in ["x", "y", "z"] {
                targets.append(means(try table.column("vel_\(axis)", file: name), of: 50))
            }
            var quaternion: [[Double]] = []
            for part in ["w", "x", "y", "z"] {
                quaternion.append(try table.column("q_\(part)", file: name))
            }
            targets += rotationRates(quaternion, rows: 50, rate: 285.7143)
            parts[places[String(name.prefix(2))] ?? 0].append(
                SensorSequence(
                    name: String(name.dropLast(4)), inputs: inputs, targets: targets, ratio: 10))
        }
        return SensorSet(
            name: Source.broad.rawValue,
            outputs: ["x", "y", "z"].map { "velocity \($0), m/s" }
                + ["x", "y", "z"].map { "rotation \($0), rad/s" },
            train: parts[0], validation: parts[1], test: parts[2])
    }

    /// Mean rotation rates over pieces of rows, in the frame that the quaternions lead to, `[3][pieces]`;
    /// NaN where either end is unknown.
    static func rotationRates(_ q: [[Double]], rows: Int, rate: Double) -> [[Double]] {
        let count = (q.map(\.count).min() ?? 0) / rows
        var result = [[Double]](repeating: [], count: 3)
        for piece in 0..<count {
            let (first, last) = (piece * rows, (piece + 1) * rows - 1)
            let a = q.map { $0[first] }
            let b = q.map { $0[last] }
            // b · conjugate(a), the short way round.
            var w = b[0] * a[0] + b[1] * a[1] + b[2] * a[2] + b[3] * a[3]
            var v = [
                -b[0] * a[1] + b[1] * a[0] - b[2] * a[3] + b[3] * a[2],
                -b[0] * a[2] + b[2] * a[0] - b[3] * a[1] + b[1] * a[3],
                -b[0] * a[3] + b[3] * a[0] - b[1] * a[2] + b[2] * a[1],
            ]
            if w < 0 {
                w = -w
                v = v.map { -$0 }
            }
            let sine = (v[0] * v[0] + v[1] * v[1] + v[2] * v[2]).squareRoot()
            let angle = 2 * atan2(sine, w)
            let factor = (sine > 1e-12 ? angle / sine : 2) * rate / Double(rows - 1)
            for axis in 0..<3 { result[axis].append(v[axis] * factor) }
        }
        return result
    }

    // MARK: Air quality

    private static func airQuality(_ folder: String) throws(LabelledSetError) -> SensorSet {
        let file = "AirQualityUCI_first75.csv"
        let table = try NumberTable(file, in: folder)
        func column(_ name: String) throws(LabelledSetError) -> [Double] {
            try table.column(name, file: file).map { $0 == -200 ? .nan : $0 }
        }
        let (sensors, analyser) = (
            [
                "PT08.S1(CO)", "PT08.S2(NMHC)", "PT08.S3(NOx)", "PT08.S4(NO2)", "PT08.S5(O3)", "T",
                "RH", "AH",
            ], ["CO(GT)", "C6H6(GT)", "NOx(GT)", "NO2(GT)"]
        )
        var (inputs, targets): ([[Double]], [[Double]]) = ([], [])
        for name in sensors { inputs.append(try column(name)) }
        for name in analyser { targets.append(means(try column(name), of: 6)) }
        let count = table.rows / 6
        func part(_ name: String, _ share: ClosedRange<Double>) -> [SensorSequence] {
            let first = Int(share.lowerBound * Double(count))
            let end = Int(share.upperBound * Double(count))
            return [
                SensorSequence(
                    name: name, inputs: inputs.map { Array($0[first * 6..<end * 6]) },
                    targets: targets.map { Array($0[first..<end]) }, ratio: 6)
            ]
        }
        return SensorSet(
            name: Source.airquality.rawValue,
            outputs: ["CO, mg/m3", "C6H6, ug/m3", "NOx, ppb", "NO2, ug/m3"],
            train: part("train", 0...0.6), validation: part("validation", 0.6...0.8),
            test: part("test", 0.8...1))
    }

    // MARK: Parts

    /// Means of `size` numbers at a time, of those that are known; NaN where none is.
    static func means(_ values: [Double], of size: Int) -> [Double] {
        (0..<values.count / size).map { piece in
            var (sum, count) = (0.0, 0)
            for index in piece * size..<(piece + 1) * size where values[index].isFinite {
                sum += values[index]
                count += 1
            }
            return count > 0 ? sum / Double(count) : .nan
        }
    }

    static func files(
        _ folder: String, _ suffix: String
    ) throws(LabelledSetError) -> [String] {
        // A folder that cannot be listed has no files, which is said.
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        let found = names.filter { $0.hasSuffix(suffix) }.sorted()
        guard !found.isEmpty else {
            throw LabelledSetError(file: "*\(suffix)", reason: .missing)
        }
        return found
    }
}
