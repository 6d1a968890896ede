import Learning
import Models
import Tensors

/// How a forecaster is written down, beside the tensors that hold its numbers.
struct ForecasterRecord: Codable {
    let family: Family
    /// Only for ridge.
    var centring: RidgeForecaster.Centring?
    var penalty: Double?
    /// Only for exponential smoothing.
    var ets: ETSRecord?
    /// Only for an ensemble: its members, and their weights.
    var members: [ForecasterRecord]?
    var weights: [Double]?

    /// Exponential smoothing has so few numbers that they need no tensor.
    struct ETSRecord: Codable {
        let form: ETSForm
        let parameters: ETSParameters
        let season: Int
        let floor: Double
    }
}

extension Forecaster {
    /// Where the numbers of an ensemble's member stand in the checkpoint.
    private static func prefix(member: Int) -> String { "member.\(member)/" }

    /// Writes the numbers.
    ///
    /// - Returns: What has to be known to read them.
    func write(to checkpoint: inout Checkpoint) -> ForecasterRecord {
        var record = ForecasterRecord(family: family)
        switch self {
        case .seasonalNaive: break
        case .ets(let ets):
            record.ets = .init(
                form: ets.form, parameters: ets.parameters, season: ets.season, floor: ets.floor)
        case .ridge(let ridge):
            (record.centring, record.penalty) = (ridge.centring, ridge.penalty)
            checkpoint.set("ridge.weights", ridge.weights)
        case .spacetime(let spacetime):
            let part = spacetime.trained.checkpoint
            checkpoint.tensors.merge(part.tensors) { $1 }
            checkpoint.metadata.merge(part.metadata) { $1 }
        case .ensemble(let ensemble):
            record.weights = ensemble.weights
            record.members = ensemble.members.enumerated().map { index, member in
                var part = Checkpoint()
                let record = member.write(to: &part)
                let prefix = Self.prefix(member: index)
                for (name, tensor) in part.tensors { checkpoint.tensors[prefix + name] = tensor }
                for (name, text) in part.metadata { checkpoint.metadata[prefix + name] = text }
                return record
            }
        }
        return record
    }

    /// Reads what `write(to:)` wrote; the record may say anything at all.
    ///
    /// - Throws: `PipelineDecodingError`.
    init(
        _ record: ForecasterRecord, _ checkpoint: Checkpoint, task: ForecastTask,
        standardiser: Standardiser
    ) throws(PipelineDecodingError) {
        switch record.family {
        case .seasonalNaive: self = .seasonalNaive(SeasonalNaive(season: task.season))
        case .ets: self = .ets(try Self.ets(record, task, standardiser))
        case .ridge:
            guard let centring = record.centring, let penalty = record.penalty else {
                throw .description
            }
            let weights = try checkpoint.finite(
                "ridge.weights", [task.lag + 1, task.horizon], of: Float.self)
            self = .ridge(
                RidgeForecaster(centring: centring, penalty: penalty, weights: weights))
        case .spacetime:
            self = .spacetime(SpaceTimeForecaster(try Self.spacetime(checkpoint, task)))
        case .ensemble:
            self = .ensemble(try Self.ensemble(record, checkpoint, task, standardiser))
        }
    }

    private static func ets(
        _ record: ForecasterRecord, _ task: ForecastTask, _ standardiser: Standardiser
    ) throws(PipelineDecodingError) -> ETSForecaster {
        guard let ets = record.ets, ets.parameters.isSane, ets.floor.isFinite, ets.season >= 1,
            ets.form.season == .none || 2 * ets.season <= task.lag
        else { throw .description }
        return ETSForecaster(
            form: ets.form, parameters: ets.parameters, season: ets.season,
            standardiser: standardiser, floor: ets.floor)
    }

    private static func spacetime(
        _ checkpoint: Checkpoint, _ task: ForecastTask
    ) throws(PipelineDecodingError) -> TrainedSpaceTime {
        let trained: TrainedSpaceTime
        do throws(CheckpointError) {
            trained = try TrainedSpaceTime(checkpoint)
        } catch {
            throw .checkpoint(error)
        }
        let configuration = trained.network.configuration
        guard configuration.lag == task.lag, configuration.horizon == task.horizon,
            configuration.variates == 1
        else { throw .description }
        guard trained.parameters.values.allSatisfy({ $0.isFinite }) else {
            throw .tensor("spacetime")
        }
        return trained
    }

    private static func ensemble(
        _ record: ForecasterRecord, _ checkpoint: Checkpoint, _ task: ForecastTask,
        _ standardiser: Standardiser
    ) throws(PipelineDecodingError) -> EnsembleForecaster {
        let (records, weights) = (record.members ?? [], record.weights ?? [])
        let sum = weights.reduce(0, +)
        guard (1...FittedPipeline.membersMaximum).contains(records.count),
            records.count == weights.count, weights.allSatisfy({ $0 >= 0 }), abs(sum - 1) < 1e-6
        else { throw .description }
        var members: [Forecaster] = []
        for (index, member) in records.enumerated() {
            // One inside another would let a file nest as deep as it likes.
            guard member.family != .ensemble else { throw .description }
            let part = checkpoint.part(prefix(member: index))
            members.append(
                try Forecaster(member, part, task: task, standardiser: standardiser))
        }
        return EnsembleForecaster(members: members, weights: weights)
    }
}

extension Checkpoint {
    /// What stands under names that begin with `prefix`, without it.
    fileprivate func part(_ prefix: String) -> Checkpoint {
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
