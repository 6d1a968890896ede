internal import Foundation
internal import Learning
internal import Models
internal import Tensors

/// How a network is trained on recordings.
struct NetworkTrainingOptions: Hashable, Sendable, Codable {
    var epochs = 16
    /// Of learning to measure, before; see `NetworkPretraining`.
    var pretrainingEpochs = 15
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
    ///   - targets: What the network is to say of each.
    ///   - training: Numbers of those to learn from; at least one.
    ///   - start: A network of the same body that has learnt something else, to go on from.
    ///   - progress: Called after every epoch with its number from 1 and its mean loss.
    /// - Returns: The averaged weights.
    /// - Throws: What `progress` throws.
    func fit(
        _ recordings: [PreparedECG], _ targets: NetworkExamples.Targets, on training: [Int],
        from start: NetworkModel? = nil, progress: (Int, Double) throws -> Void
    ) rethrows -> NetworkModel {
        let network = configuration.network
        let chance = RandomStream(seed: seed)
        var beginning = chance.stream(2)
        var parameters: Parameters<Float> = network.begin(&beginning)
        var statistics: Parameters<Float> = network.beginStatistics()
        if let start {
            parameters.take(start.parameters)
            statistics.take(start.statistics)
        }
        var gradient = Parameters<Float>(zeros: network.layout)
        var average = RunningAverage(parameters, statistics)
        let examples = NetworkExamples(recordings, targets, training, scales: start?.scales)
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

extension Parameters<Float> {
    /// Takes over what another network has under the same name and shape.
    fileprivate mutating func take(_ other: Parameters<Float>) {
        let slots = Dictionary(uniqueKeysWithValues: other.layout.slots.map { ($0.name, $0) })
        for slot in layout.slots {
            guard let known = slots[slot.name], known.shape == slot.shape else { continue }
            values.replaceSubrange(slot.range, with: other.values[known.range])
        }
    }
}
