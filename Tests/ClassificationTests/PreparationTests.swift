import Foundation
import Series
import Signals
import Tensors
import Testing

@testable import Classification

@Suite struct PreparationTests {
    @Test func `leads come in order, at the model's rate, in millivolts`() throws {
        let prepared = try MadeUpECG().prepared()
        #expect(prepared.leads == Lead.allCases)
        #expect(prepared.windows.count == 2)  // 12 s are two overlapping windows of 10.
        #expect(prepared.starts == [0, 2])
        #expect(prepared.windows.allSatisfy { $0.count == 12_000 })
        #expect(prepared.notes.map(\.code) == ["resampled", "windows"])
        // The complex of lead II is a little lower after the band-pass than the 1.1 mV it had.
        let second = prepared.windows[0][1000..<2000].max() ?? 0
        #expect((0.7...1.2).contains(second))
    }

    @Test func `the end of one window is the beginning of the next`() throws {
        let prepared = try MadeUpECG().prepared()
        for lead in 0..<12 {
            let first = prepared.windows[0][lead * 1000 + 200..<lead * 1000 + 1000]
            let second = prepared.windows[1][lead * 1000..<lead * 1000 + 800]
            #expect(Array(first) == Array(second))
        }
    }

    @Test func `a short recording has padding before it`() throws {
        let prepared = try MadeUpECG(seconds: 6).prepared()
        #expect(prepared.padding == 400)
        #expect(prepared.starts == [-4])
        #expect(prepared.windows[0][0..<400].allSatisfy { $0 == 0 })
        #expect(prepared.windows[0][400..<1000].contains { $0 != 0 })
    }

    @Test func `derivable leads are derived`() throws {
        let whole = try MadeUpECG().prepared()
        let fewer = try MadeUpECG().prepared { leads in
            for lead in [Lead.III, .aVR, .aVL, .aVF] { leads[lead] = nil }
        }
        #expect(fewer.lost.isEmpty)
        #expect(fewer.notes.map(\.code).contains("leads_derived"))
        for (a, b) in zip(whole.windows[0], fewer.windows[0]) { #expect(abs(a - b) < 2e-3) }
    }

    @Test func `a lost lead is zero, and noted`() throws {
        let prepared = try MadeUpECG().prepared { leads in
            leads[.V2] = nil
            leads[.V3] = [Double](repeating: 0.4, count: 3000)
        }
        #expect(prepared.lost == [.V2, .V3])
        #expect(prepared.windows[0][7000..<9000].allSatisfy { $0 == 0 })
        #expect(Set(prepared.notes.map(\.code)).isSuperset(of: ["lead_missing", "lead_flat"]))
    }

    @Test func `a few missing samples are zeros`() throws {
        let prepared = try MadeUpECG().prepared { leads in
            for i in 500..<600 { leads[.V5]?[i] = .nan }
        }
        #expect(prepared.lost.isEmpty)
        // Samples 500 to 599 at 250 Hz are 200 to 239 at 100 Hz.
        #expect(prepared.windows[0][10_000 + 201..<10_000 + 239].allSatisfy { $0 == 0 })
        #expect(prepared.windows[0].allSatisfy { $0.isFinite })
    }

    struct Refusal: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let code: String
        var heart = MadeUpECG()
        var change: @Sendable (inout [Lead: [Double]]) -> Void = { _ in }
    }

    @Test(arguments: [
        Refusal(testDescription: "three seconds", code: "too_short", heart: MadeUpECG(seconds: 3)),
        Refusal(testDescription: "40 Hz", code: "rate_unsupported", heart: MadeUpECG(hertz: 40)),
        Refusal(testDescription: "two leads", code: "lead_missing") { leads in
            leads = leads.filter { $0.key == .V1 || $0.key == .V2 }
        },
        Refusal(testDescription: "flat chest leads", code: "lead_flat") { leads in
            for lead in [Lead.V1, .V2, .V3, .V4] {
                leads[lead] = [Double](repeating: 0.1, count: 3000)
            }
        },
        Refusal(testDescription: "a quarter missing", code: "samples_missing") { leads in
            for lead in Lead.allCases {
                for i in 0..<750 { leads[lead]?[i] = .nan }
            }
        },
        Refusal(testDescription: "clipped leads", code: "lead_saturated") { leads in
            for lead in [Lead.V1, .V2, .V3, .V4, .V5, .V6] {
                leads[lead] = leads[lead]?.map { min(0.005, max(-0.005, $0)) }
            }
        },
        Refusal(testDescription: "noise alone", code: "quality_low") { leads in
            var random = RandomStream(seed: 3)
            for lead in Lead.allCases {
                leads[lead] = leads[lead]?.map { _ in 0.3 * random.normal() }
            }
            for lead in [Lead.III, .aVR, .aVL, .aVF] { leads[lead] = nil }
        },
    ])
    func `what says too little is refused with its reason`(_ refusal: Refusal) throws {
        do {
            _ = try refusal.heart.prepared(refusal.change)
            Issue.record("it was not refused")
        } catch let error as Abstention {
            #expect(error.code == refusal.code, "\(error)")
            #expect(error.description.hasSuffix("."))
        }
    }
}
