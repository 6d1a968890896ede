import Learning
package import Models
import Tensors

/// Scores groups of channels by how badly a stacked auto-encoder, trained on rows taken to be
/// normal, makes the newest row of each; the parts say which channel it was.
package struct StackVAEDetector: Sendable {
    /// Channels that varied in training, of those given; the others are not judged.
    package let channels: [Int]
    /// Channels given.
    package let channelCount: Int
    package let configuration: StackVAEConfiguration
    /// Of every judged channel, over the training rows alone.
    private let centres: [Double]
    private let scales: [Double]
    private let parameters: Parameters<Float>

    /// Trains on rows that are taken to be normal.
    ///
    /// - Parameters:
    ///   - training: `[channel][row]`, all of one length, in any unit, finite.
    ///   - options: Seed and effort.
    /// - Returns: nil where there are fewer rows than a window, or no channel varies.
    package static func fit(
        _ training: [[Double]], options: StackVAEOptions = StackVAEOptions()
    ) -> StackVAEDetector? {
        let rows = training.first?.count ?? 0
        precondition(
            training.allSatisfy { $0.count == rows && $0.allSatisfy(\.isFinite) },
            "StackVAEDetector: channels of other lengths, or missing rows")
        guard rows >= options.window else { return nil }
        let moments = training.map(Self.moments)
        let channels = training.indices.filter { moments[$0].deviation > 0 }
        guard !channels.isEmpty else { return nil }
        let configuration = StackVAEConfiguration(
            channels: channels.count, window: options.window)
        let scaled = channels.map { channel in
            training[channel].map {
                Float(($0 - moments[channel].mean) / moments[channel].deviation)
            }
        }
        return StackVAEDetector(
            channels: channels, channelCount: training.count, configuration: configuration,
            centres: channels.map { moments[$0].mean },
            scales: channels.map { moments[$0].deviation },
            parameters: train(StackVAE(configuration), on: scaled, options))
    }

    /// The share of every channel in the surprise of every row.
    ///
    /// - Parameters:
    ///   - rows: `[channel][row]`, as many channels as were fitted, finite.
    ///   - history: The rows before them, at least a window less one; of any length otherwise.
    /// - Returns: `[channel][row]`, squared errors in units of the training deviation; 0 for a channel
    ///   that is not judged. Their sum over channels is the score of a row.
    package func contributions(_ rows: [[Double]], after history: [[Double]]) -> [[Double]] {
        let window = configuration.window
        precondition(
            rows.count == channelCount && history.count == channelCount,
            "StackVAEDetector: \(rows.count) and \(history.count) of \(channelCount) channels")
        precondition(
            history.allSatisfy { $0.count >= window - 1 }, "StackVAEDetector: too short a history")
        let count = rows.first?.count ?? 0
        let series = channels.enumerated().map { place, channel in
            (history[channel].suffix(window - 1) + rows[channel]).map {
                Float(min(max(($0 - centres[place]) / scales[place], -100), 100))
            }
        }
        var result = [[Double]](
            repeating: [Double](repeating: 0, count: count), count: channelCount)
        let batch = min(256, max(1, count))
        let pass = StackVAEPass<Float>(StackVAE(configuration), batch: batch)
        pass.prepare(parameters)
        for start in stride(from: 0, to: count, by: batch) {
            let starts = (0..<batch).map { min(start + $0, count - 1) }
            pass.load(Self.windows(series, starts, window))
            let errors = pass.errors()
            for (place, channel) in channels.enumerated() {
                for row in start..<min(count, start + batch) {
                    result[channel][row] = Double(errors[place * batch + row - start])
                }
            }
        }
        return result
    }

    /// The score of every row: the sum of its parts.
    package static func scores(_ contributions: [[Double]]) -> [Double] {
        guard let first = contributions.first else { return [] }
        return first.indices.map { row in contributions.reduce(0) { $0 + $1[row] } }
    }

    private static func train(
        _ network: StackVAE, on series: [[Float]], _ options: StackVAEOptions
    ) -> Parameters<Float> {
        let c = network.configuration
        let root = RandomStream(seed: options.seed)
        var (first, chance) = (root.stream(1), root.stream(2))
        var parameters: Parameters<Float> = network.begin(&first)
        var gradient = Parameters<Float>(zeros: network.layout)
        var optimiser = AdamW<Float>(
            network.layout,
            schedule: LearningRateSchedule(peak: options.rate, steps: options.steps),
            weightDecay: options.weightDecay, clip: options.clip)
        let pass = StackVAEPass<Float>(network, batch: options.batch)
        let places = (series.first?.count ?? 0) - c.window + 1
        for _ in 0..<options.steps {
            let starts = (0..<options.batch).map { _ in chance.integer(below: places) }
            let noise = (0..<c.latent * c.channels * options.batch).map { _ in
                Float(chance.normal())
            }
            pass.load(windows(series, starts, c.window))
            pass.prepare(parameters)
            _ = pass.step(noise: noise, gradient: &gradient)
            _ = optimiser.update(&parameters, gradient)
        }
        return parameters
    }

    /// Windows of all channels, `[window, channel, start]`.
    private static func windows(
        _ series: [[Float]], _ starts: [Int], _ window: Int
    ) -> [Float] {
        var values: [Float] = []
        values.reserveCapacity(window * series.count * starts.count)
        for row in 0..<window {
            for channel in series {
                for start in starts { values.append(channel[start + row]) }
            }
        }
        return values
    }

    private static func moments(_ values: [Double]) -> (mean: Double, deviation: Double) {
        let mean = values.reduce(0, +) / Double(values.count)
        let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
        return (mean, (squares / Double(values.count)).squareRoot())
    }
}
