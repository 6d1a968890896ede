import ClassifierFixture
import Foundation
import Testing

/// A folder with a classifier, made recordings, and the executable on them.
struct Ward {
    let folder: URL
    let model: String

    /// Lends a ward, and removes it.
    static func visit<T>(_ body: (Ward) throws -> T) throws -> T {
        try withTemporaryFolder { folder in
            try FileManager.default.createDirectory(
                at: folder.appending(path: "ward3"), withIntermediateDirectories: true)
            return try body(Ward(folder: folder, model: ShippedClassifier.path))
        }
    }

    var ward3: URL { folder.appending(path: "ward3") }

    func write(_ name: String, _ bytes: some Sequence<UInt8>) throws {
        try Data(bytes).write(to: ward3.appending(path: name))
    }

    func write(_ name: String, _ text: String) throws { try write(name, text.utf8) }

    func text(_ name: String) throws -> String {
        try String(contentsOf: folder.appending(path: name), encoding: .utf8)
    }

    func exists(_ name: String) -> Bool {
        FileManager.default.fileExists(atPath: folder.appending(path: name).path)
    }

    func classify(
        _ arguments: String..., environment: [String: String] = [:]
    ) throws -> Executable.Outcome {
        try Executable.run(
            ["classify"] + arguments + ["--model", model], in: folder, environment: environment)
    }

    /// `recording code|reason` of each line of a file of JSON lines.
    func answers(_ lines: String) throws -> [Answer] {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try lines.split(separator: "\n").map {
            try decoder.decode(Answer.self, from: Data($0.utf8))
        }
    }

    struct Answer: Decodable, Equatable {
        struct Refusal: Decodable, Equatable {
            let code: String
            let reason: String
        }

        struct Note: Decodable, Equatable {
            let code: String
        }

        struct Finding: Decodable, Equatable {
            struct Support: Decodable, Equatable {
                let windowSeconds: Double
                let leads: [String: [Double]]
            }

            let abbreviation: String
            let probability: Double
            let positive: Bool
            let support: Support?
        }

        let recording: String
        let abstained: Refusal?
        let notes: [Note]
        let findings: [Finding]
        let quality: Double?
        let intendedUse: String
    }
}

@Suite struct ClassifyTests {
    @Test func `a folder gives a row a class, the same on any number of threads`() throws {
        try Ward.visit { ward in
            for number in 0..<20 {
                try SyntheticECG(seed: number, isInverted: number % 4 == 0).write(
                    "r\(number)", to: ward.ward3)
            }
            for threads in ["1", "2"] {
                let outcome = try ward.classify(
                    "ward3", "--out", "out\(threads).csv", "--threads", threads)
                #expect(outcome.status == 0, "\(outcome.errors)")
                #expect(outcome.output.contains("20 recordings: 20 classified, 0 abstained"))
                #expect(outcome.errors == "")
            }
            let one = try ward.text("out1.csv")
            #expect(try one == ward.text("out2.csv"))
            let rows = one.split(separator: "\n")
            let classes = try ShippedClassifier.classes()
            #expect(rows.count == 1 + 20 * classes.count)
            #expect(rows[0].hasPrefix("recording,content_sha256,code,system,abbreviation,name,"))
            #expect(rows[1].hasPrefix("ward3/r0,") && rows[1].contains(",\(classes[0]),"))
            #expect(rows[1 + classes.count].hasPrefix("ward3/r1,"))
            #expect(rows.dropFirst().allSatisfy { $0.hasSuffix(",research_only") })
            let left = try FileManager.default.contentsOfDirectory(atPath: ward.folder.path)
                .filter { !$0.hasPrefix(".") }
            #expect(Set(left) == ["ward3", "out1.csv", "out2.csv"])
        }
    }

    @Test func `what an interrupted run left is gone on from, and the file is the same`() throws {
        try Ward.visit { ward in
            for number in 0..<6 {
                try SyntheticECG(seed: number).write("r\(number)", to: ward.ward3)
            }
            for out in ["out.csv", "out.jsonl"] {
                #expect(try ward.classify("ward3", "--out", out).status == 0)
                let whole = try ward.text(out)
                // What a run that was killed has left: three recordings and a half, under the name
                // that the same command looks for.
                let part = try #require(try ward.part(out))
                let lines = whole.split(separator: "\n", omittingEmptySubsequences: false)
                let half = lines.prefix(lines.count / 2).joined(separator: "\n") + "\n" + "ward3/r"
                try half.write(
                    to: ward.folder.appending(path: part), atomically: true, encoding: .utf8)
                try FileManager.default.removeItem(at: ward.folder.appending(path: out))
                let again = try ward.classify("ward3", "--out", out)
                #expect(again.output.contains("done before"), "\(again.output)")
                #expect(try ward.text(out) == whole)
                #expect(!ward.exists(part))

                // A recording that changed meanwhile is classified again, and so is what follows.
                try half.write(
                    to: ward.folder.appending(path: part), atomically: true, encoding: .utf8)
                try SyntheticECG(seed: 1, isInverted: true).write("r1", to: ward.ward3)
                #expect(try ward.classify("ward3", "--out", out).status == 0)
                let changed = try ward.text(out)
                #expect(changed != whole)
                #expect(try ward.classify("ward3", "--out", "fresh-" + out).status == 0)
                #expect(try changed == ward.text("fresh-" + out))
                try SyntheticECG(seed: 1).write("r1", to: ward.ward3)
            }
        }
    }

