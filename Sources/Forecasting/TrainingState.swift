internal import Foundation
package import Learning
internal import Models
internal import Tensors

/// Which training a state belongs to: two trainings with the same fingerprint take the same steps.
package struct TrainingFingerprint: Hashable, Sendable, CustomStringConvertible {
    /// 16 hexadecimal digits.
    package let description: String

    /// The fingerprint that was written as `text`.
    package init(_ text: String) { description = text }

    /// The number of threads is left out: it moves the work, not the model.
    init(
        _ configuration: SpaceTimeConfiguration, _ options: TrainingOptions, series: [Float],
        trainStarts: [Int], validationStarts: [Int]
    ) {
        var options = options
        options.threads = 1
        var hash = UInt64(TrainingState.format)
        // A change of any word changes the hash; it tells mistakes apart and guards nothing.
        func mix(_ word: UInt64) {
            var stream = RandomStream(seed: hash ^ word)
            hash = stream.next()
        }
        for text in [TrainingRecord.json(configuration), TrainingRecord.json(options)] {
            for byte in text.utf8 { mix(UInt64(byte)) }
            mix(0x100)
        }
        for value in series { mix(UInt64(value.bitPattern)) }
        for starts in [trainStarts, validationStarts] {
            mix(UInt64(starts.count))
            for start in starts { mix(UInt64(start)) }
        }
        let digits = String(hash, radix: 16)
        description = String(repeating: "0", count: 16 - digits.count) + digits
    }
}

/// Why a training cannot go on from a state.
package enum TrainingStateError: Error, Equatable {
    /// The bytes are no state, or something is missing in them.
    case checkpoint(CheckpointError)
    /// Written by a program whose steps are others.
    case format(found: String)
    /// Of other data, options or sizes.
    case otherTraining
    /// Its parts do not fit together.
    case malformed
}

/// A training between two steps: all that its further steps depend on.
///
/// The order of the windows and the keys of dropout are not in it, since they follow from the seed
/// and the number of steps.
package struct TrainingState: Sendable, Equatable {
    /// Raise it whenever the same options make other steps than before.
    package static let format = 1

    package let fingerprint: TrainingFingerprint
    /// `[parameters]`
    let parameters: [Float]
    /// Those of the best epoch, `[parameters]`; nil before there is one.
    let best: [Float]?
    let memory: AdamW<Float>.Memory
    /// The sum over the steps of the epoch that has begun.
    let epochLoss: Double
    /// The whole epochs so far; its seconds are those of the training so far.
    package let record: TrainingRecord

    /// Steps of all epochs, if none is saved by stopping early.
    package let stepsMaximum: Int
    package let epochsMaximum: Int

    /// Steps made so far.
    package var step: Int { memory.step }

    private enum Key {
        static let format = "training.format"
        static let fingerprint = "training.fingerprint"
        static let record = "training.record"
        static let parameters = "parameters"
        static let best = "best"
        static let first = "moments.first"
        static let second = "moments.second"
        static let steps = "steps"
        static let epochLoss = "epoch.loss"
    }

    init(
        fingerprint: TrainingFingerprint, parameters: [Float], best: [Float]?,
        memory: AdamW<Float>.Memory, epochLoss: Double, record: TrainingRecord, stepsMaximum: Int,
        epochsMaximum: Int
    ) {
        self.fingerprint = fingerprint
        self.parameters = parameters
        self.best = best
        self.memory = memory
        self.epochLoss = epochLoss
        self.record = record
        self.stepsMaximum = stepsMaximum
        self.epochsMaximum = epochsMaximum
    }

    /// This state as a safetensors file.
    package func encoded() -> [UInt8] {
        var checkpoint = Checkpoint()
        checkpoint.metadata[Key.format] = "\(Self.format)"
        checkpoint.metadata[Key.fingerprint] = fingerprint.description
        checkpoint.metadata[Key.record] = TrainingRecord.json(record)
        let vectors = [
            Key.parameters: parameters, Key.best: best, Key.first: memory.first,
            Key.second: memory.second,
        ]
        for case (let name, let values?) in vectors {
            checkpoint.tensors[name] = .init(shape: [values.count], values: .float(values))
        }
        let steps = [step, stepsMaximum, epochsMaximum].map { Int64($0) }
        checkpoint.tensors[Key.steps] = .init(shape: [3], values: .integer(steps))
        checkpoint.tensors[Key.epochLoss] = .init(shape: [1], values: .double([epochLoss]))
        return checkpoint.encoded()
    }

    /// Reads what `encoded()` wrote; the bytes may be anything at all.
    ///
    /// - Throws: `TrainingStateError`.
    package init(decoding bytes: [UInt8]) throws(TrainingStateError) {
        let checkpoint: Checkpoint
        do throws(CheckpointError) {
            checkpoint = try Checkpoint(decoding: bytes)
        } catch {
            throw .checkpoint(error)
        }
        let format = checkpoint.metadata[Key.format] ?? ""
        guard format == "\(Self.format)" else { throw .format(found: format) }
        try self.init(checkpoint)
    }

    private init(_ checkpoint: Checkpoint) throws(TrainingStateError) {
        func vector(_ name: String) throws(TrainingStateError) -> [Float] {
            guard case .float(let values)? = checkpoint.tensors[name]?.values,
                values.allSatisfy(\.isFinite)
            else { throw .checkpoint(.missing(name)) }
            return values
        }
        guard let fingerprint = checkpoint.metadata[Key.fingerprint],
            let text = checkpoint.metadata[Key.record],
            // What it throws says no more than that the record is none.
            let record = try? JSONDecoder().decode(TrainingRecord.self, from: Data(text.utf8)),
            case .integer(let steps)? = checkpoint.tensors[Key.steps]?.values, steps.count == 3,
            case .double(let loss)? = checkpoint.tensors[Key.epochLoss]?.values, loss.count == 1
        else { throw .malformed }
        let (first, second) = (try vector(Key.first), try vector(Key.second))
        guard first.count == second.count, steps.allSatisfy({ $0 >= 0 }), loss[0].isFinite else {
            throw .malformed
        }
        self.init(
            fingerprint: TrainingFingerprint(fingerprint), parameters: try vector(Key.parameters),
            best: checkpoint.tensors[Key.best] == nil ? nil : try vector(Key.best),
            memory: .init(first: first, second: second, step: Int(steps[0])), epochLoss: loss[0],
            record: record, stepsMaximum: Int(steps[1]), epochsMaximum: Int(steps[2]))
    }

    /// The record as JSON.
    package var recordText: String { TrainingRecord.json(record) }
}

/// Where trainings keep their states, so that they can go on after the end of their process.
package struct TrainingCheckpoints: Sendable {
    /// A state is kept when this long has passed since the last one; at an epoch's end already after a
    /// quarter of it; and at the end of the training.
    package var interval = Duration.seconds(20)
    /// The bytes of the state that was kept under a fingerprint; nil where there is none.
    package let load: @Sendable (TrainingFingerprint) -> [UInt8]?
    /// Takes a state, and does not keep the training waiting.
    package let save: @Sendable (TrainingState) throws -> Void

    package init(
        load: @escaping @Sendable (TrainingFingerprint) -> [UInt8]?,
        save: @escaping @Sendable (TrainingState) throws -> Void
    ) {
        self.load = load
        self.save = save
    }

    /// The state that was kept under a fingerprint; nil also for one that cannot be read.
    func state(of fingerprint: TrainingFingerprint) -> TrainingState? {
        load(fingerprint).flatMap { try? TrainingState(decoding: $0) }
    }
}
