import Forecasting
import Foundation
package import Jobs
package import Postgres
import Series
import Store

/// The job `forecast-group`: forecasts all members of a group by its live model, and writes the runs of
/// all of them in one transaction.
package struct ForecastGroup: JobHandler {
    package let kind = "forecast-group"

    private let pool: Pool
    private let shelf = GroupShelf()

    /// - Parameter pool: Where observations and models are read.
    package init(pool: Pool) {
        self.pool = pool
    }

    package func run(_ lease: Lease, _ context: JobContext) async throws -> Effects {
        let arguments = try JobArguments.decode(JobArguments.ForecastGroup.self, of: lease)
        let shelf = shelf
        let plan = try await pool.transaction { db in
            try GroupForecastPlan(arguments, shelf, in: db)
        }
        let result = try await Permanent.run { _ in try plan.forecast() }
        context.conclude(try JSON.text(result.summary))
        return { db in try result.store(by: lease, in: db) }
    }
}

/// What one forecast of a group is made from.
private struct GroupForecastPlan: Sendable {
    let group: StoredGroup
    let stored: StoredGroupModel
    let model: FittedGroup
    /// By member of the model, as far as it looks back.
    let rows: GroupRows
    let steps: Int
    /// Keys of members that are still there.
    let keys: [SeriesID: String]

    init(
        _ arguments: JobArguments.ForecastGroup, _ shelf: GroupShelf, in db: borrowing Session
    ) throws {
        guard let group = try GroupStore.find(arguments.groupID, in: db) else {
            throw PermanentJobError("the group is not there any more")
        }
        guard let stored = try GroupModelStore.live(group.id, in: db) else {
            let objection = try GroupModelStore.objection(group.id, in: db)
            throw PermanentJobError(
                objection.map { "the group has no model that may forecast: \($0)" }
                    ?? "the group has no model: SELECT systole.train_group(…)")
        }
        let steps = arguments.steps ?? stored.steps
        guard steps <= stored.steps else {
            throw PermanentJobError(
                "the model of the group forecasts \(stored.steps) steps, not \(steps): train it anew"
            )
        }
        (self.group, self.stored, self.steps) = (group, stored, steps)
        model = try shelf.model(stored, in: db)
        let present = try SeriesStore.find(stored.members, in: db)
        keys = Dictionary(uniqueKeysWithValues: present.map { ($0.id, $0.key) })
        // As the model knows the group; members that are gone have no rows.
        let known = group.with(members: stored.members)
        let newest = try GroupStore.newest(known, in: db).map {
            $0.map { group.grid.number(of: $0) }
        }
        guard let last = GroupReadiness.row(newest: newest, share: 0.5, lateness: 3) else {
            throw PermanentJobError("fewer than half of the members have an observation")
        }
        rows = try GroupStore.rows(known, last - Int64(stored.lag) + 1...last, in: db)
    }

    func forecast() throws -> GroupForecastResult {
        let from = rows.grid.instant(of: rows.first)
        let joint = try model.forecast(history: rows.values, from: from)
        let start = rows.grid.instant(of: rows.last + 1)
        let grid = TimeGrid(start: start, rate: rows.grid.rate, count: steps)
        var (entries, leftOut): ([LedgerEntry], [SeriesID]) = ([], [])
        for (place, series) in stored.members.enumerated() {
            guard keys[series] != nil,
                let last = rows.values[place].lastIndex(where: { $0.isFinite })
            else {
                leftOut.append(series)
                continue
            }
            let forecast = Forecast(
                grid: grid, dataUntil: rows.grid.instant(of: rows.first + Int64(last)),
                values: Array(joint.values[place].prefix(steps)), levels: joint.levels,
                quantiles: joint.quantiles[place].map { Array($0.prefix(steps)) })
            entries.append(
                try LedgerEntry(forecast, series: series, model: stored.models[place]))
        }
        let influences = try model.influences(history: rows.values, from: from).map { found in
            (weight: found.weight, changes: found.changes.flatMap { $0.map { Float($0) } })
        }
        return GroupForecastResult(
            group: group.id, entries: entries,
            run: GroupForecastRun(
                model: stored.id, dataUntil: rows.grid.instant(of: rows.last), steps: steps,
                members: stored.members, leftOut: leftOut, influences: influences))
    }
}

/// What one run found.
private struct GroupForecastResult: Sendable {
    /// What is kept with the job.
    struct Summary: Encodable {
        let forecasts: Int
        let leftOut: Int
        let steps: Int

        private enum CodingKeys: String, CodingKey {
            case forecasts, steps
            case leftOut = "left_out"
        }
    }

    let group: GroupID
    let entries: [LedgerEntry]
    let run: GroupForecastRun

    var summary: Summary {
        Summary(forecasts: entries.count, leftOut: run.leftOut.count, steps: run.steps)
    }

    /// Writes all of it, or nothing.
    func store(by lease: Lease, in db: borrowing Session) throws {
        try ForecastLedger.write(entries, run: JobRun(lease), in: db)
        try GroupModelStore.write(run, of: group, run: JobRun(lease), in: db)
    }
}
