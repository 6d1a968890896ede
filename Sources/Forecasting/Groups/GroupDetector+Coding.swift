import Foundation
package import Learning
import Models
import Tensors

/// Why bytes are no detector of a group.
package enum GroupDecodingError: Error, Equatable {
    /// The bytes are no safetensors file, or a tensor is missing.
    case checkpoint(CheckpointError)
    /// The description is absent or malformed.
    case description
    /// Made by a newer program.
    case format(found: Int)
    /// A tensor has another shape than the description says, or a number that cannot be.
    case tensor(String)
}

/// The description in a checkpoint's metadata; the numbers are in its tensors.
private struct GroupDescription: Codable {
    static let key = "systole.group"
    static let currentFormat = 1

    var format = Self.currentFormat
    let report: GroupReport
    let configuration: StackVAEConfiguration
    let channels: [Int]
    let judged: [Int]
}

extension GroupDetector {
    /// The longest encoded detector that is read, in bytes.
    package static let encodedBytesMaximum = 64 << 20

    /// This detector as a safetensors file: tensors, and its description as JSON under the metadata
    /// key `systole.group`.
    package func encoded() -> [UInt8] {
        var checkpoint = Checkpoint()
        network.parameters.write(to: &checkpoint)
        for (name, values) in [
            "centres": network.centres, "scales": network.scales, "usual": usual,
            "calibration": calibration,
        ] {
            checkpoint.set(name, Tensor<Double>([values.count], values))
        }
        checkpoint.set("covariance", errors.covariance)
        let description = GroupDescription(
            report: report, configuration: network.configuration, channels: network.channels,
            judged: errors.judged)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard let text = try? encoder.encode(description) else {  // Integers and texts only.
            preconditionFailure("GroupDetector: a description that JSON cannot express")
        }
        checkpoint.metadata[GroupDescription.key] = String(decoding: text, as: UTF8.self)
        return checkpoint.encoded()
    }

    /// Reads what `encoded()` wrote; the bytes may be anything at all.
    ///
    /// - Throws: `GroupDecodingError`.
    package init(decoding bytes: [UInt8]) throws(GroupDecodingError) {
        guard bytes.count <= Self.encodedBytesMaximum else { throw .checkpoint(.surplus) }
        let read: Result<GroupDetector, GroupDecodingError>
        do throws(CheckpointError) {
            read = try Self.read(try Checkpoint(decoding: bytes))
        } catch {
            throw .checkpoint(error)
        }
        self = try read.get()
    }

    private static func read(
        _ checkpoint: Checkpoint
    ) throws(CheckpointError) -> Result<GroupDetector, GroupDecodingError> {
        let description: GroupDescription
        switch Self.description(of: checkpoint) {
        case .success(let found): description = found
        case .failure(let error): return .failure(error)
        }
        let (report, channels) = (description.report, description.channels)
        let network = StackVAE(description.configuration)
        let parameters = try Parameters<Float>(network.layout, from: checkpoint)
        guard parameters.values.allSatisfy(\.isFinite) else { return .failure(.tensor("param")) }
        var numbers: [String: [Double]] = [:]
        for (name, count) in [
            "centres": channels.count, "scales": channels.count, "usual": report.members,
            "calibration": report.calibrationRows,
        ] {
            let tensor = try checkpoint.tensor(name, of: Double.self)
            guard tensor.shape == [count], tensor.values.allSatisfy({ !$0.isInfinite }) else {
                return .failure(.tensor(name))
            }
            numbers[name] = tensor.values
        }
        guard let centres = numbers["centres"], let scales = numbers["scales"],
            let usual = numbers["usual"], let calibration = numbers["calibration"],
            centres.allSatisfy(\.isFinite), scales.allSatisfy({ $0 > 0 }),
            usual.allSatisfy({ $0.isNaN || $0 > 0 }),
            calibration.allSatisfy({ $0.isNaN || $0 >= 0 })
        else { return .failure(.tensor("scales")) }
        let stored = StackVAEDetector(
            channels: channels, channelCount: report.members,
            configuration: description.configuration, centres: centres, scales: scales,
            parameters: parameters)
        let covariance = try checkpoint.tensor("covariance", of: Double.self)
        let size = description.judged.count
        guard covariance.shape == [size, size], covariance.values.allSatisfy(\.isFinite) else {
            return .failure(.tensor("covariance"))
        }
        return .success(
            GroupDetector(
                network: stored,
                errors: ErrorCovariance(judged: description.judged, covariance: covariance),
                usual: usual, calibration: calibration, report: report))
    }

    private static func description(
        of checkpoint: Checkpoint
    ) -> Result<GroupDescription, GroupDecodingError> {
        struct Format: Decodable { let format: Int }
        guard let data = checkpoint.metadata[GroupDescription.key].map({ Data($0.utf8) }),
            let format = try? JSONDecoder().decode(Format.self, from: data).format
        else { return .failure(.description) }
        guard (1...GroupDescription.currentFormat).contains(format) else {
            return .failure(.format(found: format))
        }
        // What is no description of ours, or makes no sense, is told alike.
        guard let found = try? JSONDecoder().decode(GroupDescription.self, from: data) else {
            return .failure(.description)
        }
        let (c, report, channels) = (found.configuration, found.report, found.channels)
        let sizes = [c.window, c.hidden, c.latent, c.embedding, c.neighbours, c.channels]
        guard sizes.allSatisfy({ (1...10_000).contains($0) }), (0...1).contains(c.mixing),
            c.window > 1, c.neighbours <= c.channels, c.channels == channels.count,
            (1...10_000).contains(report.members), channels == Array(Set(channels)).sorted(),
            channels.allSatisfy({ (0..<report.members).contains($0) }), !found.judged.isEmpty,
            found.judged == Array(Set(found.judged)).sorted(),
            Set(found.judged).isSubset(of: channels),
            (1...GroupOptions.rowsMaximum).contains(report.calibrationRows),
            (1...GroupOptions.rowsMaximum).contains(report.trainedRows)
        else { return .failure(.description) }
        return .success(found)
    }
}
