import Foundation

/// Labelled sets of both shapes, small and made up.
enum LabelledFolders {
    /// Writes files into a folder, with the folders between.
    static func write(_ files: [String: Data], to folder: URL) throws {
        for (path, data) in files {
            let file = folder.appending(path: path)
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try data.write(to: file)
        }
    }

    /// A daily wave with a little noise, and a spike in the given rows.
    static func wave(_ count: Int, perDay: Double, seed: UInt64, spike: Range<Int>) -> [Double] {
        var state = seed &* 0x9e37_79b9_7f4a_7c15 | 1
        return (0..<count).map { row in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let noise = Double(state >> 40) / Double(1 << 24) - 0.5
            let wave = 10 + 3 * sin(2 * .pi * Double(row) / perDay) + noise
            return spike.contains(row) ? wave + 20 : wave
        }
    }

    // MARK: nab

    /// A time as the benchmark writes it.
    static func time(_ row: Int, minutes: Int) -> String {
        let (minute, day) = (row * minutes % 1_440, row * minutes / 1_440)
        return String(
            format: "2014-%02d-%02d %02d:%02d:00", 1 + day / 28, 1 + day % 28, minute / 60,
            minute % 60)
    }

    static func table(_ values: [Double], minutes: Int) -> Data {
        let lines = values.enumerated().map { "\(time($0.offset, minutes: minutes)),\($0.element)" }
        return Data((["timestamp,value"] + lines).joined(separator: "\n").utf8)
    }

    /// Three series, two of them labelled: one of five minutes and one of an hour.
    static var nab: [String: Data] {
        let labels = """
            {"made/five.csv": [["\(time(790, minutes: 5))", "\(time(830, minutes: 5))"]],
            "made/hourly.csv": [["\(time(490, minutes: 60))", "\(time(520, minutes: 60))"]],
            "made/quiet.csv": []}
            """
        let none = 0..<0
        return [
            "labels/combined_windows.json": Data(labels.utf8),
            "data/made/five.csv": table(
                wave(1_200, perDay: 288, seed: 1, spike: 800..<806), minutes: 5),
            "data/made/hourly.csv": table(
                wave(600, perDay: 24, seed: 2, spike: 500..<503), minutes: 60),
            "data/made/quiet.csv": table(wave(700, perDay: 288, seed: 3, spike: none), minutes: 5),
        ]
    }

    // MARK: smap-msl

    /// Columns as NumPy writes them, `[column][row]`.
    static func array(_ columns: [[Double]]) -> Data {
        var header =
            "{'descr': '<f8', 'fortran_order': False, 'shape': (\(columns[0].count), \(columns.count)), }"
        header += String(repeating: " ", count: 118 - header.utf8.count - 1) + "\n"
        var data = Data([0x93] + Array("NUMPY".utf8) + [1, 0, 118, 0] + Array(header.utf8))
        for row in columns[0].indices {
            for column in columns {
                let bits = column[row].bitPattern
                for shift in stride(from: 0, to: 64, by: 8) {
                    data.append(UInt8(truncatingIfNeeded: bits >> UInt64(shift)))
                }
            }
        }
        return data
    }

    /// Two channels of three columns, the last of which never varies.
    static var telemetry: [String: Data] {
        let constant = [Double](repeating: 1, count: 400)
        let none = 0..<0
        var files = [
            "labeled_anomalies.csv": Data(
                """
                chan_id,spacecraft,anomaly_sequences,class,num_values
                A-1,SMAP,"[[200, 215]]",[point],400
                B-2,MSL,"[[100, 120], [300, 310]]","[point, contextual]",400
                """.utf8)
        ]
        for (name, spike) in [("A-1", 200..<210), ("B-2", 300..<306)] {
            let seed = UInt64(name.utf8.first ?? 0)
            let other = wave(400, perDay: 40, seed: seed + 9, spike: none)
            files["train/\(name).npy"] = array([
                wave(400, perDay: 40, seed: seed, spike: none), other, constant,
            ])
            files["test/\(name).npy"] = array([
                wave(400, perDay: 40, seed: seed + 1, spike: spike), other, constant,
            ])
        }
        return files
    }
}
