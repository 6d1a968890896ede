import Foundation
import Series
import Signals
import Tensors

/// A wide sensor table of about 50 MB, read whole: times, seven channels, all checks.
///
/// Limit: the bytes have to pass through the core once; a loop that only looks for line ends gets
/// through several GB/s here, so that whatever is below that is parsing.
enum CSVRead {
    static let rows = 350_000
    static let channels = ["HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT"]

    static let benchmark = Benchmark("csv.read") { setting in
        let (text, sum) = table()
        let path = try setting.folder.write(text, to: "table.csv")
        let found = try read(path)
        guard abs(found - sum) <= 1e-9 * abs(sum) else {
            throw BenchmarkError("csv.read: the values that were read are not those written")
        }
        let opponent = { (name: String, workload: String) in
            setting.peers.opponent(
                name, script: "files.py", workload: workload, arguments: [path],
                threads: setting.threads, check: sum)
        }
        return Contest(
            what: "\(text.count / 1_000_000) MB table with \(rows) rows, a time and 7 values each",
            work: Work(text.count, "bytes"),
            ours: Contestant("Signals.CSVReader") { keep(try CSVReader().read(file: path)) },
            opponents: [
                opponent("polars.read_csv with parsed times", "csv-polars"),
                opponent("pandas.read_csv with parsed times", "csv-pandas"),
                opponent("Python's csv module, datetime and float", "csv-module"),
            ])
    }

    private static func read(_ path: String) throws -> Double {
        try CSVReader().read(file: path).columns.reduce(0) { $0 + $1.values.reduce(0, +) }
    }

    /// The table, and the sum of its values.
    private static func table() -> (text: [UInt8], sum: Double) {
        var random = RandomStream(seed: 3)
        var text = Array("date,\(channels.joined(separator: ","))\n".utf8)
        text.reserveCapacity(160 * rows)
        var sum = 0.0
        for row in 0..<rows {
            let at = Timestamp(microseconds: 1_467_331_200_000_000 + Int64(row) * 60_000_000)
            var line = at.description.replacing("T", with: " ").dropLast().description
            for _ in channels {
                // As the public sensor tables have them: single precision printed in full.
                let value = Double(Float((20_000 * random.uniform()).rounded() / 1000))
                sum += value
                line += ",\(value)"
            }
            text.append(contentsOf: line.utf8)
            text.append(10)
        }
        return (text, sum)
    }
}
