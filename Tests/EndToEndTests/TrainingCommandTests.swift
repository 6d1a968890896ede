import Foundation
import Postgres
import TestSupport
import Testing

@Suite struct TrainingCommandTests {
    @Test func `a stored series is trained, shown, repeated and rolled back from the shell`()
        async throws
    {
        try await withTestDatabase { database in
            try await storeDailyWave(as: "plant.shell", hours: 500, on: database.pool)
            try await withFolder { folder in
                let environment = ["DATABASE_URL": database.url]
                func systole(_ arguments: String...) throws -> Executable.Outcome {
                    try Executable.run(arguments, in: folder, environment: environment)
                }
                let worker = try Executable.start(
                    ["work", "--role", "train,schedule"], in: folder, environment: environment)
                let trained = try systole(
                    "train", "--series", "plant.shell", "--family", "seasonal-naive,ridge",
                    "--seed",
                    "3", "--horizon", "12")
                #expect(trained.status == 0, "\(trained.errors)")
                #expect(trained.output.contains("ridge") && trained.output.contains("live"))

                let watched = try systole("job", "watch", "1")
                #expect(watched.status == 0 && watched.output.hasSuffix("job 1 is done\n"))
                let job = try systole("job", "show", "1")
                #expect(job.output.contains("job 1 is done (train)"), "\(job.errors)")
                worker.process.terminate()
                #expect(worker.outcome().status == 0)

                let live = try await database.pool.run(
                    "SELECT model_id FROM systole.models WHERE stage = 'live'"
                ).only().int64("model_id")
                let shown = try systole("model", "show", "\(live)")
                #expect(shown.status == 0, "\(shown.errors)")
                for part in [
                    "seed 3", "500: 400 to learn from", "SHA-256", "openblas:", "reason: ",
                ] {
                    #expect(shown.output.contains(part), "\(part) is not in \(shown.output)")
                }
                let json = try systole("model", "show", "\(live)", "--json")
                let record = try #require(
                    try JSONSerialization.jsonObject(with: Data(json.output.utf8))
                        as? [String: Any])
                let filing = try #require(record["filing"] as? [String: Any])
                #expect((filing["tensorsSHA256"] as? String)?.count == 64)

                let back = try systole("model", "rollback", "--series", "plant.shell")
                #expect(back.status == 1 && back.errors.contains("was live before"))
                let other = live == 1 ? 2 : 1
                #expect(try systole("model", "promote", "\(other)").status == 0)
                let again = try systole("model", "rollback", "--series", "plant.shell")
                #expect(again.output == "model \(live) is live\n", "\(again.errors)")
            }
        }
    }

    @Test func `a model from a file records the digest of the file, and is the same again`() throws
    {
        try withTemporaryFolder { folder in
            let rows = (0..<300).map { hour in
                "2024-01-\(String(format: "%02d", 1 + hour / 24))T"
                    + "\(String(format: "%02d", hour % 24)):00:00Z,"
                    + "\(10 + 3 * sin(Double(hour) / 24 * 2 * .pi) + sin(Double(hour) * 12.9898))"
            }
            let text = "time,value\n" + rows.joined(separator: "\n") + "\n"
            try text.write(
                to: folder.appending(path: "data.csv"), atomically: true, encoding: .utf8)
            func train(_ out: String) throws -> [String: Any] {
                let outcome = try Executable.run(
                    [
                        "train", "data.csv", "--horizon", "12", "--family", "spacetime", "--lag",
                        "48", "--epochs", "2", "--seed", "9", "--out", out, "--json",
                    ], in: folder)
                #expect(outcome.status == 0, "\(outcome.errors)")
                return try #require(
                    try JSONSerialization.jsonObject(with: Data(outcome.output.utf8))
                        as? [String: Any])
            }
            let (first, second) = (try train("a.safetensors"), try train("b.safetensors"))
            #expect((first["dataDigest"] as? String)?.count == 64)
            #expect(first["seed"] as? Int == 9)
            #expect(first["validationMSE"] as? Double == second["validationMSE"] as? Double)
            let trainings = try #require(first["trainings"] as? [[String: Any]])
            let record = try #require(trainings.first?["record"] as? [String: Any])
            #expect((record["epochs"] as? [Any])?.count == 2)
            let shown = try Executable.run(
                ["model", "show", "--file", "a.safetensors"], in: folder)
            #expect(shown.output.contains("data: SHA-256 \(first["dataDigest"] as? String ?? "")"))
            #expect(shown.output.contains("epochs: 2, the best is"))
        }
    }

    struct Wrong: CustomTestStringConvertible, Sendable {
        let arguments: [String]
        let says: String
        var status: Int32 = 2
        var testDescription: String { arguments.joined(separator: " ") }
    }

    @Test(arguments: [
        Wrong(arguments: ["--family", "oracle"], says: "accepted are auto, seasonal-naive"),
        Wrong(arguments: ["--family", "ridge,oracle"], says: "--family oracle"),
        Wrong(arguments: ["--family", ""], says: "--family"),
        Wrong(arguments: ["--seed", "-1"], says: "seed"),
        Wrong(arguments: ["--seed", "9223372036854775808"], says: "above"),
        Wrong(arguments: ["--threads", "0"], says: "outside 1 to 256"),
        Wrong(arguments: ["--epochs", "3"], says: "for a CSV file"),
        Wrong(arguments: ["--lag", "48"], says: "for a CSV file"),
        Wrong(arguments: ["--horizon", "0"], says: "outside 1 to 10000"),
        Wrong(arguments: ["--horizon", "24"], says: "There is no series 'no.such'", status: 1),
    ])
    func `what a training cannot be is said in a sentence`(_ wrong: Wrong) async throws {
        try await withTestDatabase { database in
            try await withFolder { folder in
                let outcome = try Executable.run(
                    ["train", "--series", "no.such"] + wrong.arguments, in: folder,
                    environment: ["DATABASE_URL": database.url])
                #expect(outcome.status == wrong.status, "\(outcome.errors)")
                #expect(outcome.errors.contains(wrong.says), "\(outcome.errors)")
            }
        }
    }

    @Test func `a job that nobody knows is said`() async throws {
        try await withTestDatabase { database in
            try await withFolder { folder in
                for command in ["show", "watch"] {
                    let outcome = try Executable.run(
                        ["job", command, "77"], in: folder,
                        environment: ["DATABASE_URL": database.url])
                    #expect(outcome.status == 1)
                    #expect(outcome.errors.contains("There is no job 77"), "\(outcome.errors)")
                }
            }
        }
    }
}
