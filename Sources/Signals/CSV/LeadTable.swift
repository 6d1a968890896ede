package import Series

extension CSVReader {
    /// The most decimals of a sample that are kept.
    static let decimalsMaximum = 6

    /// The most samples of a recording from a table, those that are missing among them: an hour and a
    /// half of twelve leads at 500 Hz.
    static let recordingSamplesMaximum: Int64 = 1 << 25

    /// The most instants of a recording from a table for each that has a sample, beyond the first 65,536.
    static let instantsPerRowMaximum: Int64 = 1000

    /// A table as a recording: a column of times gives the rate, every other column is a signal.
    ///
    /// Samples become whole numbers of the last decimal that the file has, at most the sixth.
    ///
    /// - Parameters:
    ///   - path: The file.
    ///   - rate: For a table without a column of times; ignored where there is one.
    ///   - unit: For columns whose header has none, such as `mV`.
    /// - Returns: The recording, named after the file.
    /// - Throws: `CSVError`.
    package func recording(
        file path: String, rate: SamplingRate? = nil, unit: String? = nil
    ) throws(CSVError) -> Recording {
        try recording(
            FileBytes.read(path, limit: options.bytesMaximum), name: path.lastPathPart, rate: rate,
            unit: unit)
    }

    /// The recording in `bytes`; otherwise like `recording(file:rate:unit:)`.
    package func recording(
        _ bytes: [UInt8], name: String, rate: SamplingRate? = nil, unit: String? = nil
    ) throws(CSVError) -> Recording {
        do throws(CSVError) {
            let table = try read(bytes, name: name)
            return try Self.recording(
                table, start: table.columns.first?.times.first, unit: unit)
        } catch {
            switch error.reason {
            case .time(_, _, accepted: nil):
                // Seconds since the recording began, rather than a time of the calendar.
                var elapsed = self
                elapsed.options.timeFormat = .unixSeconds
                return try Self.recording(
                    elapsed.read(bytes, name: name), start: nil, unit: unit)
            case .noTimeColumn:
                guard let rate else { throw error }
                return try LeadTable(bytes, file: name).recording(rate: rate, unit: unit)
            default: throw error
            }
        }
    }

    private static func recording(
        _ table: CSVTable, start: Timestamp?, unit: String?
    ) throws(CSVError) -> Recording {
        var signals: [Recording.Signal] = []
        for column in table.columns {
            // A single wrong time promises any number of samples.
            if let first = column.times.first, let last = column.times.last, last > first {
                let step = RegularStep.commonest(column.times)
                let instants = (last.microseconds - first.microseconds) / step + 1
                let accepted = min(
                    recordingSamplesMaximum / Int64(table.columns.count),
                    max(1 << 16, Int64(column.times.count) * instantsPerRowMaximum))
                guard instants <= accepted else {
                    throw CSVError(
                        file: table.file, line: nil,
                        reason: .gridTooLarge(
                            channel: column.channel.name, instants: Int(instants),
                            accepted: Int(accepted)))
                }
            }
            let series = try table.series(named: column.channel.name)
            signals.append(
                Recording.Signal(
                    named: column.channel, unit: unit, rate: series.grid.rate,
                    values: series.values))
        }
        return Recording(name: LeadTable.withoutSuffix(table.file), start: start, signals: signals)
    }
}

/// A table of samples without times: a row of names, then a row of numbers an instant.
private struct LeadTable {
    let file: String
    private var channels: [Channel] = []
    /// `[channels][rows]`, NaN where missing.
    private var columns: [[Double]] = []

