import Series

/// Reads the rows of a table by its plan, and holds what they gave.
struct CSVRows {
    let plan: CSVPlan
    private let fields: CSVFieldScanner
    private(set) var report = CSVReport()
    /// `[rows]`
    private(set) var times: [Timestamp] = []
    /// `[rows, channels]`, row by row; NaN where missing.
    private(set) var values: [Double] = []
    /// `[rows]`; long tables only.
    private(set) var series: [Int32] = []
    /// `[rows]`, the line of each row.
    private(set) var lines: [Int32] = []
    private(set) var names = NameTable()
    private var latest = Timestamp(microseconds: .min)
    /// The line being read.
    private var line = 0

    init(plan: CSVPlan) {
        self.plan = plan
        fields = CSVFieldScanner(delimiter: plan.delimiter)
        report.ignoredColumns = plan.ignoredColumns
    }

    /// Reads all records from `start` to the end of `bytes`, the first being on `firstLine`.
    mutating func read(
        _ bytes: Span<UInt8>, from start: Int, firstLine: Int
    ) throws(CSVError) {
        var position = start
        line = firstLine
        reserve(bytes, from: start)
        while position < bytes.count {
            if CSVByte.endsLine(bytes[position]) {
                CSVFieldScanner.skipLineEnd(bytes, &position)
                line += 1
                continue
            }
            let rowStart = position
            let rowLine = line
            do throws(CSVError) {
                try row(bytes, &position)
                line += 1
            } catch {
                guard plan.options.skipBadRows else { throw error }
                report.count(badRow: error)
                drop(partialRowAfter: times.count)
                position = rowStart
                line = rowLine + fields.skipRecord(bytes, &position).lines
            }
        }
    }

    private mutating func reserve(_ bytes: Span<UInt8>, from start: Int) {
        var end = start
        while end < bytes.count, bytes[end] != CSVByte.lineFeed { end += 1 }
        let rows = (bytes.count - start) / max(8, end - start) + 1
        times.reserveCapacity(rows)
        lines.reserveCapacity(rows)
        values.reserveCapacity(rows * plan.channels.count)
    }

    private mutating func drop(partialRowAfter rows: Int) {
        values.removeLast(values.count - rows * plan.channels.count)
    }

    /// Reads one record and its line end.
    @inline(__always)
    private mutating func row(_ bytes: Span<UInt8>, _ position: inout Int) throws(CSVError) {
        var time: Int64 = 0
        var seriesIndex: Int32 = 0
        let last = plan.roles.count - 1
        let missingBefore = report.missing
        let infiniteBefore = report.infinite
        let rowLine = line
        for index in 0...last {
            switch plan.roles[index] {
            case .value:
                guard let value = value(bytes, &position) else {
                    report.missing = missingBefore
                    report.infinite = infiniteBefore
                    throw bad(bytes, position, index) { .number(column: $0, found: $1) }
                }
                values.append(value)
            case .time:
                guard let read = self.time(bytes, &position) else {
                    let format = plan.time.format
                    throw bad(bytes, position, index) {
                        .time(column: $0, found: $1, accepted: format)
                    }
                }
                time += read
            case .clock:
                guard let read = clock(bytes, &position) else {
                    throw bad(bytes, position, index) {
                        .time(column: $0, found: $1, accepted: nil)
                    }
                }
                time += read
            case .series: seriesIndex = try name(bytes, &position, index)
            case .skip:
                guard let extent = fields.field(bytes, &position) else {
                    throw plan.error(.unterminatedQuote, line: line)
                }
                line += extent.lineEnds
            }
            try boundary(bytes, &position, index: index, last: last)
        }
        let at = Timestamp(microseconds: time)
        if at < latest { try goBack(to: at, line: rowLine) } else { latest = at }
        times.append(at)
        lines.append(Int32(truncatingIfNeeded: rowLine))
        if plan.isLong { series.append(seriesIndex) }
        report.rows += 1
    }

