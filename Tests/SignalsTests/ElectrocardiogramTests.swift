import Series
import Tensors
import Testing

@testable import Signals

/// A made-up heart: Gaussian waves on a drifting baseline, with known beats.
private struct Heart {
    static let hertz = 250.0
    static let count = 3000
    var beats: [Int] = []
    /// Of each limb lead and V1, in millivolts.
    var leads: [Lead: [Double]] = [:]

    init(seed: UInt64, noise: Double = 0.01) {
        var random = RandomStream(seed: seed)
        var shape = [Double](repeating: 0, count: Self.count)
        var second = 0.5
        while second < 11.6 {
            let beat = Int((second * Self.hertz).rounded())
            beats.append(beat)
            for (offset, width, height) in [
                (-0.18, 0.025, 0.12), (-0.03, 0.01, -0.1), (0, 0.011, 1.1), (0.03, 0.011, -0.2),
                (0.26, 0.05, 0.3),
            ] {
                for i in shape.indices {
                    let distance = (Double(i - beat) / Self.hertz - offset) / width
                    if abs(distance) < 6 {
                        shape[i] += height * (-0.5 * distance * distance).exponential
                    }
                }
            }
            second += 0.8 + 0.04 * random.normal()
        }
        func lead(_ gain: Double, _ drift: Double) -> [Double] {
            shape.enumerated().map { i, value in
                gain * value + drift * Double(i) / Double(Self.count) + noise * random.normal()
            }
        }
        let (one, two) = (lead(0.6, 0.2), lead(1, -0.1))
        leads[.I] = one
        leads[.II] = two
        leads[.III] = zip(one, two).map { $1 - $0 }
        leads[.aVR] = zip(one, two).map { -($0 + $1) / 2 }
        leads[.aVL] = zip(one, two).map { $0 - $1 / 2 }
        leads[.aVF] = zip(one, two).map { $1 - $0 / 2 }
        leads[.V1] = lead(-0.8, 0)
    }

    static func recording(
        _ leads: [(name: String, values: [Double])], unit: String = "mV", gain: Double = 1000
    ) -> Recording {
        Recording(
            name: "x", start: nil,
            signals: leads.map { lead in
                Recording.Signal(
                    channel: Channel(name: lead.name, unit: PhysicalUnit(unit)),
                    rate: SamplingRate(Int64(hertz)), gain: gain, baseline: 0,
                    samples: lead.values.map {
                        $0.isFinite ? Int32(($0 * 1000).rounded()) : Recording.Signal.missing
                    }, declaredCount: lead.values.count)
            })
    }

    func recording(_ names: Lead...) -> Recording {
        Self.recording(names.map { ($0.rawValue, leads[$0] ?? []) })
    }
}

extension Double {
    /// e to this power, by the series of a small part; the tests import no C library.
    fileprivate var exponential: Double {
        let part = self / 1024
        var (term, sum) = (1.0, 1.0)
        for k in 1...12 {
            term *= part / Double(k)
            sum += term
        }
        for _ in 0..<10 { sum *= sum }
        return sum
    }
}

@Suite struct ElectrocardiogramTests {
    @Test(arguments: [
        ("I", Lead.I), ("avr", .aVR), ("AVL", .aVL), ("Lead II", .II), ("ECG V6", .V6),
        ("DIII", .III), ("c2", .V2), ("MDC_ECG_LEAD_aVF", .aVF), ("Lead I (Einthoven)", .I),
        ("MLII", nil), ("-aVR", nil), ("V", nil), ("V7", nil), ("", nil), ("RESP", nil),
        ("I II", nil),
    ])
    func `leads are known by their usual names`(name: String, lead: Lead?) {
        #expect(Lead(spelled: name) == lead)
    }

    @Test func `two limb leads tell the other four`() throws {
        let heart = Heart(seed: 1)
        for pair in [[Lead.I, .II], [.I, .III], [.II, .III]] {
            let recording = Heart.recording(pair.map { ($0.rawValue, heart.leads[$0] ?? []) })
            let ecg = try Electrocardiogram(recording)
            #expect(ecg.derived == Set(Lead.limbs).subtracting(pair))
            for lead in Lead.limbs {
                let found = try #require(ecg.leads[lead])
                let expected = try #require(heart.leads[lead])
                #expect(zip(found, expected).allSatisfy { abs($0 - $1) < 0.003 })
            }
            #expect(ecg.leads[.V1] == nil)
        }
    }

