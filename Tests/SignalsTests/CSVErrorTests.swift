import Testing

@testable import Signals

private struct Refusal: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let text: String
    let line: Int?
    let reason: CSVError.Reason
    /// Parts of the sentence.
    var says: [String] = []
    var change: @Sendable (inout CSVOptions) -> Void = { _ in }
}

private let refusals: [Refusal] = [
    Refusal(
        testDescription: "an empty file", text: "", line: nil, reason: .empty, says: ["empty"]),
    Refusal(testDescription: "blank lines only", text: "\n\n", line: nil, reason: .empty),
    Refusal(
        testDescription: "a header only", text: "time,a\n", line: nil, reason: .noRows,
        says: ["no rows"]),
    Refusal(
        testDescription: "an unknown channel", text: "time,a,b\n2020-01-01,1,2\n", line: nil,
        reason: .unknownColumn("c", columns: ["a", "b"]), says: ["\"c\"", "a, b"],
        change: { $0.columns = ["c"] }),
    Refusal(
        testDescription: "an unknown time column", text: "time,a\n2020-01-01,1\n", line: nil,
        reason: .unknownColumn("zeit", columns: ["time", "a"]), says: ["zeit", "time, a"],
        change: { $0.timeColumn = "zeit" }),
    Refusal(
        testDescription: "a bad number", text: "time,a\n2020-01-01,1\n2020-01-02,1x2\n", line: 3,
        reason: .number(column: "a", found: "1x2"), says: ["line 3", "a", "1x2", "12.5"]),
    Refusal(
        testDescription: "a hexadecimal number", text: "time,a\n2020-01-01,1\n2020-01-02,0x1p3\n",
        line: 3, reason: .number(column: "a", found: "0x1p3")),
    Refusal(
        testDescription: "a bad time", text: "time,a\n2020-01-01,1\nyesterday,2\n", line: 3,
        reason: .time(column: "time", found: "yesterday", accepted: .iso8601),
        says: ["line 3", "yesterday", "2016-12-31"]),
    Refusal(
        testDescription: "a date that does not exist",
        text: "time,a\n2020-02-29,1\n2021-02-29,2\n", line: 3,
        reason: .time(column: "time", found: "2021-02-29", accepted: .iso8601)),
    Refusal(
        testDescription: "no time at all", text: "time,a\nfoo,1\n", line: 2,
        reason: .time(column: "time", found: "foo", accepted: nil)),
    Refusal(
        testDescription: "a date without separators is not taken for Unix time",
        text: "time,a\n201607010000,1\n", line: 2,
        reason: .time(column: "time", found: "201607010000", accepted: nil)),
    Refusal(
        testDescription: "day or month first", text: "time,a\n01/02/2020,1\n02/02/2020,2\n",
        line: 2, reason: .ambiguousDate(column: "time", found: "01/02/2020"),
        says: ["--time-format", "day-first", "month-first"]),
    Refusal(
        testDescription: "both orders in one file",
        text: "time,a\n13/02/2020,1\n02/13/2020,2\n", line: 3,
        reason: .time(column: "time", found: "02/13/2020", accepted: .dayFirst)),
    Refusal(
        testDescription: "no time column", text: "a,b\n1,2\n", line: nil,
        reason: .noTimeColumn(columns: ["a", "b"]), says: ["--time-column", "a, b"]),
    Refusal(
        testDescription: "no numbers", text: "time,a\n2020-01-01,x\n", line: nil,
        reason: .noValueColumn(columns: ["time", "a"])),
    Refusal(
        testDescription: "a column name twice", text: "time,a,a\n2020-01-01,1,2\n", line: 1,
        reason: .repeatedColumn("a")),
    Refusal(
        testDescription: "a short row", text: "time,a,b\n2020-01-01,1,2\n2020-01-02,1\n",
        line: 3, reason: .fieldCount(found: 2, accepted: 3), says: ["2 fields", "3"]),
    Refusal(
        testDescription: "a long row", text: "time,a\n2020-01-01,1\n2020-01-02,1,7\n", line: 3,
        reason: .fieldCount(found: 3, accepted: 2)),
    Refusal(
        testDescription: "a time alone in its row",
        text: "time,a,b\n2020-01-01,1,2\n2020-01-02\n", line: 3,
        reason: .fieldCount(found: 1, accepted: 3)),
    Refusal(
        testDescription: "two values at one time",
        text: "time,a\n2020-01-01,1\n2020-01-02,2\n2020-01-01,3\n", line: 4,
        reason: .conflictingTime(channel: "a", at: "2020-01-01T00:00:00Z"),
        says: ["2020-01-01T00:00:00Z"]),
    Refusal(
        testDescription: "unsorted rows, where refused",
        text: "time,a\n2020-01-02,1\n2020-01-01,2\n", line: 3,
        reason: .unsorted(at: "2020-01-01T00:00:00Z"), change: { $0.refuseUnsorted = true }),
    Refusal(
        testDescription: "an open quote", text: "time,a,b\n2020-01-01,1,\"x\n2020-01-02,2,y\n",
        line: 2, reason: .unterminatedQuote),
    Refusal(
        testDescription: "text behind a quote", text: "time,a\n2020-01-01,\"1\"2\n", line: 2,
        reason: .number(column: "a", found: "1")),
    Refusal(
        testDescription: "binary", text: "time,a\n\u{0}\u{1}", line: nil, reason: .binary,
        says: ["UTF-8"]),
    Refusal(
        testDescription: "an odd delimiter", text: "time:a\n", line: nil,
        reason: .delimiter(found: ":"), change: { $0.delimiter = ":" }),
    Refusal(
        testDescription: "a series without a name",
        text: "time,series,value\n2020-01-01,x,1\n2020-01-02,,2\n", line: 3,
        reason: .seriesName(column: "series")),
    Refusal(
        testDescription: "lines are counted through quoted line ends and CR LF",
        text: "time,note,a\r\n2020-01-01,\"x\r\ny\r\nz\",1\r\n\r\n2020-01-02,z,oops\r\n", line: 6,
        reason: .number(column: "a", found: "oops")),
]

