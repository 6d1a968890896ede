import Foundation
import Learning
import Models
import Series
import Tensors

/// How a forecaster of a group is written down, beside the tensors that hold its numbers.
private struct JointRecord: Codable {
    enum Kind: String, Codable { case repeatLast, ridge, spacetime, tsm2, ensemble, winners }

    let kind: Kind
    /// Only for ridge.
    var centring: RidgeForecaster.Centring?
    var penalty: Double?
    /// Of an ensemble, or of winners; none of them is one of these, but for an ensemble among winners.
    var members: [JointRecord]?
    /// Only for an ensemble.
    var weights: [Double]?
    /// Only for winners: which of `members` forecasts each member of the group.
    var choice: [Int]?
}

/// The description in a checkpoint's metadata; the numbers are in its tensors.
private struct JointDescription: Codable {
    static let key = "systole.group-forecast"
    static let currentFormat = 1

    var format = Self.currentFormat
    let report: GroupFitReport
    let forecaster: JointRecord
    let levels: [Double]
    let calibrationWindows: [Int]
}

extension JointForecaster {
    fileprivate func write(to checkpoint: inout Checkpoint, prefix: String) -> JointRecord {
        switch self {
        case .repeatLast: return JointRecord(kind: .repeatLast)
        case .ridge(let ridge):
            checkpoint.set(prefix + "ridge.weights", ridge.weights)
            return JointRecord(kind: .ridge, centring: ridge.centring, penalty: ridge.penalty)
        case .spacetime(let spacetime):
            let part = spacetime.trained.checkpoint
            for (name, tensor) in part.tensors { checkpoint.tensors[prefix + name] = tensor }
            for (name, text) in part.metadata { checkpoint.metadata[prefix + name] = text }
            return JointRecord(kind: .spacetime)
        case .tsm2(let trained):
            trained.write(to: &checkpoint, prefix: prefix)
            return JointRecord(kind: .tsm2)
        case .ensemble(let members, let weights):
            let records = Self.write(members, to: &checkpoint, prefix: prefix)
            return JointRecord(kind: .ensemble, members: records, weights: weights)
        case .winners(let parts, let choice):
            let records = Self.write(parts, to: &checkpoint, prefix: prefix)
            return JointRecord(kind: .winners, members: records, choice: choice)
        }
    }

    private static func write(
        _ members: [JointForecaster], to checkpoint: inout Checkpoint, prefix: String
    ) -> [JointRecord] {
        members.enumerated().map { index, member in
            member.write(to: &checkpoint, prefix: "\(prefix)member.\(index)/")
        }
    }

    fileprivate init(
        _ record: JointRecord, _ checkpoint: Checkpoint, prefix: String, _ report: GroupFitReport
    ) throws(GroupDecodingError) {
        let task = report.task
        switch record.kind {
        case .repeatLast: self = .repeatLast
        case .ridge:
            guard let centring = record.centring, let penalty = record.penalty else {
                throw .description
            }
            let name = prefix + "ridge.weights"
            let weights = try checkpoint.group(name, [task.lag + 1, task.horizon], of: Float.self)
            self = .ridge(
                RidgeForecaster(centring: centring, penalty: penalty, weights: weights))
        case .spacetime:
            let trained: TrainedSpaceTime
            do throws(CheckpointError) {
                trained = try TrainedSpaceTime(checkpoint.under(prefix))
            } catch {
                throw .checkpoint(error)
            }
            let c = trained.network.configuration
            guard c.lag == task.lag, c.horizon == task.horizon, c.variates == 1 else {
                throw .description
            }
            guard trained.parameters.values.allSatisfy({ $0.isFinite }) else {
                throw .tensor("spacetime")
            }
            self = .spacetime(SpaceTimeForecaster(trained))
        case .tsm2:
            let trained = try TrainedTSM2(checkpoint, prefix: prefix)
            guard trained.configuration.lookback == task.lag,
                trained.configuration.horizon == task.horizon, trained.names == report.names,
                trained.configuration.statics == 0,
                [0, report.calendar?.count ?? 0].contains(trained.configuration.futures)
            else { throw .description }
            self = .tsm2(trained)
        case .ensemble:
            let (records, weights) = (record.members ?? [], record.weights ?? [])
            guard (1...FittedPipeline.membersMaximum).contains(records.count),
                records.count == weights.count, weights.allSatisfy({ $0 >= 0 }),
                abs(weights.reduce(0, +) - 1) < 1e-6
            else { throw .description }
            // One inside another would let a file nest as deep as it likes.
            guard !records.contains(where: { $0.kind == .ensemble || $0.kind == .winners }) else {
                throw .description
            }
            self = .ensemble(
                try Self.members(records, checkpoint, prefix, report), weights: weights)
        case .winners:
            let (records, choice) = (record.members ?? [], record.choice ?? [])
            guard records.count <= report.names.count + 1, choice.count == report.names.count,
                choice.allSatisfy({ records.indices.contains($0) }),
                !records.contains(where: { $0.kind == .winners })
            else { throw .description }
            self = .winners(
                try Self.members(records, checkpoint, prefix, report), choice: choice)
        }
    }

