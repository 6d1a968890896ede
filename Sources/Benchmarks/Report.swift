import Foundation
import Tensors

/// The figures of one run of this tool.
struct Report: Codable {
    var benchmarks: [Entry] = []
    /// Benchmarks that could not be run; the others go on.
    var failures: [Failure] = []
    var machine: Machine

    /// What was measured on.
    struct Machine: Codable {
        let processor: String
        let cores: Int
        /// The core type that OpenBLAS runs for, by its own name.
        let openblasCore: String
        /// The variant of our own kernels.
        let kernels: String
        /// Version and durability of the server; null where no benchmark needed one.
        var postgres: String?

        enum CodingKeys: String, CodingKey {
            case processor, cores, kernels, postgres
            case openblasCore = "openblas_core"
        }

        func encode(to encoder: any Encoder) throws {
            var box = encoder.container(keyedBy: CodingKeys.self)
            try box.encode(processor, forKey: .processor)
            try box.encode(cores, forKey: .cores)
            try box.encode(openblasCore, forKey: .openblasCore)
            try box.encode(kernels, forKey: .kernels)
            try box.encode(postgres, forKey: .postgres)
        }
    }

    /// A benchmark without figures, and why.
    struct Failure: Codable {
        let name: String
        let threads: Int
        let reason: String
    }

    /// The report as JSON, keys in order, so that two reports can be compared line by line.
    func json() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(self), as: UTF8.self)
    }
}

extension Report {
    /// One benchmark at one thread count.
    struct Entry: Codable {
        let name: String
        let threads: Int
        let medianSeconds: Double
        /// (p90 − p10) ÷ median over the rounds.
        let spread: Double
        /// Null where nobody could be compared with.
        let opponent: String?
        let opponentMedianSeconds: Double?
        /// Opponent ÷ ours: above one where ours is faster.
        let ratio: Double?

        let opponentSpread: Double?
        /// Why the one that is meant to be compared with is not; null where it is.
        let opponentNote: String?
        let opponentPeakMemoryBytes: Int?
        /// Further opponents of the same rounds.
        let otherOpponents: [Other]
        /// Parts of our own work, in their order; nil in reports from before there were any.
        let stages: [Stage]?
        let what: String
        /// Rounds; each one is a sample of every contestant.
        let runs: Int
        let perSecond: Double
        let perSecondUnit: String
        /// The high water mark of this process; it holds the opponents' data too where they run
        /// in it.
        let peakMemoryBytes: Int
        /// What else was measured, by names that tell the unit; null in older reports.
        var figures: [String: Double]?

        enum CodingKeys: String, CodingKey {
            case name, threads, spread, opponent, ratio, stages, what, runs, figures
            case medianSeconds = "median_seconds"
            case opponentMedianSeconds = "opponent_median_seconds"
            case opponentSpread = "opponent_spread"
            case opponentNote = "opponent_note"
            case opponentPeakMemoryBytes = "opponent_peak_memory_bytes"
            case otherOpponents = "other_opponents"
            case perSecond = "per_second"
            case perSecondUnit = "per_second_unit"
            case peakMemoryBytes = "peak_memory_bytes"
        }

        /// By hand, since the generated one leaves out keys that are null.
        func encode(to encoder: any Encoder) throws {
            var box = encoder.container(keyedBy: CodingKeys.self)
            try box.encode(name, forKey: .name)
            try box.encode(threads, forKey: .threads)
            try box.encode(medianSeconds, forKey: .medianSeconds)
            try box.encode(spread, forKey: .spread)
            try box.encode(opponent, forKey: .opponent)
            try box.encode(opponentMedianSeconds, forKey: .opponentMedianSeconds)
            try box.encode(ratio, forKey: .ratio)
            try box.encode(opponentSpread, forKey: .opponentSpread)
            try box.encode(opponentNote, forKey: .opponentNote)
            try box.encode(opponentPeakMemoryBytes, forKey: .opponentPeakMemoryBytes)
            try box.encode(otherOpponents, forKey: .otherOpponents)
            try box.encode(stages ?? [], forKey: .stages)
            try box.encode(what, forKey: .what)
            try box.encode(runs, forKey: .runs)
            try box.encode(perSecond, forKey: .perSecond)
            try box.encode(perSecondUnit, forKey: .perSecondUnit)
            try box.encode(peakMemoryBytes, forKey: .peakMemoryBytes)
            try box.encode(figures, forKey: .figures)
        }
    }

    /// A part of our own work, measured alone in the same rounds.
    struct Stage: Codable {
        let name: String
        let medianSeconds: Double

        enum CodingKeys: String, CodingKey {
            case name
            case medianSeconds = "median_seconds"
        }
    }

    /// One more opponent of the same rounds; one that could not run has a note only.
    struct Other: Codable {
        let opponent: String
        let medianSeconds: Double?
        let ratio: Double?
        let note: String?

        enum CodingKeys: String, CodingKey {
            case opponent, ratio, note
            case medianSeconds = "opponent_median_seconds"
        }

        func encode(to encoder: any Encoder) throws {
            var box = encoder.container(keyedBy: CodingKeys.self)
            try box.encode(opponent, forKey: .opponent)
            try box.encode(medianSeconds, forKey: .medianSeconds)
            try box.encode(ratio, forKey: .ratio)
            try box.encode(note, forKey: .note)
        }
    }
}

extension Report.Machine {
    /// This machine.
    static func current() -> Report.Machine {
        let information = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
        let line = information.split(separator: "\n").first { $0.hasPrefix("model name") }
        let name = line?.split(separator: ":").last.map { $0.trimmingPrefix(" ") }
        return Report.Machine(
            processor: name.map { String($0) } ?? "unknown",
            cores: ProcessInfo.processInfo.activeProcessorCount,
            openblasCore: ProcessorSetup.openBLASCore, kernels: ProcessorSetup.kernelVariant)
    }
}
