/// What the reader of a sensor table is told; whatever is nil, it finds by looking at the file.
package struct CSVOptions: Sendable, Equatable, Codable {
    /// How the table is laid out.
    package enum Layout: Sendable, Equatable, Codable {
        /// A time column and one column per channel.
        case wide
        /// One row per value: a time column, a column naming the series, and the value column.
        case long(series: String, value: String)
    }

    /// What happens to a second, different value of one channel at one time. Equal values are one
    /// value, and are counted.
    package enum DuplicatePolicy: String, Sendable, Codable {
        /// The file is refused, with the line.
        case refuse
        /// The value that came first stays; the other is counted.
        case keepFirst = "keep-first"
        /// The value that came last wins; the other is counted.
        case keepLast = "keep-last"
    }

    /// One of `,` `;` `|` and the tabulator.
    package var delimiter: Character?
    /// Whether the first row names the columns.
    package var hasHeader: Bool?
    /// The name of the column that holds the times.
    package var timeColumn: String?
    /// How times are written.
    package var timeFormat: TimeFormat?
    /// Seconds east of UTC for times that do not say so themselves.
    package var offsetSeconds = 0
    /// Whether numbers are written `3,5` rather than `3.5`.
    package var decimalComma: Bool?
    package var layout: Layout?
    /// The channels (wide) or series (long) to read; nil for all that hold numbers.
    package var columns: [String]?
    /// Units by channel name, where the header does not tell or is wrong.
    package var units: [String: String] = [:]
    /// Texts that mean "no value", beside the usual ones. One that is a number, such as `-999`,
    /// is compared as a number.
    package var missingMarkers: [String] = []
    /// Leaves out rows that cannot be read, and counts them, instead of refusing the file.
    package var skipBadRows = false
    package var duplicates = DuplicatePolicy.refuse
    /// Refuses rows that go back in time instead of sorting and counting them.
    package var refuseUnsorted = false
    /// The largest file that is read whole, in bytes.
    package var bytesMaximum = 4 << 30

    package init() {}

    /// What an empty cell is called, beside being empty; compared without regard to case.
    static let usualMarkers = [
        "na", "n/a", "#n/a", "nan", "null", "none", "nil", "-", "--", "?", "\\n", "missing",
    ]

    private enum CodingKeys: String, CodingKey {
        case delimiter, hasHeader, timeColumn, timeFormat, offsetSeconds, decimalComma, layout
        case columns, units, missingMarkers, skipBadRows, duplicates, refuseUnsorted, bytesMaximum
    }

    package init(from decoder: any Decoder) throws {
        let box = try decoder.container(keyedBy: CodingKeys.self)
        delimiter = try box.decodeIfPresent(String.self, forKey: .delimiter)?.first
        hasHeader = try box.decodeIfPresent(Bool.self, forKey: .hasHeader)
        timeColumn = try box.decodeIfPresent(String.self, forKey: .timeColumn)
        timeFormat = try box.decodeIfPresent(TimeFormat.self, forKey: .timeFormat)
        offsetSeconds = try box.decodeIfPresent(Int.self, forKey: .offsetSeconds) ?? 0
        decimalComma = try box.decodeIfPresent(Bool.self, forKey: .decimalComma)
        layout = try box.decodeIfPresent(Layout.self, forKey: .layout)
        columns = try box.decodeIfPresent([String].self, forKey: .columns)
        units = try box.decodeIfPresent([String: String].self, forKey: .units) ?? [:]
        missingMarkers = try box.decodeIfPresent([String].self, forKey: .missingMarkers) ?? []
        skipBadRows = try box.decodeIfPresent(Bool.self, forKey: .skipBadRows) ?? false
        duplicates =
            try box.decodeIfPresent(DuplicatePolicy.self, forKey: .duplicates) ?? .refuse
        refuseUnsorted = try box.decodeIfPresent(Bool.self, forKey: .refuseUnsorted) ?? false
        bytesMaximum = try box.decodeIfPresent(Int.self, forKey: .bytesMaximum) ?? 4 << 30
    }

    package func encode(to encoder: any Encoder) throws {
        var box = encoder.container(keyedBy: CodingKeys.self)
        try box.encodeIfPresent(delimiter.map(String.init), forKey: .delimiter)
        try box.encodeIfPresent(hasHeader, forKey: .hasHeader)
        try box.encodeIfPresent(timeColumn, forKey: .timeColumn)
        try box.encodeIfPresent(timeFormat, forKey: .timeFormat)
        try box.encode(offsetSeconds, forKey: .offsetSeconds)
        try box.encodeIfPresent(decimalComma, forKey: .decimalComma)
        try box.encodeIfPresent(layout, forKey: .layout)
        try box.encodeIfPresent(columns, forKey: .columns)
        try box.encode(units, forKey: .units)
        try box.encode(missingMarkers, forKey: .missingMarkers)
        try box.encode(skipBadRows, forKey: .skipBadRows)
        try box.encode(duplicates, forKey: .duplicates)
        try box.encode(refuseUnsorted, forKey: .refuseUnsorted)
        try box.encode(bytesMaximum, forKey: .bytesMaximum)
    }
}
