package import Postgres
package import Series

/// The members behind an incident of a group, the largest share first.
package struct IncidentContributions: Sendable {
    package let members: [SeriesID]
    /// `[members]`, each 0...1.
    package let shares: [Double]
    /// `[members]`, in the unit of each.
    package let observed: [Double]
    /// `[members]`, in the unit of each.
    package let expected: [Double]

    /// Traps unless there are as many of each, and one at least.
    package init(members: [SeriesID], shares: [Double], observed: [Double], expected: [Double]) {
        precondition(
            !members.isEmpty
                && [shares, observed, expected].allSatisfy { $0.count == members.count },
            "IncidentContributions: \(members.count) members")
        self.members = members
        self.shares = shares
        self.observed = observed
        self.expected = expected
    }
}

/// The worst row of an incident of a group so far.
package struct GroupIncidentPeak: Sendable {
    package let at: Timestamp
    package let score: Double
    package let pValue: Double
    package let contributions: IncidentContributions

    package init(
        at: Timestamp, score: Double, pValue: Double, contributions: IncidentContributions
    ) {
        self.at = at
        self.score = score
        self.pValue = pValue
        self.contributions = contributions
    }
}

extension IncidentStore {
    /// Opens an incident of a group on the member with the largest share, and tells of it, unless
    /// that one is silenced.
    ///
    /// - Parameters:
    ///   - group: The group, whose watch is locked.
    ///   - detector: What found it.
    ///   - openedAt: The first row out of the ordinary, in time of the data.
    ///   - peak: The worst row so far.
    ///   - threshold: The score at which it began.
    ///   - db: The transaction that stores the scores.
    /// - Throws: `PostgresError` 23505 while another of this group is open.
    package static func open(
        of group: StoredGroup, detector: Int64, openedAt: Timestamp, peak: GroupIncidentPeak,
        threshold: Double, in db: borrowing Session
    ) throws {
        let parts = peak.contributions
        let row = try db.run(
            """
            INSERT INTO systole.incident (series_id, seq, kind, opened_at, peak_at, peak_score,
                observed, expected, p_value, threshold, group_id, group_name, detector_id,
                contributions)
            VALUES (\(parts.members[0]), systole.next_incident_seq(\(parts.members[0])), 'group',
                \(openedAt), \(peak.at), \(peak.score), \(parts.observed[0]), \(parts.expected[0]),
                \(peak.pValue), \(threshold), \(group.id), \(group.name), \(detector),
                \(named(parts)))
            RETURNING incident_id
            """
        ).only()
        try tell("anomaly.opened", of: try row.int64("incident_id"), in: db)
    }

    /// Records a worse row of the open incident of a group.
    package static func raisePeak(
        of group: GroupID, to peak: GroupIncidentPeak, in db: borrowing Session
    ) throws {
        let parts = peak.contributions
        try db.run(
            """
            UPDATE systole.incident AS i
            SET peak_at = \(peak.at), peak_score = \(peak.score), p_value = \(peak.pValue),
                (observed, expected) = (
                    SELECT u.observed, u.expected
                    FROM unnest(\(parts.members.map(\.number))::bigint[],
                        \(parts.observed)::double precision[],
                        \(parts.expected)::double precision[]) AS u (series_id, observed, expected)
                    WHERE u.series_id = i.series_id),
                contributions = \(named(parts))
            WHERE i.group_id = \(group) AND i.state = 'firing' AND i.peak_score < \(peak.score)
            """)
    }

    /// Closes the open incident of a group and tells of it, if its opening was told.
    ///
    /// - Parameters:
    ///   - group: Whose incident.
    ///   - at: When it ended, in time of the data.
    ///   - db: The transaction that stores the scores.
    /// - Returns: Whether one was open.
    /// - Throws: `PostgresError` 23514 where `at` lies before it was opened.
    @discardableResult
    package static func resolve(
        of group: GroupID, at: Timestamp, in db: borrowing Session
    ) throws -> Bool {
        let rows = try db.run(
            """
            UPDATE systole.incident SET state = 'resolved', resolved_at = \(at)
            WHERE group_id = \(group) AND state = 'firing' RETURNING incident_id
            """)
        guard let row = rows.first else { return false }
        try tell("anomaly.resolved", of: try row.int64("incident_id"), in: db)
        return true
    }

    /// Names and shares, as the incident and its events carry them: no sample.
    private static func named(_ parts: IncidentContributions) -> SQL {
        """
        (SELECT coalesce(jsonb_agg(jsonb_build_object(
            'series', s.key, 'share', round(u.share::numeric, 4)) ORDER BY u.place), '[]')
        FROM unnest(\(parts.members.map(\.number))::bigint[], \(parts.shares)::double precision[])
            WITH ORDINALITY AS u (series_id, share, place)
        JOIN systole.series AS s USING (series_id))
        """
    }
}
