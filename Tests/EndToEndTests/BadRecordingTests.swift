import ClassifierFixture
import Foundation
import Testing

/// One wrong recording, and what its row has to say.
private struct BadRecording: CustomTestStringConvertible, Sendable {
    let name: String
    /// Files of the record `r`, made from a good one.
    let spoil: @Sendable (Ward) throws -> Void
    /// The word of the refusal; nil where there are findings all the same.
    let code: String?
    /// A part of the sentence.
    var says = ""
    /// The word of a note.
    var note: String?

    var testDescription: String { name }

    /// Changes the header's text.
    static func header(
        _ name: String, code: String?, says: String = "", note: String? = nil,
        _ change: @escaping @Sendable (String) -> String
    ) -> BadRecording {
        BadRecording(
            name: name,
            spoil: { ward in
                try ward.write("r.hea", change(try ward.text("ward3/r.hea")))
            }, code: code, says: says, note: note)
    }

    /// Changes the samples, 12 leads side by side.
    static func samples(
        _ name: String, code: String?, says: String = "", note: String? = nil,
        _ change: @escaping @Sendable (inout [UInt8]) -> Void
    ) -> BadRecording {
        BadRecording(
            name: name,
            spoil: { ward in
                var bytes = [UInt8](
                    try Data(contentsOf: ward.ward3.appending(path: "r.dat")))
                change(&bytes)
                try ward.write("r.dat", bytes)
            }, code: code, says: says, note: note)
    }
}

/// Gives every sample of a lead the value that `value` says.
private func set(_ lead: Int, in bytes: inout [UInt8], _ value: (Int) -> Int16?) {
    for frame in 0..<bytes.count / 24 {
        guard let new = value(frame) else { continue }
        let bits = UInt16(bitPattern: new)
        bytes[frame * 24 + 2 * lead] = UInt8(truncatingIfNeeded: bits)
        bytes[frame * 24 + 2 * lead + 1] = UInt8(bits >> 8)
    }
}

private let badRecordings: [BadRecording] = [
    .samples("a truncated signal file", code: nil, note: "truncated") {
        $0.removeLast(24 * 2000 + 3)
    },
    .samples("a signal file of two seconds", code: "too_short", says: "2 s") {
        $0.removeLast(24 * 4000)
    },
    .samples("a signal file without samples", code: "no_samples", says: "no samples") {
        $0.removeAll()
    },
    .samples("a lead that is all missing", code: nil, note: "samples_missing") {
        set(6, in: &$0) { _ in -32768 }
    },
    .samples("a flat lead", code: nil, note: "lead_flat") { set(6, in: &$0) { _ in 7 } },
    .samples("a saturated lead", code: nil, note: "lead_saturated") { bytes in
        set(6, in: &bytes) { $0 % 400 < 100 ? 2000 : $0 % 400 < 200 ? -2000 : nil }
    },
    .samples("all leads flat", code: "lead_flat", says: "12 of 12 leads") { bytes in
        for lead in 0..<12 { set(lead, in: &bytes) { _ in 0 } }
    },
    .samples("leads that contradict each other", code: "lead_inconsistent", says: "contradict") {
        set(0, in: &$0) { $0 % 400 < 20 ? 3000 : 0 }
    },
    .header("a header that promises more samples", code: nil, note: "truncated") {
        $0.replacing(" 5000\n", with: " 500000\n")
    },
    .header("a header that promises 10^12 samples", code: nil, note: "truncated") {
        $0.replacing(" 5000\n", with: " 1000000000000\n")
    },
    .header("a header of another format", code: "unit_suspect", says: "mV") {
        $0.replacing(".dat 16 ", with: ".dat 32 ")
    },
    .header("a format that is not known", code: "file_malformed", says: "format 17") {
        $0.replacing(".dat 16 ", with: ".dat 17 ")
    },
    .header("a missing lead", code: nil, note: "lead_missing") {
        $0.replacing(" V3\n", with: " resp\n")
    },
    .header("four missing leads", code: "lead_missing", says: "V1, V2, V3, V4") {
        $0.replacing(/\ V[1-4]\n/, with: " resp\n")
    },
    .header("a lead twice", code: "lead_duplicate", says: "lead V2") {
        $0.replacing(" V1\n", with: " V2\n")
    },
    .header("a unit that is no voltage", code: "unit_unknown", says: "mmHg") {
        $0.replacing("1000/mV", with: "1000/mmHg")
    },
    .header("a gain that is wrong by a thousand", code: "unit_suspect", says: "0.1 to 20 mV") {
        $0.replacing("1000/mV", with: "1/mV")
    },
    .header("a gain that is no number", code: "file_malformed", says: "gain is \"many/mV\"") {
        $0.replacing("1000/mV", with: "many/mV")
    },
    .header("a rate of nothing", code: "file_malformed", says: "sampling rate is \"0\"") {
        $0.replacing("r 12 500 ", with: "r 12 0 ")
    },
    .header("a rate too low", code: "rate_unsupported", says: "10 Hz") {
        $0.replacing("r 12 500 ", with: "r 12 10 ")
    },
    .header("a signal file in another folder", code: "file_malformed", says: "beside the header") {
        $0.replacing("r.dat 16", with: "../../etc/passwd 16")
    },
    .header(
        "a header of signals that are not described", code: "file_malformed", says: "promises 13"
    ) {
        $0.replacing("r 12 ", with: "r 13 ")
    },
    .header("a header that is empty", code: "file_malformed", says: "no record line") { _ in "" },
    .header("a header line of fifty megabytes", code: "file_too_large", says: "too large") {
        $0 + "# " + String(repeating: "x", count: 50_000_000) + "\n"
    },
    BadRecording(
        name: "a signal file that is not there",
        spoil: { ward in
            try FileManager.default.removeItem(at: ward.ward3.appending(path: "r.dat"))
        }, code: "file_unreadable", says: "no such file"),
    BadRecording(
        name: "a signal file that is a folder",
        spoil: { ward in
            let file = ward.ward3.appending(path: "r.dat")
            try FileManager.default.removeItem(at: file)
            try FileManager.default.createDirectory(at: file, withIntermediateDirectories: false)
        }, code: "file_unreadable", says: "folder"),
    BadRecording(
        name: "a signal file that is a loop of links",
        spoil: { ward in
            let file = ward.ward3.appending(path: "r.dat")
            try FileManager.default.removeItem(at: file)
            try FileManager.default.createSymbolicLink(
                atPath: file.path, withDestinationPath: "r.dat")
        }, code: "file_unreadable", says: "loop"),
]

