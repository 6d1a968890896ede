import Series
import Testing

@testable import Signals

/// The table in a text, as `data.csv`.
func table(_ text: String, _ options: CSVOptions = CSVOptions()) throws(CSVError) -> CSVTable {
    try CSVReader(options: options).read(Array(text.utf8), name: "data.csv")
}

/// Options with some of them changed.
func options(_ change: (inout CSVOptions) -> Void) -> CSVOptions {
    var options = CSVOptions()
    change(&options)
    return options
}

/// What a reading gave: the times as text and the values per channel, with nil for missing.
struct Reading: Equatable, CustomStringConvertible {
    var times: [String]
    var channels: [String: [Double?]]

    init(_ times: [String], _ channels: [String: [Double?]]) {
        self.times = times
        self.channels = channels
    }

    init(_ table: CSVTable) {
        times = table.columns.first?.times.map(\.description) ?? []
        channels = Dictionary(
            uniqueKeysWithValues: table.columns.map {
                ($0.channel.name, $0.values.map { $0.isNaN ? nil : $0 })
            })
    }

    var description: String { "\(times) \(channels)" }
}

private struct Dialect: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let text: String
    var change: @Sendable (inout CSVOptions) -> Void = { _ in }
}

/// All of them say: a is 1.5 and 2, b is missing and -3, at midnight and at one.
private let dialects: [Dialect] = [
    Dialect(
        testDescription: "comma",
        text: "time,a,b\n2016-07-01 00:00:00,1.5,\n2016-07-01 01:00:00,2,-3\n"),
    Dialect(
        testDescription: "no final newline",
        text: "time,a,b\n2016-07-01 00:00:00,1.5,\n2016-07-01 01:00:00,2,-3"),
    Dialect(
        testDescription: "byte order mark and CR LF",
        text: "\u{FEFF}time,a,b\r\n2016-07-01 00:00:00,1.5,\r\n2016-07-01 01:00:00,2,-3\r\n"),
    Dialect(
        testDescription: "old Macintosh line ends",
        text: "time,a,b\r2016-07-01 00:00:00,1.5,\r2016-07-01 01:00:00,2,-3\r"),
    Dialect(
        testDescription: "semicolon with decimal comma",
        text: "Zeit;a;b\n01.07.2016 00:00;1,5;NA\n01.07.2016 01:00;2;-3,0\n"),
    Dialect(
        testDescription: "semicolon with decimal point",
        text: "time;a;b\n2016-07-01T00:00Z;1.5;null\n2016-07-01T01:00Z;2;-3\n"),
    Dialect(
        testDescription: "tab",
        text: "time\ta\tb\n2016-07-01\t1.5\t-\n2016-07-01T03:00+02:00\t2e0\t-.3e+1\n"),
    Dialect(
        testDescription: "bar, blanks and quotes",
        text:
            "\"time\" | a | b\n\"2016-07-01 00:00\" | \"1.5\" | nan\n2016-07-01 01:00 | +2 | -3 \n"),
    Dialect(
        testDescription: "Unix seconds",
        text: "timestamp,a,b\n1467331200,1.5,?\n1467334800,2,-3\n"),
    Dialect(
        testDescription: "Unix seconds with a fraction",
        text: "timestamp,a,b\n1467331200.000,1.5,?\n1467334800.0,2,-3\n"),
    Dialect(
        testDescription: "Unix milliseconds",
        text: "timestamp,a,b\n1467331200000,1.5,--\n1467334800000,2,-3\n"),
    Dialect(
        testDescription: "day first, told apart by a later row",
        text: "date,a,b\n01/07/2016 00:00,1.5,\n1/7/2016 1:00,2,-3\n13/07/2016 00:00,,\n"),
    Dialect(
        testDescription: "month first, by option, with half days",
        text: "date,a,b\n07/01/2016 12:00 AM,1.5,\n07/01/2016 1:00 am,2,-3\n",
        change: { $0.timeFormat = .monthFirst }),
    Dialect(
        testDescription: "date and clock apart",
        text: "Date;Time;a;b;;\n01/07/2016;00.00.00;1,5;;;\n01/07/2016;01.00.00;2;-3;;\n",
        change: { $0.timeFormat = .dayFirst }),
    Dialect(
        testDescription: "no header",
        text: "2016-07-01 00:00:00,1.5,\n2016-07-01 01:00:00,2,-3\n"),
    Dialect(
        testDescription: "blank lines, comments above, a text column",
        text: "# logger 7\n\ntime,a,note,b\n\n2016-07-01 00:00,1.5,\"cold, \"\"wet\"\"\",NULL\n"
            + "2016-07-01 01:00,2,dry,-3\n\n"),
    Dialect(
        testDescription: "a sentinel and an infinity",
        text: "time,a,b\n2016-07-01 00:00,1.5,-999\n2016-07-01 01:00,2,-3\n"
            + "2016-07-01 02:00,-Inf,-999.0\n",
        change: { $0.missingMarkers = ["-999"] }),
    Dialect(
        testDescription: "local times two hours east",
        text: "time,a,b\n2016-07-01 02:00,1.5,\n2016-07-01 03:00,2,-3\n",
        change: { $0.offsetSeconds = 7200 }),
    Dialect(
        testDescription: "long form, found",
        text: "time,sensor,value\n2016-07-01 00:00,a,1.5\n2016-07-01 00:00,b,NA\n"
            + "2016-07-01 01:00,a,2\n2016-07-01 01:00,b,-3\n"),
    Dialect(
        testDescription: "long form, told, one series after the other",
        text: "wann|was|wieviel\n2016-07-01 00:00|a|1.5\n2016-07-01 01:00|a|2\n"
            + "2016-07-01 00:00|b|\n2016-07-01 01:00|b|-3\n",
        change: { $0.layout = .long(series: "was", value: "wieviel") }),
]

