/// Why a sensor table could not be read. Its description is one sentence.
package struct CSVError: Error, Equatable, CustomStringConvertible {
    /// The file, as its reader was told to call it.
    package let file: String
    /// From 1; nil where the file as a whole is meant.
    package let line: Int?
    package let reason: Reason

    /// What was found, and with it what is accepted.
    package enum Reason: Equatable, Sendable {
        case unreadable(String)
        case tooLarge(bytes: Int, accepted: Int)
        case empty
        case noRows
        case binary
        case unterminatedQuote
        case delimiter(found: String)
        case noTimeColumn(columns: [String])
        case noValueColumn(columns: [String])
        case unknownColumn(String, columns: [String])
        case repeatedColumn(String)
        case time(column: String, found: String, accepted: TimeFormat?)
        case ambiguousDate(column: String, found: String)
        case number(column: String, found: String)
        case fieldCount(found: Int, accepted: Int)
        case seriesName(column: String)
        case conflictingTime(channel: String, at: String)
        case unsorted(at: String)
        case oneRow(channel: String)
        case noStep(channel: String)
        case offGrid(channel: String, at: String, stepSeconds: Double)
        case gridTooLarge(channel: String, instants: Int, accepted: Int)
    }

    package init(file: String, line: Int?, reason: Reason) {
        self.file = file
        self.line = line
        self.reason = reason
    }

    package var description: String {
        prefix + reason.sentence + "."
    }

    /// The sentence without anything that stands in the rows, for what is kept or logged. Nor does it list
    /// columns: what has no header has a row for one.
    package var discreet: String {
        switch reason {
        case .time(let column, _, let accepted):
            prefix + "column \(column) holds what is no time; accepted: "
                + (accepted?.example ?? TimeFormat.allExamples) + "."
        case .ambiguousDate(let column, _):
            prefix + "no date in column \(column) tells day and month apart."
        case .number(let column, _): prefix + "column \(column) holds what is no number."
        case .delimiter: prefix + "the delimiter is not accepted."
        case .noTimeColumn: prefix + "no column holds times; name one with --time-column."
        case .noValueColumn: prefix + "no column besides the time holds numbers."
        case .unknownColumn: prefix + "a column that is asked for is not there."
        case .repeatedColumn: prefix + "two columns have the same name."
        default: description
        }
    }

    private var prefix: String { line.map { "\(file), line \($0): " } ?? "\(file): " }
}

extension CSVError.Reason {
    /// The sentence without its place and its full stop.
    var sentence: String {
        switch self {
        case .unreadable(let why): "the file cannot be read (\(why))"
        case .tooLarge(let bytes, let accepted):
            "the file has \(bytes) bytes, and at most \(accepted) are accepted"
        case .empty: "the file is empty; a header and rows of times and numbers are expected"
        case .noRows: "the file has a header but no rows"
        case .binary: "the file is not text in UTF-8; save it as CSV in UTF-8"
        case .unterminatedQuote: "a quoted field begins here and never ends; close it with \""
        case .delimiter(let found):
            "the delimiter \"\(found)\" is not accepted; use a comma, semicolon, tab or |"
        case .oneRow(let channel):
            "\(channel) has a single time, so that its step is unknown; give at least two rows"
        case .noStep(let channel):
            "\(channel) has no two values, so that its step is unknown; give at least two rows"
        default: columnSentence
        }
    }

    private var columnSentence: String {
        switch self {
        case .noTimeColumn(let columns):
            "no column holds times; name one with --time-column (\(Self.list(columns)))"
        case .noValueColumn(let columns):
            "no column besides the time holds numbers (\(Self.list(columns)))"
        case .unknownColumn(let name, let columns):
            "there is no column \"\(Self.cut(name))\" (\(Self.list(columns)))"
        case .repeatedColumn(let name):
            "two columns are named \"\(Self.cut(name))\"; every name may occur once"
        case .time(let column, let found, let accepted):
            "column \(column) holds \"\(Self.cut(found))\", which is no time; accepted: "
                + (accepted?.example ?? TimeFormat.allExamples)
        case .ambiguousDate(let column, let found):
            "column \(column) holds \"\(Self.cut(found))\", and no date in the file tells day "
                + "and month apart; say --time-format day-first or --time-format month-first"
        case .number(let column, let found):
            "column \(column) holds \"\(Self.cut(found))\", which is no number; accepted are "
                + "numbers such as 12.5 or 1e-3, and for a missing value nothing, NA, NaN or null"
        case .fieldCount(let found, let accepted):
            "found \(found) field\(found == 1 ? "" : "s") where the header has \(accepted)"
        case .seriesName(let column): "column \(column) names no series"
        default: timeSentence
        }
    }

    private var timeSentence: String {
        switch self {
        case .conflictingTime(let channel, let at):
            "\(channel) has a second, different value at \(at); each time may have one value"
        case .unsorted(let at): "\(at) comes after a later time; rows must ascend in time"
        case .offGrid(let channel, let at, let step):
            "\(channel) has a value at \(at), which is off its step of \(Self.seconds(step)); "
                + "times must be equally spaced, with gaps at most"
        case .gridTooLarge(let channel, let instants, let accepted):
            "\(channel) spans \(instants) steps, and at most \(accepted) are accepted; "
                + "is one of its times wrong?"
        default: "the file cannot be read"
        }
    }

    private static func list(_ columns: [String]) -> String {
        let shown = columns.prefix(30).map { cut($0) }.joined(separator: ", ")
        let rest = columns.count > 30 ? " and \(columns.count - 30) more" : ""
        return "the columns are \(shown)\(rest)"
    }

    private static func cut(_ text: String) -> String {
        let flat = String(text.prefix(40).map { $0.isNewline ? " " : $0 })
        return text.count > 40 ? flat + "…" : flat
    }

    private static func seconds(_ step: Double) -> String {
        step == step.rounded() ? "\(Int64(step)) s" : "\(step) s"
    }
}
