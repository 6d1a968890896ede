import Foundation
import Signals
import Testing

/// The labelled sets as they are published, made small.
@Suite struct LabelledSetTests {
    /// A folder of files that is gone afterwards.
    private static func withFolder(
        _ files: [String: Data], _ body: (String) throws -> Void
    ) throws {
        let folder = FileManager.default.temporaryDirectory.appending(
            path: "labelled-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }  // It is only temporary.
        for (path, data) in files {
            let file = folder.appending(path: path)
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try data.write(to: file)
        }
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try body(folder.path)
    }

    private static let windows = Data(
        """
        {"a/b.csv": [["2014-04-01 00:05:00.000000", "2014-04-01 00:15:00.000000"]]}
        """.utf8)
    private static func table(_ lines: String...) -> Data {
        Data((["timestamp,value"] + lines).joined(separator: "\n").utf8)
    }
    private static let rows = table(
        "2014-04-01 00:00:00,1.5", "2014-04-01 00:05:00,2", "2014-04-01 00:10:00,3",
        "2014-04-01 00:15:00,4", "2014-04-01 00:20:00,5")

    /// `[[0, 1], [2, 3], …]`, as NumPy writes it.
    private static func array(rows: Int, columns: Int, type: String = "<f8") -> Data {
        var header =
            "{'descr': '\(type)', 'fortran_order': False, 'shape': (\(rows), \(columns)), }"
        header += String(repeating: " ", count: 118 - header.utf8.count - 1) + "\n"
        var data = Data([0x93] + Array("NUMPY".utf8) + [1, 0, 118, 0] + Array(header.utf8))
        for k in 0..<rows * columns {
            let bits = Double(k).bitPattern
            for shift in stride(from: 0, to: 64, by: 8) {
                data.append(UInt8(truncatingIfNeeded: bits >> UInt64(shift)))
            }
        }
        return data
    }

    private static let labels = Data(
        """
        chan_id,spacecraft,anomaly_sequences,class,num_values
        P-2,SMAP,"[[5, 6]]",[point],9
        A-1,MSL,"[[1, 2], [7, 8]]","[point, contextual]",9
        P-2,SMAP,"[[2, 3]]",[point],9
        """.utf8)

    @Test func `windows become rows and the step the usual one`() throws {
        try Self.withFolder([
            "labels/combined_windows.json": Self.windows, "data/a/b.csv": Self.rows,
        ]) {
            let series = try NABReader.read(folder: $0)
            #expect(series.map(\.name) == ["a/b.csv"])
            #expect(series[0].stepSeconds == 300 && series[0].values == [1.5, 2, 3, 4, 5])
            #expect(series[0].windows == [1...3])
            #expect(try NABReader.published(folder: $0).isEmpty)
        }
    }

    @Test func `what is missing or wrong is named`() throws {
        let labels = "labels/combined_windows.json"
        try Self.withFolder([:]) { folder in
            #expect(throws: LabelledSetError(file: labels, reason: .missing)) {
                try NABReader.read(folder: folder)
            }
            #expect(throws: LabelledSetError(file: "labeled_anomalies.csv", reason: .missing)) {
                try TelemetryReader.read(folder: folder)
            }
        }
        let wrong: [(Data, Data, LabelledSetError)] = [
            (
                Data("[]".utf8), Self.rows,
                .init(file: labels, reason: .json(needed: "file names with pairs of times"))
            ),
            (
                Self.windows, Self.table("2014-04-01 00:00:00,1.5", "2014-04-01 00:05:00,two"),
                .init(file: "data/a/b.csv", reason: .line(3, needed: "a time and a number"))
            ),
            (
                Self.windows, Self.table("2014-04-01 00:00:00,1.5", "2014-04-01 00:05:00,2"),
                .init(
                    file: labels,
                    reason: .label(
                        "a/b.csv 2014-04-01 00:05:00.000000 to 2014-04-01 00:15:00.000000"))
            ),
        ]
        for (json, rows, error) in wrong {
            try Self.withFolder([labels: json, "data/a/b.csv": rows]) { folder in
                #expect(throws: error) { try NABReader.read(folder: folder) }
            }
        }
    }

    @Test func `telemetry is read by column and a channel labelled twice is one`() throws {
        let array = Self.array(rows: 9, columns: 2)
        let files = [
            "labeled_anomalies.csv": Self.labels, "train/A-1.npy": array, "test/A-1.npy": array,
            "train/P-2.npy": array, "test/P-2.npy": array,
        ]
        try Self.withFolder(files) { folder in
            let series = try TelemetryReader.read(folder: folder)
            #expect(series.map(\.name) == ["A-1", "P-2"])
            #expect(series.map(\.windows) == [[1...2, 7...8], [2...3, 5...6]])
            #expect(series[0].test[0] == stride(from: 0.0, to: 18, by: 2).map { $0 })
            #expect(series[0].training[1].first == 1 && series[1].spacecraft == "SMAP")
        }
    }

    @Test(arguments: [0, 5, 20, 127, 128 + 143])
    func `an array cut short is refused`(length: Int) throws {
        let array = Self.array(rows: 9, columns: 2)
        let files = [
            "labeled_anomalies.csv": Self.labels, "train/A-1.npy": array.prefix(length),
            "test/A-1.npy": array,
        ]
        try Self.withFolder(files) { folder in
            #expect(throws: LabelledSetError.self) { try TelemetryReader.read(folder: folder) }
        }
    }

    @Test func `numbers of another kind are refused`() throws {
        let files = [
            "labeled_anomalies.csv": Self.labels,
            "train/A-1.npy": Self.array(rows: 9, columns: 2, type: "<f4"),
        ]
        try Self.withFolder(files) { folder in
            #expect(throws: LabelledSetError.self) { try TelemetryReader.read(folder: folder) }
        }
    }
}