@Suite struct CSVReaderTests {
    @Test(arguments: dialects)
    fileprivate func `every dialect says the same`(_ dialect: Dialect) throws {
        let table = try table(dialect.text, options(dialect.change))
        #expect(table.columns.count == 2)
        for (column, expected) in zip(table.columns, [[1.5, 2], [nil, -3]] as [[Double?]]) {
            let midnight = Timestamp(microseconds: 1_467_331_200_000_000)
            #expect(column.times.prefix(2) == [midnight, midnight + .seconds(3600)])
            #expect(column.values.prefix(2).map { $0.isNaN ? nil : $0 } == expected)
            #expect(column.values.dropFirst(2).allSatisfy { $0.isNaN })
        }
    }

    @Test func `units come from the header or are told`() throws {
        let table = try table(
            "time,OT [°C],load (kW),CO(GT)\n2020-01-01,1,2,3\n",
            options { $0.units = ["CO(GT)": "mg/m3"] })
        #expect(
            table.columns.map(\.channel) == [
                Channel(name: "OT", unit: PhysicalUnit("Cel")),
                Channel(name: "load", unit: PhysicalUnit("kW")),
                Channel(name: "CO(GT)", unit: PhysicalUnit("mg/m3")),
            ])
        #expect(try table.column(named: "OT [°C]").channel.name == "OT")
    }

    @Test func `a header in Windows-1252 is read`() throws {
        let text = "time,k\u{FC}hl [\u{B0}C],Preis (\u{80}/MWh)\n2020-01-01,1,2\n"
        let bytes = text.unicodeScalars.map { UInt8($0.value) }
        let table = try CSVReader(options: CSVOptions()).read(bytes, name: "x.csv")
        #expect(
            table.columns.map(\.channel) == [
                Channel(name: "kühl", unit: PhysicalUnit("Cel")),
                Channel(name: "Preis", unit: PhysicalUnit("€/MWh")),
            ])
    }

    @Test func `columns can be chosen`() throws {
        let text = "time,a,b,c\n2020-01-01,1,x,3\n"
        let chosen = try table(text, options { $0.columns = ["c"] })
        #expect(Reading(chosen) == Reading(["2020-01-01T00:00:00Z"], ["c": [3]]))
        #expect(try table(text).report.ignoredColumns == ["b"])
    }

    @Test func `series of a long table can be chosen`() throws {
        let text = "time,name,value\n2020-01-01,x,1\n2020-01-01,y,2\n"
        #expect(Reading(try table(text, options { $0.columns = ["y"] })).channels == ["y": [2]])
        #expect(throws: CSVError.self) { try table(text, options { $0.columns = ["z"] }) }
    }

    @Test func `rows that go back are sorted and counted`() throws {
        let table = try table(
            "time,a\n2020-01-03,3\n2020-01-01,1\n2020-01-02,2\n2020-01-04,4\n")
        #expect(table.columns[0].values == [1, 2, 3, 4])
        #expect(table.report.outOfOrder == 2)
    }

    @Test func `a repeated row is no matter, and rows of one time complete each other`() throws {
        let table = try table(
            "time,a,b\n2020-01-01,1,\n2020-01-01,1,\n2020-01-01,,5\n2020-01-02,2,6\n")
        #expect(Reading(table).channels == ["a": [1, 2], "b": [5, 6]])
        #expect(table.report.duplicates == 1)
        #expect(table.report.conflicts == 0)
    }

    @Test(arguments: [
        (CSVOptions.DuplicatePolicy.keepFirst, 1.0), (CSVOptions.DuplicatePolicy.keepLast, 9.0),
    ])
    func `of two values one is kept by policy, and counted`(
        policy: CSVOptions.DuplicatePolicy, kept: Double
    ) throws {
        let table = try table(
            "time,a\n2020-01-01,1\n2020-01-01,9\n2020-01-02,2\n",
            options { $0.duplicates = policy })
        #expect(table.columns[0].values == [kept, 2])
        #expect(table.report.conflicts == 1)
    }

    @Test func `bad rows are left out and counted where that is asked for`() throws {
        let table = try table(
            "time,a,b\n2020-01-01,1,2\n2020-01-02,1x,2\nlater,1,2\n2020-01-04,1\n"
                + "2020-01-05,5,6\n2020-01-06,\"7\",8,9\n2020-01-07,NA,\n",
            options { $0.skipBadRows = true })
        #expect(Reading(table).channels == ["a": [1, 5, nil], "b": [2, 6, nil]])
        #expect(table.report.rows == 3)
        #expect(table.report.badRows == 4)
        #expect(table.report.badRowReasons.map(\.line) == [3, 4, 5, 7])
        #expect(table.report.missing == 2)
    }

    @Test func `infinities are missing and counted`() throws {
        let table = try table(
            "time,a\n2020-01-01,Inf\n2020-01-02,-inf\n2020-01-03,1e999\n2020-01-04,NaN\n"
                + "2020-01-05,+Infinity\n2020-01-06,1\n")
        #expect(table.columns[0].values.prefix(5).allSatisfy { $0.isNaN })
        #expect(table.report.infinite == 4)
        #expect(table.report.missing == 5)
    }

    @Test func `a column that is all missing is a channel`() throws {
        let table = try table("time,a\n2020-01-01,NA\n2020-01-02,NA\n")
        #expect(table.columns[0].values.allSatisfy { $0.isNaN })
    }

    @Test func `options survive their JSON`() throws {
        let made = options {
            $0.delimiter = ";"
            $0.layout = .long(series: "s", value: "v")
            $0.timeFormat = .dayFirst
            $0.units = ["a": "Cel"]
            $0.duplicates = .keepLast
        }
        #expect(try JSONCoding.roundTrip(made) == made)
        #expect(try JSONCoding.decode(CSVOptions.self, "{}") == CSVOptions())
    }

    @Test(arguments: [1, 2, 3, 7, 64, 200])
    func `pieces read by one plan are the whole`(rowsPerPiece: Int) throws {
        let rows = (0..<200).map { "2020-01-01 00:\(two($0 / 60)):\(two($0 % 60)),\($0),\($0 * 2)" }
        let text = "time,a,b\n" + rows.joined(separator: "\n") + "\n"
        let whole = try table(text)
        let plan = try CSVReader().plan(Array(text.utf8), name: "data.csv")
        var values: [Double] = []
        for start in stride(from: 0, to: rows.count, by: rowsPerPiece) {
            let piece = rows[start..<min(rows.count, start + rowsPerPiece)].joined(separator: "\n")
            values += try CSVReader.rows(Array(piece.utf8), plan: plan, firstLine: 2 + start)
                .columns[1].values
        }
        #expect(values == whole.columns[1].values)
    }
}

private func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
