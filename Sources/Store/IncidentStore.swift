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

/// An incident that begins.
package struct NewIncident: Hashable, Sendable {
    /// What is wrong.
    package enum Kind: String, Sendable {
        case value
        case noData = "no-data"
        case levelShift = "level-shift"
    }

    package let series: SeriesID
    /// Counts the incidents of a series; the incident machine gives it out.
    package let sequence: Int64
    package let kind: Kind
    /// The first point out of the ordinary, in time of the data.
    package let openedAt: Timestamp
    package let peak: IncidentPeak
    package let threshold: Double
    package let model: ModelID

    package init(
        series: SeriesID, sequence: Int64, kind: Kind = .value, openedAt: Timestamp,
        peak: IncidentPeak, threshold: Double, model: ModelID
    ) {
        self.series = series
        self.sequence = sequence
        self.kind = kind
        self.openedAt = openedAt
        self.peak = peak
        self.threshold = threshold
        self.model = model
    }
}

/// Incidents. Each transition appends its event in the same transaction, so that there is neither
/// one without the other nor one twice.
package enum IncidentStore {
    /// Opens an incident and tells of it (`anomaly.opened`), unless its series is silenced.
    ///
    /// - Parameters:
    ///   - incident: What begins.
    ///   - db: The transaction that stores the scores.
    /// - Returns: Its number; nil where this one (series and sequence) was opened before.
    /// - Throws: `PostgresError` 23505 while another of this kind is open.
    @discardableResult
    package static func open(
        _ incident: NewIncident, in db: borrowing Session
    ) throws -> Int64? {
        let peak = incident.peak
        let rows = try db.run(
            """
            INSERT INTO systole.incident (series_id, seq, kind, opened_at, peak_at, peak_score,
                observed, expected, p_value, threshold, model_id)
            VALUES (\(incident.series), \(incident.sequence), \(incident.kind.rawValue),
                \(incident.openedAt), \(peak.at), \(peak.score), \(peak.observed),
                \(peak.expected), \(peak.pValue), \(incident.threshold), \(incident.model))
            ON CONFLICT ON CONSTRAINT incident_once DO NOTHING RETURNING incident_id
            """)
        guard let row = rows.first else { return nil }
        let id = try row.int64("incident_id")
        try tell("anomaly.opened", of: id, in: db)
        return id
    }

    /// Records a worse point of an open incident.
    package static func raisePeak(
        _ series: SeriesID, sequence: Int64, to peak: IncidentPeak, in db: borrowing Session
    ) throws {
        try db.run(
            """
            UPDATE systole.incident
            SET peak_at = \(peak.at), peak_score = \(peak.score), observed = \(peak.observed),
                expected = \(peak.expected), p_value = \(peak.pValue)
            WHERE series_id = \(series) AND seq = \(sequence) AND state = 'firing'
                AND peak_score < \(peak.score)
            """)
    }

    /// Closes an incident and tells of it (`anomaly.resolved`), if its opening was told.
    ///
    /// - Parameters:
    ///   - series: Whose incident.
    ///   - sequence: Which of them.
    ///   - at: When it ended, in time of the data.
    ///   - db: The transaction that stores the scores.
    /// - Returns: Whether it was open.
    /// - Throws: `PostgresError` 23514 where `at` lies before it was opened.
    @discardableResult
    package static func resolve(
        _ series: SeriesID, sequence: Int64, at: Timestamp, in db: borrowing Session
    ) throws -> Bool {
        let rows = try db.run(
            """
            UPDATE systole.incident SET state = 'resolved', resolved_at = \(at)
            WHERE series_id = \(series) AND seq = \(sequence) AND state = 'firing'
            RETURNING incident_id
            """)
        guard let row = rows.first else { return false }
        try tell("anomaly.resolved", of: try row.int64("incident_id"), in: db)
        return true
    }

    /// The highest sequence number of a series; 0 where it has no incident.
    package static func lastSequence(
        _ series: SeriesID, in db: borrowing Session
    ) throws -> Int64 {
        try db.run(
            "SELECT coalesce(max(seq), 0) AS seq FROM systole.incident WHERE series_id = \(series)"
        ).only().int64("seq")
    }

    /// Nobody is told of an incident while its series is silenced.
    static func tell(
        _ type: String, of id: Int64, in db: borrowing Session
    ) throws {
        try db.run("SELECT systole.tell_incident(\(type), \(id))")
    }
}
