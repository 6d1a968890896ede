import Foundation
import Forecasting
import Jobs
import Postgres
import Series
import Store

/// Puts fitted models into the database and the winner to work.
enum ModelFiling {
    /// Stores `pipeline` as a candidate.
    static func store(
        _ pipeline: FittedPipeline, of fitting: Fitting, _ promotion: Promotion,
        for series: SeriesID, by lease: Lease, in db: borrowing Session
    ) throws -> ModelID {
        let weights = pipeline.encoded()
        var model = NewModel(
            series: series, family: pipeline.family.rawValue, data: fitting.data, weights: weights)
        model.reason = promotion.reasons[pipeline.family] ?? ""
        model.configuration = try JSON.text(pipeline.report.task)
        model.metrics = try JSON.text(
            ReproducibilityRecord(
                report: pipeline.report, data: fitting.data, weights: weights,
                live: promotion.live))
        model.naive = fitting.naive
        model.stepsMaximum = pipeline.stepsMaximum
        model.run = JobRun(lease)
        return try ModelStore.insert(model, in: db)
    }

    /// Stores `asked` families and the one that is promoted, and makes that one live.
    ///
    /// - Returns: The model that went live, if one did.
    static func file(
        _ fitting: Fitting, _ promotion: Promotion, asked: [Family], for series: SeriesID,
        by lease: Lease, in db: borrowing Session
    ) throws -> ModelID? {
        var promoted: ModelID?
        for pipeline in fitting.pipelines {
            let isPromoted = pipeline.family == promotion.promoted
            guard isPromoted || asked.contains(pipeline.family) else { continue }
            let id = try store(
                pipeline, of: fitting, promotion, for: series, by: lease, in: db)
            if isPromoted {
                try ModelStore.promote(id, in: db)
                promoted = id
            }
        }
        return promoted
    }
}

/// All that is needed to judge a fit and to do it again, as the database keeps it.
struct ReproducibilityRecord: Encodable {
    let report: FitReport
    let data: TrainingData
    /// The encoded pipeline.
    let weights: [UInt8]
    let live: LiveModel?

    private enum Key: String, CodingKey {
        case dataFrom, dataUntil, liveModel, liveValidationMSE, tensorsSHA256
    }

    func encode(to encoder: any Encoder) throws {
        try report.encode(to: encoder)
        var values = encoder.container(keyedBy: Key.self)
        try values.encode(data.from.description, forKey: .dataFrom)
        try values.encode(data.until.description, forKey: .dataUntil)
        try values.encodeIfPresent(live?.id.number, forKey: .liveModel)
        try values.encodeIfPresent(live?.validationMSE, forKey: .liveValidationMSE)
        try values.encode(Self.digestOfTensors(weights), forKey: .tensorsSHA256)
    }

    /// SHA-256 over the numbers of a safetensors file, without its header: the texts there tell how long
    /// the fit took, so that two equal fits are equal in their numbers alone.
    private static func digestOfTensors(_ file: [UInt8]) -> String {
        let header = file.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
        return digest(of: Array(file.dropFirst(8 + header))).map { String(format: "%02x", $0) }
            .joined()
    }
}

extension JobRun {
    init(_ lease: Lease) {
        self.init(jobID: lease.jobID, leaseNumber: lease.number)
    }
}

/// JSON texts for columns and events.
enum JSON {
    /// `value` with its keys in order, so that equal values are equal texts.
    static func text(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }

    /// What `text` wrote.
    static func value<T: Decodable>(_ type: T.Type, _ text: String) throws -> T {
        try JSONDecoder().decode(type, from: Data(text.utf8))
    }
}
