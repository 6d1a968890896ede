internal import Foundation
package import Learning
internal import Tensors

/// Why bytes are no fitted classifier.
package enum ClassifierDecodingError: Error, Equatable, CustomStringConvertible {
    /// The bytes are no safetensors file, or a tensor is missing.
    case checkpoint(CheckpointError)
    /// The description of the model is absent or malformed.
    case description
    /// Made by a newer program.
    case format(found: Int)
    /// A tensor has another shape than the description says, or a number that is not finite.
    case tensor(String)

    package var description: String {
        switch self {
        case .checkpoint(let error): "the file is no safetensors checkpoint (\(error))."
        case .description: "the checkpoint does not describe a classifier of recordings."
        case .format(let found):
            "the classifier has format \(found), and this program reads \(ClassifierRecord.format)."
        case .tensor(let name): "the tensor \(name) has another shape, or is not finite."
        }
    }
}

/// The description in a checkpoint's metadata; the numbers are in its tensors.
struct ClassifierRecord: Codable {
    static let key = "systole.classifier"
    static let format = 1

    var format = Self.format
    let family: ClassifierFamily
    let classes: [DiagnosisClass]
    let preparation: ECGPreparation
    let members: [MemberRecord]
    let card: ClassifierCard
}

/// One member in the metadata.
struct MemberRecord: Codable {
    let weight: Double
    var linear: LinearModel.Plan?
    var kernel: KernelModel.Plan?
    var network: NetworkConfiguration?
}

extension MemberRecord {
    /// The model whose tensors begin with `prefix`.
    fileprivate func model(
        _ checkpoint: Checkpoint, _ prefix: String, _ record: ClassifierRecord
    ) throws(ClassifierDecodingError) -> ClassifierMember.Model {
        let count = record.classes.count
        if let linear {
            return .linear(
                try LinearModel(
                    linear, classes: count, preparation: record.preparation, checkpoint, prefix))
        }
        if let kernel {
            return .kernel(
                try KernelModel(
                    kernel, classes: count, preparation: record.preparation, checkpoint, prefix))
        }
        guard let network else { throw .description }
        return .network(
            try NetworkModel(
                network, classes: count, preparation: record.preparation, checkpoint, prefix))
    }
}

extension FittedClassifier {
    /// The longest encoded classifier that is read, in bytes.
    package static let encodedBytesMaximum = 256 << 20

    /// This classifier as a safetensors file: tensors, and its record as JSON under the metadata key
    /// `systole.classifier`; the same classifier always gives the same bytes.
    package func encoded() -> [UInt8] {
        var checkpoint = Checkpoint()
        checkpoint.set("thresholds", Tensor<Double>([classes.count], thresholds))
        checkpoint.set("calibration", calibration)
        let records = members.enumerated().map { number, member in
            let prefix = "member.\(number)."
            checkpoint.set(prefix + "calibration", member.calibration)
            switch member.model {
            case .linear(let linear):
                linear.write(to: &checkpoint, prefix)
                return MemberRecord(weight: member.weight, linear: linear.plan)
            case .kernel(let kernel):
                kernel.write(to: &checkpoint, prefix)
                return MemberRecord(weight: member.weight, kernel: kernel.plan)
            case .network(let network):
                network.write(to: &checkpoint, prefix)
                return MemberRecord(weight: member.weight, network: network.configuration)
            }
        }
        let record = ClassifierRecord(
            family: family, classes: classes, preparation: preparation, members: records, card: card
        )
        checkpoint.metadata[ClassifierRecord.key] = Self.json(record)
        return checkpoint.encoded()
    }