    private static func members(
        _ records: [JointRecord], _ checkpoint: Checkpoint, _ prefix: String,
        _ report: GroupFitReport
    ) throws(GroupDecodingError) -> [JointForecaster] {
        var members: [JointForecaster] = []
        for (index, record) in records.enumerated() {
            members.append(
                try JointForecaster(record, checkpoint, prefix: "\(prefix)member.\(index)/", report)
            )
        }
        return members
    }
}

extension FittedGroup {
    /// The longest encoded model that is read, in bytes.
    package static let encodedBytesMaximum = 256 << 20

    /// This model as a safetensors file: tensors, and its record as JSON under the metadata key
    /// `systole.group-forecast`.
    package func encoded() -> [UInt8] {
        var checkpoint = Checkpoint()
        let record = forecaster.write(to: &checkpoint, prefix: "")
        checkpoint.set(
            "calibration.offsets",
            Tensor<Double>(
                [calibrators.count, calibrators[0].levels.count, report.task.horizon],
                calibrators.flatMap { $0.offsets.flatMap { $0 } }))
        checkpoint.metadata[JointDescription.key] = TrainingRecord.json(
            JointDescription(
                report: report, forecaster: record,
                levels: calibrators[0].levels.map(\.probability),
                calibrationWindows: calibrators.map(\.windows)))
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
        let description = try Self.description(of: checkpoint)
        let (found, levels) = (description.report, description.levels)
        report = found
        forecaster = try JointForecaster(description.forecaster, checkpoint, prefix: "", found)
        let size = levels.count * found.task.horizon
        let offsets = try checkpoint.group(
            "calibration.offsets", [found.names.count, levels.count, found.task.horizon],
            of: Double.self)
        let own = found.names.indices.compactMap { member in
            ConformalCalibrator(
                method: .absolute, levels: levels.map { QuantileLevel($0) },
                windows: description.calibrationWindows[member],
                offsets: levels.indices.map { level in
                    let start = member * size + level * found.task.horizon
                    return Array(offsets.values[start..<start + found.task.horizon])
                })
        }
        guard own.count == found.names.count else { throw .tensor("calibration.offsets") }
        calibrators = own
    }

    private static func description(
        of checkpoint: Checkpoint
    ) throws(GroupDecodingError) -> JointDescription {
        struct Format: Decodable { let format: Int }
        guard let data = checkpoint.metadata[JointDescription.key].map({ Data($0.utf8) }),
            let format = try? JSONDecoder().decode(Format.self, from: data).format
        else { throw .description }
        guard (1...JointDescription.currentFormat).contains(format) else {
            throw .format(found: format)
        }
        // What is no description of ours, or makes no sense, is told alike.
        guard let found = try? JSONDecoder().decode(JointDescription.self, from: data),
            (1...10_000).contains(found.report.names.count),
            found.report.standardisers.count == found.report.names.count,
            found.calibrationWindows.count == found.report.names.count,
            (1...ForecastTask.lagMaximum).contains(found.report.task.lag),
            (1...ForecastTask.horizonMaximum).contains(found.report.task.horizon),
            !found.levels.isEmpty, found.levels.allSatisfy({ $0 > 0 && $0 < 1 })
        else { throw .description }
        return found
    }
}

extension Checkpoint {
    /// The tensor `name`, of the expected shape and finite.
    fileprivate func group<S: Scalar>(
        _ name: String, _ shape: [Int], of: S.Type
    ) throws(GroupDecodingError) -> Tensor<S> {
        let found: Tensor<S>
        do throws(CheckpointError) {
            found = try tensor(name, of: S.self)
        } catch {
            throw .checkpoint(error)
        }
        guard found.shape == shape, found.values.allSatisfy({ $0.isFinite }) else {
            throw .tensor(name)
        }
        return found
    }

    /// What stands under names that begin with `prefix`, without it.
    fileprivate func under(_ prefix: String) -> Checkpoint {
        var part = Checkpoint()
        for (name, tensor) in tensors where name.hasPrefix(prefix) {
            part.tensors[String(name.dropFirst(prefix.count))] = tensor
        }
        for (name, text) in metadata where name.hasPrefix(prefix) {
            part.metadata[String(name.dropFirst(prefix.count))] = text
        }
        return part
    }
}
