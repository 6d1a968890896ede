import Forecasting
import Foundation
package import Jobs
import Models
package import Postgres
import Series
import Store

/// The job `train-group`: fits models of all members of a group together, and makes the best on
/// validation the live one of the group if it is better there than repeating the last value.
package struct TrainGroup: JobHandler {
    package let kind = "train-group"
    /// The newest rows that are learned from.
    static let rowsMaximum: Int64 = 20_000

    private let pool: Pool
    private let environment: FittingEnvironment

    /// - Parameters:
    ///   - pool: Where observations are read.
    ///   - environment: Seed, cores and version of this process.
    package init(pool: Pool, environment: FittingEnvironment) {
        self.pool = pool
        self.environment = environment
    }

    package func run(_ lease: Lease, _ context: JobContext) async throws -> Effects {
        let arguments = try JobArguments.decode(JobArguments.TrainGroup.self, of: lease)
        let found = try await pool.transaction { [environment] db -> GroupTraining? in
            try GroupTraining(arguments, environment, in: db)
        }
        guard let work = found else {
            throw PermanentJobError("the group is not there any more")
        }
        if let obstacle = work.obstacle { throw PermanentJobError(obstacle) }
        let fitted = try await Permanent.run { cancellation in
            try work.fit { note in
                try cancellation.check()
                context.report(fraction: nil, note: note)
            }
        }
        let model = try work.model(fitted)
        return { db in
            try GroupModelStore.insert(model, of: work.group.id, run: JobRun(lease), in: db)
        }
    }
}

/// What one training of a group learns from.
private struct GroupTraining: Sendable {
    let group: StoredGroup
    /// Of the members, by which they are told apart.
    private let keys: [SeriesID: String]
    /// Up to the newest row; nil where there is none.
    let rows: GroupRows?
    let steps: Int
    let options: GroupFitOptions

    /// nil where the group is gone.
    init?(
        _ arguments: JobArguments.TrainGroup, _ environment: FittingEnvironment,
        in db: borrowing Session
    ) throws {
        guard let group = try GroupStore.find(arguments.groupID, in: db) else { return nil }
        self.group = group
        keys = Dictionary(
            uniqueKeysWithValues: try SeriesStore.find(group.members, in: db).map {
                ($0.id, $0.key)
            })
        steps = arguments.steps
        var options = GroupFitOptions()
        options.seed = arguments.seed ?? environment.seed
        options.threads = min(environment.threads, arguments.threads ?? environment.threads)
        options.codeVersion = environment.codeVersion
        if arguments.family != "auto" {
            options.families = try arguments.family.split(separator: ",").map { name in
                guard let family = JointFamily(rawValue: String(name)) else {
                    throw PermanentJobError("groups have no model family \"\(name)\"")
                }
                return family
            }
        }
        self.options = options
        let newest = try GroupStore.newest(group, in: db).compactMap { $0 }.max()
        guard let last = newest.map({ group.grid.number(of: $0) }), group.strangers.isEmpty else {
            rows = nil
            return
        }
        let count = min(
            TrainGroup.rowsMaximum,
            Int64(SeriesStore.samplesMaximum / max(1, group.members.count)))
        let found = try GroupStore.rows(
            group, last - count + 1...last, forTraining: true, in: db)
        // Rows before the first observation of all are no history.
        let first = found.values.compactMap { column in column.firstIndex { $0.isFinite } }.min()
        rows = first.map { found.slice(found.first + Int64($0)...found.last) }
    }

    /// Why nothing can be learned.
    var obstacle: String? {
        if !group.strangers.isEmpty {
            let names = group.strangers.prefix(3).map { "\"\($0)\"" }.joined(separator: ", ")
            return "these members no longer have the step of the group: \(names)"
        }
        if group.members.isEmpty { return "the group has no members any more" }
        return rows == nil ? "no member has an observation" : nil
    }

    func fit(progress: (String) throws -> Void) throws -> FittedGroup {
        guard let rows else { throw PermanentJobError(obstacle ?? "") }
        let task = try task(rows)
        let split = Split.live(rows: rows.count, task: task)
        var series = try JointSeries(
            names: group.members.map { keys[$0] ?? $0.description }, values: rows.values,
            train: split.targets(of: .train))
        if let calendar = GroupCalendar(stepMicroseconds: rows.grid.stepMicroseconds) {
            series.know(calendar, from: rows.grid.instant(of: rows.first))
        }
        return try FittedGroup.fit(
            series, task: task, split: split, options: options, progress: progress)
    }

    /// The longest look-back that is published, or what a short history affords: whole patches.
    private func task(_ rows: GroupRows) throws -> ForecastTask {
        let network = options.network
        let (patch, stride) = (network.patch, network.stride)
        let affordable = max(0, min(512, rows.count / 4) - patch) / stride * stride + patch
        let task = try ForecastTask(lag: affordable, horizon: steps, season: 1)
        guard rows.count >= task.rowsMinimum else {
            throw PermanentJobError(
                "the group has \(rows.count) rows; a horizon of \(steps) steps needs "
                    + "\(task.rowsMinimum)")
        }
        return task
    }

    func model(_ fitted: FittedGroup) throws -> NewGroupModel {
        guard let rows else { throw PermanentJobError(obstacle ?? "") }
        let report = fitted.report
        let isLive = report.validationMSE < report.repeatLastMSE
        let digests = rows.values.flatMap { column in column.map { $0.bitPattern } }
        let bytes = digests.flatMap { word in
            (0..<8).map { UInt8(truncatingIfNeeded: word >> (8 * UInt64($0))) }
        }
        let naive = rows.values.map { NaiveScale(of: $0, season: Self.season(rows.grid)) }
        return NewGroupModel(
            members: group.members, isLive: isLive,
            reason: isLive
                ? report.reason
                : "on validation it is no better than repeating the last value. \(report.reason)",
            lag: report.task.lag, steps: report.task.horizon, metrics: try JSON.text(report),
            data: TrainingData(
                digest: digest(of: bytes), from: rows.grid.instant(of: rows.first),
                until: rows.grid.instant(of: rows.last)), naive: naive, weights: fitted.encoded())
    }

    /// A day of steps where it has some, or one step.
    private static func season(_ grid: GroupGrid) -> Int {
        let day = 86_400_000_000 / grid.stepMicroseconds
        return (2...100_000).contains(day) ? Int(day) : 1
    }
}
