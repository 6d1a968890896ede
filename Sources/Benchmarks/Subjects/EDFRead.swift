import Signals

/// An EDF file of sixteen signals, read whole: ten minutes at 256 Hz in records of one second.
///
/// Limit: memory; 5 MB come in and 10 MB of samples go out.
enum EDFRead {
    static let signals = 16
    static let rate = 256
    static let seconds = 600

    static let benchmark = Benchmark("edf.read") { setting in
        let channels = SyntheticSamples.channels(signals, count: rate * seconds)
        let path = try setting.folder.write(file(channels), to: "signals.edf")
        let sum = SyntheticSamples.sum(channels)
        let found = try EDFReader().read(file: path)
        guard RecordingSum.of([found]) == sum else {
            throw BenchmarkError("edf.read: the samples that were read are not those written")
        }
        return Contest(
            what: "\(signals) signals × \(rate * seconds) samples in EDF",
            work: Work(signals * rate * seconds, "samples"),
            ours: Contestant("Signals.EDFReader") { keep(try EDFReader().read(file: path)) },
            opponents: [
                setting.peers.opponent(
                    "pyedflib readSignal(digital=True)", script: "files.py", workload: "edf",
                    arguments: [path], threads: setting.threads, check: sum),
                .present(
                    Contestant("plain loop in Swift: read, put bytes together") {
                        keep(try PlainSamples.words(path, from: 256 * (signals + 1)))
                    }),
            ])
    }

    /// The same file into physical units.
    static let physical = Benchmark("edf.physical") { setting in
        let channels = SyntheticSamples.channels(signals, count: rate * seconds)
        let path = try setting.folder.write(file(channels), to: "physical.edf")
        let sum = SyntheticSamples.sum(channels) / 10
        let read = { () throws(EDFError) -> [[Double]] in
            let recording = try EDFReader().read(file: path)
            return recording.signals.indices.map { recording.physical($0) }
        }
        let found = try read().joined().reduce(0, +)
        guard abs(found - sum) < 1e-6 * abs(sum) + 1e-3 else {
            throw BenchmarkError("edf.physical: the samples that were read are not those written")
        }
        return Contest(
            what: "\(signals) signals × \(rate * seconds) samples in EDF, into microvolts",
            work: Work(signals * rate * seconds, "samples"),
            ours: Contestant("Signals.EDFReader, physical") { keep(try read()) },
            opponents: [
                setting.peers.opponent(
                    "edfio signal.data", script: "files.py", workload: "edf-physical",
                    arguments: [path], threads: setting.threads)
            ])
    }

    /// An EDF file in records of a second, or with `isBDF` one with three bytes a sample; the raw unit is
    /// a tenth of a microvolt, or with `names` five microvolts, so that a lead has its size.
    static func file(
        _ channels: [[Int16]], names: [String] = [], rate: Int = Self.rate, isBDF: Bool = false
    ) -> [UInt8] {
        let signals = channels.count
        let seconds = channels[0].count / rate
        let small = names.isEmpty ? ("-3276.8", "3276.7") : ("-163840", "163835")
        let range = isBDF ? ("-41943.0", "41943.0") : small
        let digital = isBDF ? ("-8388608", "8388607") : ("-32768", "32767")
        var header =
            field(isBDF ? "0BIOSEMI" : "0", 8) + field("X X X X", 80)
            + field("Startdate X X X X", 80)
        header += field("01.01.20", 8) + field("00.00.00", 8) + field("\(256 * (signals + 1))", 8)
        header +=
            field(isBDF ? "24BIT" : "", 44) + field("\(seconds)", 8) + field("1", 8)
            + field("\(signals)", 4)
        // Every kind of field for all signals, then the next kind.
        let kinds: [(String, Int)] = [
            ("EEG", 16), ("electrode", 80), (isBDF ? "mV" : "uV", 8), (range.0, 8), (range.1, 8),
            (digital.0, 8), (digital.1, 8), ("", 80), ("\(rate)", 8), ("", 32),
        ]
        for (text, width) in kinds {
            for index in 0..<signals {
                let label = names.isEmpty ? "\(text)\(index)" : names[index]
                header += field(width == 16 ? label : text, width)
            }
        }
        var bytes = Array(header.utf8)
        if isBDF { bytes[0] = 255 }
        for record in 0..<seconds {
            for channel in channels {
                for sample in channel[record * rate..<(record + 1) * rate] {
                    bytes.append(UInt8(truncatingIfNeeded: sample))
                    bytes.append(UInt8(truncatingIfNeeded: sample >> 8))
                    if isBDF { bytes.append(sample < 0 ? 255 : 0) }
                }
            }
        }
        return bytes
    }

    private static func field(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: width - text.utf8.count)
    }
}
