import Foundation
import Learning
import Models
import Series
import Signals
import Tensors
import Testing

@testable import Classification

@Suite struct ModelTests {
    @Test(arguments: [1, 3, 64])
    func `responses are those of a plain convolution`(dilation: Int) {
        var random = RandomStream(seed: 1)
        let count = 203
        let window = (0..<2 * count).map { _ in Float(random.normal()) }
        let weights: [Float] = [0.5, -1]
        var responses = KernelResponses(samples: count)
        responses.combine(window, weights, dilation: dilation)
        for pattern in [[0, 1, 2], [0, 4, 8], [5, 6, 8]] {
            for first in [0, 50] {
                responses.convolve(pattern, from: first)
                let plain = (first..<count).map { t -> Float in
                    (0..<9).reduce(0) { sum, tap in
                        let place = t + (tap - 4) * dilation
                        guard (0..<count).contains(place) else { return sum }
                        let signal = weights[0] * window[place] + weights[1] * window[count + place]
                        return sum + (pattern.contains(tap) ? 2 : -1) * signal
                    }
                }
                for (a, b) in zip(responses.values(from: first), plain) {
                    #expect(abs(a - b) < 1e-4)
                }
                let above = Float(plain.count { $0 > 0.37 }) / Float(plain.count)
                #expect(abs(responses.shareAbove(0.37, from: first) - above) < 0.011)
                #expect(abs(responses.maximum - (plain.max() ?? 0)) < 1e-4)
            }
        }
    }

    @Test func `a regression ends where its gradient is zero`() {
        var random = RandomStream(seed: 2)
        let (count, width) = (60, 90)
        let features = Tensor<Float>(
            [count, width], (0..<count * width).map { _ in Float(3 * random.normal() + 1) })
        let labels: [[Bool?]] = (0..<count).map { row in
            let known = features.values[row * width] + Float(random.normal()) > 2
            return [known, row % 7 == 0 ? nil : row % 3 == 0]
        }
        let regression = LogisticRegression(
            features, blocks: [FeatureBlock(count: width, share: 1)])
        let penalty = 0.3
        let fit = regression.fit(labels, penalty: penalty)
        for k in 0..<2 {
            var errors = [Double](repeating: 0, count: count)
            for row in 0..<count {
                guard let label = labels[row][k] else { continue }
                var logit = Double(fit.offsets[k])
                for i in 0..<width {
                    logit += Double(fit.weights[k, i]) * Double(features[row, i])
                }
                errors[row] = 1 / (1 + exp(-logit)) - (label ? 1 : 0)
            }
            #expect(abs(errors.reduce(0, +)) < 1e-3)
            for i in stride(from: 0, to: width, by: 11) {
                let column = (0..<count).map { Double(features[$0, i]) }
                let mean = column.reduce(0, +) / Double(count)
                let variance = column.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(count)
                // In standardised units: x = (column − mean)·f, w = weight/f.
                let f = (1 / Double(width) / variance).squareRoot()
                let slope = zip(column, errors).reduce(0) { $0 + ($1.0 - mean) * f * $1.1 }
                #expect(abs(slope + penalty * Double(fit.weights[k, i]) / f) < 1e-3)
            }
        }
    }

    @Test func `a recording without beats has measures of zero`() throws {
        let beats = try #require(BeatFeatures(ECGPreparation()))
        let silent = PreparedECG(
            leads: Lead.allCases, rate: SamplingRate(100), sampleCount: 1000,
            windows: [[Float](repeating: 0, count: 12_000)], starts: [0])
        let found = beats.features(silent)
        #expect(found.measures == [Float](repeating: 0, count: beats.measureCount))
        #expect(found.shape == [Float](repeating: 0, count: beats.shapeCount))
    }

    @Test func `the rate of beats is measured`() throws {
        let beats = try #require(BeatFeatures(ECGPreparation()))
        for interval in [0.5, 0.8, 1.2] {
            let heart = MadeUpECG(seconds: 10, interval: interval, irregularity: 0)
            let found = beats.features(try heart.prepared()).measures
            #expect(found.allSatisfy { $0.isFinite })
            #expect(abs(Double(found[0]) - interval) < 0.011)
            #expect(abs(Double(found[2]) - 60 / interval) < 2)
        }
    }

