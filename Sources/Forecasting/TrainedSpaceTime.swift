internal import Foundation
package import Learning
package import Models

/// What happened in a training.
package struct TrainingRecord: Sendable, Equatable, Codable {
    /// One pass over the training windows.
    package struct Epoch: Sendable, Equatable, Codable {
        /// Mean loss of the steps; in the first epochs of three terms, later of the forecast alone.
        package let trainLoss: Double
        /// Mean squared error over all validation windows, in scaled units.
        package let validationError: Double
        /// Of the closed loop to a unit state, within four times the horizon.
        package let largestResponse: Double
        /// Of what the encoder gave to the decoder over the last validation windows; nil in records
        /// from before it was measured.
        package let encodedDeviation: Double?
        /// Since the training began.
        package let seconds: Double
    }

    package var epochs: [Epoch] = []
    /// The epoch whose weights were kept, from 1.
    package var bestEpoch = 0
    /// Its validation error.
    package var bestError = Double.greatestFiniteMagnitude
    /// Of the whole training.
    package var seconds = 0.0
    /// How many numbers were trained.
    package var parameters = 0
}

/// A trained SpaceTime network, ready to be stored or to forecast.
package struct TrainedSpaceTime: Sendable {
    package let network: SpaceTimeNetwork
    package let parameters: Parameters<Float>
    package let options: TrainingOptions
    package let record: TrainingRecord

    package init(
        network: SpaceTimeNetwork, parameters: Parameters<Float>, options: TrainingOptions,
        record: TrainingRecord
    ) {
        self.network = network
        self.parameters = parameters
        self.options = options
        self.record = record
    }

    /// A forecaster of `horizon` steps; any number, also other than in training.
    package func prepared(horizon: Int, batch: Int = 16, threads: Int = 1) -> PreparedSpaceTime {
        PreparedSpaceTime(network, parameters, horizon: horizon, batch: batch, threads: threads)
    }

    /// The keys of its texts in a checkpoint.
    private enum Key {
        static let configuration = "spacetime.configuration"
        static let options = "spacetime.options"
        static let record = "spacetime.record"
        static let windows = "buffer/blocks.0.preprocess.windows"
    }

    /// Weights, fixed kernels, configuration and record as one checkpoint.
    package var checkpoint: Checkpoint {
        var checkpoint = Checkpoint()
        parameters.write(to: &checkpoint)
        let windows = network.preprocess.windows
        checkpoint.tensors[Key.windows] = .init(
            shape: [windows.count / 4, 4], values: .integer(windows))
        checkpoint.metadata[Key.configuration] = TrainingRecord.json(network.configuration)
        checkpoint.metadata[Key.options] = TrainingRecord.json(options)
        checkpoint.metadata[Key.record] = TrainingRecord.json(record)
        return checkpoint
    }

    /// Reads what `checkpoint` wrote.
    ///
    /// - Throws: `CheckpointError.missing` for what is absent, or makes no sense together.
    package init(_ checkpoint: Checkpoint) throws(CheckpointError) {
        let configuration: SpaceTimeConfiguration = try Self.value(Key.configuration, checkpoint)
        let windows = try checkpoint.integers(Key.windows)
        guard configuration.isSane, windows.count == 4 * configuration.groups,
            windows.allSatisfy({ $0 > 0 })
        else { throw .missing(Key.windows) }
        let network = SpaceTimeNetwork(configuration, preprocess: Preprocess(windows: windows))
        self.init(
            network: network, parameters: try Parameters(network.layout, from: checkpoint),
            options: try Self.value(Key.options, checkpoint),
            record: try Self.value(Key.record, checkpoint))
    }

    private static func value<Value: Decodable>(_ key: String, _ checkpoint: Checkpoint)
        throws(CheckpointError) -> Value
    {
        guard let text = checkpoint.metadata[key] else { throw .missing(key) }
        do {
            return try JSONDecoder().decode(Value.self, from: Data(text.utf8))
        } catch {
            throw .missing(key)
        }
    }
}

extension SpaceTimeConfiguration {
    /// Whether a network of these sizes can be built in reasonable memory.
    fileprivate var isSane: Bool {
        (1...1 << 16).contains(lag) && (1...1 << 16).contains(horizon)
            && (1...1 << 8).contains(groups)
            && (2...1 << 12).contains(d) && (1...64).contains(encoderBlocks)
            && (1...64).contains(variates) && dropout >= 0 && dropout < 1
    }
}

extension TrainingRecord {
    /// A value as JSON, with its keys in order.
    static func json(_ value: some Encodable) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        guard let data = try? encoder.encode(value) else {  // Finite numbers and texts always do.
            preconditionFailure("TrainingRecord: a value that JSON cannot express")
        }
        return String(decoding: data, as: UTF8.self)
    }
}
