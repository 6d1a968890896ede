import Signals

/// Two WFDB records, read whole: half an hour of two leads in format 212, as the arrhythmia
/// databases have it, and ten minutes of twelve leads in format 16.
///
/// Limit: memory; 9 MB come in and 20 MB of samples go out, which a core copies in a few
/// milliseconds.
enum WFDBRead {
    static let benchmark = Benchmark("wfdb.read") { setting in
        let narrow = SyntheticSamples.channels(2, count: 650_000)
        let wide = SyntheticSamples.channels(12, count: 300_000)
        let paths = [
            try write(narrow, format: 212, rate: 360, name: "r212", setting.folder),
            try write(wide, format: 16, rate: 500, name: "r16", setting.folder),
        ]
        let sum = SyntheticSamples.sum(narrow) + SyntheticSamples.sum(wide)
        guard try RecordingSum.of(paths.map { try WFDBReader().read(header: $0) }) == sum else {
            throw BenchmarkError("wfdb.read: the samples that were read are not those written")
        }
        return Contest(
            what: "2 leads × 650,000 samples in format 212 and 12 × 300,000 in format 16",
            work: Work(2 * 650_000 + 12 * 300_000, "samples"),
            ours: Contestant("Signals.WFDBReader") {
                for path in paths { keep(try WFDBReader().read(header: path)) }
            },
            opponents: [
                setting.peers.opponent(
                    "wfdb.rdrecord(physical=False)", script: "files.py", workload: "wfdb",
                    arguments: paths, threads: setting.threads, check: sum),
                .present(
                    Contestant("plain loop in Swift: read, put bytes together") {
                        keep(try PlainSamples.pairs(paths[0] + ".dat"))
                        keep(try PlainSamples.words(paths[1] + ".dat", from: 0))
                    }),
            ])
    }

    /// Half an hour of two leads in format 212, into millivolts.
    static let physical = Benchmark("wfdb.physical") { setting in
        let channels = SyntheticSamples.channels(2, count: 650_000)
        let path = try write(channels, format: 212, rate: 360, name: "p212", setting.folder)
        let sum = SyntheticSamples.sum(channels) / 200
        let read = { () throws(WFDBError) -> [[Double]] in
            let recording = try WFDBReader().read(header: path)
            return recording.signals.indices.map { recording.physical($0) }
        }
        let found = try read().joined().reduce(0, +)
        guard abs(found - sum) < 1e-6 * abs(sum) + 1e-3 else {
            throw BenchmarkError("wfdb.physical: the samples that were read are not those written")
        }
        return Contest(
            what: "2 leads × 650,000 samples in format 212, into millivolts",
            work: Work(2 * 650_000, "samples"),
            ours: Contestant("Signals.WFDBReader, physical") { keep(try read()) },
            opponents: [
                setting.peers.opponent(
                    "wfdb.rdrecord", script: "files.py", workload: "wfdb-physical",
                    arguments: [path], threads: setting.threads)
            ])
    }

    /// Writes header and signal file; returns the path without suffix.
    static func write(
        _ channels: [[Int16]], format: Int, rate: Int, names: [String] = [], name: String,
        _ folder: ScratchFolder
    ) throws -> String {
        let count = channels[0].count
        var header = "\(name) \(channels.count) \(rate) \(count)\n"
        for (index, samples) in channels.enumerated() {
            let checksum = samples.reduce(Int16(0)) { $0 &+ $1 }
            header += "\(name).dat \(format) 200/mV 12 0 \(samples[0]) \(checksum) 0 "
            header += (names.isEmpty ? "L\(index)" : names[index]) + "\n"
        }
        // Samples of one instant stand together.
        let frames = (0..<count).flatMap { index in channels.map { $0[index] } }
        _ = try folder.write(format == 212 ? pairs(frames) : words(frames), to: "\(name).dat")
        _ = try folder.write(Array(header.utf8), to: "\(name).hea")
        return folder.path + "/" + name
    }

    /// Format 16: two bytes a sample, the low one first.
    private static func words(_ samples: [Int16]) -> [UInt8] {
        samples.flatMap { sample in
            [UInt8(truncatingIfNeeded: sample), UInt8(truncatingIfNeeded: sample >> 8)]
        }
    }

    /// Format 212: two samples of twelve bits in three bytes, the high parts in the middle one.
    private static func pairs(_ samples: [Int16]) -> [UInt8] {
        stride(from: 0, to: samples.count - 1, by: 2).flatMap { index in
            let (a, b) = (samples[index], samples[index + 1])
            return [
                UInt8(truncatingIfNeeded: a),
                UInt8(truncatingIfNeeded: (a >> 8) & 15 | ((b >> 8) & 15) << 4),
                UInt8(truncatingIfNeeded: b),
            ]
        }
    }
}

/// The sum of all raw samples, which shows that two readers found the same.
enum RecordingSum {
    static func of(_ recordings: [Recording]) -> Double {
        recordings.flatMap(\.signals).reduce(0) { total, signal in
            total + Double(signal.samples.reduce(0) { $0 + Int($1) })
        }
    }
}
