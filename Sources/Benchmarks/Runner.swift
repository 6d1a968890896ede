import Foundation

/// Prepares the benchmarks one after the other, runs them and collects the figures.
struct Runner {
    let trial: Trial
    /// As asked for on the command line.
    let threads: Int?
    let peers: Peers
    let databases: Databases

    func run(_ benchmarks: [Benchmark]) async throws -> Report {
        let machine = Report.Machine.current()
        var report = Report(machine: machine)
        let folder = try ScratchFolder()
        for benchmark in benchmarks {
            for count in benchmark.threads.counts(requested: threads, cores: machine.cores) {
                if Task.isCancelled { break }
                let setting = Setting(
                    threads: count, peers: peers, databases: databases, folder: folder)
                do {
                    report.benchmarks.append(try await measure(benchmark, setting))
                } catch {
                    report.failures.append(
                        Report.Failure(name: benchmark.name, threads: count, reason: "\(error)"))
                }
            }
        }
        peers.close()
        report.machine.postgres = databases.serverInWords
        // In a task of its own: this one may have been cancelled, and the cleaning up is not.
        await Task { [databases] in await databases.close() }.value
        do { try folder.remove() } catch { Progress.say("\(folder.path) is left over") }
        return report
    }

    private func measure(_ benchmark: Benchmark, _ setting: Setting) async throws -> Report.Entry {
        let plural = setting.threads == 1 ? "1 thread" : "\(setting.threads) threads"
        Progress.say("\(benchmark.name), \(plural) …")
        PeakMemory.reset()
        let contest = try await benchmark.prepare(setting)
        let present = contest.opponents.compactMap { opponent in
            if case .present(let contestant) = opponent { contestant } else { nil }
        }
        let samples: [Trial.Samples]
        do {
            samples = try await trial.run([contest.ours] + present + contest.stages)
        } catch {
            // The first error counts; what is left over goes with the scratch folder.
            try? await contest.finish()
            throw error
        }
        var entry = try Self.entry(benchmark, setting, contest, samples)
        entry.figures = try await contest.figures()
        try await contest.finish()
        return entry
    }

    private static func entry(
        _ benchmark: Benchmark, _ setting: Setting, _ contest: Contest, _ samples: [Trial.Samples]
    ) throws -> Report.Entry {
        let ours = Summary(samples[0].seconds)
        var theirs = samples.dropFirst().dropLast(contest.stages.count)
        let stages = zip(contest.stages, samples.suffix(contest.stages.count)).map {
            Report.Stage(name: $0.name, medianSeconds: Summary($1.seconds).median)
        }
        let opponents = try contest.opponents.map { opponent in
            try Placed(opponent) { theirs.removeFirst() }
        }
        // Whoever is absent leaves the first place to the next one, which is then named.
        let place = opponents.firstIndex(where: \.isPresent)
        let first = place.map { opponents[$0] }
        let others = opponents.indices.filter { index in
            // The absence of the first one is told in the note.
            index != place && (index > 0 || opponents[index].isPresent)
        }.map { opponents[$0] }
        return Report.Entry(
            name: benchmark.name, threads: setting.threads, medianSeconds: ours.median,
            spread: ours.spread, opponent: first?.name,
            opponentMedianSeconds: first?.summary?.median, ratio: first?.ratio(to: ours),
            opponentSpread: first?.summary?.spread,
            opponentNote: place == 0 ? nil : opponents.first.flatMap(\.reason),
            opponentPeakMemoryBytes: first?.peakMemoryBytes,
            otherOpponents: others.map { opponent in
                Report.Other(
                    opponent: opponent.name, medianSeconds: opponent.summary?.median,
                    ratio: opponent.ratio(to: ours), note: opponent.note)
            },
            stages: stages, what: contest.what, runs: samples[0].seconds.count,
            perSecond: contest.work.amount / ours.median, perSecondUnit: contest.work.unit,
            peakMemoryBytes: PeakMemory.bytes())
    }
}

/// An opponent with its figures, or with the reason why it has none.
private struct Placed {
    let name: String
    var summary: Summary?
    var note: String?
    var peakMemoryBytes: Int?

    var isPresent: Bool { summary != nil }

    init(_ opponent: Opponent, samples: () -> Trial.Samples) throws {
        switch opponent {
        case .present(let contestant):
            name = contestant.name
            summary = Summary(samples().seconds)
            peakMemoryBytes = try contestant.peakMemory()
        case .absent(let name, let reason):
            self.name = name
            note = reason
        }
    }

    /// Why it has no figures, with its name; nil where it has.
    var reason: String? { note.map { "\(name): \($0)" } }

    func ratio(to ours: Summary) -> Double? { summary.map { $0.median / ours.median } }
}

/// What the tool says beside its results, so that nobody wonders whether it still runs.
enum Progress {
    static func say(_ text: String) {
        // A closed terminal is no reason to stop measuring.
        try? FileHandle.standardError.write(contentsOf: Data((text + "\n").utf8))
    }
}