    /// Steps over the delimiter behind a field, or the line end behind the last.
    @inline(__always)
    private mutating func boundary(
        _ bytes: Span<UInt8>, _ position: inout Int, index: Int, last: Int
    ) throws(CSVError) {
        let isDelimiter = position < bytes.count && bytes[position] == plan.delimiter
        if index < last, isDelimiter {
            position += 1
        } else if index == last, !isDelimiter, fields.isEnd(bytes, position) {
            CSVFieldScanner.skipLineEnd(bytes, &position)
        } else {
            try raggedEnd(bytes, &position, index: index, last: last)
        }
    }

    /// A row with more or fewer fields than the header; empty ones behind the last are no matter.
    private mutating func raggedEnd(
        _ bytes: Span<UInt8>, _ position: inout Int, index: Int, last: Int
    ) throws(CSVError) {
        var extra = 0
        var isEmpty = true
        while position < bytes.count, bytes[position] == plan.delimiter {
            position += 1
            extra += 1
            guard let extent = fields.field(bytes, &position) else {
                throw plan.error(.unterminatedQuote, line: line)
            }
            isEmpty = isEmpty && extent.range.isEmpty
        }
        guard index == last, isEmpty, fields.isEnd(bytes, position) else {
            throw plan.error(
                .fieldCount(found: index + 1 + extra, accepted: last + 1), line: line)
        }
        CSVFieldScanner.skipLineEnd(bytes, &position)
    }

    private mutating func goBack(to at: Timestamp, line: Int) throws(CSVError) {
        // Long tables may list one series after the other; their order is seen per series.
        if plan.isLong { return }
        if plan.options.refuseUnsorted {
            throw plan.error(.unsorted(at: at.description), line: line)
        }
        report.outOfOrder += 1
    }
}

// MARK: - Fields

extension CSVRows {
    /// The number at `position`; NaN where it is missing or infinite; nil where it is no number,
    /// and `position` is then unchanged.
    @inline(__always)
    private mutating func value(_ bytes: Span<UInt8>, _ position: inout Int) -> Double? {
        let start = position
        if let number = plan.decimal.scan(bytes, &position), fields.isEnd(bytes, position),
            number.isFinite, plan.sentinels.isEmpty
        {
            return number
        }
        position = start
        return unusualValue(bytes, &position)
    }

    /// Values with quotes, blanks, markers and sentinels.
    private mutating func unusualValue(_ bytes: Span<UInt8>, _ position: inout Int) -> Double? {
        let start = position
        guard let extent = fields.field(bytes, &position), fields.isEnd(bytes, position),
            extent.lineEnds == 0
        else {
            position = start
            return nil
        }
        if plan.isMissing(bytes, extent.range) {
            report.missing += 1
            return .nan
        }
        var inside = extent.range.lowerBound
        let number =
            plan.decimal.scan(bytes, &inside) ?? Self.infinity(bytes, extent.range, &inside)
        guard let number, inside == extent.range.upperBound else {
            position = start
            return nil
        }
        guard number.isFinite, !plan.sentinels.contains(number) else {
            report.missing += 1
            if number.isInfinite { report.infinite += 1 }
            return .nan
        }
        return number
    }

    private static func infinity(
        _ bytes: Span<UInt8>, _ range: Range<Int>, _ position: inout Int
    ) -> Double? {
        var word: [UInt8] = []
        for i in range { word.append(bytes[i] | 0x20) }
        let sign = word.first
        // `+` and `-` have 0x20 set already.
        if sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") { word.removeFirst() }
        let spellings = ["inf", "infinity", "1.#inf", "∞"]
        guard spellings.contains(where: { Array($0.utf8).map { $0 | 0x20 } == word })
        else { return nil }
        position = range.upperBound
        return .infinity
    }

    @inline(__always)
    private func time(_ bytes: Span<UInt8>, _ position: inout Int) -> Int64? {
        let start = position
        if let time = plan.time.scan(bytes, &position), fields.isEnd(bytes, position) {
            return time
        }
        position = start
        return unusual(bytes, &position) { plan.time.scan($0, &$1) }
    }

