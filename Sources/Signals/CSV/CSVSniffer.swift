import Series

/// Finds the dialect of a table and what its columns are, and so makes the plan for reading it.
struct CSVSniffer {
    let file: String
    let options: CSVOptions
    private var delimiter: UInt8 = 0
    private var sample: CSVSample
    /// 1 where the first record is a header.
    private var headerCount = 0
    /// As in the header, with their units.
    private var headers: [String] = []
    private var names: [String] = []
    /// Columns whose header is empty.
    private var unnamed: Set<Int> = []
    private var mark = UInt8(ascii: ".")

    init(_ bytes: Span<UInt8>, file: String, options: CSVOptions) throws(CSVError) {
        self.file = file
        self.options = options
        guard bytes.count > 0 else { throw CSVError(file: file, line: nil, reason: .empty) }
        let start = try Self.textStart(bytes, file: file)
        (delimiter, sample) = try Self.dialect(bytes, from: start, file: file, options: options)
        guard let first = sample.records.first else {
            throw CSVError(file: file, line: nil, reason: .empty)
        }
        headerCount = options.hasHeader ?? Self.isHeader(first) ? 1 : 0
        headers = headerCount == 1 ? first : first.indices.map { "column\($0 + 1)" }
        for (index, header) in headers.enumerated() where header.isEmpty {
            headers[index] = "column\(index + 1)"
            unnamed.insert(index)
        }
        names = headers.map { Self.splitUnit($0).name }
        var seen: Set<String> = []
        for name in names where !seen.insert(name).inserted {
            throw error(.repeatedColumn(name), record: 0)
        }
        guard sample.records.count > headerCount else { throw error(.noRows, record: nil) }
        mark = decimalMark()
    }

    /// The plan, or why there can be none.
    func plan(_ bytes: Span<UInt8>) throws(CSVError) -> CSVPlan {
        let timeColumn = try timeColumn()
        let format = try timeFormat(of: timeColumn, bytes)
        let clock = clockColumn(beside: timeColumn, format)
        let taken = Set([timeColumn] + (clock.map { [$0] } ?? []))
        let columns = try valueColumns(leaving: taken)
        var roles = [CSVPlan.Role](repeating: .skip, count: names.count)
        roles[timeColumn] = .time
        if let clock { roles[clock] = .clock }
        for column in columns.values { roles[column] = .value }
        if let series = columns.series { roles[series] = .series }
        let body = sample.starts[headerCount]
        let markers = options.missingMarkers
        return CSVPlan(
            file: file, options: options, delimiter: delimiter,
            decimal: DecimalScanner(mark: mark),
            time: TimeScanner(format: format, offsetSeconds: Int64(options.offsetSeconds)),
            roles: roles, names: names, channels: columns.values.map(channel),
            isLong: columns.series != nil,
            markers: (CSVOptions.usualMarkers + markers).map { Array($0.lowercased().utf8) },
            sentinels: markers.compactMap { CSVText.number($0, mark: UInt8(ascii: ".")) },
            ignoredColumns: columns.ignored.map { names[$0] },
            bodyOffset: body.offset, bodyLine: body.line)
    }

    private func error(_ reason: CSVError.Reason, record: Int?) -> CSVError {
        CSVError(file: file, line: record.map { sample.starts[$0].line }, reason: reason)
    }
}

// MARK: - Dialect

extension CSVSniffer {
    /// The offset behind a byte order mark; refuses what is not text.
    private static func textStart(_ bytes: Span<UInt8>, file: String) throws(CSVError) -> Int {
        if bytes.count >= 2, bytes[0] ^ bytes[1] == 1, bytes[0] | 1 == 0xFF {
            throw CSVError(file: file, line: nil, reason: .binary)  // UTF-16, by its mark
        }
        for i in 0..<min(bytes.count, 4096) where bytes[i] == 0 {
            throw CSVError(file: file, line: nil, reason: .binary)
        }
        let hasMark =
            bytes.count >= 3 && bytes[0] == 0xEF && bytes[1] == 0xBB && bytes[2] == 0xBF
        return hasMark ? 3 : 0
    }