    @Test func `a squash keeps its order and stays within one`() {
        let rows: [[Float]] = (0..<50).map { [Float($0), Float($0 * $0 * $0), 4] }
        let squash = FeatureSquash(fitting: rows)
        let squashed = rows.map { squash.apply($0) }
        #expect(squashed.allSatisfy { $0.allSatisfy { abs($0) <= 1 } })
        #expect(zip(squashed, squashed.dropFirst()).allSatisfy { $0[0] < $1[0] && $0[1] <= $1[1] })
        #expect(squashed.allSatisfy { $0[2] == 0 })
    }

    @Test func `components keep distances, and leave out what does not vary`() {
        var random = RandomStream(seed: 8)
        let rows: [[Float]] = (0..<30).map { _ in
            let (a, b) = (Float(random.normal()), Float(random.normal()))
            return [a, 10 * b + 3, a + b, 7]
        }
        let components = BlockComponents(fitting: rows, count: 3)
        let number = Float(rows.count)
        let deviations = (0..<4).map { i in
            let mean = rows.reduce(0) { $0 + $1[i] } / number
            return (rows.reduce(0) { $0 + ($1[i] - mean) * ($1[i] - mean) } / number).squareRoot()
        }
        for (a, b) in zip(rows, rows.dropFirst()) {
            let whole = (0..<3).reduce(Float(0)) { sum, i in
                let difference = (a[i] - b[i]) / deviations[i]
                return sum + difference * difference / 4
            }
            let (x, y) = (components.apply(a[...]), components.apply(b[...]))
            let kept = zip(x, y).reduce(Float(0)) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
            #expect(abs(whole - kept) < 1e-4 * (1 + whole))
        }
        #expect(BlockComponents(fitting: rows, count: 1).count == 1)
    }

    @Test func `nearness is one to itself, and less to others`() throws {
        let recordings = try MadeUpECG.collection(24)
        let folds = PatientFolds(recordings, count: 3)
        let trainer = { (threads: Int) in
            KernelTrainer(preparation: ECGPreparation(), threads: threads)
                .fit(recordings, folds, on: Array(0..<24))
        }
        let model = try #require(trainer(1)).model
        let (width, blocks) = (model.references.shape[1], model.features.blocks)
        for (number, recording) in recordings.enumerated() {
            let row = KernelModel.components(
                of: model.features.features(recording.prepared), model.components, blocks)
            let reference = Array(model.references.values[number * width..<(number + 1) * width])
            #expect(zip(row, reference).allSatisfy { abs($0 - $1) < 1e-4 })
            let near = KernelModel.nearness(row, model.references, model.components, blocks)
            #expect(near[number] > 0.99)
            #expect(near.allSatisfy { $0 > 0 && $0 < 1.0001 })
        }
        let judged = recordings.map { model.logits($0.prepared) }
        #expect(HeldOutScores(logits: judged, labels: recordings.map(\.labels)).macroAUROC > 0.99)
        let other = try #require(trainer(2)).model
        #expect(other.weights == model.weights && other.references == model.references)
    }

    @Test func `linear models on the same convolutions join, and give the same sum`() throws {
        let recordings = try MadeUpECG.collection(18)
        let folds = PatientFolds(recordings, count: 3)
        func member(_ kind: FeatureKind, _ weight: Double, seed: UInt64 = 3) -> ClassifierMember {
            var trainer = LinearTrainer(kind: kind, preparation: ECGPreparation(), seed: seed)
            (trainer.sizes.dilations, trainer.sizes.groupsPerDilation) = ([1, 8], 1)
            trainer.penalties = [0.1]
            return ClassifierMember(
                weight: weight,
                calibration: (0..<3).map {
                    ClassCalibration(slope: 1 + weight + Double($0), offset: weight - Double($0))
                },
                model: .linear(trainer.fit(recordings, folds, on: Array(0..<18)).model))
        }
        func sum(_ members: [ClassifierMember]) -> [[Double]] {
            var sums = recordings.map { _ in [0.0, 0, 0] }
            for member in members {
                let rows = member.logits(recordings.map(\.prepared), threads: 1)
                for (i, row) in rows.enumerated() {
                    for k in row.indices { sums[i][k] += member.weight * row[k] }
                }
            }
            return sums
        }
        let members = [member(.kernels, 0.25), member(.beats, 0.25), member(.all, 0.5)]
        let joined = ClassifierMember.joined(members)
        #expect(joined.count == 2)
        for (a, b) in zip(sum(members).joined(), sum(joined).joined()) {
            #expect(abs(a - b) < 1e-4 * (1 + abs(a)))
        }
        let others = [member(.kernels, 0.5, seed: 4), member(.all, 0.5)]
        #expect(ClassifierMember.joined(others).count == 2)
    }

