import Foundation
import Workflows

/// How findings are written.
enum FindingFormat: String, Sendable {
    /// One row a recording and class; one row for a recording without findings.
    case csv
    /// One object a recording.
    case jsonLines = "jsonl"

    /// By the ending of a file's name; nil for others.
    init?(fileName: String) {
        switch fileName.split(separator: ".").last?.lowercased() {
        case "csv": self = .csv
        case "jsonl", "ndjson": self = .jsonLines
        default: return nil
        }
    }

    private static let columns = [
        "recording", "content_sha256", "code", "system", "abbreviation", "name", "probability",
        "threshold", "positive", "quality", "abstained", "reason", "notes", "support",
        "model_family", "model_version", "model_sha256", "intended_use",
    ]

    /// What stands before all rows.
    var header: String {
        self == .csv ? Self.columns.joined(separator: ",") + "\n" : ""
    }

    /// Whether a recording is one row.
    var isWholeInOneRow: Bool { self == .jsonLines }

    /// The rows of one recording, each with its line end.
    func rows(_ report: FindingReport) throws -> String {
        switch self {
        case .jsonLines: return try Self.json(report) + "\n"
        case .csv:
            guard !report.findings.isEmpty else { return try Self.row(report, nil) }
            return try report.findings.map { try Self.row(report, $0) }.joined()
        }
    }

    private static func row(
        _ report: FindingReport, _ finding: FindingReport.Finding?
    ) throws -> String {
        let notes = report.notes.map { "\($0.code): \($0.text)" }.joined(separator: " ")
        var cells = [report.recording, report.contentSHA256]
        if let finding {
            cells += [finding.code, finding.system, finding.abbreviation, finding.name]
            cells += [String(finding.probability), String(finding.threshold)]
            cells.append(String(finding.positive))
        } else {
            cells += [String](repeating: "", count: 7)
        }
        cells.append(report.quality.map { String($0) } ?? "")
        cells += [report.abstained?.code ?? "", report.abstained?.reason ?? "", notes]
        cells.append(try finding?.support.map(json) ?? "")
        cells += [report.model.family, report.model.version, report.model.sha256]
        cells.append(report.intendedUse)
        return cells.map(cell).joined(separator: ",") + "\n"
    }

    private static func json(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }

    /// A line is always a row: line ends within a field become blanks.
    private static func cell(_ text: String) -> String {
        let needsQuotes = text.utf8.contains {
            $0 == UInt8(ascii: ",") || $0 == UInt8(ascii: "\"") || $0 < 32
        }
        guard needsQuotes else { return text }
        let flat = String(text.map { $0.isNewline || $0 == "\0" ? " " : $0 })
        return "\"" + flat.replacing("\"", with: "\"\"") + "\""
    }

    /// The recording and the content that a row is about; nil for a row that is not whole.
    func identity(ofRow row: Data) -> (recording: String, content: String)? {
        switch self {
        case .jsonLines:
            guard let found = try? JSONDecoder().decode(Identity.self, from: row) else {
                return nil
            }
            return (found.recording, found.content)
        case .csv:
            let text = String(decoding: row, as: UTF8.self)
            let fields = Self.fields(text, atMost: 2)
            return fields.count == 2 ? (fields[0], fields[1]) : nil
        }
    }

    private struct Identity: Decodable {
        let recording: String
        let content: String

        private enum CodingKeys: String, CodingKey {
            case recording
            case content = "content_sha256"
        }
    }

    /// The first fields of a row.
    private static func fields(_ row: String, atMost limit: Int) -> [String] {
        var fields: [String] = []
        var field = ""
        var isQuoted = false
        for character in row {
            if character == "\"" {
                // A doubled quote ends and begins: one stays.
                if !isQuoted, row.hasPrefix("\""), !field.isEmpty { field.append(character) }
                isQuoted.toggle()
            } else if character == ",", !isQuoted {
                fields.append(field)
                field = ""
                if fields.count == limit { break }
            } else {
                field.append(character)
            }
        }
        return fields
    }
}
