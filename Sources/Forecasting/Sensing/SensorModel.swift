internal import Foundation
package import Learning
package import Models
package import Series
internal import Tensors

/// A trained model of sensors with all that its use needs: what it reads and gives, how fast, and how far
/// back the training let it look.
package struct SensorModel: Sendable {
    /// What it reads, in the order of a sample.
    package let inputs: [Channel]
    /// What it gives, in the order of a prediction.
    package let outputs: [Channel]
    /// Microseconds between two samples.
    package let stepMicroseconds: Int64
    /// The longest stretch of samples that the training showed it at once. Behind a gap of more it knows
    /// nothing.
    package let memory: Int
    package let trained: TrainedHiSS
    /// How well it did on what it had not seen, and beside what; nil where nothing was kept back.
    package let card: SensorCard?

    /// Traps unless there are as many inputs and outputs as the network has.
    package init(
        inputs: [Channel], outputs: [Channel], stepMicroseconds: Int64, memory: Int,
        trained: TrainedHiSS, card: SensorCard?
    ) {
        precondition(
            inputs.count == trained.configuration.inputs
                && outputs.count == trained.configuration.outputs && stepMicroseconds > 0
                && memory > 0, "SensorModel: \(inputs.count) inputs, \(outputs.count) outputs")
        self.inputs = inputs
        self.outputs = outputs
        self.stepMicroseconds = stepMicroseconds
        self.memory = memory
        self.trained = trained
        self.card = card
    }

    /// Samples for each prediction.
    package var ratio: Int { trained.configuration.ratio }

    /// Predictions for a whole recording at once, in units of the targets, `[count, outputs]`.
    ///
    /// - Parameters:
    ///   - sequence: With as many channels as the model reads.
    ///   - threads: Cores that may be used.
    /// - Returns: One for every `ratio` rows.
    package func predict(_ sequence: SensorSequence, threads: Int = 1) -> [Float] {
        HiSSTrainer.predict(trained, [sequence], threads: threads)[0]
    }
}

/// What a training of a sensor model was made from, and how it did on rows that it had not seen.
package struct SensorCard: Sendable, Equatable, Codable {
    /// Names of the recordings, or of the parts of one.
    package let train: [String]
    package let validation: [String]
    package let test: [String]
    /// Errors of the model on the test part.
    package let errors: SensorErrors
    /// Errors there of always saying the mean of the training targets.
    package let errorsOfMean: SensorErrors
    package let seed: UInt64
    package let software: String

    /// Whether the model is better than saying the mean.
    package var isBetterThanMean: Bool { errors.scaledMSE < errorsOfMean.scaledMSE }

    package init(
        set: SensorSet, errors: SensorErrors, errorsOfMean: SensorErrors, seed: UInt64,
        software: String
    ) {
        train = set.train.map(\.name)
        validation = set.validation.map(\.name)
        test = set.test.map(\.name)
        self.errors = errors
        self.errorsOfMean = errorsOfMean
        self.seed = seed
        self.software = software
    }
}

extension TrainedHiSS {
    /// Weights without the record of a training.
    package init(
        configuration: HiSSConfiguration, parameters: Parameters<Float>, scaling: SensorScaling
    ) {
        self.init(
            configuration: configuration, parameters: parameters, scaling: scaling,
            runningSamples: 0, bestEpoch: 0, epochs: 0, validationErrors: [],
            validationByOutput: [], seconds: 0)
    }
}

// MARK: As a file

extension SensorModel {
    private struct Description: Codable {
        static let key = "sensor.model"
        static let currentVersion = 1

        struct Place: Codable {
            let name: String
            let unit: String

            init(_ channel: Channel) { (name, unit) = (channel.name, channel.unit.symbol) }

            var channel: Channel { Channel(name: name, unit: PhysicalUnit(unit)) }
        }

        var version = Self.currentVersion
        let inputs: [Place]
        let outputs: [Place]
        let stepMicroseconds: Int64
        let memory: Int
        let configuration: HiSSConfiguration
        let scaling: SensorScaling
        let runningSamples: Int
        let bestEpoch: Int
        let epochs: Int
        let validationErrors: [Double]
        let validationByOutput: [Double]
        let seconds: Double
        let card: SensorCard?
    }