    init(_ bytes: [UInt8], file: String) throws(CSVError) {
        self.file = file
        var lineNumber = 0
        var mark = UInt8(ascii: ",")
        let scanner = DecimalScanner(mark: UInt8(ascii: "."))
        for line in bytes.split(separator: 10, omittingEmptySubsequences: false) {
            lineNumber += 1
            let line = line.last == 13 ? line.dropLast() : line
            if line.isEmpty || line.first == UInt8(ascii: "#") { continue }
            if channels.isEmpty {
                for other in [UInt8(ascii: ";"), 9] where line.contains(other) { mark = other }
                channels = line.split(separator: mark, omittingEmptySubsequences: false).map {
                    let (name, unit) = CSVSniffer.splitUnit(
                        String(decoding: $0, as: UTF8.self).filter { $0 != "\"" })
                    return Channel(
                        name: name, unit: unit.map { PhysicalUnit(spelled: $0) } ?? .unknown)
                }
                columns = channels.map { _ in [] }
                continue
            }
            let fields = line.split(separator: mark, omittingEmptySubsequences: false)
            guard fields.count == channels.count else {
                throw CSVError(
                    file: file, line: lineNumber,
                    reason: .fieldCount(found: fields.count, accepted: channels.count))
            }
            for (index, field) in fields.enumerated() {
                guard let value = Self.value(field, scanner) else {
                    throw CSVError(
                        file: file, line: lineNumber,
                        reason: .number(
                            column: channels[index].name,
                            found: String(decoding: field.prefix(40), as: UTF8.self)))
                }
                columns[index].append(value)
            }
        }
        guard columns.contains(where: { !$0.isEmpty }) else {
            throw CSVError(file: file, line: nil, reason: channels.isEmpty ? .empty : .noRows)
        }
    }

    /// NaN for a missing value, nil for what is no number.
    private static func value(_ field: ArraySlice<UInt8>, _ scanner: DecimalScanner) -> Double? {
        var word = field.drop { $0 == UInt8(ascii: " ") }
        while word.last == UInt8(ascii: " ") { word.removeLast() }
        var position = 0
        let bytes = Array(word)
        if let value = scanner.scan(bytes.span, &position), position == bytes.count {
            return value.isFinite ? value : .nan
        }
        let text = String(decoding: word, as: UTF8.self).lowercased()
        return text.isEmpty || text == "inf" || text == "-inf"
            || CSVOptions.usualMarkers.contains(text) ? .nan : nil
    }

    func recording(rate: SamplingRate, unit: String?) -> Recording {
        let signals = zip(channels, columns).map { channel, values in
            Recording.Signal(named: channel, unit: unit, rate: rate, values: values)
        }
        return Recording(name: Self.withoutSuffix(file), start: nil, signals: signals)
    }

    static func withoutSuffix(_ name: String) -> String {
        name.lastIndex(of: ".").map { String(name[..<$0]) } ?? name
    }
}

extension Recording.Signal {
    /// Decimal numbers as whole ones: exact where the file has at most `decimalsMaximum` decimals.
    fileprivate init(named channel: Channel, unit: String?, rate: SamplingRate, values: [Double]) {
        let largest = values.reduce(0) { $1.isFinite ? max($0, abs($1)) : $0 }
        var gain = 1.0
        for _ in 0..<CSVReader.decimalsMaximum {
            let next = gain * 10
            guard largest * next < 2e9, !Self.areWhole(values, gain) else { break }
            gain = next
        }
        // What is too large for a whole number loses digits rather than its size.
        while largest * gain >= 2e9 { gain /= 10 }
        let unit = channel.unit == .unknown ? unit.map { PhysicalUnit(spelled: $0) } : nil
        self.init(
            channel: Channel(name: channel.name, unit: unit ?? channel.unit), rate: rate,
            gain: gain, baseline: 0,
            samples: values.map {
                $0.isFinite ? Int32(($0 * gain).rounded()) : Recording.Signal.missing
            }, declaredCount: values.count)
    }

    private static func areWhole(_ values: [Double], _ gain: Double) -> Bool {
        values.allSatisfy { value in
            let scaled = value * gain
            return !value.isFinite || abs(scaled - scaled.rounded()) < 1e-6
        }
    }
}
