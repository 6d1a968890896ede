package import Postgres
package import Series

/// The worst point of an incident so far.
package struct IncidentPeak: Hashable, Sendable {
    package let at: Timestamp
    package let score: Double
    /// In the unit of the series; nil where data are missing.
    package let observed: Double?
    package let expected: Double?
    package let pValue: Double?

    package init(
        at: Timestamp, score: Double, observed: Double?, expected: Double?, pValue: Double?
    ) {
        self.at = at
        self.score = score
        self.observed = observed
        self.expected = expected
        self.pValue = pValue
    }
}

/// What is wrong.
package enum IncidentKind: String, Sendable {
    case value
    case noData = "no-data"
    case levelShift = "level-shift"
}

/// An incident that begins.
package struct NewIncident: Hashable, Sendable {
    package let series: SeriesID
    package let kind: IncidentKind
    /// The first point out of the ordinary, in time of the data.
    package let openedAt: Timestamp
    package let peak: IncidentPeak
    package let threshold: Double
    package let model: ModelID

    package init(
        series: SeriesID, kind: IncidentKind = .value, openedAt: Timestamp, peak: IncidentPeak,
        threshold: Double, model: ModelID
    ) {
        self.series = series
        self.kind = kind
        self.openedAt = openedAt
        self.peak = peak
        self.threshold = threshold
        self.model = model
    }
}

/// Incidents. Each transition appends its event in the same transaction, so that there is neither
/// one without the other nor one twice: the scorer takes each transition once, since its position
/// moves in that transaction too.
package enum IncidentStore {
    /// Opens an incident and tells of it (`anomaly.opened`), unless its series is silenced.
    ///
    /// - Parameters:
    ///   - incident: What begins.
    ///   - db: The transaction that stores the scores.
    /// - Returns: Its number.
    /// - Throws: `PostgresError` 23505 while another of this kind is open.
    @discardableResult
    package static func open(_ incident: NewIncident, in db: borrowing Session) throws -> Int64 {
        let peak = incident.peak
        return try db.run(
            """
            SELECT systole.open_incident(\(incident.series), \(incident.kind.rawValue),
                \(incident.openedAt), \(peak.at), \(peak.score), \(incident.threshold),
                \(incident.model), \(peak.observed), \(peak.expected), \(peak.pValue)) AS id
            """
        ).only().int64("id")
    }

    /// Records a worse point of the open incident of a series.
    package static func raisePeak(
        _ series: SeriesID, kind: IncidentKind = .value, to peak: IncidentPeak,
        in db: borrowing Session
    ) throws {
        try db.run(
            """
            UPDATE systole.incident
            SET peak_at = \(peak.at), peak_score = \(peak.score), observed = \(peak.observed),
                expected = \(peak.expected), p_value = \(peak.pValue)
            WHERE series_id = \(series) AND kind = \(kind.rawValue) AND state = 'firing'
                AND peak_score < \(peak.score)
            """)
    }

    /// Closes the open incident of a series and tells of it (`anomaly.resolved`), if its opening was
    /// told.
    ///
    /// - Parameters:
    ///   - series: Whose incident.
    ///   - kind: Which of them.
    ///   - at: When it ended, in time of the data; it lasts no less than nothing.
    ///   - becomes: What it turned out to be; the same where nil.
    ///   - db: The transaction that stores the scores.
    /// - Returns: Whether one was open.
    /// - Throws: What the database refuses.
    @discardableResult
    package static func resolve(
        _ series: SeriesID, kind: IncidentKind = .value, at: Timestamp,
        becoming becomes: IncidentKind? = nil, in db: borrowing Session
    ) throws -> Bool {
        try !db.run(
            """
            SELECT systole.close_incident(\(series), \(kind.rawValue), \(at),
                \(becomes?.rawValue)) AS id
            """
        ).only().isNull("id")
    }

    /// Which of these series have an incident of a kind that fires.
    ///
    /// - Parameters:
    ///   - series: In any order.
    ///   - kind: Which of them.
    ///   - db: A transaction.
    /// - Returns: Those that have.
    /// - Throws: What the database refuses.
    package static func firing(
        _ series: [SeriesID], kind: IncidentKind, in db: borrowing Session
    ) throws -> Set<SeriesID> {
        let rows = try db.run(
            """
            SELECT series_id FROM systole.incident
            WHERE series_id = ANY (\(series.map(\.number))::bigint[])
                AND kind = \(kind.rawValue) AND state = 'firing'
            """)
        return Set(try rows.allInt64s("series_id").map { SeriesID($0) })
    }

    /// Nobody is told of an incident while its series is silenced.
    static func tell(
        _ type: String, of id: Int64, in db: borrowing Session
    ) throws {
        try db.run("SELECT systole.tell_incident(\(type), \(id))")
    }
}
