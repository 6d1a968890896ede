import Foundation
import Testing

/// `systole evaluate anomalies` on sets that the test makes up.
@Suite struct EvaluateAnomaliesTests {
    /// What `--json` prints.
    struct Report: Decodable {
        struct Figures: Decodable {
            let standard: Double?
            let vusPR: Double?
            enum CodingKeys: String, CodingKey {
                case standard
                case vusPR = "vus_pr"
            }
        }
        struct Quiet: Decodable {
            let stepSeconds: Double
            let series: Int
            let weeks: Double
            let perWeek: Double
            enum CodingKeys: String, CodingKey {
                case stepSeconds = "step_seconds"
                case series, weeks
                case perWeek = "per_week"
            }
        }
        struct Result: Decodable {
            let detector: String
            let standard: Double?
            let rewardLowFP: Double?
            let rewardLowFN: Double?
            let vusPR: Double?
            let series: Int
            let seeds: Int?
            let spread: Figures?
            let quietAlerts: [Quiet]?
            enum CodingKeys: String, CodingKey {
                case detector, standard, series, seeds, spread
                case rewardLowFP = "reward_low_FP"
                case rewardLowFN = "reward_low_FN"
                case vusPR = "vus_pr"
                case quietAlerts = "quiet_alerts"
            }
        }
        let results: [Result]
    }

    private func evaluate(
        _ files: [String: Data], _ arguments: [String]
    ) throws -> Executable.Outcome {
        try withTemporaryFolder { folder in
            try LabelledFolders.write(files, to: folder.appending(path: "set"))
            return try Executable.run(
                ["evaluate", "anomalies", "--data", "set", "--threads", "1"] + arguments, in: folder
            )
        }
    }

    private func report(_ outcome: Executable.Outcome) throws -> Report {
        #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(outcome.errors)")
        return try JSONDecoder().decode(Report.self, from: Data(outcome.output.utf8))
    }

