import Foundation
import Learning
import Models
import Signals
import Tensors
import Testing

@testable import Forecasting

@Suite struct SensingTests {
    /// A sensor that sees the change of a slow quantity, with noise: what is wanted is its mean over the
    /// last ten samples.
    private static func sequences(_ count: Int, rows: Int, seed: UInt64) -> [SensorSequence] {
        var random = RandomStream(seed: seed)
        return (0..<count).map { number in
            var (level, inputs, targets) = (0.0, [[Double]](repeating: [], count: 2), [Double]())
            var piece = 0.0
            for row in 0..<rows {
                level = 0.98 * level + 0.2 * random.normal()
                inputs[0].append(level + 0.5 * random.normal())
                inputs[1].append(random.normal())
                piece += level / 10
                if row % 10 == 9 {
                    targets.append(piece)
                    piece = 0
                }
            }
            return SensorSequence(
                name: "\(number)", inputs: inputs, targets: [targets], ratio: 10)
        }
    }

    private static func small(_ kind: HiSSConfiguration.Kind) -> HiSSConfiguration {
        HiSSConfiguration(
            inputs: 2, outputs: 1,
            levels: [
                .init(.s4d, width: 16, layers: 1, states: 8, ratio: 10, steps: 0.02...0.5),
                .init(kind, width: 16, layers: 1, states: 8, ratio: 1),
            ])
    }

    @Test(arguments: HiSSConfiguration.Kind.allCases)
    func `a small model learns a slow quantity from a noisy sensor, the same on any threads`(
        kind: HiSSConfiguration.Kind
    ) throws {
        let (train, judged) = (
            Self.sequences(6, rows: 2000, seed: 1), Self.sequences(2, rows: 1000, seed: 2)
        )
        var options = HiSSTrainingOptions()
        (options.batch, options.crop, options.epochsMaximum) = (8, 40, 5)
        options.rate = 5e-3
        let trainer = HiSSTrainer(configuration: Self.small(kind), options: options)
        let model = try trainer.train(train, validation: judged)
        let first = try #require(model.validationErrors.first)
        let best = try #require(model.validationErrors.min())
        // Of a variance of 1.
        #expect(best < 0.5 && best < 0.6 * first, "\(model.validationErrors)")
        #expect(model.bestEpoch == (model.validationErrors.firstIndex(of: best) ?? -1) + 1)
        options.threads = 2
        options.epochsMaximum = 1
        let twice = try [1, 2].map { threads in
            options.threads = threads
            return try HiSSTrainer(configuration: Self.small(kind), options: options)
                .train(train, validation: judged).parameters
        }
        #expect(twice[0] == twice[1])
        let predictions = HiSSTrainer.predict(model, judged, threads: 1)
        let errors = SensorErrors(predictions, of: judged, model.scaling)
        #expect(abs(errors.scaledMSE - best) < 1e-3 * best && errors.count == 200)
    }