    /// Reads what `encoded()` wrote; the bytes may be anything at all.
    ///
    /// - Throws: `ClassifierDecodingError`.
    package init(decoding bytes: [UInt8]) throws(ClassifierDecodingError) {
        guard bytes.count <= Self.encodedBytesMaximum else { throw .checkpoint(.surplus) }
        let checkpoint: Checkpoint
        do throws(CheckpointError) {
            checkpoint = try Checkpoint(decoding: bytes)
        } catch {
            throw .checkpoint(error)
        }
        let record = try Self.record(of: checkpoint)
        let count = record.classes.count
        let thresholds = try checkpoint.finite("thresholds", [count], of: Double.self).values
        var members: [ClassifierMember] = []
        for (number, member) in record.members.enumerated() {
            let prefix = "member.\(number)."
            guard member.weight.isFinite else { throw .description }
            members.append(
                ClassifierMember(
                    weight: member.weight,
                    calibration: try checkpoint.calibration(prefix + "calibration", count),
                    model: try member.model(checkpoint, prefix, record)))
        }
        self.init(
            family: record.family, classes: record.classes, preparation: record.preparation,
            thresholds: thresholds,
            calibration: try checkpoint.calibration("calibration", count), card: record.card,
            members: members)
    }

    /// 16 hexadecimal digits that any change of the classifier changes; it tells models apart and
    /// guards nothing.
    package var digest: String { ContentDigest(encoded()).description }

    private static func json(_ record: ClassifierRecord) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        guard let data = try? encoder.encode(record) else {  // Texts and numbers always encode.
            preconditionFailure("FittedClassifier: a record that JSON cannot express")
        }
        return String(decoding: data, as: UTF8.self)
    }

    private static func record(
        of checkpoint: Checkpoint
    ) throws(ClassifierDecodingError) -> ClassifierRecord {
        guard let text = checkpoint.metadata[ClassifierRecord.key] else { throw .description }
        let decoder = JSONDecoder()
        decoder.nonConformingFloatDecodingStrategy = .convertFromString(
            positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        struct Format: Decodable { let format: Int }
        do {
            let found = try decoder.decode(Format.self, from: Data(text.utf8)).format
            guard found == ClassifierRecord.format else {
                throw ClassifierDecodingError.format(found: found)
            }
            let record = try decoder.decode(ClassifierRecord.self, from: Data(text.utf8))
            guard record.preparation.isSound, !record.members.isEmpty, !record.classes.isEmpty,
                Set(record.classes.map(\.abbreviation)).count == record.classes.count
            else { throw ClassifierDecodingError.description }
            return record
        } catch let error as ClassifierDecodingError {
            throw error
        } catch {
            throw .description
        }
    }
}

extension Checkpoint {
    fileprivate mutating func set(_ name: String, _ calibration: [ClassCalibration]) {
        set(
            name,
            Tensor<Double>([calibration.count, 2], calibration.flatMap { [$0.slope, $0.offset] }))
    }

    fileprivate func calibration(
        _ name: String, _ count: Int
    ) throws(ClassifierDecodingError) -> [ClassCalibration] {
        let pairs = try finite(name, [count, 2], of: Double.self)
        return (0..<count).map { ClassCalibration(slope: pairs[$0, 0], offset: pairs[$0, 1]) }
    }

    /// The tensor `name`, of the expected shape and finite.
    func finite<S: Scalar>(
        _ name: String, _ shape: [Int], of: S.Type
    ) throws(ClassifierDecodingError) -> Tensor<S> {
        let found: Tensor<S>
        do throws(CheckpointError) {
            found = try tensor(name, of: S.self)
        } catch {
            throw .checkpoint(error)
        }
        guard found.shape == shape, found.values.allSatisfy(\.isFinite) else {
            throw .tensor(name)
        }
        return found
    }
}

/// 16 hexadecimal digits of some bytes (FNV-1a, 64 bits).
struct ContentDigest: Hashable, CustomStringConvertible {
    private var hash: UInt64 = 0xCBF2_9CE4_8422_2325

    init(_ bytes: some Sequence<UInt8>) { add(bytes) }

    /// Takes in more.
    mutating func add(_ bytes: some Sequence<UInt8>) {
        var hash = hash
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        self.hash = hash
    }

    var description: String {
        let digits = String(hash, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
