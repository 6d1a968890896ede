import Series
import Testing

@testable import Signals

private func recording(_ signals: [(rate: SamplingRate, samples: [Int32])]) -> Recording {
    Recording(
        name: "r", start: Timestamp(microseconds: 0),
        signals: signals.map {
            Recording.Signal(
                channel: Channel(name: "c"), rate: $0.rate, gain: 2, baseline: 1,
                samples: $0.samples, declaredCount: $0.samples.count)
        })
}

@Suite struct RecordingTests {
    @Test(
        arguments: [
            SamplingRate(360), SamplingRate(1), SamplingRate(24989, per: 400),
            SamplingRate(1, per: 60),
            SamplingRate(1, per: 7), SamplingRate(999),
        ], [1, 10, 3600])
    func `chunks in sequence are the signal, cut on the clock`(rate: SamplingRate, seconds: Int) {
        let samples = (0..<5000).map { Int32($0) }
        let chunks = recording([(rate, samples)]).chunks(seconds: seconds)
        #expect(chunks.flatMap { $0.samples } == samples.map(Optional.some))
        var next: Int64 = 0
        for chunk in chunks {
            #expect(chunk.firstSample == next)
            next += Int64(chunk.samples.count)
            let first = Double(chunk.firstSample) * rate.stepSeconds
            let last = Double(next - 1) * rate.stepSeconds
            // Both ends lie between the same two multiples of `seconds`.
            #expect(
                ((first + 1e-9) / Double(seconds)).rounded(.down)
                    == ((last + 1e-9) / Double(seconds)).rounded(.down))
        }
    }

    @Test func `the empty chunks between samples that are years apart are not walked through`() {
        let samples = (0..<500).map { Int32($0) }
        let chunks = recording([(SamplingRate(1, per: 1_000_000_000), samples)]).chunks()
        #expect(chunks.map(\.samples) == samples.map { [$0] })
        #expect(chunks.map(\.firstSample) == samples.map { Int64($0) })
    }

    @Test func `missing samples stay missing, and a chunk of them alone is left out`() {
        let missing = Recording.Signal.missing
        let samples = [1, missing] + [Int32](repeating: missing, count: 10) + [3]
        let made = recording([(SamplingRate(1), samples)])
        let chunks = made.chunks(seconds: 4)
        #expect(chunks.map(\.firstSample) == [0, 12])
        #expect(chunks[0].samples == [1, nil, nil, nil])
        #expect(made.signals[0].missingCount == 11)
        #expect(made.signals[0].physical(0) == 0)
        #expect(made.signals[0].physical(1).isNaN)
        #expect(made.series(0)?.gaps == [Gap(1..<12)])
        #expect(made.durationSeconds == 13)
    }

    @Test func `channels of several rates keep their own numbering`() {
        let made = recording([
            (SamplingRate(2), Array(0..<41)), (SamplingRate(1), Array(0..<20)),
        ])
        let chunks = made.chunks(seconds: 10)
        #expect(chunks.map(\.channel) == [0, 0, 0, 1, 1])
        #expect(chunks.map(\.firstSample) == [0, 20, 40, 0, 10])
    }
}
