package import Postgres
package import Series

/// A version of a sensor model on its way into the database.
package struct NewSensorModel: Sendable {
    /// What it is called; versions share it.
    package let name: String
    package let family: String
    /// Names of what it reads, in the order of a sample.
    package let inputs: [String]
    /// What it gives, in the order of a prediction.
    package let outputs: [Channel]
    /// Microseconds between two samples.
    package let stepMicroseconds: Int64
    /// Samples for each prediction.
    package let ratio: Int
    /// The longest stretch of samples that it was trained on at once.
    package let memory: Int
    /// A JSON object.
    package let card: String
    /// safetensors.
    package let weights: [UInt8]

    package init(
        name: String, family: String, inputs: [String], outputs: [Channel],
        stepMicroseconds: Int64, ratio: Int, memory: Int, card: String, weights: [UInt8]
    ) {
        self.name = name
        self.family = family
        self.inputs = inputs
        self.outputs = outputs
        self.stepMicroseconds = stepMicroseconds
        self.ratio = ratio
        self.memory = memory
        self.card = card
        self.weights = weights
    }
}

/// Sensor models: bytes with a digest, and one live version of a name.
package enum SensorModelStore {
    /// Stores a version as a candidate; the newest one's bytes again change nothing.
    ///
    /// - Parameters:
    ///   - model: What was trained.
    ///   - db: A transaction.
    /// - Returns: Its number.
    /// - Throws: `PostgresError` with SQLSTATE `SY037` where the versions before it read or give
    ///   something else.
    package static func add(_ model: NewSensorModel, in db: borrowing Session) throws -> Int64 {
        try db.run(
            """
            SELECT systole.add_sensor_model(\(model.name), \(model.family), \(model.inputs),
                \(model.outputs.map(\.name)), \(model.outputs.map(\.unit.symbol)),
                \(model.stepMicroseconds), \(model.ratio)::integer, \(model.memory)::bigint,
                \(model.card)::jsonb, \(model.weights), \(digest(of: model.weights))) AS id
            """
        ).only().int64("id")
    }

    /// The weights of a version.
    ///
    /// - Parameters:
    ///   - id: Its number.
    ///   - db: The transaction.
    /// - Returns: safetensors.
    /// - Throws: `StoreError.unknownSensorModel`, or `.sensorModelDamaged` where they no longer match
    ///   their digest.
    package static func weights(_ id: Int64, in db: borrowing Session) throws -> [UInt8] {
        let rows = try db.run(
            """
            SELECT weights, weights_sha256 FROM systole.sensor_model WHERE sensor_model_id = \(id)
            """)
        guard let row = rows.first else { throw StoreError.unknownSensorModel(id) }
        let weights = try row.bytes("weights")
        guard digest(of: weights) == (try row.bytes("weights_sha256")) else {
            throw StoreError.sensorModelDamaged(id)
        }
        return weights
    }
}
