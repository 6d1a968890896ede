internal import Foundation
internal import Learning
internal import Models
internal import Series
internal import Tensors

/// How a network is trained on recordings.
struct NetworkTrainingOptions: Hashable, Sendable, Codable {
    var epochs = 30
    /// Recordings of one step.
    var batch = 32
    /// Peak learning rate.
    var rate = 3e-3
    var weightDecay = 0.05
    /// The share of all steps that the averaged weights look back on.
    var averagedShare = 0.1
    var augmentation = ECGAugmentation()
    /// The share of batches that are mixtures, in every third epoch but the last ones.
    var mixedShare = 0.3
    var mixture = 0.2
}

/// Trains a network for a fixed number of epochs and takes the running average of its weights.
///
/// There is no stopping by a validation set: with some hundred recordings it would choose by chance,
/// and the weights are averaged at the end of a cosine. The number of epochs is what the time for a
/// training allows, not a choice by data.
///
/// - Source: Loshchilov, Hutter, ICLR 2019 (AdamW); Polyak, Juditsky 1992 (averaged weights).
struct NetworkTrainer: Sendable {
    let configuration: NetworkConfiguration
    var options = NetworkTrainingOptions()
    var seed: UInt64 = 0
    var threads = 1

    /// Trains on some recordings.
    ///
    /// - Parameters:
    ///   - recordings: All there are.
    ///   - training: Numbers of those to learn from; at least one.
    ///   - progress: Called after every epoch with its number from 1 and its mean loss.
    /// - Returns: The averaged weights.
    /// - Throws: What `progress` throws.
    func fit(
        _ recordings: [LabelledECG], on training: [Int], progress: (Int, Double) throws -> Void
    ) rethrows -> NetworkModel {
        let network = configuration.network
        let chance = RandomStream(seed: seed)
        var beginning = chance.stream(2)
        var parameters: Parameters<Float> = network.begin(&beginning)
        var statistics: Parameters<Float> = network.beginStatistics()
        var gradient = Parameters<Float>(zeros: network.layout)
        var average = RunningAverage(parameters, statistics)
        let examples = Examples(recordings, training)
        let size = min(options.batch, training.count)
        let perEpoch = (training.count + size - 1) / size
        let steps = options.epochs * perEpoch
        let pass: any RecordingPass<Float> = network.makePass(
            batch: size, training: true, team: Team(threads: threads))
        var optimiser = AdamW<Float>(
            network.layout, schedule: LearningRateSchedule(peak: options.rate, steps: steps),
            weightDecay: options.weightDecay)
        var step = RecordingStep(positiveWeights: examples.positiveWeights)
        var batch = RecordingBatch<Float>(sizes: network.sizes, count: size)
        for epoch in 0..<options.epochs {
            var random = chance.stream(1000 + UInt64(epoch))
            var order = training
            random.shuffle(&order)
            var loss = 0.0
            for number in 0..<perEpoch {
                let chosen = (0..<size).map { order[(number * size + $0) % order.count] }
                examples.fill(&batch, chosen, options.augmentation, threads: threads, &random)
                let isLate = 5 * epoch >= 4 * options.epochs
                if epoch % 3 == 2, !isLate, random.uniform() < options.mixedShare {
                    batch.mix(by: Self.beta(options.mixture, &random))
                }
                step.dropoutKey = random.next()
                pass.prepare(parameters, statistics: statistics)
                pass.load(batch, records: 0..<size)
                loss += pass.step(step, gradient: &gradient, statistics: &statistics)
                _ = optimiser.update(&parameters, gradient)
                average.add(
                    parameters, statistics, step: epoch * perEpoch + number,
                    window: options.averagedShare * Double(steps))
            }
            try progress(epoch + 1, loss / Double(perEpoch))
        }
        return NetworkModel(
            configuration: configuration, scales: examples.scales, parameters: average.parameters,
            statistics: average.statistics)
    }

    /// A number in 0…1 of the symmetric beta distribution, by Jöhnk's method.
    private static func beta(_ shape: Double, _ random: inout RandomStream) -> Double {
        while true {
            let (a, b) = (pow(random.uniform(), 1 / shape), pow(random.uniform(), 1 / shape))
            if a + b <= 1, a + b > 0 { return a / (a + b) }
        }
    }
}

/// The moving average of a network's numbers.
private struct RunningAverage {
    private(set) var parameters: Parameters<Float>
    private(set) var statistics: Parameters<Float>

