import Foundation
import Forecasting
import Postgres
import Series
import Store

/// One run's scores of a series, and what they did to its incidents.
struct ScoringResult: Sendable {
    let series: SeriesID
    let model: ModelID
    let scores: [ScoredObservation]
    let changes: [IncidentChange]
    let memory: WatchMemory
    let scoredUntil: Timestamp
    /// Whether rows before these had been scored.
    let isResumed: Bool
    /// Whether what an incident had begun with is forgotten: nobody knows what would end it.
    let isAfresh: Bool

    /// The scored observations as a batch; nil where none has a score.
    var batch: ScoredBatch? {
        let kept = scores.filter { $0.score != nil && $0.expected != nil && $0.observed != nil }
        guard !kept.isEmpty else { return nil }
        let further = kept.compactMap(\.ahead?.step).first.map { step in
            ScoredBatch.Ahead(
                step: step, expected: kept.map(\.ahead?.expected),
                scores: kept.map(\.ahead?.score))
        }
        return ScoredBatch(
            series: series, model: model, instants: kept.map(\.at),
            observed: kept.compactMap(\.observed), expected: kept.compactMap(\.expected),
            pValues: kept.compactMap(\.p), scores: kept.compactMap(\.score), ahead: further)
    }

    /// The position of the watch after it.
    var advance: WatchAdvance {
        get throws {
            WatchAdvance(
                series: series, scoredUntil: scoredUntil, machine: try JSON.text(memory),
                threshold: memory.next?.fireScore ?? memory.machine.fireScore, model: model)
        }
    }

    /// The first observation, with which a stream that was missed is back; nil where none came.
    var resumedAt: Timestamp? {
        isResumed ? scores.first { $0.observed != nil }?.at : nil
    }

    /// Writes the scores and what became of incidents.
    func store(run: JobRun, in db: borrowing Session) throws {
        try Self.store([self], run: run, in: db)
    }

    /// Writes the scores of many series, and what became of their incidents.
    static func store(
        _ results: [ScoringResult], run: JobRun, in db: borrowing Session
    ) throws {
        try ScoreStore.write(results.compactMap(\.batch), run: run, in: db)
        let missed = try IncidentStore.firing(results.map(\.series), kind: .noData, in: db)
        for result in results {
            if missed.contains(result.series), let at = result.resumedAt {
                try IncidentStore.resolve(result.series, kind: .noData, at: at, in: db)
            }
            if result.isAfresh, let at = result.scores.first?.at {
                try IncidentStore.resolve(result.series, at: at, in: db)
            }
            for change in result.changes {
                try change.store(of: result.series, model: result.model, in: db)
            }
        }
    }
}

/// A transition of the incident machine on its way into the database.
struct IncidentChange: Sendable {
    let transition: IncidentTransition
    let at: Timestamp
    let threshold: Double

    /// Writes the transition; `IncidentStore` appends its event.
    func store(of series: SeriesID, model: ModelID, in db: borrowing Session) throws {
        switch transition {
        case .opened(let incident):
            try open(incident, .value, of: series, model: model, in: db)
        case .updated(let incident):
            try IncidentStore.raisePeak(series, to: IncidentPeak(incident.peak), in: db)
        case .resolved(let incident, let reason):
            try IncidentStore.raisePeak(series, to: IncidentPeak(incident.peak), in: db)
            try IncidentStore.resolve(
                series, at: at, becoming: reason == .rebased ? .levelShift : nil, in: db)
        case .shifted(let incident):
            try open(incident, .levelShift, of: series, model: model, in: db)
            try IncidentStore.resolve(series, kind: .levelShift, at: at, in: db)
        }
    }

    private func open(
        _ incident: Incident, _ kind: IncidentKind, of series: SeriesID, model: ModelID,
        in db: borrowing Session
    ) throws {
        try IncidentStore.open(
            NewIncident(
                series: series, kind: kind, openedAt: incident.startedAt,
                peak: IncidentPeak(incident.peak), threshold: threshold, model: model), in: db)
    }
}

extension IncidentPeak {
    init(_ extreme: Incident.Extreme) {
        self.init(
            at: extreme.at, score: extreme.score, observed: extreme.observed,
            expected: extreme.expected, pValue: pow(10, -extreme.score))
    }
}
