import Foundation

/// How often and how long the contestants of one benchmark run.
struct Trial: Sendable {
    /// A figure of fewer rounds has no spread worth the name.
    static let roundsMinimum = 5
    static let roundsMaximum = 1000
    /// A shorter sample would be the clock's and the scheduler's more than the subject's.
    static let sampleSecondsMinimum = 0.02

    /// Exactly so many rounds; nil for as many as fit into `seconds`.
    let rounds: Int?
    /// For all contestants together, without warming up.
    let seconds: Double

    /// What a contestant took.
    struct Samples {
        /// Seconds per run, in the order of the rounds.
        var seconds: [Double] = []
        /// Runs behind each of them.
        let repetitions: Int
    }

    /// Runs the contestants in turn, A B A B …, so that what disturbs the machine disturbs all.
    func run(_ contestants: [Contestant]) async throws -> [Samples] {
        var all: [Samples] = []
        for contestant in contestants {
            all.append(Samples(repetitions: try await repetitions(of: contestant)))
        }
        let start = ContinuousClock.now
        var round = 0
        while wantsMore(afterRounds: round, elapsed: (ContinuousClock.now - start) / .seconds(1)) {
            for index in contestants.indices {
                try Task.checkCancellation()
                let count = all[index].repetitions
                let seconds = try await contestants[index].measure(count)
                all[index].seconds.append(seconds / Double(count))
            }
            round += 1
        }
        return all
    }

    func wantsMore(afterRounds count: Int, elapsed: Double) -> Bool {
        if let rounds { return count < rounds }
        return count < Self.roundsMinimum || (elapsed < seconds && count < Self.roundsMaximum)
    }

    /// Runs per sample, found from the second call: the first one fills caches and makes plans.
    private func repetitions(of contestant: Contestant) async throws -> Int {
        guard !contestant.isLong else { return 1 }
        keep(try await contestant.measure(1))
        let once = try await contestant.measure(1)
        guard once < Self.sampleSecondsMinimum else { return 1 }
        return Int((Self.sampleSecondsMinimum / max(once, 1e-7)).rounded(.up))
    }
}

/// Median and spread of some samples.
struct Summary {
    let median: Double
    /// (90th percentile − 10th percentile) ÷ median: 0.05 means that four in five samples lie
    /// within about five per cent of each other.
    let spread: Double

    init(_ samples: [Double]) {
        precondition(!samples.isEmpty, "Summary: no samples")
        let sorted = samples.sorted()
        median = Self.quantile(0.5, sorted)
        spread = (Self.quantile(0.9, sorted) - Self.quantile(0.1, sorted)) / median
    }

    /// Linear between neighbours, as NumPy's default.
    private static func quantile(_ p: Double, _ sorted: [Double]) -> Double {
        let place = p * Double(sorted.count - 1)
        let low = Int(place)
        let high = min(low + 1, sorted.count - 1)
        return sorted[low] + (place - Double(low)) * (sorted[high] - sorted[low])
    }
}

/// The most memory that this process has held since the last reset.
enum PeakMemory {
    /// Forgets the peak. What the allocator keeps of earlier benchmarks still counts.
    static func reset() {
        // Where the kernel refuses, the figure is the peak of the whole process: still a bound.
        try? Data("5".utf8).write(to: URL(filePath: "/proc/self/clear_refs"))
    }

    /// Bytes; 0 where the system does not tell.
    static func bytes() -> Int {
        let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
        let line = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
        let number = line?.split(separator: " ").dropFirst().first.flatMap { Int($0) }
        return (number ?? 0) * 1024
    }
}
