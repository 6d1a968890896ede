package import Foundation
import Series
package import Signals

/// Electrocardiograms made of bumps, in millivolts; the limb leads agree as they have to.
package struct SyntheticECG: Sendable {
    /// Too few for most classifiers.
    package static let two: [Lead] = [.I, .II]

    /// How a recording differs from the others.
    package var seed = 0
    /// Whether the T wave is below the line.
    package var isInverted = false
    package var hertz = 500
    package var seconds = 10.0

    package init(seed: Int = 0, isInverted: Bool = false, hertz: Int = 500, seconds: Double = 10) {
        self.seed = seed
        self.isInverted = isInverted
        self.hertz = hertz
        self.seconds = seconds
    }

    /// The samples of one lead, in millivolts.
    package func millivolts(_ lead: Lead) -> [Double] {
        let one = wave(qrs: 0.7, t: 0.2)
        let two = wave(qrs: 1.1, t: 0.3)
        switch lead {
        case .I: return one
        case .II: return two
        case .III: return zip(one, two).map { $1 - $0 }
        case .aVR: return zip(one, two).map { -($0 + $1) / 2 }
        case .aVL: return zip(one, two).map { $0 - $1 / 2 }
        case .aVF: return zip(one, two).map { $1 - $0 / 2 }
        case .V1: return wave(qrs: -0.8, t: 0.1)
        case .V2: return wave(qrs: -0.6, t: 0.4)
        case .V3: return wave(qrs: 0.8, t: 0.4)
        case .V4: return wave(qrs: 1.4, t: 0.4)
        case .V5: return wave(qrs: 1.3, t: 0.3)
        case .V6: return wave(qrs: 1.0, t: 0.25)
        }
    }

    /// A beat every 0.8 s or so: P, QRS and T, over a slow wave and a little noise.
    private func wave(qrs: Double, t: Double) -> [Double] {
        let period = 0.75 + 0.01 * Double(seed % 13)
        let sign = isInverted ? -1.0 : 1
        return (0..<Int(seconds * Double(hertz))).map { index in
            let time = Double(index) / Double(hertz)
            let phase = (time + 0.1).truncatingRemainder(dividingBy: period)
            func bump(_ at: Double, _ width: Double) -> Double {
                exp(-0.5 * pow((phase - at) / width, 2))
            }
            let beat =
                0.1 * qrs.magnitude * bump(0.2, 0.025) + qrs * bump(0.36, 0.012)
                - 0.2 * qrs * bump(0.4, 0.012) + sign * t * bump(0.6, 0.05)
            let noise = sin(Double(index * (seed + 3)) * 12.9898) * 0.005
            return beat + noise + 0.02 * sin(time)
        }
    }

    /// The recording as a reader would give it: a thousand raw units a millivolt.
    package func recording(_ name: String, leads: [Lead] = Lead.allCases) -> Recording {
        Recording(
            name: name, start: nil,
            signals: leads.map { lead in
                let samples = millivolts(lead).map { Int32(($0 * 1000).rounded()) }
                return Recording.Signal(
                    channel: Channel(name: lead.rawValue, unit: PhysicalUnit("mV")),
                    rate: SamplingRate(Int64(hertz)), gain: 1000, baseline: 0, samples: samples,
                    declaredCount: samples.count)
            })
    }

    /// Writes a WFDB record in format 16: `NAME.hea` and `NAME.dat`.
    ///
    /// - Parameters:
    ///   - name: Of the record.
    ///   - folder: Where it goes; made where it is not there.
    ///   - leads: In this order.
    /// - Throws: What the file system refuses.
    package func write(_ name: String, to folder: URL, leads: [Lead] = Lead.allCases) throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let signals = leads.map { millivolts($0).map { Int16(($0 * 1000).rounded()) } }
        let count = signals.first?.count ?? 0
        var header = "\(name) \(leads.count) \(hertz) \(count)\n"
        var bytes: [UInt8] = []
        for index in 0..<count {
            for signal in signals {
                let bits = UInt16(bitPattern: signal[index])
                bytes += [UInt8(truncatingIfNeeded: bits), UInt8(bits >> 8)]
            }
        }
        for (lead, signal) in zip(leads, signals) {
            let sum = signal.reduce(Int16(0)) { $0 &+ $1 }
            header += "\(name).dat 16 1000/mV 16 0 \(signal.first ?? 0) \(sum) 0 \(lead.rawValue)\n"
        }
        try Data(bytes).write(to: folder.appending(path: "\(name).dat"))
        try Data(header.utf8).write(to: folder.appending(path: "\(name).hea"))
    }
}
