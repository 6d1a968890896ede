package import Postgres
package import Series

/// The number a model has in the database.
package struct ModelID: Hashable, Sendable, CustomStringConvertible, SQLValue {
    package let number: Int64

    package init(_ number: Int64) { self.number = number }

    package var description: String { String(number) }
    package var sqlParameter: SQLParameter { number.sqlParameter }
}

/// Where a model stands: one of a series is live.
package enum ModelStage: String, Sendable {
    case candidate, live, retired
}

/// What a model learned from: the fields that make it possible to tell two fits apart.
package struct TrainingData: Hashable, Sendable {
    /// SHA-256 over the samples, 32 bytes.
    package let digest: [UInt8]
    package let from: Timestamp
    package let until: Timestamp

    package init(digest: [UInt8], from: Timestamp, until: Timestamp) {
        precondition(digest.count == 32, "TrainingData: a digest of \(digest.count) bytes")
        precondition(from <= until, "TrainingData: it ends before it begins")
        self.digest = digest
        self.from = from
        self.until = until
    }
}

/// The seasonal-naive errors over the training data: the scale that accuracy is told in.
package struct NaiveScale: Hashable, Sendable {
    /// The season in steps.
    package let seasonSteps: Int
    /// Mean absolute error, in the unit of the series.
    package let meanAbsoluteError: Double
    /// Root mean square error, in the unit of the series.
    package let rootMeanSquareError: Double

    package init(seasonSteps: Int, meanAbsoluteError: Double, rootMeanSquareError: Double) {
        precondition(seasonSteps > 0, "NaiveScale: a season of \(seasonSteps) steps")
        self.seasonSteps = seasonSteps
        self.meanAbsoluteError = meanAbsoluteError
        self.rootMeanSquareError = rootMeanSquareError
    }
}

/// A trained model on its way into the database.
package struct NewModel: Sendable {
    package let series: SeriesID
    package let family: String
    /// Why it is, or is not, to go live.
    package var reason = ""
    /// A JSON object.
    package var configuration = "{}"
    /// A JSON object.
    package var metrics = "{}"
    package let data: TrainingData
    package var naive: NaiveScale?
    /// The longest horizon it forecasts, in steps; at most 10,000.
    package var stepsMaximum = 10_000
    /// safetensors.
    package let weights: [UInt8]
    package var run: JobRun?

    package init(series: SeriesID, family: String, data: TrainingData, weights: [UInt8]) {
        self.series = series
        self.family = family
        self.data = data
        self.weights = weights
    }
}

/// A stored model without its weights.
package struct ModelRecord: Hashable, Sendable {
    package let id: ModelID
    package let series: SeriesID
    package let family: String
    /// From 1, per series and family.
    package let version: Int64
    package let stage: ModelStage
    package let reason: String
    /// A JSON object.
    package let configuration: String
    /// A JSON object.
    package let metrics: String
    package let data: TrainingData
    package let naive: NaiveScale?
    package let stepsMaximum: Int
    package let createdAt: Timestamp
    /// The model of another series whose weights it has; nil where it has its own.
    package let sharedFrom: ModelID?
}

/// A stored model with weights whose digest was compared.
package struct StoredModel: Sendable {
    package let record: ModelRecord
    /// safetensors.
    package let weights: [UInt8]
}