@Suite struct BadRecordingTests {
    @Test(arguments: badRecordings)
    fileprivate func `a bad recording costs its own row, with the reason`(
        _ bad: BadRecording
    ) throws {
        try Ward.visit { ward in
            try SyntheticECG(seed: 4).write("good", to: ward.ward3)
            try SyntheticECG(seed: 4).write("r", to: ward.ward3)
            try bad.spoil(ward)
            let outcome = try ward.classify("ward3", "--json")
            #expect(outcome.status == 0, "\(outcome.errors)")
            let answers = try ward.answers(outcome.output)
            try #require(answers.map(\.recording) == ["ward3/good", "ward3/r"])
            #expect(answers[0].findings.count > 1 && answers[0].abstained == nil)
            #expect(answers.allSatisfy { $0.intendedUse == "research_only" })
            #expect(answers[1].abstained?.code == bad.code, "\(outcome.output)")
            #expect((answers[1].abstained == nil) == !answers[1].findings.isEmpty)
            let reason = answers[1].abstained?.reason ?? ""
            #expect(bad.says.isEmpty || reason.contains(bad.says), "\(reason)")
            if let note = bad.note {
                #expect(answers[1].notes.contains { $0.code == note }, "\(answers[1].notes)")
            }
        }
    }

    @Test func `only bad files are a failure, and each says why`() throws {
        try Ward.visit { ward in
            try ward.write("1.edf", "this is no EDF file")
            try ward.write("2.csv", "I,II\n1,x\n")
            try ward.write("3.bdf", [UInt8](repeating: 255, count: 300))
            let outcome = try ward.classify("ward3", "--json")
            #expect(outcome.status == 1)
            let answers = try ward.answers(outcome.output)
            #expect(answers.count == 3)
            #expect(answers.allSatisfy { $0.abstained?.code == "file_malformed" })
            try Data("x".utf8).write(to: ward.folder.appending(path: "1.txt"))
            let told = try ward.classify("ward3/1.edf", "1.txt", "--json")
            #expect(
                try ward.answers(told.output).map { $0.abstained?.code }
                    == ["file_malformed", "format_unknown"])
        }
    }

    @Test func `samples without their header are told, not passed over`() throws {
        try Ward.visit { ward in
            try SyntheticECG(seed: 1).write("good", to: ward.ward3)
            for name in ["x.mat", "y.dat"] {
                try ward.write(name, [UInt8](repeating: 1, count: 99))
            }
            let outcome = try ward.classify("ward3", "--json")
            #expect(outcome.status == 0)
            let answers = try ward.answers(outcome.output)
            #expect(answers.map(\.recording) == ["ward3/good", "ward3/x.mat", "ward3/y.dat"])
            #expect(
                answers.map { $0.abstained?.code } == [nil, "header_missing", "header_missing"])
            let told = try ward.classify("ward3/x.mat", "--json")
            #expect(told.status == 1)
            #expect(told.output.contains("header_missing"))
        }
    }

    @Test func `a file without permission is one row`() throws {
        try Ward.visit { ward in
            try SyntheticECG(seed: 1).write("good", to: ward.ward3)
            try SyntheticECG(seed: 1).write("r", to: ward.ward3)
            let file = ward.ward3.appending(path: "r.dat").path
            try FileManager.default.setAttributes([.posixPermissions: 0], ofItemAtPath: file)
            let outcome = try ward.classify("ward3", "--json")
            #expect(outcome.status == 0)
            let answers = try ward.answers(outcome.output)
            // The superuser reads what nobody may.
            let isReadable = FileManager.default.isReadableFile(atPath: file)
            #expect(answers[1].abstained?.code == (isReadable ? nil : "file_unreadable"))
            #expect(answers[0].findings.count > 1)
        }
    }
}
