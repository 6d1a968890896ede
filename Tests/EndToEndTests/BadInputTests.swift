import Foundation
import Testing

/// One wrong input for `systole forecast`, and what the answer has to say.
private struct BadFile: CustomTestStringConvertible, Sendable {
    let name: String
    let content: String
    var arguments = ["--column", "value", "--horizon", "24", "--lag", "48", "--family", "ridge"]
    /// Parts of the one sentence on standard error.
    let says: [String]
    var status: Int32 = 1

    var testDescription: String { name }

    /// `count` hourly rows of a daily wave under the header `time,value`.
    static func hourly(
        _ count: Int, value: (Int) -> String = { String(10 + 3 * sin(Double($0) / 24 * 2 * .pi)) }
    ) -> String {
        rows(0..<count, value: value)
    }

    static func rows(_ indices: some Sequence<Int>, value: (Int) -> String = { String($0) })
        -> String
    {
        "time,value\n"
            + indices.map { "\(time($0)),\(value($0))\n" }.joined()
    }

    static func time(_ hour: Int) -> String {
        let day = 1 + hour / 24
        let month = 1 + (day - 1) / 28
        return String(
            format: "2024-%02d-%02dT%02d:00:00Z", month, (day - 1) % 28 + 1, hour % 24)
    }
}

private let badFiles: [BadFile] = [
    BadFile(name: "an empty file", content: "", says: ["data.csv", "empty"]),
    BadFile(name: "a header only", content: "time,value\n", says: ["data.csv", "no rows"]),
    BadFile(
        name: "a wrong column name", content: BadFile.hourly(200),
        arguments: ["--column", "values", "--horizon", "24", "--family", "ridge"],
        says: ["values", "value"]),
    BadFile(
        name: "an unparsable number on line 7",
        content: BadFile.hourly(200, value: { $0 == 5 ? "1x2" : String($0 % 24) }),
        says: ["line 7", "1x2"]),
    BadFile(
        name: "an unparsable time on line 3",
        content: "time,value\n2024-01-01T00:00:00Z,1\nyesterday,2\n2024-01-01T02:00:00Z,3\n",
        says: ["line 3", "yesterday"]),
    BadFile(
        name: "two values for one time",
        content: BadFile.rows(
            [0, 1, 2, 2, 3, 4], value: { _ in String(Int.random(in: 0...9999)) }),
        says: ["line 5", "2024-01-01T02:00:00Z"]),
    BadFile(
        name: "a series that is too short", content: BadFile.hourly(60),
        says: ["data.csv", "value", "60 rows", "at least"]),
    BadFile(
        name: "a constant series", content: BadFile.hourly(400, value: { _ in "5" }),
        says: ["data.csv", "same value"]),
    BadFile(
        name: "a series that is all missing", content: BadFile.hourly(400, value: { _ in "NA" }),
        says: ["data.csv", "missing"]),
    BadFile(
        name: "a horizon of zero", content: BadFile.hourly(400),
        arguments: ["--column", "value", "--horizon", "0"], says: ["horizon", "0"], status: 2),
    BadFile(
        name: "a negative horizon", content: BadFile.hourly(400),
        arguments: ["--column", "value", "--horizon", "-5"], says: ["-5"], status: 2),
    BadFile(
        name: "an absurd horizon", content: BadFile.hourly(400),
        arguments: ["--column", "value", "--horizon", "1000000"], says: ["horizon", "1000000"],
        status: 2),
]

@Suite struct BadInputTests {
    @Test(arguments: badFiles)
    fileprivate func `a file that cannot be forecast gets one clear sentence`(_ bad: BadFile)
        throws
    {
        try withTemporaryFolder { folder in
            let file = folder.appending(path: "data.csv")
            try Data(bad.content.utf8).write(to: file)
            let outcome = try Executable.run(
                ["forecast", "data.csv", "--plot", "out.svg"] + bad.arguments, in: folder)
            #expect(outcome.status == bad.status, "\(outcome.errors)")
            #expect(outcome.output == "")
            for part in bad.says {
                #expect(
                    outcome.errors.localizedCaseInsensitiveContains(part),
                    "\(outcome.errors) does not say \(part)")
            }
            #expect(!outcome.errors.contains("Fatal error"))
            #expect(!FileManager.default.fileExists(atPath: folder.appending(path: "out.svg").path))
        }
    }

    @Test func `unsorted rows are sorted, and the forecast is that of the sorted file`() throws {
        try withTemporaryFolder { folder in
            let value: (Int) -> String = { String(10 + 3 * sin(Double($0) / 24 * 2 * .pi)) }
            let sorted = BadFile.rows(0..<400, value: value)
            let swapped = BadFile.rows([1, 0] + Array(2..<400), value: value)
            var answers: [String] = []
            for content in [sorted, swapped] {
                try Data(content.utf8).write(to: folder.appending(path: "data.csv"))
                let outcome = try Executable.run(
                    [
                        "forecast", "data.csv", "--column", "value", "--horizon", "24", "--lag",
                        "48", "--family", "seasonal-naive", "--json",
                    ], in: folder)
                #expect(outcome.status == 0, "\(outcome.errors)")
                answers.append(outcome.output)
            }
            #expect(answers[0] == answers[1])
        }
    }

    @Test func `a missing file is named`() throws {
        try withTemporaryFolder { folder in
            let outcome = try Executable.run(
                ["forecast", "nowhere.csv", "--column", "x", "--horizon", "24"], in: folder)
            #expect(outcome.status == 1)
            #expect(outcome.errors.contains("nowhere.csv"))
        }
    }

    @Test func `an unreachable database is one sentence without the password`() throws {
        try withTemporaryFolder { folder in
            let outcome = try Executable.run(
                ["migrate"], in: folder,
                environment: ["DATABASE_URL": "postgres://u:sesame@127.0.0.1:1/none"])
            #expect(outcome.status == 1)
            #expect(outcome.errors.contains("127.0.0.1"))
            #expect(!outcome.errors.contains("sesame"))
            #expect(outcome.errors.split(separator: "\n").count == 1)
        }
    }
}
