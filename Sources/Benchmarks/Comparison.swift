import Foundation

/// A report beside an earlier one. Ratios are compared, since they were taken against an opponent
/// on the same machine in the same minute; seconds only where there is no opponent.
struct Comparison {
    /// Beyond this part, and beyond the spreads of both, a loss counts.
    static let lossMaximum = 0.1

    /// One benchmark then and now.
    struct Line {
        let name: String
        let threads: Int
        let before: Report.Entry
        let now: Report.Entry

        /// Now ÷ before, above one where it became faster.
        var gain: Double {
            guard let old = before.ratio, let new = now.ratio,
                before.opponentName == now.opponentName
            else { return before.medianSeconds / now.medianSeconds }
            return new / old
        }

        /// Whether the loss is more than chance explains.
        var isSlower: Bool {
            let noise = max(Comparison.lossMaximum, (before.spread + now.spread) / 2)
            return gain < 1 - noise
        }
    }

    let lines: [Line]

    init(before: Report, now: Report) {
        lines = now.benchmarks.compactMap { entry in
            before.benchmarks.first { $0.name == entry.name && $0.threads == entry.threads }
                .map { Line(name: entry.name, threads: entry.threads, before: $0, now: entry) }
        }
    }

    /// Reads an earlier report.
    static func load(_ path: String) throws -> Report {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw BenchmarkError("\(path) cannot be read")
        }
        do {
            return try JSONDecoder().decode(Report.self, from: data)
        } catch {
            throw BenchmarkError("\(path) is no report of ops/bench --json")
        }
    }

    var slower: [Line] { lines.filter(\.isSlower) }

    var text: String {
        let head = ["benchmark", "threads", "before", "now", "ratio before", "ratio now", "gain"]
        let rows = lines.map { line in
            [
                line.name, String(line.threads), Figure.seconds(line.before.medianSeconds),
                Figure.seconds(line.now.medianSeconds),
                line.before.ratio.map(Figure.ratio) ?? "–",
                line.now.ratio.map(Figure.ratio) ?? "–",
                Figure.ratio(line.gain) + (line.isSlower ? " SLOWER" : ""),
            ]
        }
        return Table(rows: [head] + rows).text
    }
}

extension Report.Entry {
    /// The opponent without its versions.
    fileprivate var opponentName: Substring? { opponent?.prefix { $0 != "(" } }
}
