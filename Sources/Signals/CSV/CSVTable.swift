package import Series

/// What reading a table met besides good rows.
package struct CSVReport: Sendable, Equatable {
    /// The most bad rows of which the reason is kept.
    package static let reasonsMaximum = 20

    /// Rows of values that were read.
    package var rows = 0
    /// Rows left out because they could not be read.
    package var badRows = 0
    /// Why, for the first of them.
    package var badRowReasons: [CSVError] = []
    /// Values that are missing, infinite ones among them.
    package var missing = 0
    package var infinite = 0
    /// Rows that only repeated what was there for their time.
    package var duplicates = 0
    /// Second, different values of a channel at one time.
    package var conflicts = 0
    /// Rows that went back in time.
    package var outOfOrder = 0
    /// Columns that hold something else than numbers.
    package var ignoredColumns: [String] = []
    /// Says which columns have no series, for who expects one; nil where all have.
    package var leftOutNote: String? {
        guard !ignoredColumns.isEmpty else { return nil }
        let names = ignoredColumns.prefix(20).joined(separator: ", ")
        let more = ignoredColumns.count > 20 ? " and \(ignoredColumns.count - 20) more" : ""
        return "left out, since what they begin with is no numbers: \(names)\(more)"
    }

    package init() {}

    mutating func count(badRow error: CSVError) {
        badRows += 1
        if badRowReasons.count < Self.reasonsMaximum { badRowReasons.append(error) }
    }
}

/// A sensor table as it was read: per channel the times in ascending order, each once, and the
/// values.
package struct CSVTable: Sendable {
    /// One channel. In a wide table all channels have the same times.
    package struct Column: Sendable {
        package let channel: Channel
        /// Strictly ascending.
        package let times: [Timestamp]
        /// `[times.count]`; NaN where missing, never infinite.
        package let values: [Double]
    }

    /// The file, as its reader was told to call it.
    package let file: String
    /// In the order of the file.
    package let columns: [Column]
    package let report: CSVReport

    /// The channel of that name; throws with the names there are.
    package func column(named name: String) throws(CSVError) -> Column {
        if let found = columns.first(where: { $0.channel.name == name }) { return found }
        let asWritten = CSVSniffer.splitUnit(name).name
        if let found = columns.first(where: { $0.channel.name == asWritten }) { return found }
        throw CSVError(
            file: file, line: nil,
            reason: .unknownColumn(name, columns: columns.map(\.channel.name)))
    }
}

extension CSVRows {
    /// The rows in the order of time, duplicates settled by the policy.
    consuming func table() throws(CSVError) -> CSVTable {
        var report = report
        var columns: [CSVTable.Column] = []
        if plan.isLong {
            for (index, rows) in rowsBySeries().enumerated() {
                let name = names.names[index]
                if let wanted = plan.options.columns, !wanted.contains(name) { continue }
                let unit = plan.options.units[name].map(PhysicalUnit.init(spelled:))
                let channel = Channel(
                    name: name, unit: unit ?? plan.channels.first?.unit ?? .unknown)
                columns += try settle(rows, [channel], &report)
            }
            try checkWantedSeries()
        } else {
            columns = try settle(nil, plan.channels, &report)
        }
        return CSVTable(file: plan.file, columns: columns, report: report)
    }

    private func checkWantedSeries() throws(CSVError) {
        for name in plan.options.columns ?? [] where !names.names.contains(name) {
            throw plan.error(.unknownColumn(name, columns: names.names), line: nil)
        }
    }

    /// `[series][rows]`: the rows of each series of a long table, in the order of the file.
    private func rowsBySeries() -> [[Int]] {
        var rows = [[Int]](repeating: [], count: names.names.count)
        for (row, index) in series.enumerated() { rows[Int(index)].append(row) }
        return rows
    }

    /// The channels over some rows (nil: all), sorted and each time once.
    private func settle(
        _ rows: [Int]?, _ channels: [Channel], _ report: inout CSVReport
    ) throws(CSVError) -> [CSVTable.Column] {
        let width = channels.count
        if rows == nil, isStrictlyAscending(nil) {
            return channels.enumerated().map { index, channel in
                CSVTable.Column(
                    channel: channel, times: times,
                    values: stride(from: index, to: values.count, by: width).map { values[$0] })
            }
        }
        var order = rows ?? Array(times.indices)
        if !isStrictlyAscending(order) {
            let descents = zip(order, order.dropFirst()).count { times[$1] < times[$0] }
            if rows != nil { report.outOfOrder += descents }
            if descents > 0 {
                if rows != nil, plan.options.refuseUnsorted { throw descentError(order) }
                order.sort { times[$0] == times[$1] ? $0 < $1 : times[$0] < times[$1] }
            }
        }
        var kept: [Timestamp] = []
        var columns = [[Double]](repeating: [], count: width)
        for row in order {
            if kept.last == times[row] {
                try merge(row, channels, into: &columns, &report)
                continue
            }
            kept.append(times[row])
            for index in 0..<width { columns[index].append(values[row * width + index]) }
        }
        return channels.indices.map {
            CSVTable.Column(channel: channels[$0], times: kept, values: columns[$0])
        }
    }

    private func isStrictlyAscending(_ order: [Int]?) -> Bool {
        guard let order else {
            return !times.indices.dropFirst().contains { times[$0] <= times[$0 - 1] }
        }
        return !order.indices.dropFirst().contains { times[order[$0]] <= times[order[$0 - 1]] }
    }

    private func descentError(_ order: [Int]) -> CSVError {
        let row = zip(order, order.dropFirst()).first { times[$1] < times[$0] }?.1 ?? 0
        return plan.error(.unsorted(at: times[row].description), line: Int(lines[row]))
    }

    /// Adds a second row of the same time to the last one kept.
    private func merge(
        _ row: Int, _ channels: [Channel], into columns: inout [[Double]],
        _ report: inout CSVReport
    ) throws(CSVError) {
        let width = channels.count
        var addsNothing = true
        for index in 0..<width {
            let value = values[row * width + index]
            let end = columns[index].count - 1
            let old = columns[index][end]
            if value.isNaN || value == old { continue }
            addsNothing = false
            if old.isNaN {
                columns[index][end] = value
                continue
            }
            report.conflicts += 1
            switch plan.options.duplicates {
            case .refuse:
                throw plan.error(
                    .conflictingTime(channel: channels[index].name, at: times[row].description),
                    line: Int(lines[row]))
            case .keepFirst: break
            case .keepLast: columns[index][end] = value
            }
        }
        if addsNothing { report.duplicates += 1 }
    }
}
