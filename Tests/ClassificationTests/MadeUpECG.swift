import Foundation
import Series
import Signals
import Tensors

@testable import Classification

/// Made-up recordings with twelve leads: Gaussian waves on a steady rhythm.
struct MadeUpECG {
    var hertz: Int64 = 250
    var seconds = 12.0
    /// Seconds between beats.
    var interval = 0.8
    /// How far each beat is early or late, as a share of the interval.
    var irregularity = 0.02
    /// The height of the T wave, in millivolts.
    var recovery = 0.3
    var noise = 0.01
    var seed: UInt64 = 1

    /// Projections of the one source on the leads.
    private static let gains: [Lead: Double] = [
        .I: 0.6, .II: 1, .V1: -0.6, .V2: -0.2, .V3: 0.4, .V4: 1, .V5: 1.1, .V6: 0.8,
    ]

    /// The leads in millivolts.
    var leads: [Lead: [Double]] {
        var random = RandomStream(seed: seed)
        let count = Int(seconds * Double(hertz))
        var shape = [Double](repeating: 0, count: count)
        var second = 0.4
        while second < seconds + 1 {
            for (offset, width, height) in [
                (-0.16, 0.025, 0.12), (-0.03, 0.01, -0.1), (0, 0.011, 1.1), (0.03, 0.011, -0.2),
                (0.26, 0.05, recovery),
            ] {
                for i in shape.indices {
                    let distance = (Double(i) / Double(hertz) - second - offset) / width
                    if abs(distance) < 6 { shape[i] += height * exp(-0.5 * distance * distance) }
                }
            }
            second += interval * (1 + irregularity * random.normal())
        }
        var leads = Self.gains.mapValues { gain in
            shape.map { gain * $0 + noise * random.normal() }
        }
        let (one, two) = (leads[.I] ?? [], leads[.II] ?? [])
        leads[.III] = zip(one, two).map { $1 - $0 }
        leads[.aVR] = zip(one, two).map { -($0 + $1) / 2 }
        leads[.aVL] = zip(one, two).map { $0 - $1 / 2 }
        leads[.aVF] = zip(one, two).map { $1 - $0 / 2 }
        return leads
    }

    /// A recording as a file would give it; NaN becomes missing.
    static func recording(_ leads: [Lead: [Double]], hertz: Int64) -> Recording {
        Recording(
            name: "x", start: nil,
            signals: Lead.allCases.compactMap { lead in
                leads[lead].map { values in
                    Recording.Signal(
                        channel: Channel(name: lead.rawValue, unit: PhysicalUnit("mV")),
                        rate: SamplingRate(hertz), gain: 1000, baseline: 0,
                        samples: values.map {
                            $0.isFinite ? Int32(($0 * 1000).rounded()) : Recording.Signal.missing
                        }, declaredCount: values.count)
                }
            })
    }

    /// As a classifier reads it.
    func prepared(_ change: (inout [Lead: [Double]]) -> Void = { _ in }) throws -> PreparedECG {
        var leads = leads
        change(&leads)
        return try ECGPreparation().prepare(
            Electrocardiogram(Self.recording(leads, hertz: hertz)))
    }

    /// Recordings with three classes: a fast rhythm, an irregular one, an inverted T wave.
    static func collection(_ count: Int) throws -> [LabelledECG] {
        try (0..<count).map { number in
            let labels: [Bool?] = [number % 2 == 0, number % 3 == 0, number % 5 == 0]
            var heart = MadeUpECG(hertz: 100, seconds: 10, noise: 0.03, seed: UInt64(number) + 7)
            if labels[0] == true { heart.interval = 0.5 }
            if labels[1] == true { heart.irregularity = 0.2 }
            if labels[2] == true { heart.recovery = -0.2 }
            return LabelledECG(
                name: "r\(number)", source: number % 4 == 0 ? "A" : "B",
                patient: "p\(number / 2)", labels: labels, prepared: try heart.prepared())
        }
    }

    /// What the labels of `collection` mean.
    static let classes = [
        DiagnosisClass(
            code: "427084000", system: DiagnosisClass.snomed, abbreviation: "STach",
            name: "sinus tachycardia"),
        DiagnosisClass(
            code: "164889003", system: DiagnosisClass.snomed, abbreviation: "AF",
            name: "atrial fibrillation"),
        DiagnosisClass(
            code: "STTC", system: DiagnosisClass.superclass, abbreviation: "STTC",
            name: "ST/T change"),
    ]
}
