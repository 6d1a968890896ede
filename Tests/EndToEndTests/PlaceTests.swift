import Foundation
import Testing

@Suite struct PlaceTests {
    @Test func `a chart that cannot be written is one sentence that names the path`() throws {
        try withTemporaryFolder { folder in
            let made = try Executable.run(["simulate", "plant", "--hours", "900"], in: folder)
            try Data(made.output.utf8).write(to: folder.appending(path: "data.csv"))
            let outcome = try Executable.run(
                [
                    "forecast", "data.csv", "--column", "OT", "--horizon", "24", "--family",
                    "seasonal-naive", "--plot", "nowhere/out.svg",
                ], in: folder)
            #expect(outcome.status == 1)
            #expect(outcome.errors.contains("nowhere/out.svg"))
            #expect(outcome.errors.split(separator: "\n").count == 1)
        }
    }

    @Test func `a folder that nobody can write to holds no database`() throws {
        try withTemporaryFolder { folder in
            // Not even root makes a folder in /proc.
            let outcome = try Executable.run(["up", "--folder", "/proc/systole"], in: folder)
            #expect(outcome.status == 1)
            #expect(outcome.errors.contains("/proc/systole"))
            #expect(outcome.errors.contains("cannot be written"))
            #expect(outcome.errors.split(separator: "\n").count == 1)
        }
    }

    @Test func `a source without files is one sentence`() throws {
        try withTemporaryFolder { folder in
            let outcome = try Executable.run(
                ["forecast", ".", "--column", "x", "--horizon", "3"], in: folder)
            #expect(outcome.status == 1)
            #expect(outcome.errors.split(separator: "\n").count == 1)
        }
    }
}
