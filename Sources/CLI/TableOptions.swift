import ArgumentParser
import Series
import Signals

/// How a sensor table is read; what is not said is found by looking at the file.
struct TableOptions: ParsableArguments {
    @Option(help: "The column that holds the times.")
    var timeColumn: String?

    @Option(help: "comma, semicolon, tab, or the character itself.")
    var delimiter: String?

    @Option(
        help: "iso8601, day-first, month-first, unix-seconds, unix-milliseconds, …")
    var timeFormat: String?

    @Flag(help: "Numbers are written 3,5.")
    var decimalComma = false

    // Sentinels are often negative; otherwise `-999` would be taken for an option.
    @Option(
        parsing: .unconditionalSingleValue,
        help: "A text or number that means a missing value, as -999; may be given several times.")
    var missing: [String] = []

    @Option(help: "The column that names the series, in a table of one value a row.")
    var seriesColumn: String?

    @Option(help: "The column that holds the values, beside --series-column.")
    var valueColumn: String?

    @Option(help: "A unit, as COLUMN=UNIT; may be given several times.")
    var unit: [String] = []

    @Flag(help: "Leave out rows that cannot be read, and count them; sources always do.")
    var skipBadRows = false

    func validate() throws {
        _ = try options()
    }

    /// The reader's options.
    ///
    /// - Returns: Options for `CSVReader`.
    /// - Throws: `ValidationError` that names the flag.
    func options() throws -> CSVOptions {
        var options = CSVOptions()
        options.timeColumn = timeColumn
        options.delimiter = try delimiter.map(Self.character)
        options.timeFormat = try timeFormat.map(Self.format)
        options.decimalComma = decimalComma ? true : nil
        options.missingMarkers = missing
        options.skipBadRows = skipBadRows
        options.units = try Dictionary(
            unit.map { try Assignment(parsing: $0, flag: "--unit").pair },
            uniquingKeysWith: { _, last in last })
        switch (seriesColumn, valueColumn) {
        case (nil, nil): break
        case (let series?, let value?): options.layout = .long(series: series, value: value)
        default: throw ValidationError("--series-column and --value-column belong together")
        }
        return options
    }

    private static func character(_ text: String) throws -> Character {
        switch text {
        case "comma": return ","
        case "semicolon": return ";"
        case "tab": return "\t"
        case "pipe": return "|"
        default:
            guard let character = text.first, text.count == 1 else {
                throw ValidationError(
                    "--delimiter \(text): accepted are comma, semicolon, tab, pipe or the character"
                )
            }
            return character
        }
    }

    private static func format(_ text: String) throws -> TimeFormat {
        guard let format = TimeFormat(rawValue: text) else {
            let accepted = TimeFormat.allCases.map(\.rawValue).joined(separator: ", ")
            throw ValidationError("--time-format \(text): accepted are \(accepted)")
        }
        return format
    }
}

/// `NAME=VALUE` on a command line.
struct Assignment {
    let pair: (String, String)

    init(parsing text: String, flag: String) throws {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else {
            throw ValidationError("\(flag) \(text): expected NAME=VALUE")
        }
        pair = (String(parts[0]), String(parts[1]))
    }
}