    private func clock(_ bytes: Span<UInt8>, _ position: inout Int) -> Int64? {
        unusual(bytes, &position) { TimeScanner.clock($0, &$1) }
    }

    /// A time with quotes or blanks around it; nil, and `position` unchanged, where it is none.
    private func unusual(
        _ bytes: Span<UInt8>, _ position: inout Int,
        _ scan: (Span<UInt8>, inout Int) -> Int64?
    ) -> Int64? {
        let start = position
        if let extent = fields.field(bytes, &position), fields.isEnd(bytes, position) {
            var inside = extent.range.lowerBound
            if let time = scan(bytes, &inside), inside == extent.range.upperBound { return time }
        }
        position = start
        return nil
    }

    private mutating func name(
        _ bytes: Span<UInt8>, _ position: inout Int, _ index: Int
    ) throws(CSVError) -> Int32 {
        guard let extent = fields.field(bytes, &position) else {
            throw plan.error(.unterminatedQuote, line: line)
        }
        line += extent.lineEnds
        guard !extent.range.isEmpty else {
            throw plan.error(.seriesName(column: plan.names[index]), line: line)
        }
        return names.index(of: bytes, extent)
    }

    /// The error for the field at `position`, which could not be read as what it should be.
    private func bad(
        _ bytes: Span<UInt8>, _ position: Int, _ index: Int,
        _ reason: (String, String) -> CSVError.Reason
    ) -> CSVError {
        var end = position
        let rest = fieldsLeft(bytes, position)
        guard let extent = fields.field(bytes, &end) else {
            return plan.error(.unterminatedQuote, line: line)
        }
        // An empty field where the row has also ended is a short row.
        if extent.range.isEmpty, rest == 1, index < plan.roles.count - 1 {
            return plan.error(
                .fieldCount(found: index + 1, accepted: plan.roles.count), line: line)
        }
        return plan.error(
            reason(plan.names[index], CSVFieldScanner.text(bytes, extent)), line: line)
    }

    private func fieldsLeft(_ bytes: Span<UInt8>, _ position: Int) -> Int {
        var end = position
        return fields.skipRecord(bytes, &end).fields
    }
}

/// The distinct names in a column, numbered in the order of their appearance.
struct NameTable: Sendable {
    private(set) var names: [String] = []
    private var spelled: [[UInt8]] = []
    /// Open addressing over a power of two; 0 is free, else index + 1.
    private var slots = [Int32](repeating: 0, count: 64)

    /// The number of the name in `extent`.
    mutating func index(of bytes: Span<UInt8>, _ extent: CSVFieldScanner.Extent) -> Int32 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325  // FNV-1a
        for i in extent.range { hash = (hash ^ UInt64(bytes[i])) &* 0x100_0000_01b3 }
        var slot = Int(hash & UInt64(slots.count - 1))
        while slots[slot] != 0 {
            let candidate = slots[slot] - 1
            if matches(bytes, extent.range, spelled[Int(candidate)]) { return candidate }
            slot = (slot + 1) & (slots.count - 1)
        }
        var copy: [UInt8] = []
        for i in extent.range { copy.append(bytes[i]) }
        let index = Int32(names.count)
        slots[slot] = index + 1
        names.append(CSVFieldScanner.text(bytes, extent))
        spelled.append(copy)
        if names.count * 2 > slots.count { grow() }
        return index
    }

    private func matches(_ bytes: Span<UInt8>, _ range: Range<Int>, _ name: [UInt8]) -> Bool {
        guard name.count == range.count else { return false }
        for i in 0..<name.count where bytes[range.lowerBound + i] != name[i] { return false }
        return true
    }

    private mutating func grow() {
        slots = [Int32](repeating: 0, count: slots.count * 2)
        for (index, name) in spelled.enumerated() {
            var hash: UInt64 = 0xcbf2_9ce4_8422_2325
            for byte in name { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
            var slot = Int(hash & UInt64(slots.count - 1))
            while slots[slot] != 0 { slot = (slot + 1) & (slots.count - 1) }
            slots[slot] = Int32(index) + 1
        }
    }
}
