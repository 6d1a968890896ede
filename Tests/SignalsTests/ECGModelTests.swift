import Foundation
import Series
import Testing

@testable import Signals

@Suite struct ECGModelTests {
    /// Millivolts by lead, and the samples of the R peaks.
    private func record(
        _ seconds: Int, _ change: (inout ECGModel.Options) -> Void = { _ in }
    ) -> (leads: [[Double]], beats: [Int]) {
        var options = ECGModel.Options()
        change(&options)
        var model = ECGModel(options)
        var sample = [Float](repeating: 0, count: 12)
        var leads = [[Double]](repeating: [], count: 12)
        for _ in 0..<seconds * Int(options.rate.hertz) {
            model.next(into: &sample)
            for lead in 0..<12 { leads[lead].append(Double(sample[lead])) }
        }
        return (leads, model.beats)
    }

    @Test(arguments: [40.0, 65, 110, 180])
    func `the heart beats at its rate, and the detector finds its beats`(rate: Double) throws {
        let (leads, beats) = record(120) { $0.heartRate = rate }
        let intervals = zip(beats.dropFirst(), beats).map { Double($0 - $1) / 500 }
        let mean = intervals.reduce(0, +) / Double(intervals.count)
        #expect(abs(60 / mean - rate) < 0.02 * rate)
        let detector = try #require(BeatDetector(rate: SamplingRate(500)))
        let found = detector.beats(in: [leads[1], leads[6], leads[10]])
        // Within 50 ms, all of them, save the first and the last.
        let inner = beats.filter { $0 > 1000 && $0 < leads[0].count - 1000 }
        let missed = inner.filter { beat in !found.contains { abs($0 - beat) < 25 } }
        let extra = found.filter { $0 > 1000 && $0 < leads[0].count - 1000 }.filter { place in
            !beats.contains { abs($0 - place) < 25 }
        }
        #expect(missed.count <= inner.count / 100, "\(missed.count) of \(inner.count)")
        #expect(extra.count <= inner.count / 100)
    }

    @Test func `the intervals vary as they should, slowly and with the breath`() {
        let (_, beats) = record(400) {
            $0.heartRateDeviation = 4
            $0.slowToQuick = 1
        }
        let times = beats.map { Double($0) / 500 }
        let intervals = zip(times.dropFirst(), times).map { $0 - $1 }
        let mean = intervals.reduce(0, +) / Double(intervals.count)
        let variance =
            intervals.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(intervals.count)
        // 4 beats a minute at 65 are 57 ms.
        #expect(abs(variance.squareRoot() - 0.0568) < 0.015)
        /// Power at a frequency, of intervals that are unevenly spaced.
        func power(_ hertz: Double) -> Double {
            var (real, imaginary) = (0.0, 0.0)
            for (interval, time) in zip(intervals, times) {
                real += (interval - mean) * cos(2 * .pi * hertz * time)
                imaginary += (interval - mean) * sin(2 * .pi * hertz * time)
            }
            return real * real + imaginary * imaginary
        }
        func band(_ centre: Double) -> Double {
            (-8...8).map { power(centre + Double($0) * 0.0025) }.reduce(0, +)
        }
        let (slow, quick) = (band(0.1), band(0.25))
        #expect(slow > 10 * band(0.175))
        #expect(quick > 10 * band(0.35))
        #expect(slow / quick > 0.3 && slow / quick < 3)
    }

    @Test func `limb leads agree with each other, and the waves are where they should be`() {
        let (leads, beats) = record(20)
        for index in stride(from: 0, to: leads[0].count, by: 17) {
            let (one, two) = (leads[0][index], leads[1][index])
            #expect(abs(leads[2][index] - (two - one)) < 1e-5)
            #expect(abs(leads[3][index] + (one + two) / 2) < 1e-5)
            #expect(abs(leads[4][index] - (one - two / 2)) < 1e-5)
            #expect(abs(leads[5][index] - (two - one / 2)) < 1e-5)
        }
        let peak = beats[5]
        let second = leads[1][peak - 20...peak + 20].max() ?? 0
        #expect(second > 0.6 && second < 2)
        // V1 goes down where V5 goes up.
        let low = leads[6][peak - 30...peak + 30].min() ?? 0
        #expect(low < -0.3)
        #expect((leads[10][peak - 30...peak + 30].max() ?? 0) > 0.5)
    }

    @Test func `the same seed gives the same samples, another one others`() {
        let first = record(5).leads
        #expect(record(5).leads == first)
        #expect(record(5) { $0.seed = 2 }.leads != first)
    }

    @Test func `an electrode that is off leaves nothing`() {
        let (leads, _) = record(300) {
            $0.lossesPerHour = 120
            $0.lossSeconds = 5
        }
        let missing = leads.map { $0.count { $0.isNaN } }
        #expect(missing.contains { $0 > 0 })
        #expect(missing[0...5].allSatisfy { $0 == missing[0] })
        #expect(Set(missing).count > 1)
        #expect(missing.allSatisfy { $0 < 300 * 500 / 2 })
    }

    @Test func `a plant has its faults where it says so, and the same weather without them`() {
        var plain = PlantModel(seed: 3)
        var faulty = PlantModel(seed: 3, faultsPerYear: 20)
        var kinds: [PlantModel.Fault: Int] = [:]
        var rough: [Double] = []
        var smooth: [Double] = []
        for _ in 0..<3 * 8766 {
            let (a, b) = (plain.next(), faulty.next())
            #expect(a.load == b.load)
            #expect(a.fault == nil)
            if let fault = b.fault { kinds[fault, default: 0] += 1 }
            if b.fault == .bearing { rough.append(b.vibration) } else { smooth.append(b.vibration) }
        }
        #expect(kinds.count == 4)
        #expect((rough.min() ?? 0) > smooth.reduce(0, +) / Double(smooth.count))
    }
}
