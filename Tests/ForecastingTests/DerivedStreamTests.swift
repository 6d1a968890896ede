import Learning
import Models
import Series
import Tensors
import Testing

@testable import Forecasting

/// Made-up sensors: a model that was never trained has outputs like any other.
enum MadeSensor {
    static func configuration(_ kind: HiSSConfiguration.Kind = .mamba) -> HiSSConfiguration {
        HiSSConfiguration(
            inputs: 2, outputs: 2,
            levels: [
                .init(.s4d, width: 8, layers: 1, states: 4, ratio: 5, steps: 0.02...0.5),
                .init(kind, width: 8, layers: 1, states: 4, ratio: 1),
            ])
    }

    /// A model of the channels a and b at 100 Hz that gives u and v at 20 Hz.
    static func model(
        seed: UInt64 = 1, kind: HiSSConfiguration.Kind = .mamba, memory: Int = 50,
        step: Int64 = 10_000, running: Int = 0
    ) -> SensorModel {
        let c = configuration(kind)
        var random = RandomStream(seed: seed)
        let scaling = SensorScaling([
            SensorSequence(
                name: "a", inputs: [[1, 3, 2, 4, 0], [-1, 1, 0, 2, 5]], targets: [[7], [3]],
                ratio: 5)
        ])
        return SensorModel(
            inputs: [Channel(name: "a"), Channel(name: "b")],
            outputs: [
                Channel(name: "u", unit: PhysicalUnit("m/s")),
                Channel(name: "v", unit: PhysicalUnit("m/s")),
            ],
            stepMicroseconds: step, memory: memory,
            trained: TrainedHiSS(
                configuration: c, parameters: HiSSNetwork(c).begin(&random), scaling: scaling,
                runningSamples: running, bestEpoch: 1, epochs: 1, validationErrors: [1],
                validationByOutput: [1, 1], seconds: 0),
            card: nil)
    }

    static func samples(_ count: Int, seed: UInt64 = 2) -> [Float] {
        var random = RandomStream(seed: seed)
        return (0..<2 * count).map { _ in Float(random.normal()) }
    }
}

@Suite struct DerivedStreamTests {
    /// Takes rows `[rows, 2]` in pieces of five from a number on.
    private static func run(
        _ rows: [Float], from first: Int64 = 0, cuts: [Int] = [],
        by model: SensorModel = MadeSensor.model()
    ) throws -> DerivedStream.Outcome {
        let computer = SensorStream(model)
        var stream = DerivedStream(channels: 2, next: first)
        var outcome = DerivedStream.Outcome()
        for (begin, end) in zip([0] + cuts, cuts + [rows.count / 10]) {
            let part = try stream.advance(
                Array(rows[begin * 10..<end * 10]), from: first + Int64(begin), with: computer)
            stream = try DerivedStream(bytes: stream.bytes, channels: 2)
            outcome.pieces += part.pieces
            outcome.values += part.values
            outcome.events += part.events
        }
        return outcome
    }

    @Test(arguments: [0, 700])
    func `100,000 samples in pieces, each from stored bytes, are the batch`(running: Int) throws {
        let model = MadeSensor.model(running: running)
        let rows = MadeSensor.samples(100_000)
        let sequence = SensorSequence(
            name: "s",
            inputs: (0..<2).map { channel in
                stride(from: channel, to: rows.count, by: 2).map { Double(rows[$0]) }
            },
            targets: [
                [Double](repeating: 0, count: 20_000), [Double](repeating: 0, count: 20_000),
            ],
            ratio: 5)
        let batch = model.predict(sequence)
        let cuts = Array(stride(from: 7, to: 20_000, by: 911))
        let streamed = try Self.run(rows, cuts: cuts, by: model)
        #expect(streamed.pieces == Array(0..<20_000))
        let largest = batch.map(abs).max() ?? 0
        let error = zip(batch, streamed.values).map { abs($0 - $1) }.max() ?? .infinity
        #expect(error < 1e-5 * largest, "\(error) of \(largest)")
        #expect(streamed.events == [.began(piece: 0)])
        let whole = try Self.run(rows, by: model)
        #expect(whole == streamed, "cuts change no bit")
    }

