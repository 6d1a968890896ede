import Learning
package import Models
import Tensors

/// Scores groups of channels by how badly a stacked auto-encoder, trained on rows taken to be
/// normal, makes the newest row of each; the parts say which channel it was.
///
/// A missing value is seen as the mean of its channel, and is nobody's error: neither in training
/// nor in judging.
package struct StackVAEDetector: Sendable {
    /// Windows that are judged side by side.
    static let blockRows = 16

    /// Channels that varied in training, of those given; the others are not judged.
    package let channels: [Int]
    /// Channels given.
    package let channelCount: Int
    package let configuration: StackVAEConfiguration
    /// Of every judged channel, over the training rows alone.
    let centres: [Double]
    let scales: [Double]
    let parameters: Parameters<Float>

    init(
        channels: [Int], channelCount: Int, configuration: StackVAEConfiguration,
        centres: [Double], scales: [Double], parameters: Parameters<Float>
    ) {
        self.channels = channels
        self.channelCount = channelCount
        self.configuration = configuration
        self.centres = centres
        self.scales = scales
        self.parameters = parameters
    }

    /// Trains on rows that are taken to be normal, and tells nobody how far it is.
    ///
    /// - Parameters:
    ///   - training: `[channel][row]`, all of one length, in any unit; NaN where missing, never
    ///     infinite.
    ///   - options: Seed and effort.
    /// - Returns: nil where there are fewer rows than a window, no channel varies, or too much is
    ///   missing everywhere.
    package static func fit(
        _ training: [[Double]], options: StackVAEOptions = StackVAEOptions()
    ) -> StackVAEDetector? {
        fit(training, options: options) { _ in }
    }

    /// Trains on rows that are taken to be normal.
    ///
    /// - Parameters:
    ///   - training: `[channel][row]`, as above.
    ///   - options: Seed and effort.
    ///   - progress: Told of every update before it is made; what it throws ends the training.
    /// - Returns: As above.
    /// - Throws: What `progress` throws.
    package static func fit(
        _ training: [[Double]], options: StackVAEOptions, progress: (Int) throws -> Void
    ) rethrows -> StackVAEDetector? {
        let rows = training.first?.count ?? 0
        precondition(
            training.allSatisfy { $0.count == rows && $0.allSatisfy { !$0.isInfinite } },
            "StackVAEDetector: channels of other lengths, or infinite values")
        guard rows >= options.window else { return nil }
        let moments = training.map { ChannelMoments($0) }
        let channels = training.indices.filter {
            moments[$0].varies && moments[$0].count >= options.window
        }
        guard !channels.isEmpty else { return nil }
        let scaled = channels.map { channel in
            training[channel].map {
                Float(($0 - moments[channel].mean) / moments[channel].deviation)
            }
        }
        let windows = WindowPlaces(scaled, window: options.window)
        guard !windows.places.isEmpty else { return nil }
        let configuration = StackVAEConfiguration(
            channels: channels.count, window: options.window)
        return StackVAEDetector(
            channels: channels, channelCount: training.count, configuration: configuration,
            centres: channels.map { moments[$0].mean },
            scales: channels.map { moments[$0].deviation },
            parameters: try train(StackVAE(configuration), on: windows, options, progress))
    }

    /// The share of every channel in the surprise of every row.
    ///
    /// - Parameters:
    ///   - rows: `[channel][row]`, as many channels as were fitted; NaN where missing.
    ///   - history: The rows before them, at least a window less one; of any length otherwise.
    /// - Returns: `[channel][row]`, squared errors in units of the training deviation; 0 for a channel
    ///   that is not judged, or is missing. Their sum over channels is the score of a row.
    package func contributions(_ rows: [[Double]], after history: [[Double]]) -> [[Double]] {
        let before = configuration.window - 1
        precondition(
            rows.count == channelCount && history.count == channelCount,
            "StackVAEDetector: \(rows.count) and \(history.count) of \(channelCount) channels")
        precondition(history.allSatisfy { $0.count >= before }, "StackVAEDetector: short history")
        let known = zip(history, rows).map { Array($0.suffix(before)) + $1 }
        return errors(known, from: before, number: 0).map { channel in
            channel.map { $0.isNaN ? 0 : $0 * $0 }
        }
    }

    /// How far every row is from what it is made as.
    ///
    /// A row is judged at a place of a block that its number alone decides, so that its bits do not
    /// depend on how many rows are judged together.
    ///
    /// - Parameters:
    ///   - known: `[channel][row]`, as many channels as were fitted; NaN where missing.
    ///   - first: The first row to judge, at least a window less one.
    ///   - number: The number of row 0 among all rows of the group there ever were.
    /// - Returns: `[channel][row]` from `first` on, in units of the training deviation, above zero
    ///   where more was seen than made; NaN for a channel that is not judged, or is missing.
    package func errors(_ known: [[Double]], from first: Int, number: Int64) -> [[Double]] {
        let (window, block) = (configuration.window, Self.blockRows)
        let end = known.first?.count ?? 0
        precondition(
            known.count == channelCount && first >= window - 1 && first <= end
                && known.allSatisfy { $0.count == end },
            "StackVAEDetector: \(known.count) of \(channelCount) channels, row \(first) of \(end)")
        var errors = [[Double]](
            repeating: [Double](repeating: .nan, count: end - first), count: channelCount)
        guard first < end else { return errors }
        let scaled = channels.enumerated().map { place, channel in
            known[channel].map {
                $0.isNaN ? Float.nan : Float(scale($0, place))
            }
        }
        let pass = StackVAEPass<Float>(StackVAE(configuration), batch: block)
        pass.prepare(parameters)
        let size = Int64(block)
        let phase = Int(((number + Int64(first)) % size + size) % size)
        for start in stride(from: first - phase, to: end, by: block) {
            let rows = (start..<start + block).map { min(max($0, first), end - 1) }
            let windows = WindowPlaces.windows(scaled, rows.map { $0 - window + 1 }, window)
            pass.load(windows.values)
            let made = pass.expected()
            for row in max(first, start)..<min(end, start + block) {
                for (place, channel) in channels.enumerated() {
                    errors[channel][row - first] =
                        Double(scaled[place][row]) - Double(made[place * block + row - start])
                }
            }
        }
        return errors
    }

    /// The training deviation of a channel, in its unit; 0 for one that is not judged.
    func scale(of channel: Int) -> Double {
        channels.firstIndex(of: channel).map { scales[$0] } ?? 0
    }

    /// The score of every row: the sum of its parts.
    package static func scores(_ contributions: [[Double]]) -> [Double] {
        guard let first = contributions.first else { return [] }
        return first.indices.map { row in contributions.reduce(0) { $0 + $1[row] } }
    }

    /// In deviations from the mean; what is farther out than a hundred is as far.
    private func scale(_ value: Double, _ place: Int) -> Double {
        min(max((value - centres[place]) / scales[place], -100), 100)
    }

    private static func train(
        _ network: StackVAE, on windows: WindowPlaces, _ options: StackVAEOptions,
        _ progress: (Int) throws -> Void
    ) rethrows -> Parameters<Float> {
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
        for step in 0..<options.steps {
            try progress(step)
            var batch = windows.draw(options.batch, &chance)
            if options.blanks > 0 { batch.blank(options.blanks, c, options.batch, &chance) }
            let noise = (0..<c.latent * c.channels * options.batch).map { _ in
                Float(chance.normal())
            }
            pass.load(batch.values, presence: batch.presence)
            pass.prepare(parameters)
            _ = pass.step(noise: noise, gradient: &gradient)
            _ = optimiser.update(&parameters, gradient)
        }
        return parameters
    }
}

/// Mean and spread of what is there of a channel.
private struct ChannelMoments {
    let count: Int
    let mean: Double
    let deviation: Double
    /// Whether two values differ; the deviation of equal ones need not be 0 to the last bit.
    let varies: Bool

    init(_ values: [Double]) {
        let there = values.filter { !$0.isNaN }
        count = there.count
        mean = there.reduce(0, +) / Double(max(count, 1))
        let centre = mean
        let squares = there.reduce(0) { $0 + ($1 - centre) * ($1 - centre) }
        deviation = (squares / Double(max(count, 1))).squareRoot()
        varies = deviation > 0 && there.contains { $0 != there[0] }
    }
}
