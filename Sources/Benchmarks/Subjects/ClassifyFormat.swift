/// How recordings of twelve leads at 500 Hz are written for the benchmarks of classification.
struct ClassifyFormat: Sendable {
    static let leads = ["I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"]

    let name: String
    /// Writes samples in two hundredths of a millivolt under a name.
    let write: @Sendable ([[Int16]], String, ScratchFolder) throws -> Void

    static let all: [ClassifyFormat] =
        [16, 212].map { format in
            ClassifyFormat(name: "wfdb-\(format)") { samples, name, folder in
                _ = try WFDBRead.write(
                    samples, format: format, rate: 500, names: leads, name: name, folder)
            }
        } + [508, 516, 524].map(flac) + [
            ClassifyFormat(name: "matlab", write: writeMatrix),
            ClassifyFormat(name: "edf") { samples, name, folder in
                let bytes = EDFRead.file(samples, names: leads, rate: 500)
                _ = try folder.write(bytes, to: "\(name).edf")
            },
            ClassifyFormat(name: "bdf") { samples, name, folder in
                let bytes = EDFRead.file(samples, names: leads, rate: 500, isBDF: true)
                _ = try folder.write(bytes, to: "\(name).bdf")
            },
            ClassifyFormat(name: "csv", write: writeTable),
        ]

    /// A stream has at most eight channels: two files of six leads.
    private static func flac(_ format: Int) -> ClassifyFormat {
        ClassifyFormat(name: "flac-\(format)") { samples, name, folder in
            // Eight bits hold the largest deflections only in part, at a gain that keeps the small ones.
            let (bits, scale) = (format - 500, format == 508 ? 2 : 1)
            let limit = Int32(1) << (bits - 1) - 1
            let coarse = samples.map { lead in
                lead.map { max(-limit, min(limit, Int32($0) / Int32(scale))) }
            }
            var header = "\(name) 12 500 \(samples[0].count)\n"
            for (index, lead) in coarse.enumerated() {
                let sum = lead.reduce(Int16(0)) { $0 &+ Int16(truncatingIfNeeded: $1) }
                header += "\(name)-\(index / 6).flac \(format) \(200 / scale)/mV \(bits) 0 "
                header += "\(lead[0]) \(sum) 0 \(leads[index])\n"
            }
            for part in 0..<2 {
                let stream = FLACWriter.stream(
                    Array(coarse[6 * part..<6 * part + 6]), bits: bits, rate: 500)
                _ = try folder.write(stream, to: "\(name)-\(part).flac")
            }
            _ = try folder.write(Array(header.utf8), to: "\(name).hea")
        }
    }

    /// A matrix `val` of MATLAB's version 4 behind a WFDB header, as the challenges of 2020 and 2021
    /// have it.
    @Sendable private static func writeMatrix(
        _ samples: [[Int16]], _ name: String, _ folder: ScratchFolder
    ) throws {
        let count = samples[0].count
        var header = "\(name) 12 500 \(count)\n"
        for (index, lead) in samples.enumerated() {
            let sum = lead.reduce(Int16(0)) { $0 &+ $1 }
            header += "\(name).mat 16+24 200/mV 16 0 \(lead[0]) \(sum) 0 \(leads[index])\n"
        }
        var bytes: [UInt8] = []
        for word in [30, UInt32(samples.count), UInt32(count), 0, 4] {
            bytes += (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) }
        }
        bytes += Array("val\0".utf8)
        for index in 0..<count {
            for lead in samples {
                bytes += [
                    UInt8(truncatingIfNeeded: lead[index]),
                    UInt8(truncatingIfNeeded: lead[index] >> 8),
                ]
            }
        }
        _ = try folder.write(bytes, to: "\(name).mat")
        _ = try folder.write(Array(header.utf8), to: "\(name).hea")
    }

    @Sendable private static func writeTable(
        _ samples: [[Int16]], _ name: String, _ folder: ScratchFolder
    ) throws {
        var table = "time," + leads.map { "\($0) [mV]" }.joined(separator: ",") + "\n"
        for index in samples[0].indices {
            table += "\(Double(index) / 500)"
            for lead in samples { table += ",\(Double(lead[index]) / 200)" }
            table += "\n"
        }
        _ = try folder.write(Array(table.utf8), to: "\(name).csv")
    }
}
