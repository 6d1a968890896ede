package import Postgres
package import Series

/// The live model of one of many series, without its weights.
package struct LiveModelEntry: Hashable, Sendable {
    package let series: SeriesID
    package let id: ModelID
    /// The model that has the weights: this one, or the one of another series that it shares.
    package let weightsOf: ModelID
    /// The longest horizon it forecasts, in steps.
    package let stepsMaximum: Int

    /// Whether the weights were learnt on another series.
    package var isShared: Bool { weightsOf != id }
}

extension ModelStore {
    /// The live models of many series, in no order; a series without one has none here.
    package static func live(
        _ series: [SeriesID], in db: borrowing Session
    ) throws -> [LiveModelEntry] {
        try db.run(
            """
            SELECT series_id, model_id, coalesce(shared_from, model_id) AS weights_of, steps_maximum
            FROM systole.model
            WHERE series_id = ANY (\(series.map(\.number))::bigint[]) AND stage = 'live'
            """
        ).map { row in
            LiveModelEntry(
                series: SeriesID(try row.int64("series_id")),
                id: ModelID(try row.int64("model_id")),
                weightsOf: ModelID(try row.int64("weights_of")),
                stepsMaximum: try row.int("steps_maximum"))
        }
    }
}