    @Test(arguments: [NetworkKind.mamba, .resnet])
    func `a network learns, and any number of threads gives its bits`(kind: NetworkKind) throws {
        let recordings = try MadeUpECG.collection(16)
        let trainer = { (threads: Int) in
            NetworkTrainer(
                configuration: kind.small, options: kind.options, seed: 3, threads: threads)
        }
        let prepared = recordings.map(\.prepared)
        let targets = NetworkExamples.targets(recordings)
        var losses: [Double] = []
        let one = trainer(1).fit(prepared, targets, on: Array(0..<16)) { losses.append($1) }
        let two = trainer(2).fit(prepared, targets, on: Array(0..<16)) { _, _ in }
        #expect(one.parameters == two.parameters)
        #expect(one.statistics == two.statistics)
        #expect(losses.count == kind.options.epochs)
        #expect((losses.last ?? 1) < (losses.first ?? 0))
        let logits = one.logits(recordings.map(\.prepared), threads: 1)
        #expect(logits == one.logits(recordings.map(\.prepared), threads: 2))
        #expect(logits.allSatisfy { $0.allSatisfy(\.isFinite) })
    }

    @Test(arguments: [NetworkKind.mamba, .resnet])
    func `a network that has learnt to measure goes on from there`(kind: NetworkKind) throws {
        let recordings = try MadeUpECG.collection(8)
        let prepared = recordings.map(\.prepared)
        var options = kind.options
        options.pretrainingEpochs = 3
        let pretraining = NetworkPretraining(
            preparation: ECGPreparation(), options: options, seed: 5)
        var epochs: [Int] = []
        let start = try #require(
            pretraining.fit(kind.small, prepared) { epochs.append($0) })
        #expect(epochs == [1, 2, 3])
        let measures = try #require(BeatFeatures(ECGPreparation())).measureCount
        #expect(start.configuration.sizes.classes == measures)
        (options.epochs, options.rate) = (1, 1e-9)
        let model = NetworkTrainer(configuration: kind.small, options: options, seed: 6).fit(
            Array(prepared.reversed()), NetworkExamples.targets(recordings.reversed()),
            on: [0, 1, 2], from: start, progress: { _, _ in })
        #expect(model.scales == start.scales)
        let known = Dictionary(
            uniqueKeysWithValues: start.parameters.layout.slots.map { ($0.name, $0) })
        for slot in model.parameters.layout.slots {
            let other = try #require(known[slot.name])
            #expect((slot.shape == other.shape) == !slot.name.hasPrefix("head"))
            guard slot.shape == other.shape else { continue }
            let pairs = zip(
                model.parameters.values[slot.range], start.parameters.values[other.range])
            #expect(pairs.allSatisfy { abs($0 - $1) < 1e-5 }, "\(slot.name)")
        }
        options.pretrainingEpochs = 0
        let none = NetworkPretraining(preparation: ECGPreparation(), options: options)
        let nothing = none.fit(kind.small, prepared) { _ in }
        #expect(nothing.map { _ in 0 } == nil)
    }

    enum NetworkKind: Sendable {
        case mamba, resnet

        var small: NetworkConfiguration {
            switch self {
            case .mamba:
                .mamba(
                    ECGMambaConfiguration(
                        sizes: RecordingSizes(leads: 12, samples: 1000, classes: 3),
                        stem: [
                            .init(channels: 8, taps: 7, stride: 4, padding: 3),
                            .init(channels: 8, taps: 5, stride: 4, padding: 2),
                        ], depth: 1, states: 4))
            case .resnet:
                .resnet(
                    ECGResNetConfiguration(
                        sizes: RecordingSizes(leads: 12, samples: 1000, classes: 3),
                        widths: [8, 12]))
            }
        }

        var options: NetworkTrainingOptions {
            var options = NetworkTrainingOptions()
            (options.epochs, options.batch) = (6, 8)
            return options
        }
    }
}