    @Test func `microvolts are millivolts, gaps stay gaps, other signals are named`() throws {
        var heart = Heart(seed: 2)
        heart.leads[.II]?[7] = .nan
        let ecg = try Electrocardiogram(
            Heart.recording(
                [("ii", heart.leads[.II] ?? []), ("RESP", [0.1, 0.2])], unit: "uV", gain: 1))
        let lead = try #require(ecg.leads[.II])
        #expect(lead[7].isNaN)
        #expect(abs(lead[8] - (heart.leads[.II]?[8] ?? 0)) < 0.001)
        #expect(ecg.otherSignals == ["RESP"])
    }

    @Test func `what contradicts itself is refused with its reason`() throws {
        var heart = Heart(seed: 3)
        func refusal(_ recording: Recording) -> ElectrocardiogramError? {
            #expect(throws: ElectrocardiogramError.self) { try Electrocardiogram(recording) }
        }
        let one = heart.leads[.I] ?? []
        #expect(refusal(Heart.recording([("RESP", one)])) == .noLeads(signals: 1))
        #expect(refusal(Heart.recording([("I", one), ("DI", one)])) == .duplicateLead(.I))
        #expect(refusal(Heart.recording([("I", [])])) == .empty)
        #expect(
            refusal(Heart.recording([("I", one)], unit: "mmHg"))
                == .unknownUnit(.I, found: "mmHg"))
        #expect(refusal(Heart.recording([("I", one)], unit: "V"))?.code == "unit_suspect")
        #expect(refusal(Heart.recording([("I", one)], gain: 1e6))?.code == "unit_suspect")
        let slow = Recording.Signal(
            channel: Channel(name: "II", unit: PhysicalUnit("mV")), rate: SamplingRate(100),
            gain: 1, baseline: 0, samples: [1], declaredCount: 1)
        let fast = Heart.recording([("I", one)]).signals
        #expect(
            refusal(Recording(name: "x", start: nil, signals: fast + [slow])) == .differentRates)
        // Electrodes of both arms exchanged: I turns over, II and III change places, aVL stays.
        heart.leads[.I] = one.map { -$0 }
        #expect(
            refusal(heart.recording(.I, .II, .III, .aVR, .aVL, .aVF))?.code == "lead_inconsistent")
    }

    @Test func `beats are found where they are, in one lead and in all`() throws {
        for seed in 4..<10 as Range<UInt64> {
            let heart = Heart(seed: seed, noise: 0.03)
            let detector = try #require(BeatDetector(rate: SamplingRate(250)))
            for leads in [[heart.leads[.II] ?? []], Array(heart.leads.values)] {
                let found = detector.beats(in: leads)
                #expect(found.count == heart.beats.count)
                #expect(zip(found, heart.beats).allSatisfy { abs($0 - $1) <= 8 })
            }
        }
        #expect(BeatDetector(rate: SamplingRate(40)) == nil)
    }

    @Test func `an artefact at the start hides no beats`() throws {
        var heart = Heart(seed: 11)
        for i in 0..<20 { heart.leads[.II]?[i] = 15 }
        let detector = try #require(BeatDetector(rate: SamplingRate(250)))
        let found = detector.beats(in: [heart.leads[.II] ?? []])
        #expect(heart.beats.allSatisfy { beat in found.contains { abs($0 - beat) <= 8 } })
    }

    @Test func `quality tells hearts from noise and from silence`() throws {
        let heart = Heart(seed: 5)
        let good = SignalQuality(try Electrocardiogram(heart.recording(.I, .II, .V1)))
        #expect(good.score > 0.9)
        #expect(good.beats.count == heart.beats.count)
        var random = RandomStream(seed: 6)
        let noise = (0..<Heart.count).map { _ in 0.2 * random.normal() }
        let bad = SignalQuality(try Electrocardiogram(Heart.recording([("II", noise)])))
        #expect(bad.score < SignalQuality.rejection)
        let flat = [Double](repeating: 0.4, count: Heart.count)
        let silent = SignalQuality(try Electrocardiogram(Heart.recording([("II", flat)])))
        #expect(silent.score == 0)
        #expect(silent.leads[.II]?.flatShare == 1)
        let gaps = (heart.leads[.II] ?? []).enumerated().map { $0 < 1600 ? Double.nan : $1 }
        let half = SignalQuality(try Electrocardiogram(Heart.recording([("II", gaps)])))
        #expect(half.score < SignalQuality.rejection)
    }
}