    /// Weights and description as safetensors.
    package func encoded() -> [UInt8] {
        var checkpoint = Checkpoint()
        trained.parameters.write(to: &checkpoint)
        checkpoint.metadata[Description.key] = TrainingRecord.json(
            Description(
                inputs: inputs.map { .init($0) }, outputs: outputs.map { .init($0) },
                stepMicroseconds: stepMicroseconds, memory: memory,
                configuration: trained.configuration, scaling: trained.scaling,
                runningSamples: trained.runningSamples, bestEpoch: trained.bestEpoch,
                epochs: trained.epochs, validationErrors: trained.validationErrors,
                validationByOutput: trained.validationByOutput, seconds: trained.seconds,
                card: card))
        return checkpoint.encoded()
    }

    /// Reads what `encoded` wrote.
    ///
    /// - Parameter bytes: A safetensors file.
    /// - Throws: `SensorModelError`.
    package init(decoding bytes: [UInt8]) throws(SensorModelError) {
        let checkpoint: Checkpoint
        do throws(CheckpointError) {
            checkpoint = try Checkpoint(decoding: bytes)
        } catch {
            throw .checkpoint(error)
        }
        guard let text = checkpoint.metadata[Description.key],
            let found = try? JSONDecoder().decode(Description.self, from: Data(text.utf8))
        else { throw .description }
        guard found.version == Description.currentVersion else {
            throw .version(found: found.version)
        }
        let c = found.configuration
        guard c.isSane, found.inputs.count == c.inputs, found.outputs.count == c.outputs,
            found.stepMicroseconds > 0, found.memory > 0,
            (0...1 << 30).contains(found.runningSamples),
            found.scaling.isUsable(inputs: c.inputs, outputs: c.outputs)
        else { throw .description }
        let parameters: Parameters<Float>
        do throws(CheckpointError) {
            parameters = try Parameters(HiSSNetwork(c).layout, from: checkpoint)
        } catch {
            throw .checkpoint(error)
        }
        guard parameters.values.allSatisfy(\.isFinite) else { throw .notFinite }
        self.init(
            inputs: found.inputs.map(\.channel), outputs: found.outputs.map(\.channel),
            stepMicroseconds: found.stepMicroseconds, memory: found.memory,
            trained: TrainedHiSS(
                configuration: c, parameters: parameters, scaling: found.scaling,
                runningSamples: found.runningSamples, bestEpoch: found.bestEpoch,
                epochs: found.epochs, validationErrors: found.validationErrors,
                validationByOutput: found.validationByOutput, seconds: found.seconds),
            card: found.card)
    }
}

/// Why bytes are no sensor model.
package enum SensorModelError: Error, Equatable, CustomStringConvertible {
    case checkpoint(CheckpointError)
    /// It is absent, malformed, or does not fit together.
    case description
    /// Written by a newer program.
    case version(found: Int)
    case notFinite

    package var description: String {
        switch self {
        case .checkpoint: "the file is no whole safetensors file of a sensor model"
        case .description: "the file does not describe a sensor model"
        case .version(let found): "the sensor model has version \(found): a newer program wrote it"
        case .notFinite: "the sensor model has weights that are no numbers"
        }
    }
}

extension HiSSConfiguration {
    /// Whether a network of these sizes can be built in reasonable memory.
    fileprivate var isSane: Bool {
        (1...4096).contains(inputs) && (1...4096).contains(outputs)
            && (1...8).contains(levels.count) && dropout >= 0 && dropout < 1
            && levels.allSatisfy {
                (1...4096).contains($0.width) && (1...64).contains($0.layers)
                    && (1...1 << 16).contains($0.ratio) && (0...1024).contains($0.states)
                    && ($0.kind == .lstm || $0.states > 0) && $0.steps.lowerBound > 0
                    && ($0.kind != .s4d || $0.states % 2 == 0 && $0.states <= 256)
            }
    }
}

extension SensorScaling {
    /// Whether there is a finite offset and a scale above zero for every channel.
    fileprivate func isUsable(inputs: Int, outputs: Int) -> Bool {
        inputOffsets.count == inputs && inputScales.count == inputs
            && targetOffsets.count == outputs && targetScales.count == outputs
            && (inputOffsets + targetOffsets).allSatisfy(\.isFinite)
            && (inputScales + targetScales).allSatisfy { $0 > 0 && $0.isFinite }
    }
}
