package import Postgres
package import Series

/// A model of a group on its way into the database.
package struct NewGroupModel: Sendable {
    /// In the order of the model.
    package let members: [SeriesID]
    /// Whether it may forecast.
    package let isLive: Bool
    /// Why it may, or not.
    package let reason: String
    /// Rows that it looks back on.
    package let lag: Int
    /// Steps that it forecasts.
    package let steps: Int
    /// A JSON object.
    package let metrics: String
    package let data: TrainingData
    /// By member; nil where no two values lie a season apart.
    package let naive: [NaiveScale?]
    /// safetensors.
    package let weights: [UInt8]

    package init(
        members: [SeriesID], isLive: Bool, reason: String, lag: Int, steps: Int, metrics: String,
        data: TrainingData, naive: [NaiveScale?], weights: [UInt8]
    ) {
        precondition(!members.isEmpty && naive.count == members.count, "NewGroupModel: no members")
        self.members = members
        self.isLive = isLive
        self.reason = reason
        self.lag = lag
        self.steps = steps
        self.metrics = metrics
        self.data = data
        self.naive = naive
        self.weights = weights
    }
}

/// The live model of a group.
package struct StoredGroupModel: Sendable {
    package let id: Int64
    /// In the order of the model.
    package let members: [SeriesID]
    /// The row of `systole.model` that each member's forecasts are told by.
    package let models: [ModelID]
    package let lag: Int
    package let steps: Int
}

/// What was forecast of a group in one run.
package struct GroupForecastRun: Sendable {
    package let model: Int64
    package let dataUntil: Timestamp
    package let steps: Int
    /// In the order of the model.
    package let members: [SeriesID]
    package let leftOut: [SeriesID]
    /// The weight of the part that mixes members, and how far the forecast of each moves by the past of
    /// each, `[members · members]`; nil where nothing is mixed.
    package let influences: (weight: Double, changes: [Float])?

    package init(
        model: Int64, dataUntil: Timestamp, steps: Int, members: [SeriesID], leftOut: [SeriesID],
        influences: (weight: Double, changes: [Float])?
    ) {
        self.model = model
        self.dataUntil = dataUntil
        self.steps = steps
        self.members = members
        self.leftOut = leftOut
        self.influences = influences
    }
}

/// Models of groups, and their forecasts.
package enum GroupModelStore {
    /// Stores a version, with a row of `systole.model` for each member: the first has the weights, the
    /// others share them.
    ///
    /// - Parameters:
    ///   - model: What was trained.
    ///   - group: Whose.
    ///   - run: The job run that trained it.
    ///   - db: A transaction.
    /// - Throws: `PostgresError`, and `StoreError.unknownSeriesNumber` where a member is gone.
    package static func insert(
        _ model: NewGroupModel, of group: GroupID, run: JobRun, in db: borrowing Session
    ) throws {
        var first = NewModel(
            series: model.members[0], family: "group", data: model.data, weights: model.weights)
        first.reason = model.reason
        first.metrics = model.metrics
        first.naive = model.naive[0]
        first.stepsMaximum = model.steps
        first.run = run
        let root = try ModelStore.insert(first, in: db)
        var ids = [root]
        for (series, naive) in zip(model.members, model.naive).dropFirst() {
            ids.append(try share(root, with: series, naive, run: run, in: db))
        }
        let numbers = ids.map(\.number)
        if model.isLive {
            try db.run(
                """
                UPDATE systole.group_model SET stage = 'retired'
                WHERE group_id = \(group) AND stage = 'live'
                """)
        }
        try db.run(
            """
            INSERT INTO systole.group_model (group_id, version, stage, reason, members, model_ids,
                lag, steps, metrics, job_id, lease_no)
            SELECT \(group), 1 + coalesce(max(version), 0),
                \(model.isLive ? "live" : "candidate"), \(model.reason),
                \(model.members.map(\.number))::bigint[], \(numbers)::bigint[], \(model.lag),
                \(model.steps), \(model.metrics)::jsonb, \(run.jobID), \(run.leaseNumber)
            FROM systole.group_model WHERE group_id = \(group)
            """)
    }

    private static func share(
        _ root: ModelID, with series: SeriesID, _ naive: NaiveScale?, run: JobRun,
        in db: borrowing Session
    ) throws -> ModelID {
        let rows = try db.run(
            """
            INSERT INTO systole.model (series_id, family, version, reason, metrics, data_digest,
                data_from, data_until, season_steps, naive_mae, naive_rmse, steps_maximum,
                weights_sha256, shared_from, job_id, lease_no)
            SELECT s.series_id, r.family, 1 + coalesce((SELECT max(b.version) FROM systole.model AS b
                    WHERE b.series_id = s.series_id AND b.family = r.family), 0),
                r.reason, r.metrics, r.data_digest, r.data_from, r.data_until,
                \(naive?.seasonSteps)::integer, \(naive?.meanAbsoluteError)::double precision,
                \(naive?.rootMeanSquareError)::double precision, r.steps_maximum,
                r.weights_sha256, r.model_id, \(run.jobID), \(run.leaseNumber)
            FROM systole.model AS r, systole.series AS s
            WHERE r.model_id = \(root) AND s.series_id = \(series)
            RETURNING model_id
            """)
        guard let row = rows.first else { throw StoreError.unknownSeriesNumber(series) }
        return ModelID(try row.int64("model_id"))
    }

    /// The live model of a group; nil where there is none.
    package static func live(
        _ group: GroupID, in db: borrowing Session
    ) throws -> StoredGroupModel? {
        try db.run(
            """
            SELECT group_model_id, members, model_ids, lag, steps FROM systole.group_model
            WHERE group_id = \(group) AND stage = 'live'
            """
        ).first.map { row in
            StoredGroupModel(
                id: try row.int64("group_model_id"),
                members: try row.int64s("members").map { SeriesID($0) },
                models: try row.int64s("model_ids").map { ModelID($0) },
                lag: try row.int("lag"), steps: try row.int("steps"))
        }
    }

    /// Why the newest model of a group may not forecast; nil where there is none.
    package static func objection(
        _ group: GroupID, in db: borrowing Session
    ) throws -> String? {
        try db.run(
            """
            SELECT reason FROM systole.group_model WHERE group_id = \(group)
            ORDER BY version DESC LIMIT 1
            """
        ).first?.text("reason")
    }

    /// Writes what was forecast together, beside the forecasts of the members.
    ///
    /// - Parameters:
    ///   - forecast: What.
    ///   - group: Of which group.
    ///   - run: The job run that made it.
    ///   - db: The transaction that stores the forecasts.
    /// - Throws: `PostgresError`.
    package static func write(
        _ forecast: GroupForecastRun, of group: GroupID, run: JobRun, in db: borrowing Session
    ) throws {
        try db.run(
            """
            INSERT INTO systole.group_forecast (group_id, group_model_id, data_until, steps, members,
                left_out, weight, influences, job_id, lease_no)
            VALUES (\(group), \(forecast.model), \(forecast.dataUntil), \(forecast.steps),
                \(forecast.members.map(\.number))::bigint[],
                \(forecast.leftOut.map(\.number))::bigint[],
                \(forecast.influences?.weight)::real, \(forecast.influences?.changes)::real[],
                \(run.jobID), \(run.leaseNumber))
            """)
    }
}