    /// The first of tab, semicolon, bar and comma that gives records of one width; the comma comes
    /// last because it may also be the decimal mark.
    private static func dialect(
        _ bytes: Span<UInt8>, from start: Int, file: String, options: CSVOptions
    ) throws(CSVError) -> (UInt8, CSVSample) {
        let candidates = ["\t", ";", "|", ","] as [Character]
        if let given = options.delimiter {
            guard candidates.contains(given), let byte = given.asciiValue else {
                throw CSVError(file: file, line: nil, reason: .delimiter(found: String(given)))
            }
            return (byte, try CSVSample(bytes, delimiter: byte, from: start, file: file))
        }
        var best: (delimiter: UInt8, sample: CSVSample, share: Double)?
        for candidate in candidates.compactMap(\.asciiValue) {
            let sample = try CSVSample(bytes, delimiter: candidate, from: start, file: file)
            let shape = sample.shape
            let share = shape.fields > 1 ? shape.share : 0
            if share >= 0.9 { return (candidate, sample) }
            if best.map({ share >= $0.share }) ?? true { best = (candidate, sample, share) }
        }
        guard let best else { throw CSVError(file: file, line: nil, reason: .empty) }
        return (best.delimiter, best.sample)
    }

    /// A first record is data if it holds a date, or nothing but numbers.
    private static func isHeader(_ record: [String]) -> Bool {
        if record.contains(where: { !CSVText.calendarFormats($0).isEmpty }) { return false }
        return !record.allSatisfy {
            $0.isEmpty || CSVText.number($0, mark: UInt8(ascii: ".")) != nil
                || CSVText.number($0, mark: UInt8(ascii: ",")) != nil
        }
    }

    /// The comma only where it cannot be the delimiter and no number has a dot.
    private func decimalMark() -> UInt8 {
        let (dot, comma) = (UInt8(ascii: "."), UInt8(ascii: ","))
        if let told = options.decimalComma { return told ? comma : dot }
        guard delimiter != comma else { return dot }
        var commas = 0
        for record in sample.records.dropFirst(headerCount) {
            for field in record where field.utf8.contains(comma) || field.utf8.contains(dot) {
                if field.utf8.contains(dot), CSVText.number(field, mark: dot) != nil { return dot }
                if CSVText.number(field, mark: comma) != nil { commas += 1 }
            }
        }
        return commas > 0 ? comma : dot
    }

    /// A header's name and the unit behind it: `OT [°C]`, `temp (kW)`.
    static func splitUnit(_ header: String) -> (name: String, unit: String?) {
        let pairs: [(open: Character, close: Character)] = [("[", "]"), ("(", ")")]
        for pair in pairs where header.last == pair.close {
            guard let open = header.lastIndex(of: pair.open), open > header.startIndex
            else { continue }
            let before = header[..<open]
            // `CO(GT)` is a name; only behind a blank do round brackets hold a unit.
            guard pair.open == "[" || before.last == " " else { continue }
            let name = String(before).trimmingBlanks
            let unit = String(header[header.index(after: open)...].dropLast()).trimmingBlanks
            if !name.isEmpty { return (name, unit) }
        }
        return (header, nil)
    }

    private func channel(_ column: Int) -> Channel {
        let told = options.units[names[column]] ?? Self.splitUnit(headers[column]).unit
        return Channel(name: names[column], unit: told.map(PhysicalUnit.init(spelled:)) ?? .unknown)
    }
}

// MARK: - Columns

extension CSVSniffer {
    private static let timeNames: Set<String> = [
        "time", "timestamp", "datetime", "date", "ts", "ds", "at", "date_time", "date time",
        "when", "utc", "time_utc", "timestamp_utc", "zeit", "datum", "zeitstempel", "dato", "tid",
        "epoch", "unixtime", "unix_time", "_time", "observed_at", "recorded_at", "created_at",
    ]
    private static let seriesNames: Set<String> = [
        "series", "name", "sensor", "variable", "metric", "tag", "channel", "signal", "parameter",
        "measurement", "unique_id", "item_id", "series_id", "sensor_id",
    ]
    private static let valueNames: Set<String> = ["value", "val", "y", "reading", "target"]

    private func index(of name: String) throws(CSVError) -> Int {
        if let found = names.firstIndex(of: name) ?? headers.firstIndex(of: name) { return found }
        throw error(.unknownColumn(name, columns: names), record: nil)
    }

    private func values(_ column: Int) -> [String] {
        sample.values(ofColumn: column, from: headerCount).filter {
            !CSVOptions.usualMarkers.contains($0.lowercased())
        }
    }

    private func timeColumn() throws(CSVError) -> Int {
        if let told = options.timeColumn { return try index(of: told) }
        func holdsTimes(_ column: Int) -> Bool {
            values(column).contains {
                !CSVText.calendarFormats($0).isEmpty || CSVText.unixFormat($0) != nil
            }
        }
        let named = names.indices.filter { Self.timeNames.contains(names[$0].lowercased()) }
        if let column = named.first(where: holdsTimes) ?? named.first { return column }
        let dated = names.indices.first { column in
            let found = values(column)
            return !found.isEmpty && found.allSatisfy { !CSVText.calendarFormats($0).isEmpty }
        }
        if let dated { return dated }
        let first = values(0)
        if names.count > 1, !first.isEmpty,
            first.allSatisfy({ CSVText.unixFormat($0) != nil })
        {
            return 0
        }
        throw error(.noTimeColumn(columns: names), record: nil)
    }