    @Test func `errors are means over what is known, and drift is what sums up`() {
        let sequence = SensorSequence(
            name: "a", inputs: [[1, 2, 3, 4, 5]], targets: [[1, .nan, 3], [0, 0, 0]], ratio: 2)
        #expect(sequence.count == 2 && sequence.inputs == [1, 2, 3, 4])
        let scaling = SensorScaling([
            SensorSequence(name: "b", inputs: [[0, 2]], targets: [[0, 2], [5, 5]], ratio: 1)
        ])
        #expect(
            scaling.targetOffsets == [1, 5] && scaling.targetScales == [Float(2).squareRoot(), 1])
        let errors = SensorErrors([[4, 4, 7, 3]], of: [sequence], scaling)
        // Errors: 3 and 4 in the first row, unknown and 3 in the second.
        #expect(errors.count == 3 && errors.euclid == 5)
        #expect(abs(errors.mse - 34.0 / 3) < 1e-12)
        #expect(errors.mseByOutput == [9, 12.5])
        #expect(abs(errors.scaledMSE - (4.5 + 25) / 3) < 1e-6)
        #expect(abs(errors.drift - 58.0.squareRoot()) < 1e-12)
    }

    @Test func `scaling knows the training alone, bears gaps and spikes, and leads back`() {
        let gaps = SensorSequence(
            name: "a", inputs: [[.nan, 1, .nan, 3]], targets: [[1, .nan, 3, 5]], ratio: 1)
        #expect(gaps.inputs == [0, 1, 1, 3])
        let scaling = SensorScaling([gaps])
        #expect(scaling.targetOffsets == [3] && scaling.targetScales == [2])
        #expect(scaling.restored(targets: scaling.scaled(targets: [7, -1])) == [7, -1])
        #expect(scaling.scaled(inputs: [1e9]) == [SensorScaling.deviationsMaximum])
        let still = SensorScaling([
            SensorSequence(name: "b", inputs: [[2, 2]], targets: [[1, 1]], ratio: 1)
        ])
        #expect(still.inputScales == [1])
    }

    @Test func `nothing to learn from is said`() {
        let trainer = HiSSTrainer(
            configuration: Self.small(.s4d), options: HiSSTrainingOptions())
        #expect(throws: TrainingError.noWindows) {
            try trainer.train([], validation: Self.sequences(1, rows: 100, seed: 1))
        }
    }

    @Test func `flat models have about as many parameters as the hierarchical one`() throws {
        let sequence = try #require(Self.sequences(1, rows: 20, seed: 1).first)
        let backtest = SensorBacktest()
        let hiss = try #require(backtest.configuration(of: .hiss, sequence))
        let wanted = Double(HiSSNetwork(hiss).layout.count)
        for method in SensorBacktest.Method.allCases where method != .mean && method != .ridge {
            let other = try #require(backtest.configuration(of: method, sequence))
            let count = Double(HiSSNetwork(other).layout.count)
            #expect(abs(count / wanted - 1) < 0.15, "\(method) \(count) of \(wanted)")
            #expect(other.ratio == sequence.ratio)
        }
    }

    @Test func `the high level may run faster than predictions are wanted`() throws {
        let sequence = try #require(Self.sequences(1, rows: 20, seed: 1).first)
        var backtest = SensorBacktest()
        backtest.choices[.hissMamba] = .init(piece: 5)
        let levels = try #require(backtest.configuration(of: .hissMamba, sequence)).levels
        #expect(levels.map(\.ratio) == [5, 2] && levels.map(\.kind) == [.mamba, .mamba])
        #expect(levels.map(\.width) == [levels[0].width, levels[0].width])
    }

    @Test(arguments: SensorSet.Source.allCases)
    func `what was chosen for a set fits its ratio`(source: SensorSet.Source) throws {
        let ratio = source == .bidmc ? 25 : source == .broad ? 10 : 6
        let sequence = SensorSequence(
            name: "a", inputs: [[Double]](repeating: [Double](repeating: 0, count: 60), count: 2),
            targets: [[0, 0]], ratio: ratio)
        let backtest = SensorBacktest(for: source)
        for method in backtest.methods where method != .mean && method != .ridge {
            let found = try #require(backtest.configuration(of: method, sequence))
            #expect(found.ratio == ratio && found.levels.count <= 2)
        }
    }

    @Test func `all methods are judged on a set, and ridge beats the mean`() throws {
        let set = SensorSet(
            name: "made up", outputs: ["level"], train: Self.sequences(4, rows: 600, seed: 3),
            validation: Self.sequences(1, rows: 400, seed: 4),
            test: Self.sequences(2, rows: 400, seed: 5))
        var backtest = SensorBacktest()
        (backtest.width, backtest.seeds) = (8, [7, 8])
        (backtest.options.epochsMaximum, backtest.options.stepsPerEpochMaximum) = (1, 2)
        let results = try backtest.run(set)
        let names = SensorBacktest.Method.allCases.map(\.rawValue)
        #expect(results.map(\.method) == names + names.dropLast(2))
        #expect(results.allSatisfy { $0.test.count == 80 && $0.test.scaledMSEByOutput.count == 1 })
        let scaled = Dictionary(
            uniqueKeysWithValues: results[..<names.count].map { ($0.method, $0.test.scaledMSE) })
        let (ridge, mean) = (try #require(scaled["ridge"]), try #require(scaled["mean"]))
        // Noise of ten samples leaves 0.025 of a variance near 1.
        #expect(ridge < 0.1 * mean, "\(ridge) \(mean)")
    }

    @Test func `running scales know only what was, and make amplitudes alike`() {
        var random = RandomStream(seed: 11)
        let values = (0..<400).map { _ in Float(random.normal()) }
        var (whole, louder) = (values, values.map { 7 * $0 + 300 })
        var scaling = RunningScaling(samples: 50, channels: 2)
        scaling.scale(&whole)
        var other = RunningScaling(samples: 50, channels: 2)
        other.scale(&louder)
        for index in 100..<400 { #expect(abs(whole[index] - louder[index]) < 1e-2) }
        let deviation = (whole[200...].map { $0 * $0 }.reduce(0, +) / 200).squareRoot()
        #expect(abs(deviation - 1) < 0.2)
        // Sample by sample, from a state that has been stored.
        var (parts, stored): ([Float], RunningScaling) = (
            [], RunningScaling(samples: 50, channels: 2)
        )
        for first in stride(from: 0, to: 400, by: 2) {
            var two = Array(values[first..<first + 2])
            stored.scale(&two)
            parts += two
        }
        #expect(parts == whole && stored == scaling)
        var still: [Float] = [3, 3, 3]
        var one = RunningScaling(samples: 2, channels: 1)
        one.scale(&still)
        #expect(still == [0, 0, 0])
    }

    @Test func `an output that the inputs do not tell falls back to its mean`() throws {
        func hopeless(_ count: Int, seed: UInt64) -> [SensorSequence] {
            var random = RandomStream(seed: seed)
            return Self.sequences(count, rows: 1000, seed: seed).map { sequence in
                let inputs = (0..<2).map { channel in
                    (0..<1000).map { Double(sequence.inputs[$0 * 2 + channel]) }
                }
                let noise = (0..<100).map { _ in random.normal() }
                return SensorSequence(
                    name: sequence.name, inputs: inputs,
                    targets: [sequence.targets.map { Double($0) }, noise], ratio: 10)
            }
        }
        var configuration = Self.small(.s4d)
        configuration.outputs = 2
        var options = HiSSTrainingOptions()
        (options.batch, options.crop, options.epochsMaximum) = (8, 40, 20)
        options.rate = 1e-2
        let known = hopeless(2, seed: 2)
        let model = try HiSSTrainer(configuration: configuration, options: options).train(
            hopeless(3, seed: 1), validation: known)
        let mean = SensorErrors(
            known.map { (0..<$0.count).flatMap { _ in model.scaling.targetOffsets } }, of: known,
            model.scaling)
        #expect(model.validationByOutput[0] < 0.3 * mean.scaledMSEByOutput[0])
        #expect(model.validationByOutput[1] <= 1.000_01 * mean.scaledMSEByOutput[1])
        // The weights that are kept are those that were judged.
        let errors = SensorErrors(
            HiSSTrainer.predict(model, known, threads: 1), of: known, model.scaling)
        for (found, told) in zip(errors.scaledMSEByOutput, model.validationByOutput) {
            #expect(abs(found - told) < 1e-4)
        }
    }

    @Test func `a recording played faster has faster rates, and the same oxygen`() {
        let wave = (0..<1250).map { sin(2 * Double.pi * 1.2 * Double($0) / 125) }
        let rates = [
            [72.0, 72, 72, 72, 74, 76, 76, 76, 76, 76], [Double](repeating: 15, count: 10),
        ]
        let found = SensorSet.played(
            "a", waves: [wave, wave], rates: rates + [[Double](repeating: 97, count: 10)],
            speed: 1.25)
        #expect(found.count == 8 && found.inputs.count == 8 * 25 * 2)
        #expect((0..<8).map { found.targets[$0 * 3] } == [90, 90, 90, 92.5, 95, 95, 95, 95])
        #expect((0..<8).allSatisfy { found.targets[$0 * 3 + 1] == 18.75 })
        #expect((0..<8).allSatisfy { found.targets[$0 * 3 + 2] == 97 })
        // 1.5 beats a second: as many rises through 0 as beats.
        let heard = stride(from: 0, to: found.inputs.count, by: 2).map { found.inputs[$0] }
        let rises = heard.indices.dropFirst().count { heard[$0 - 1] < 0 && heard[$0] >= 0 }
        #expect(abs(rises - 12) <= 1)
    }

    @Test func `a rotation about an axis of the room comes back as its rate`() {
        // A turn of 0.5 rad/s about z, after one about x that the sensor is mounted with.
        let rate = 100.0
        let mounted = [cos(0.3), sin(0.3), 0, 0]
        let q = (0..<100).map { row -> [Double] in
            let half = 0.25 * Double(row) / rate
            let (c, s) = (cos(half), sin(half))
            // (c, 0, 0, s) · mounted
            return [
                c * mounted[0] - s * mounted[3], c * mounted[1] - s * mounted[2],
                c * mounted[2] + s * mounted[1], c * mounted[3] + s * mounted[0],
            ]
        }
        let columns = (0..<4).map { part in q.map { $0[part] } }
        let found = SensorSet.rotationRates(columns, rows: 50, rate: rate)
        #expect(found.map(\.count) == [2, 2, 2])
        for piece in 0..<2 {
            #expect(abs(found[2][piece] - 0.5) < 1e-9)
            #expect(abs(found[0][piece]) < 1e-9 && abs(found[1][piece]) < 1e-9)
        }
    }

    @Test func `a table of air is read, cut in time, and its gaps are known`() throws {
        let folder = FileManager.default.temporaryDirectory.appending(
            path: "systole-sensing-\(ProcessInfo.processInfo.processIdentifier)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let names =
            "Date,Time,CO(GT),PT08.S1(CO),NMHC(GT),C6H6(GT),PT08.S2(NMHC),NOx(GT),PT08.S3(NOx),"
            + "NO2(GT),PT08.S4(NO2),PT08.S5(O3),T,RH,AH"
        let rows = (0..<60).map { row in
            "2004-03-10,18:00:00,\(row % 6 == 0 ? "-200" : "\(row)"),"
                + (0..<12).map { "\($0 + row)" }.joined(separator: ",")
        }
        let file = folder.appending(path: "AirQualityUCI_first75.csv")
        try Data(([names] + rows).joined(separator: "\r\n").utf8).write(to: file)
        let set = try SensorSet.read(.airquality, folder: folder.path)
        #expect([set.train, set.validation, set.test].map { $0.map(\.count) } == [[6], [2], [2]])
        // Hours 1 to 5 of the first six: the hour that is missing does not count.
        #expect(set.train[0].targets[0] == 3)
        #expect(throws: LabelledSetError.self) {
            try SensorSet.read(.bidmc, folder: folder.path)
        }
        try Data("a,b\n1\n".utf8).write(to: file)
        #expect(
            throws: LabelledSetError(
                file: "AirQualityUCI_first75.csv", reason: .line(2, needed: "2 cells"))
        ) { try SensorSet.read(.airquality, folder: folder.path) }
    }
}
