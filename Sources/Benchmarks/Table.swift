import Foundation

/// The report for people.
struct Table {
    private let rows: [[String]]

    init(_ report: Report) {
        let head = ["benchmark", "threads", "ours", "spread", "rate", "opponent", "ratio", "runs"]
        rows = [head] + report.benchmarks.map(Self.row)
    }

    init(rows: [[String]]) { self.rows = rows }

    private static func row(_ entry: Report.Entry) -> [String] {
        [
            entry.name, String(entry.threads), Figure.seconds(entry.medianSeconds),
            Figure.percent(entry.spread), Figure.rate(entry.perSecond, entry.perSecondUnit),
            entry.opponentMedianSeconds.map(Figure.seconds) ?? "–",
            entry.ratio.map(Figure.ratio) ?? "–", String(entry.runs),
        ]
    }

    /// Columns side by side; the first one from the left, the others from the right.
    var text: String {
        let columns = rows.first?.count ?? 0
        let widths = (0..<columns).map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            zip(row, widths).enumerated().map { index, cell in
                let blank = String(repeating: " ", count: cell.1 - cell.0.count)
                return index == 0 ? cell.0 + blank : blank + cell.0
            }.joined(separator: "  ")
        }.joined(separator: "\n")
    }

    /// The machine in a line.
    static func machine(_ report: Report) -> String {
        let machine = report.machine
        var parts = [machine.processor, "\(machine.cores) cores"]
        parts.append("OpenBLAS for \(machine.openblasCore)")
        parts.append("\(machine.kernels) kernels")
        if let postgres = machine.postgres { parts.append(postgres) }
        return parts.joined(separator: ", ")
    }

    /// Where the time of those that consist of parts goes, a line a thread count; empty without any.
    static func stages(_ report: Report) -> String {
        let entries = report.benchmarks.filter { $0.stages?.isEmpty == false }
        return Table(
            rows: entries.map { entry in
                [entry.name, "\(entry.threads)"]
                    + (entry.stages ?? []).flatMap { stage in
                        let share = stage.medianSeconds / entry.medianSeconds
                        return [
                            stage.name, Figure.seconds(stage.medianSeconds), Figure.percent(share),
                        ]
                    }
            }
        ).text
    }

    /// A line per benchmark on what was measured against whom.
    static func notes(_ report: Report) -> String {
        var told: Set<String> = []
        return report.benchmarks.filter { told.insert($0.name).inserted }.map { entry in
            var text = "\(entry.name): \(entry.what)\n    opponent: "
            text += entry.opponent ?? "none"
            if let note = entry.opponentNote { text += " (\(note))" }
            if let theirs = entry.opponentPeakMemoryBytes {
                text += "\n    peak memory of the process: \(Figure.bytes(entry.peakMemoryBytes)); "
                text += "the opponent's: \(Figure.bytes(theirs))"
            }
            for (name, value) in (entry.figures ?? [:]).sorted(by: { $0.key < $1.key }) {
                text += "\n    \(name): \(Figure.number(value))"
            }
            for other in entry.otherOpponents {
                let figure =
                    other.medianSeconds.map { median in
                        let ratio = other.ratio.map(Figure.ratio) ?? "–"
                        return "\(Figure.seconds(median)), ratio \(ratio)"
                    } ?? other.note ?? "absent"
                text += "\n    also: \(other.opponent): \(figure)"
            }
            return text
        }.joined(separator: "\n")
    }
}

/// Numbers with three digits that count.
enum Figure {
    static func seconds(_ value: Double) -> String {
        let scales: [(Double, String)] = [(1, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns")]
        let (scale, unit) = scales.first { value >= $0.0 } ?? (1e-9, "ns")
        return "\(number(value / scale)) \(unit)"
    }

    static func rate(_ value: Double, _ unit: String) -> String {
        let scales: [(Double, String)] = [(1e9, "G"), (1e6, "M"), (1e3, "k")]
        let (scale, prefix) = scales.first { value >= $0.0 } ?? (1, "")
        return "\(number(value / scale)) \(prefix)\(prefix.isEmpty ? "" : " ")\(unit)/s"
    }

    static func bytes(_ value: Int) -> String { "\(number(Double(value) / 0x1p20)) MiB" }

    static func ratio(_ value: Double) -> String { "\(number(value))×" }

    static func percent(_ value: Double) -> String { "\(number(100 * value)) %" }

    static func number(_ value: Double) -> String {
        let decimals = value >= 100 ? 0 : value >= 10 ? 1 : 2
        return String(format: "%.\(decimals)f", value)
    }
}
