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
        _ pipeline: FittedPipeline, of fitting: Fitting, for series: SeriesID, by lease: Lease,
        in db: borrowing Session
    ) throws -> ModelID {
        let verdict = fitting.selection.verdicts.first { $0.family == pipeline.family }
        var model = NewModel(
            series: series, family: pipeline.family.rawValue, data: fitting.data,
            weights: pipeline.encoded())
        model.reason = verdict?.reason ?? ""
        model.configuration = try JSON.text(pipeline.report.task)
        model.metrics = try JSON.text(pipeline.report)
        model.naive = fitting.naive
        model.stepsMaximum = pipeline.stepsMaximum
        model.run = JobRun(lease)
        return try ModelStore.insert(model, in: db)
    }

    /// Stores `asked` families and the winner, and makes the winner live.
    ///
    /// A winner whose family is live already and was not asked for is not stored again: the live
    /// model stays.
    ///
    /// - Returns: The stored models by family.
    static func file(
        _ fitting: Fitting, asked: [Family], for series: SeriesID, by lease: Lease,
        in db: borrowing Session
    ) throws -> [Family: ModelID] {
        let live = try ModelStore.live(series, in: db)
        var stored: [Family: ModelID] = [:]
        for pipeline in fitting.pipelines {
            let isWinner = pipeline.family == fitting.winner?.family
            let isLive = live?.record.family == pipeline.family.rawValue
            guard asked.contains(pipeline.family) || (isWinner && !isLive) else { continue }
            let id = try store(pipeline, of: fitting, for: series, by: lease, in: db)
            stored[pipeline.family] = id
            if isWinner {
                try ModelStore.promote(id, reason: fitting.selection.reason, in: db)
            }
        }
        return stored
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
}