    @Test func `a short gap stands still, and gives nothing where half is missing`() throws {
        var rows = MadeSensor.samples(100)
        // Of piece 4 two samples of one channel are missing, of piece 7 three, and piece 9 is.
        for row in 20..<22 { rows[2 * row] = .nan }
        for row in 35..<38 { rows[2 * row + 1] = .nan }
        for place in 90..<100 { rows[place] = .nan }
        let outcome = try Self.run(rows)
        #expect(outcome.pieces == Array(0..<20).filter { $0 != 7 && $0 != 9 })
        #expect(outcome.events == [.began(piece: 0)])
        let cut = try Self.run(rows, cuts: [1, 4, 5, 7, 8, 9, 10])
        #expect(outcome == cut)
    }

    @Test func `a gap longer than the memory begins the stream anew, however it comes`() throws {
        let (before, after) = (MadeSensor.samples(50), MadeSensor.samples(50, seed: 3))
        // 51 samples without one of the channels: the memory is 50.
        var silent = MadeSensor.samples(55, seed: 4)
        for row in 0..<51 { silent[2 * row + 1] = .nan }
        let outcome = try Self.run(before + silent + after)
        #expect(
            outcome.events == [
                .began(piece: 0), .lapsed(piece: 20, channel: 1), .began(piece: 21),
            ])
        #expect(outcome.pieces == Array(0..<10) + Array(21..<31))
        let alone = try Self.run(after, from: 21)
        #expect(Array(outcome.values.suffix(20)) == alone.values, "nothing of the past is left")
        // The same silence as pieces that never came.
        let computer = SensorStream(MadeSensor.model())
        for absent: Int64 in [11, 12, 1_000_000_000] {
            var stream = DerivedStream(channels: 2, next: 0)
            _ = try stream.advance(before, from: 0, with: computer)
            let resumed = try stream.advance(after, from: 10 + absent, with: computer)
            #expect(
                resumed.events == [
                    .lapsed(piece: 20, channel: 0), .began(piece: 10 + absent),
                ])
            #expect(resumed.pieces.first == 10 + absent && stream.next == 20 + absent)
        }
        var stream = DerivedStream(channels: 2, next: 0)
        _ = try stream.advance(before, from: 0, with: computer)
        let resumed = try stream.advance(after, from: 20, with: computer)
        #expect(resumed.events == [], "fifty samples are remembered")
    }

    @Test func `a stream that lapses waits for all of its channels`() throws {
        let waiting = [Float](repeating: 1, count: 50).enumerated().map {
            $0.offset % 2 == 0 ? $0.element : .nan
        }
        let outcome = try Self.run(waiting + MadeSensor.samples(10))
        #expect(outcome.pieces == [5, 6] && outcome.events == [.began(piece: 5)])
    }

    @Test func `states that are damaged, newer, or another model's are refused by name`() throws {
        let computer = SensorStream(MadeSensor.model())
        var stream = DerivedStream(channels: 2, next: 0)
        _ = try stream.advance(MadeSensor.samples(20), from: 0, with: computer)
        let bytes = stream.bytes
        let read = try DerivedStream(bytes: bytes, channels: 2)
        #expect(read == stream)
        #expect(throws: StreamModelError.otherModel) {
            try DerivedStream(bytes: bytes, channels: 3)
        }
        var newer = bytes
        newer[0] = 2
        #expect(throws: StreamModelError.newer) { try DerivedStream(bytes: newer, channels: 2) }
        for count in [0, 3, 19, 30] {
            #expect(throws: StreamModelError.damaged) {
                try DerivedStream(bytes: Array(bytes.prefix(count)), channels: 2)
            }
        }
        func taken(_ bytes: [UInt8], by model: SensorModel) throws {
            var stream = try DerivedStream(bytes: bytes, channels: 2)
            let before = stream
            defer { #expect(stream == before) }
            _ = try stream.advance(
                MadeSensor.samples(5), from: stream.next, with: SensorStream(model))
        }
        #expect(throws: StreamModelError.damaged) {
            try taken(Array(bytes.dropLast(4)), by: MadeSensor.model())
        }
        #expect(throws: StreamModelError.otherModel) {
            try taken(bytes, by: MadeSensor.model(kind: .lstm))
        }
        var infinite = bytes
        infinite.replaceSubrange(bytes.count - 4..<bytes.count, with: [0, 0, 0x80, 0x7f])
        #expect(throws: StreamModelError.damaged) { try taken(infinite, by: MadeSensor.model()) }
    }

    @Test func `a model is its file`() throws {
        let model = MadeSensor.model(seed: 5)
        let read = try SensorModel(decoding: model.encoded())
        #expect(read.inputs == model.inputs && read.outputs == model.outputs)
        #expect(read.stepMicroseconds == 10_000 && read.memory == 50)
        #expect(read.trained.parameters == model.trained.parameters)
        #expect(read.trained.scaling == model.trained.scaling)
        #expect(throws: SensorModelError.checkpoint(.truncated)) {
            try SensorModel(decoding: [1, 2])
        }
        let other = Checkpoint(tensors: [:], metadata: ["a": "b"]).encoded()
        #expect(throws: SensorModelError.description) { try SensorModel(decoding: other) }
    }

    @Test func `a recording at five times the rate is read in means, at another it is refused`()
        throws
    {
        let model = MadeSensor.model()
        let fast = (0..<2).map { channel in
            SensorTrack(
                channel: Channel(name: "c\(channel)"), instants: (0..<500).map { 2_000 * $0 + 70 },
                values: (0..<500).map { Double(($0 / 5 + channel) % 7) })
        }
        let slow = fast.map { track in
            SensorTrack(
                channel: track.channel, instants: (0..<100).map { 10_000 * $0 + 70 },
                values: stride(from: 0, to: 500, by: 5).map { track.values[$0] })
        }
        let (means, plain) = (
            try DerivedRecording(fast, by: model), try DerivedRecording(slow, by: model)
        )
        #expect(means.merged == 5 && plain.merged == 1)
        #expect(means.values == plain.values && plain.instants.count == 20)
        #expect(means.instants[0] == Timestamp(microseconds: 48_070))
        #expect(plain.instants[0] == Timestamp(microseconds: 40_070))
        let odd = slow.map { track in
            SensorTrack(
                channel: track.channel, instants: track.instants.map { $0 * 7 / 10 },
                values: track.values)
        }
        #expect(throws: DerivedRecordingError.step(found: 7_000, wanted: 10_000)) {
            try DerivedRecording(odd, by: model)
        }
        let empty = SensorTrack(channel: Channel(name: "e"), instants: [], values: [])
        #expect(throws: DerivedRecordingError.empty("e")) {
            try DerivedRecording([slow[0], empty], by: model)
        }
    }

    @Test func `a model is fitted to tracks, and judged on what it has not seen`() throws {
        var random = RandomStream(seed: 9)
        let recordings = (0..<5).compactMap { number -> SensorSequence? in
            var level = 0.0
            var (inputs, target): ([Double], [Double]) = ([], [])
            for row in 0..<1_000 {
                level = 0.95 * level + random.normal()
                inputs.append(level + random.normal())
                if row % 10 == 9 { target.append(level) }
            }
            return SensorSequence(
                name: "\(number)",
                inputs: [
                    SensorTrack(
                        channel: Channel(name: "a"), instants: (0..<1_000).map { 10_000 * $0 },
                        values: inputs)
                ],
                targets: [
                    SensorTrack(
                        channel: Channel(name: "l"),
                        instants: (0..<100).map { 100_000 * $0 + 90_000 }, values: target)
                ], stepMicroseconds: 10_000, ratio: 10)
        }
        #expect(recordings.map(\.count) == [100, 100, 100, 100, 100])
        #expect(!recordings[0].targets.contains { $0.isNaN })
        let set = SensorSet(name: "s", outputs: ["l"], splitting: recordings)
        #expect(set.train.count == 3 && set.validation.count == 1 && set.test.count == 1)
        var options = HiSSTrainingOptions()
        (options.batch, options.crop, options.epochsMaximum) = (8, 25, 20)
        options.rate = 5e-3
        var configuration = HiSSConfiguration.standard(inputs: 1, outputs: 1)
        for level in 0..<2 { configuration.levels[level].width = 16 }
        let fitting = SensorFitting(
            configuration: configuration, options: options, software: "test")
        let channel = Channel(name: "a")
        let model = try fitting.fit(
            set, inputs: [channel], outputs: [Channel(name: "l")], stepMicroseconds: 10_000)
        let card = try #require(model.card)
        #expect(card.errors.scaledMSE < 0.6 * card.errorsOfMean.scaledMSE)
        #expect(card.isBetterThanMean && card.errors.count == 100 && model.memory == 250)
        let read = try SensorModel(decoding: model.encoded())
        #expect(read.card == card)
        let short = SensorSet(
            name: "s", outputs: ["l"], splitting: [recordings[0].slice(0..<30, name: "short")])
        #expect(throws: SensorFittingError.tooShort(found: 30, needed: 100)) {
            try fitting.fit(
                short, inputs: [channel], outputs: [Channel(name: "l")], stepMicroseconds: 10_000)
        }
    }
}
