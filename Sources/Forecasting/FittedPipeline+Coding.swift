import Foundation
package import Learning
import Models
import Series
import Tensors

/// Why bytes are no fitted pipeline.
package enum PipelineDecodingError: Error, Equatable {
    /// The bytes are no safetensors file, or a tensor is missing.
    case checkpoint(CheckpointError)
    /// The description of the model is absent or malformed.
    case description
    /// Made by a newer program.
    case format(found: Int)
    /// A tensor has another shape than the description says, or a number that is not finite.
    case tensor(String)
}

/// The description in a checkpoint's metadata; the numbers are in its tensors.
private struct PipelineDescription: Codable {
    static let key = "systole.pipeline"
    static let currentFormat = 2

    var format = Self.currentFormat
    /// Samples per `rateSeconds` seconds.
    let rateSamples: Int64
    let rateSeconds: Int64
    let levels: [Double]
    let calibrationWindows: Int
    /// Absent in format 1, which says the same by the next two and the report.
    let forecaster: ForecasterRecord?
    /// Of ridge, in format 1 alone.
    var centring: RidgeForecaster.Centring?
    var penalty: Double?
    let report: FitReport

    var record: ForecasterRecord {
        forecaster
            ?? ForecasterRecord(family: report.family, centring: centring, penalty: penalty)
    }
}

extension FittedPipeline {
    /// The longest encoded pipeline that is read, in bytes.
    package static let encodedBytesMaximum = 256 << 20

    /// This pipeline as a safetensors file: tensors, and its record as JSON under the metadata key
    /// `systole.pipeline`.
    package func encoded() -> [UInt8] {
        var checkpoint = Checkpoint()
        let record = forecaster.write(to: &checkpoint)
        checkpoint.set(
            "standardiser", Tensor<Double>([2], [standardiser.mean, standardiser.deviation]))
        checkpoint.set(
            "calibration.offsets",
            Tensor<Double>(
                [calibrator.levels.count, calibrator.horizon], calibrator.offsets.flatMap { $0 }))
        checkpoint.set(
            "scoring.residuals",
            Tensor<Double>(
                [residuals.count, ResidualDistribution.numberCount],
                residuals.flatMap { $0.numbers }))
        let description = PipelineDescription(
            rateSamples: rate.numerator, rateSeconds: rate.denominator,
            levels: calibrator.levels.map(\.probability), calibrationWindows: calibrator.windows,
            forecaster: record, report: report)
        checkpoint.metadata[PipelineDescription.key] = Self.json(description)
        return checkpoint.encoded()
    }

    /// Reads what `encoded()` wrote; the bytes may be anything at all.
    ///
    /// - Throws: `PipelineDecodingError`.
    package init(decoding bytes: [UInt8]) throws(PipelineDecodingError) {
        guard bytes.count <= Self.encodedBytesMaximum else { throw .checkpoint(.surplus) }
        let checkpoint: Checkpoint
        do throws(CheckpointError) {
            checkpoint = try Checkpoint(decoding: bytes)
        } catch {
            throw .checkpoint(error)
        }
        let description = try Self.description(of: checkpoint)
        let stored = description.report
        let scale = try checkpoint.finite("standardiser", [2], of: Double.self).values
        guard scale[1] > 0, scale[0] == stored.standardiser.mean,
            scale[1] == stored.standardiser.deviation
        else { throw .tensor("standardiser") }
        report = stored
        standardiser = stored.standardiser
        rate = SamplingRate(description.rateSamples, per: description.rateSeconds)
        forecaster = try Forecaster(
            description.record, checkpoint, task: stored.task, standardiser: stored.standardiser)
        guard forecaster.family == stored.family else { throw .description }
        calibrator = try Self.calibrator(checkpoint, description)
        residuals = try Self.residuals(checkpoint)
    }

    private static func json(_ description: PipelineDescription) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do {
            return String(decoding: try encoder.encode(description), as: UTF8.self)
        } catch {
            // Only a number that is not finite could fail, and a fit with one was refused.
            preconditionFailure("FittedPipeline: a record that JSON cannot express")
        }
    }

    private static func description(
        of checkpoint: Checkpoint
    ) throws(PipelineDecodingError) -> PipelineDescription {
        guard let text = checkpoint.metadata[PipelineDescription.key] else { throw .description }
        let data = Data(text.utf8)
        let decoder = JSONDecoder()
        struct Format: Decodable { let format: Int }
        do {
            let found = try decoder.decode(Format.self, from: data).format
            guard (1...PipelineDescription.currentFormat).contains(found) else {
                throw PipelineDecodingError.format(found: found)
            }
            let description = try decoder.decode(PipelineDescription.self, from: data)
            guard description.rateSamples > 0, description.rateSeconds > 0,
                description.levels.allSatisfy({ $0 > 0 && $0 < 1 })
            else { throw PipelineDecodingError.description }
            return description
        } catch let error as PipelineDecodingError {
            throw error
        } catch {
            throw .description
        }
    }

    private static func calibrator(
        _ checkpoint: Checkpoint, _ description: PipelineDescription
    ) throws(PipelineDecodingError) -> ConformalCalibrator {
        let (count, horizon) = (description.levels.count, description.report.task.horizon)
        let tensor = try checkpoint.finite(
            "calibration.offsets", [count, horizon], of: Double.self)
        let rows = (0..<count).map { Array(tensor.values[($0 * horizon)..<(($0 + 1) * horizon)]) }
        let calibrator = ConformalCalibrator(
            method: description.report.calibration,
            levels: description.levels.map { QuantileLevel($0) },
            windows: description.calibrationWindows, offsets: rows)
        guard let calibrator else { throw .tensor("calibration.offsets") }
        return calibrator
    }

    private static func residuals(
        _ checkpoint: Checkpoint
    ) throws(PipelineDecodingError) -> [ResidualDistribution] {
        let width = ResidualDistribution.numberCount
        let tensor = try checkpoint.finite("scoring.residuals", [nil, width], of: Double.self)
        let rows = (0..<tensor.shape[0]).compactMap { row in
            ResidualDistribution(
                numbers: Array(tensor.values[(row * width)..<((row + 1) * width)]))
        }
        guard rows.count == tensor.shape[0], !rows.isEmpty,
            rows.count <= FittedPipeline.scoredStepsMaximum
        else { throw .tensor("scoring.residuals") }
        return rows
    }
}

extension Checkpoint {
    /// The tensor `name`, of the expected shape (nil for any extent) and finite.
    func finite<S: Scalar>(
        _ name: String, _ shape: [Int?], of: S.Type
    ) throws(PipelineDecodingError) -> Tensor<S> {
        let found: Tensor<S>
        do throws(CheckpointError) {
            found = try tensor(name, of: S.self)
        } catch {
            throw .checkpoint(error)
        }
        let fits =
            found.shape.count == shape.count
            && zip(found.shape, shape).allSatisfy { $1 == nil || $0 == $1 }
        guard fits, found.values.allSatisfy(\.isFinite) else { throw .tensor(name) }
        return found
    }
}