@Suite struct CSVErrorTests {
    @Test(arguments: refusals)
    fileprivate func `bad input is one sentence with its place`(_ refusal: Refusal) throws {
        do {
            let read = try table(refusal.text, options(refusal.change))
            Issue.record("was read: \(Reading(read))")
        } catch {
            #expect(
                error == CSVError(file: "data.csv", line: refusal.line, reason: refusal.reason))
            let sentence = error.description
            #expect(sentence.hasPrefix("data.csv") && sentence.hasSuffix("."))
            #expect(!sentence.contains("\n"))
            for part in refusal.says { #expect(sentence.contains(part), "\(sentence)") }
        }
    }

    @Test func `what a conflict or a grid says has no values in it`() {
        let conflict = #expect(throws: CSVError.self) {
            try table("time,a\n2020-01-01,41\n2020-01-01,43\n")
        }
        #expect(conflict?.description.contains("41") == false)
        #expect(conflict?.description.contains("43") == false)
    }

    @Test func `long foreign text is cut`() {
        let error = #expect(throws: CSVError.self) {
            try table("time,a\n2020-01-01,1\n2020-01-02,\(String(repeating: "x", count: 5000))\n")
        }
        #expect((error?.description.count ?? 9999) < 250)
    }

    @Test(arguments: [
        ("/nowhere/at/all.csv", "no such file"), ("/tmp", "folder"),
    ])
    func `a file that cannot be opened is named`(path: String, says: String) {
        let error = #expect(throws: CSVError.self) { try CSVReader().read(file: path) }
        #expect(error?.description.contains(says) == true)
        #expect(error?.file == path.lastPathPart)
    }
}