    @Test func `an interruption ends after whole answers, and says so`() throws {
        try Ward.visit { ward in
            try SyntheticECG(seed: 1).write("r", to: ward.ward3)
            for number in 0..<400 {
                try FileManager.default.createSymbolicLink(
                    atPath: ward.ward3.appending(path: "s\(number).hea").path,
                    withDestinationPath: "r.hea")
            }
            let process = Process()
            let (output, errors) = (Pipe(), Pipe())
            process.executableURL = URL(filePath: Executable.path)
            process.arguments = ["classify", ward.ward3.path, "--json", "--model", ward.model]
            (process.standardOutput, process.standardError) = (output, errors)
            try process.run()
            let first = output.fileHandleForReading.availableData
            process.interrupt()
            let rest = try output.fileHandleForReading.readToEnd() ?? Data()
            process.waitUntilExit()
            #expect(process.terminationStatus == 1)
            let told = try #require(
                String(data: try errors.fileHandleForReading.readToEnd() ?? Data(), encoding: .utf8)
            )
            #expect(told.contains("interrupted after"))
            let text = String(decoding: first + rest, as: UTF8.self)
            #expect(text.hasSuffix("}\n"))
            let count = try ward.answers(text).count
            #expect((1..<401).contains(count) && told.contains("after \(count) recordings"))
        }
    }

    @Test func `an explanation names lead and second, and the chart shows it`() throws {
        try Ward.visit { ward in
            try SyntheticECG(seed: 3, isInverted: true).write("r1", to: ward.ward3)
            try SyntheticECG(seed: 3).write("short", to: ward.ward3, leads: SyntheticECG.two)
            let outcome = try ward.classify("ward3", "--explain", "--plot", "charts", "--json")
            #expect(outcome.status == 0, "\(outcome.errors)")
            let answers = try ward.answers(outcome.output)
            #expect(answers.map(\.recording) == ["ward3/r1", "ward3/short"])
            let explained = answers[0].findings.filter { $0.support != nil }
            #expect((1...3).contains(explained.count))
            let support = try #require(explained.first?.support)
            #expect(support.windowSeconds == 1 && support.leads.count == 12)
            #expect(support.leads.values.allSatisfy { $0.count == 10 })
            #expect(support.leads.values.joined().contains { $0 != 0 })
            #expect(answers[1].abstained?.code == "lead_missing")
            // What was found out before the refusal is told.
            #expect((answers[1].quality ?? 0) > 0.5)
            let chart = try ward.text("charts/ward3/r1.svg")
            #expect(chart.contains("speaks for ") && chart.contains("speaks against it"))
            #expect(chart.contains("for research only, not a medical device"))
            #expect(try ward.text("charts/ward3/short.svg").contains("Not classified: "))
        }
    }

    @Test func `the card tells what the classifier is`() throws {
        try Ward.visit { ward in
            let outcome = try ward.classify("--card")
            #expect(outcome.status == 0, "\(outcome.errors)")
            for name in try ShippedClassifier.classes() { #expect(outcome.output.contains(name)) }
            #expect(outcome.output.contains("research_only"))
            let json = try ward.classify("--card", "--json")
            #expect(json.output.contains("\"sha256\""))
        }
    }

    struct Wrong: CustomTestStringConvertible, Sendable {
        let arguments: [String]
        let says: String
        var status: Int32 = 2
        var testDescription: String { arguments.joined(separator: " ") }
    }

    @Test(arguments: [
        Wrong(arguments: [], says: "give files or folders"),
        Wrong(arguments: ["x", "--out", "a.txt"], says: "end in .csv or .jsonl"),
        Wrong(arguments: ["x", "--threads", "0"], says: "outside 1 to 256"),
        Wrong(arguments: ["x", "--rate", "fast"], says: "1 to 100000"),
        Wrong(arguments: ["x", "--revisable"], says: "for --store"),
        Wrong(arguments: ["nowhere"], says: "there is no such file or folder", status: 1),
        Wrong(arguments: ["."], says: "no WFDB header, EDF, BDF or CSV file", status: 1),
    ])
    func `what cannot be is said in a sentence`(_ wrong: Wrong) throws {
        try Ward.visit { ward in
            let outcome = try Executable.run(
                ["classify"] + wrong.arguments + ["--model", ward.model], in: ward.folder)
            #expect(outcome.status == wrong.status, "\(outcome.errors)")
            #expect(
                (outcome.errors + outcome.output).contains(wrong.says),
                "\(outcome.errors) \(outcome.output)")
        }
    }
}

extension Ward {
    /// The name of the part file that the command for `out` uses, learnt from a run that could not finish.
    func part(_ out: String) throws -> String? {
        // The result cannot take its name while a folder has it, so the part stays.
        let target = folder.appending(path: out)
        let kept = folder.appending(path: out + ".kept")
        try FileManager.default.moveItem(at: target, to: kept)
        try FileManager.default.createDirectory(
            at: target.appending(path: "in-the-way"), withIntermediateDirectories: true)
        _ = try classify("ward3", "--out", out)
        try FileManager.default.removeItem(at: target)
        try FileManager.default.moveItem(at: kept, to: target)
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        return names.first { $0.hasPrefix(out + ".part-") }
    }
}