    init(_ parameters: Parameters<Float>, _ statistics: Parameters<Float>) {
        self.parameters = parameters
        self.statistics = statistics
    }

    /// Moves towards the newest numbers, quickly at first.
    mutating func add(
        _ newest: Parameters<Float>, _ newestStatistics: Parameters<Float>, step: Int,
        window: Double
    ) {
        let share = Float(max(1 / max(1, window), 1 / Double(step + 1)))
        for i in newest.values.indices {
            parameters.values[i] += share * (newest.values[i] - parameters.values[i])
        }
        for i in newestStatistics.values.indices {
            statistics.values[i] += share * (newestStatistics.values[i] - statistics.values[i])
        }
    }
}

/// The recordings that a network learns from, scaled.
private struct Examples: Sendable {
    /// In 1/mV, `[leads]`.
    let scales: [Float]
    /// `[classes]`, `clip(√(negatives/positives), 1, 10)` over those that are known.
    let positiveWeights: [Double]
    private let recordings: [LabelledECG]

    init(_ recordings: [LabelledECG], _ training: [Int]) {
        self.recordings = recordings
        let first = recordings[training[0]].prepared
        scales = first.leads.indices.map { lead in
            var (sum, count) = (0.0, 0)
            for index in training {
                let prepared = recordings[index].prepared
                let start = lead * prepared.sampleCount
                for value in prepared.windows[0][start..<start + prepared.sampleCount] {
                    sum += Double(value * value)
                }
                count += prepared.sampleCount
            }
            return Float(1 / max(1e-3, (sum / Double(count)).squareRoot()))
        }
        positiveWeights = recordings[training[0]].labels.indices.map { k in
            let known = training.compactMap { recordings[$0].labels[k] }
            let positives = Double(known.count { $0 })
            guard positives > 0 else { return 10 }
            return min(10, max(1, ((Double(known.count) - positives) / positives).squareRoot()))
        }
    }

    /// Fills a batch with changed windows of some recordings.
    func fill(
        _ batch: inout RecordingBatch<Float>, _ chosen: [Int], _ augmentation: ECGAugmentation,
        threads: Int, _ random: inout RandomStream
    ) {
        let key = random.next()
        let filled = ParallelMap.map(chosen.count, threads: threads) { place in
            var own = RandomStream(seed: key).stream(UInt64(place))
            return window(recordings[chosen[place]].prepared, augmentation, &own)
        }
        let classes = batch.sizes.classes
        for (place, index) in chosen.enumerated() {
            batch.signals.replaceSubrange(batch.signalRange(place), with: filled[place].window)
            batch.padding[place] = filled[place].padding
            for (k, label) in recordings[index].labels.enumerated() {
                batch.targets[place * classes + k] = label == true ? 1 : 0
                batch.weights[place * classes + k] = label == nil ? 0 : 1
            }
        }
    }

    private func window(
        _ prepared: PreparedECG, _ augmentation: ECGAugmentation, _ random: inout RandomStream
    ) -> (window: [Float], padding: Int) {
        var window = prepared.windows[random.integer(below: prepared.windows.count)]
        let samples = prepared.sampleCount
        for (lead, scale) in scales.enumerated() {
            for i in lead * samples..<(lead + 1) * samples { window[i] *= scale }
        }
        var target = [Float](repeating: 0, count: window.count)[...]
        let padding = augmentation.apply(
            window, padding: prepared.padding, samples: samples, hertz: prepared.rate.hertz,
            into: &target, &random)
        return (Array(target), padding)
    }
}

extension RecordingBatch<Float> {
    /// Mixes every recording with the next one (MixUp); a target is known where both are.
    fileprivate mutating func mix(by share: Double) {
        let part = Float(max(share, 1 - share))
        let old = self
        let classes = sizes.classes
        for record in 0..<count {
            let other = (record + 1) % count
            let (mine, theirs) = (signalRange(record), signalRange(other))
            for (i, j) in zip(mine, theirs) {
                signals[i] = part * old.signals[i] + (1 - part) * old.signals[j]
            }
            padding[record] = min(old.padding[record], old.padding[other])
            for k in 0..<classes {
                let (i, j) = (record * classes + k, other * classes + k)
                targets[i] = part * old.targets[i] + (1 - part) * old.targets[j]
                weights[i] = min(old.weights[i], old.weights[j])
            }
        }
    }
}