    @Test func `series that stand alone are judged by every detector`() throws {
        let report = try report(
            evaluate(LabelledFolders.nab, ["--set", "nab", "--json", "--seeds", "2"]))
        #expect(
            report.results.map(\.detector) == [
                "streaming", "forecast-residual", "incidents", "random", "null",
            ])
        let results = Dictionary(uniqueKeysWithValues: report.results.map { ($0.detector, $0) })
        for one in report.results {
            #expect(one.series == 3)
            #expect(one.standard != nil && one.rewardLowFP != nil && one.rewardLowFN != nil)
            #expect(one.vusPR.map { $0 > 0 && $0 <= 1 } == true)
        }
        #expect(results["null"]?.standard == 0)
        let random = try #require(results["random"])
        #expect(random.seeds == 2 && random.spread?.vusPR.map { $0 > 0 } == true)
        #expect(results["streaming"]?.spread == nil && results["streaming"]?.seeds == nil)
        // A spike of six rows: nobody who looks can miss it.
        for name in ["streaming", "incidents"] {
            let one = try #require(results[name])
            #expect((one.standard ?? 0) > 40, "\(name): \(String(describing: one.standard))")
            let quiet = try #require(one.quietAlerts)
            #expect(quiet.map(\.stepSeconds) == [300, 3_600] && quiet.map(\.series) == [2, 1])
            #expect(quiet.allSatisfy { $0.weeks > 0 && $0.perWeek >= 0 })
        }
        #expect(results["incidents"]?.vusPR == results["forecast-residual"]?.vusPR)
    }

    @Test func `groups of channels are judged by every detector, chance with a spread`() throws {
        let report = try report(
            evaluate(
                LabelledFolders.telemetry,
                ["--set", "smap-msl", "--json", "--seeds", "2", "--steps", "5"]))
        #expect(
            report.results.map(\.detector) == [
                "stackvae", "stackvae-telemetry", "forecast-residual", "streaming", "random",
                "null",
            ])
        for one in report.results {
            #expect(one.series == 2 && one.standard == nil)
            #expect(one.vusPR.map { $0 > 0 && $0 <= 1 } == true)
        }
        #expect(
            report.results.map(\.seeds) == [2, 2, nil, nil, 2, nil]
                && report.results.map { $0.spread?.vusPR != nil }
                    == [true, true, false, false, true, false]
        )
        let null = try #require(report.results.last?.vusPR)
        let residual = try #require(report.results[2].vusPR)
        #expect(residual > 2 * null)
    }

    @Test func `a budget and chosen detectors make a table, the same each time`() throws {
        let arguments = [
            "--set", "nab", "--detector", "null", "--detector", "streaming", "--alerts-per-week",
            "2", "--limit", "2",
        ]
        let outcome = try evaluate(LabelledFolders.nab, arguments)
        #expect(outcome.status == 0, "\(outcome.errors)")
        let lines = outcome.output.split(separator: "\n").map(String.init)
        #expect(lines[0].contains("standard") && lines[0].contains("VUS-PR"))
        #expect(lines[1].hasPrefix("streaming") && lines[2].hasPrefix("null"))
        #expect(lines.contains { $0.contains("3600 s") } && lines.count == 7, "\(outcome.output)")
    }

    // MARK: - Bad input

    struct Wrong: CustomTestStringConvertible, Sendable {
        let name: String
        var set = "nab"
        var arguments: [String] = []
        /// Takes the place of a file; nil takes it away.
        var changes: [String: Data?] = [:]
        let says: [String]
        var status: Int32 = 1
        var testDescription: String { name }
    }

    private static let labels = "labels/combined_windows.json"
    private static func text(_ text: String) -> Data? { Data(text.utf8) }

    private static let wrongs: [Wrong] = [
        Wrong(
            name: "a folder that is not there", arguments: ["--data", "nowhere"],
            says: ["nowhere", "no such folder"], status: 2),
        Wrong(
            name: "an empty folder", arguments: ["--data", "."], says: [labels, "no such file"]),
        Wrong(
            name: "an empty folder for telemetry", set: "smap-msl", arguments: ["--data", "."],
            says: ["labeled_anomalies.csv", "no such file"]),
        Wrong(name: "an unknown set", set: "yahoo", says: ["yahoo"], status: 2),
        Wrong(
            name: "an unknown detector", arguments: ["--detector", "oracle"],
            says: ["oracle", "streaming"], status: 2),
        Wrong(
            name: "a detector of groups on series that stand alone",
            arguments: ["--detector", "stackvae"], says: ["stackvae", "accepted for nab"], status: 2
        ),
        Wrong(name: "no seeds", arguments: ["--seeds", "0"], says: ["--seeds 0"], status: 2),
        Wrong(
            name: "a negative budget", arguments: ["--alerts-per-week=-1"],
            says: ["--alerts-per-week"], status: 2),
        Wrong(
            name: "labels for a file that is absent", changes: ["data/made/five.csv": nil],
            says: ["data/made/five.csv", "no such file"]),
        Wrong(
            name: "labels that are no JSON", changes: [labels: text("{")],
            says: [labels, "JSON", "file names with pairs of times"]),
        Wrong(
            name: "labels of nothing", changes: [labels: text("{}")], says: [labels, "labelled"]),
        Wrong(
            name: "a label between two rows",
            changes: [
                labels: text(
                    #"{"made/five.csv": [["2014-01-01 00:01:00", "2014-01-01 00:10:00"]]}"#)
            ], says: [labels, "made/five.csv", "no row"]),
        Wrong(
            name: "a row that is no number",
            changes: [
                "data/made/five.csv": text(
                    "timestamp,value\n2014-01-01 00:00:00,1\n2014-01-01 00:05:00,one\n")
            ], says: ["data/made/five.csv", "line 3", "a time and a number"]),
        Wrong(
            name: "a row with a column too many",
            changes: [
                "data/made/five.csv": text("timestamp,value\n2014-01-01 00:00:00,1,2\n")
            ], says: ["data/made/five.csv", "line 2"]),
        Wrong(
            name: "a file without rows",
            changes: ["data/made/quiet.csv": text("timestamp,value\n")],
            says: ["data/made/quiet.csv"]),
        Wrong(
            name: "an array that is absent", set: "smap-msl",
            changes: ["test/B-2.npy": nil], says: ["test/B-2.npy", "no such file"]),
        Wrong(
            name: "an array that is none", set: "smap-msl",
            changes: ["train/A-1.npy": text("1,2,3")], says: ["train/A-1.npy", ".npy"]),
        Wrong(
            name: "a test with other columns than the training", set: "smap-msl",
            changes: ["test/A-1.npy": LabelledFolders.array([[1, 2, 3]])],
            says: ["test/A-1.npy", "3 columns"]),
        Wrong(
            name: "a label behind the last row", set: "smap-msl",
            changes: [
                "labeled_anomalies.csv": text(
                    "chan_id,spacecraft,anomaly_sequences,class,num_values\n"
                        + #"A-1,SMAP,"[[390, 400]]",[point],400"#)
            ], says: ["A-1 390 to 400", "no row"]),
        Wrong(
            name: "a line of labels that is none", set: "smap-msl",
            changes: ["labeled_anomalies.csv": text("chan_id\nA-1,SMAP,200,215\n")],
            says: ["labeled_anomalies.csv, line 2"]),
    ]

    @Test(arguments: wrongs)
    func `a set that cannot be judged gets one sentence`(_ wrong: Wrong) throws {
        var files = wrong.set == "nab" ? LabelledFolders.nab : LabelledFolders.telemetry
        for (path, data) in wrong.changes { files[path] = data }
        let outcome = try evaluate(
            files, ["--set", wrong.set, "--detector", "null"] + wrong.arguments)
        #expect(outcome.status == wrong.status, "\(outcome.errors)")
        #expect(outcome.output == "")
        for part in wrong.says {
            #expect(outcome.errors.contains(part), "\(outcome.errors) does not say \(part)")
        }
        if wrong.status == 1 {
            #expect(outcome.errors.split(separator: "\n").count == 1, "\(outcome.errors)")
        }
        #expect(!outcome.errors.contains("Fatal error"))
    }
}
