package import Postgres
package import Series

/// How often the intervals that a model issued for a series were right, over one range of steps.
package struct CoverageSum: Hashable, Sendable {
    package let series: SeriesID
    package let range: HorizonRange
    /// Steps with an 80 % interval whose truth has arrived.
    package let bounded80: Int
    /// Those whose truth lay inside.
    package let inside80: Int
    /// Steps with a 95 % interval whose truth has arrived.
    package let bounded95: Int
    /// Those whose truth lay inside.
    package let inside95: Int
}

/// What became of issued intervals.
package enum CoverageStore {
    /// The sums of models, each for its own series.
    ///
    /// - Parameters:
    ///   - models: Series and the model that forecasts it; each series once.
    ///   - db: The transaction.
    /// - Returns: By series; none for those without a truth that has arrived.
    /// - Throws: What the database refuses.
    package static func sums(
        of models: [(series: SeriesID, model: ModelID)], in db: borrowing Session
    ) throws -> [SeriesID: [CoverageSum]] {
        let rows = try db.run(
            """
            SELECT c.series_id, c.from_step, c.bounded_80, c.inside_80, c.bounded_95, c.inside_95
            FROM unnest(\(models.map(\.series.number))::bigint[],
                \(models.map(\.model.number))::bigint[]) AS u (series_id, model_id)
            JOIN systole.coverage_sum AS c USING (series_id, model_id)
            """)
        let sums = try rows.map { row in
            CoverageSum(
                series: SeriesID(try row.int64("series_id")),
                range: HorizonRange.all[HorizonRange.index(of: try row.int("from_step"))],
                bounded80: try row.int("bounded_80"), inside80: try row.int("inside_80"),
                bounded95: try row.int("bounded_95"), inside95: try row.int("inside_95"))
        }
        return Dictionary(grouping: sums, by: \.series)
    }
}