/// Models: bytes with a digest, and one live a series.
package enum ModelStore {
    private static let columns: SQL = """
        model_id, series_id, family, version, stage, reason, config, metrics, data_digest,
        data_from, data_until, season_steps, naive_mae, naive_rmse, steps_maximum, created_at,
        shared_from
        """

    /// Stores a candidate.
    ///
    /// - Parameters:
    ///   - model: What was trained.
    ///   - db: A transaction; the series is locked against other writers until it ends.
    /// - Returns: Its number; that of the model which the same job stored before, if it did.
    /// - Throws: `StoreError.unknownSeriesNumber`.
    package static func insert(_ model: NewModel, in db: borrowing Session) throws -> ModelID {
        precondition(db.isInTransaction(), "ModelStore.insert outside a transaction")
        let locked = try db.run(
            """
            SELECT FROM systole.series WHERE series_id = \(model.series) FOR NO KEY UPDATE
            """)
        guard locked.count == 1 else { throw StoreError.unknownSeriesNumber(model.series) }
        let rows = try db.run(
            """
            INSERT INTO systole.model (series_id, family, version, reason, config, metrics,
                data_digest, data_from, data_until, season_steps, naive_mae, naive_rmse,
                steps_maximum, weights, weights_sha256, job_id, lease_no)
            SELECT \(model.series), \(model.family), 1 + coalesce(max(version), 0), \(model.reason),
                \(model.configuration)::jsonb, \(model.metrics)::jsonb, \(model.data.digest),
                \(model.data.from), \(model.data.until), \(model.naive?.seasonSteps)::integer,
                \(model.naive?.meanAbsoluteError)::double precision,
                \(model.naive?.rootMeanSquareError)::double precision, \(model.stepsMaximum),
                \(model.weights), \(digest(of: model.weights)), \(model.run?.jobID)::bigint,
                \(model.run?.leaseNumber)::bigint
            FROM systole.model WHERE series_id = \(model.series) AND family = \(model.family)
            ON CONFLICT ON CONSTRAINT model_once_per_job DO NOTHING
            RETURNING model_id
            """)
        if let row = rows.first { return ModelID(try row.int64("model_id")) }
        let before = try db.run(
            """
            SELECT model_id FROM systole.model
            WHERE series_id = \(model.series) AND family = \(model.family)
                AND job_id = \(model.run?.jobID)
            """)
        return ModelID(try before.only().int64("model_id"))
    }

    /// The live model of a series; nil where there is none.
    ///
    /// - Throws: `StoreError.weightsDamaged`.
    package static func live(
        _ series: SeriesID, in db: borrowing Session
    ) throws -> StoredModel? {
        try load("series_id = \(series) AND stage = 'live'", in: db)
    }

    /// A model by its number.
    ///
    /// - Throws: `StoreError.unknownModel` or `.weightsDamaged`.
    package static func find(_ id: ModelID, in db: borrowing Session) throws -> StoredModel {
        guard let model = try load("model_id = \(id)", in: db) else {
            throw StoreError.unknownModel(id)
        }
        return model
    }

    /// The models of a series, newest first, without weights.
    package static func list(
        _ series: SeriesID, in db: borrowing Session
    ) throws -> [ModelRecord] {
        try db.run(
            """
            SELECT \(columns) FROM systole.model WHERE series_id = \(series)
            ORDER BY model_id DESC
            """
        ).map { row in try ModelRecord(row) }
    }

    /// Makes a model the live one of its series and retires the one that was.
    ///
    /// - Parameters:
    ///   - id: The model.
    ///   - reason: Stored with it; nil leaves what is there.
    ///   - db: A transaction.
    /// - Returns: The model that was live before.
    /// - Throws: `StoreError.unknownModel`.
    @discardableResult
    package static func promote(
        _ id: ModelID, reason: String? = nil, in db: borrowing Session
    ) throws -> ModelID? {
        let rows: Rows
        do throws(PostgresError) {
            rows = try db.run("SELECT systole.promote_model(\(id)) AS previous")
        } catch {
            throw error.sqlState == "SY005" ? StoreError.unknownModel(id) as any Error : error
        }
        if let reason {
            try db.run("UPDATE systole.model SET reason = \(reason) WHERE model_id = \(id)")
        }
        return try rows.only().optionalInt64("previous").map { ModelID($0) }
    }

    private static func load(
        _ condition: SQL, in db: borrowing Session
    ) throws -> StoredModel? {
        let rows = try db.run(
            """
            SELECT \(columns), weights_sha256, coalesce(weights, (
                SELECT w.weights FROM systole.model AS w WHERE w.model_id = m.shared_from)) AS weights
            FROM systole.model AS m WHERE \(condition)
            """)
        guard let row = rows.first else { return nil }
        let record = try ModelRecord(row)
        let weights = try row.bytes("weights")
        guard digest(of: weights) == (try row.bytes("weights_sha256")) else {
            throw StoreError.weightsDamaged(record.id)
        }
        return StoredModel(record: record, weights: weights)
    }
}

extension ModelRecord {
    init(_ row: Row) throws {
        id = ModelID(try row.int64("model_id"))
        series = SeriesID(try row.int64("series_id"))
        family = try row.text("family")
        version = try row.int64("version")
        // The table's constraint knows the same three.
        stage = ModelStage(rawValue: try row.text("stage")) ?? .retired
        reason = try row.text("reason")
        configuration = try row.text("config")
        metrics = try row.text("metrics")
        data = TrainingData(
            digest: try row.bytes("data_digest"), from: try row.timestamp("data_from"),
            until: try row.timestamp("data_until"))
        if let season = try row.optionalInt("season_steps"),
            let mae = try row.optionalDouble("naive_mae"),
            let rmse = try row.optionalDouble("naive_rmse")
        {
            naive = NaiveScale(
                seasonSteps: season, meanAbsoluteError: mae, rootMeanSquareError: rmse)
        } else {
            naive = nil
        }
        stepsMaximum = try row.int("steps_maximum")
        createdAt = try row.timestamp("created_at")
        sharedFrom = try row.optionalInt64("shared_from").map { ModelID($0) }
    }
}