    private func timeFormat(
        of column: Int, _ bytes: Span<UInt8>
    ) throws(CSVError) -> TimeFormat {
        if let told = options.timeFormat { return told }
        var isDated = false
        for text in values(column) {
            let formats = CSVText.calendarFormats(text)
            if formats == [.iso8601] { return .iso8601 }
            if !formats.isEmpty, text.utf8.prefix(6).contains(UInt8(ascii: ".")) {
                return .dayFirst  // 01.02.2016 is written nowhere with the month first.
            }
            if formats.count == 1, let only = formats.first { return only }
            isDated = isDated || !formats.isEmpty
            if formats.isEmpty, let unix = CSVText.unixFormat(text) { return unix }
        }
        let found = values(column).first ?? ""
        if isDated {
            if let decided = decideDayAndMonth(column, bytes) { return decided }
            throw error(.ambiguousDate(column: names[column], found: found), record: headerCount)
        }
        let record = sample.records.indices.dropFirst(headerCount).first {
            column < sample.records[$0].count && sample.records[$0][column] == found
        }
        throw error(
            .time(column: names[column], found: found, accepted: nil), record: record)
    }

    /// Looks on behind the sample for a date that has only one reading.
    private func decideDayAndMonth(_ column: Int, _ bytes: Span<UInt8>) -> TimeFormat? {
        let scanner = CSVFieldScanner(delimiter: delimiter)
        var position = sample.starts[headerCount].offset
        while position < bytes.count {
            var field = 0
            while field < column {
                guard scanner.field(bytes, &position) != nil, position < bytes.count,
                    bytes[position] == delimiter
                else { break }
                position += 1
                field += 1
            }
            if field == column, let extent = scanner.field(bytes, &position) {
                let formats = CSVText.calendarFormats(CSVFieldScanner.text(bytes, extent))
                if formats.count == 1, let only = formats.first { return only }
            }
            _ = scanner.skipRecord(bytes, &position)
        }
        return nil
    }

    /// The column of clock times next to one that holds dates alone.
    private func clockColumn(beside column: Int, _ format: TimeFormat) -> Int? {
        guard format.unixUnit == nil,
            values(column).allSatisfy({ !$0.utf8.contains(where: { $0 == 58 || $0 == 32 }) })
        else { return nil }
        return [column + 1, column - 1].first { neighbour in
            guard names.indices.contains(neighbour) else { return false }
            let found = values(neighbour)
            return !found.isEmpty && found.allSatisfy { CSVText.clock($0) != nil }
                && !found.allSatisfy { CSVText.number($0, mark: mark) != nil }
        }
    }

    private typealias Columns = (values: [Int], series: Int?, ignored: [Int])

    private func valueColumns(leaving taken: Set<Int>) throws(CSVError) -> Columns {
        let rest = names.indices.filter { !taken.contains($0) }
        if case .long(let series, let value) = options.layout {
            return ([try index(of: value)], try index(of: series), [])
        }
        // A column is of numbers if any of its values is one, or if it has no values at all.
        let numeric = rest.filter { column in
            let found = values(column)
            if found.isEmpty { return !unnamed.contains(column) }
            return found.contains { CSVText.number($0, mark: mark) != nil }
        }
        if options.layout == nil, let long = longColumns(rest, numeric) { return long }
        if let wanted = options.columns {
            var columns: [Int] = []
            for name in wanted {
                guard let column = names.firstIndex(of: name) ?? headers.firstIndex(of: name),
                    !taken.contains(column)
                else {
                    let known = numeric.map { names[$0] }
                    throw error(.unknownColumn(name, columns: known), record: nil)
                }
                columns.append(column)
            }
            return (columns.sorted(), nil, [])
        }
        guard !numeric.isEmpty else {
            throw error(.noValueColumn(columns: names), record: nil)
        }
        return (numeric, nil, rest.filter { !numeric.contains($0) })
    }

    private func longColumns(_ rest: [Int], _ numeric: [Int]) -> Columns? {
        let value =
            numeric.first { Self.valueNames.contains(names[$0].lowercased()) }
        let series = rest.first {
            $0 != value && Self.seriesNames.contains(names[$0].lowercased())
        }
        guard let value, let series else { return nil }
        return ([value], series, rest.filter { $0 != value && $0 != series })
    }
}

extension String {
    fileprivate var trimmingBlanks: String {
        var rest = self[...]
        while rest.first == " " { rest.removeFirst() }
        while rest.last == " " { rest.removeLast() }
        return String(rest)
    }
}
