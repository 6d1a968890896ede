internal import Foundation
package import Learning
package import Models
internal import Tensors

/// A trained TSM2 network of one group, ready to be stored or to forecast.
package struct TrainedTSM2: Sendable {
    package let configuration: TSM2Configuration
    package let parameters: Parameters<Float>
    /// The members in the order in which they are mixed.
    package let names: [String]
    /// Of every member.
    package let standardisers: [Standardiser]
    package let options: TSM2TrainingOptions
    package let record: TSM2TrainingRecord

    init(
        configuration: TSM2Configuration, parameters: Parameters<Float>, names: [String],
        standardisers: [Standardiser], options: TSM2TrainingOptions, record: TSM2TrainingRecord
    ) {
        (self.configuration, self.parameters) = (configuration, parameters)
        (self.names, self.standardisers) = (names, standardisers)
        (self.options, self.record) = (options, record)
    }

    /// A forecaster of this group's members.
    package func prepared(batch: Int = 32, threads: Int = 1) -> PreparedTSM2<Float> {
        PreparedTSM2(
            TSM2Network(configuration), parameters, variates: names.count, batch: batch,
            threads: threads)
    }

    private static let key = "systole.tsm2"
    /// The longest encoded model that is read, in bytes.
    package static let encodedBytesMaximum = 256 << 20

    private struct Description: Codable {
        static let currentFormat = 1

        var format = Self.currentFormat
        let configuration: TSM2Configuration
        let names: [String]
        let standardisers: [Standardiser]
        let options: TSM2TrainingOptions
        let record: TSM2TrainingRecord
    }

    /// This model as a safetensors file: weights, and the rest as JSON under the metadata key
    /// `systole.tsm2`.
    package func encoded() -> [UInt8] {
        var checkpoint = Checkpoint()
        write(to: &checkpoint)
        return checkpoint.encoded()
    }

    /// Reads what `encoded()` wrote; the bytes may be anything at all.
    ///
    /// - Throws: `GroupDecodingError`.
    package init(decoding bytes: [UInt8]) throws(GroupDecodingError) {
        guard bytes.count <= Self.encodedBytesMaximum else { throw .checkpoint(.surplus) }
        let checkpoint: Checkpoint
        do throws(CheckpointError) {
            checkpoint = try Checkpoint(decoding: bytes)
        } catch {
            throw .checkpoint(error)
        }
        try self.init(checkpoint)
    }

    /// Writes weights as `PREFIXparam/…` and the description under the prefixed key.
    func write(to checkpoint: inout Checkpoint, prefix: String = "") {
        parameters.write(to: &checkpoint, prefix: prefix + "param/")
        checkpoint.metadata[prefix + Self.key] = TrainingRecord.json(
            Description(
                configuration: configuration, names: names, standardisers: standardisers,
                options: options, record: record))
    }

    /// Reads what `write` wrote.
    init(_ checkpoint: Checkpoint, prefix: String = "") throws(GroupDecodingError) {
        struct Format: Decodable { let format: Int }
        guard let data = checkpoint.metadata[prefix + Self.key].map({ Data($0.utf8) }),
            let format = try? JSONDecoder().decode(Format.self, from: data).format
        else { throw .description }
        guard (1...Description.currentFormat).contains(format) else {
            throw .format(found: format)
        }
        // What is no description of ours, or makes no sense, is told alike.
        guard let found = try? JSONDecoder().decode(Description.self, from: data),
            found.configuration.isValid, found.configuration.isModest, !found.names.isEmpty,
            found.names.count == found.standardisers.count
        else { throw .description }
        let layout = TSM2Network(found.configuration).layout
        do throws(CheckpointError) {
            parameters = try Parameters(layout, from: checkpoint, prefix: prefix + "param/")
        } catch {
            throw .checkpoint(error)
        }
        guard parameters.values.allSatisfy({ $0.isFinite }) else { throw .tensor("param") }
        (configuration, names) = (found.configuration, found.names)
        (standardisers, options, record) = (found.standardisers, found.options, found.record)
    }
}

extension TSM2Configuration {
    /// Whether a network of these sizes can be built in reasonable memory.
    fileprivate var isModest: Bool {
        lookback <= 1 << 16 && horizon <= 1 << 16 && patch <= 1 << 12 && width <= 1 << 10
            && layers <= 64 && states <= 1 << 8 && expansion <= 16 && headRank <= 1 << 12
            && statics <= 1 << 10 && futures <= 1 << 10 && futurePatch <= 1 << 12
            && contextMaximum <= 1 << 12 && tokens * width <= 1 << 22
    }
}
