package import Postgres
package import Series

/// A group whose rows are scored.
package struct GroupWatch: Hashable, Sendable {
    package let group: GroupID
    /// The alert budget: how many incidents a week ordinary data may open.
    package let alertsPerWeek: Double
    /// The share of the members that rows wait for, whatever comes; in 0...1.
    package let share: Double
    /// How far behind these a member may be and still be waited for.
    package let latenessMicroseconds: Int64
    /// The score at which a row is out of the ordinary; nil until chosen from the budget.
    package let threshold: Double?
    /// The newest row that was scored.
    package let scoredUntil: Timestamp?
    /// The detector that scored it.
    package let detector: Int64?
    /// The state of the incident machine after `scoredUntil`, as JSON; nil at first.
    package let machine: String?
    package let isPaused: Bool

    init(_ row: Row) throws {
        group = GroupID(try row.int64("group_id"))
        alertsPerWeek = try row.double("alerts_per_week")
        share = try row.double("share")
        latenessMicroseconds = try row.int64("lateness_us")
        threshold = try row.optionalDouble("threshold")
        scoredUntil = try row.optionalTimestamp("scored_until")
        detector = try row.optionalInt64("detector_id")
        machine = try row.optionalText("machine")
        isPaused = try !row.isNull("paused_at")
    }
}

/// A detector of a group as it is stored.
package struct StoredGroupDetector: Sendable {
    package let id: Int64
    /// In the order of its channels.
    package let members: [SeriesID]
    /// safetensors, whose digest was compared.
    package let weights: [UInt8]
}

/// A detector on its way into the database.
package struct NewGroupDetector: Sendable {
    package let family: String
    /// In the order of its channels.
    package let members: [SeriesID]
    package let from: Timestamp
    package let until: Timestamp
    /// A JSON object.
    package let metrics: String
    /// safetensors.
    package let weights: [UInt8]

    package init(
        family: String, members: [SeriesID], from: Timestamp, until: Timestamp, metrics: String,
        weights: [UInt8]
    ) {
        self.family = family
        self.members = members
        self.from = from
        self.until = until
        self.metrics = metrics
        self.weights = weights
    }
}

/// Which groups are watched, how far they are scored, and by what.
package enum GroupWatchStore {
    private static let columns: SQL = """
        group_id, alerts_per_week, share, lateness_us, threshold, scored_until, detector_id,
        machine, paused_at
        """

    /// The watch of a group; nil where it is not watched.
    package static func find(_ group: GroupID, in db: borrowing Session) throws -> GroupWatch? {
        try db.run("SELECT \(columns) FROM systole.group_watch WHERE group_id = \(group)")
            .first.map { row in try GroupWatch(row) }
    }

    /// The watch of a group, locked until the transaction ends, so that one scorer at a time moves
    /// it; nil where it is not watched.
    package static func lock(_ group: GroupID, in db: borrowing Session) throws -> GroupWatch? {
        try db.run(
            "SELECT \(columns) FROM systole.group_watch WHERE group_id = \(group) FOR NO KEY UPDATE"
        ).first.map { row in try GroupWatch(row) }
    }

    /// Moves a watch on.
    ///
    /// - Parameters:
    ///   - group: Whose watch, which is locked.
    ///   - scoredUntil: The newest row scored; never moves back.
    ///   - detector: What scored it.
    ///   - machine: The state of the incident machine after it, as JSON.
    ///   - threshold: The score chosen from the budget; nil while it is to be chosen.
    ///   - db: The transaction that stores the scores.
    /// - Throws: What the database refuses.
    package static func advance(
        _ group: GroupID, scoredUntil: Timestamp, detector: Int64, machine: String,
        threshold: Double?, in db: borrowing Session
    ) throws {
        try db.run(
            """
            UPDATE systole.group_watch
            SET scored_until = greatest(scored_until, \(scoredUntil)), detector_id = \(detector),
                machine = \(machine)::jsonb, threshold = \(threshold), note = NULL
            WHERE group_id = \(group)
            """)
    }

    /// Says why a group is not scored.
    package static func note(
        _ text: String, of group: GroupID, in db: borrowing Session
    ) throws {
        try db.run(
            """
            UPDATE systole.group_watch SET note = left(\(text), 1000)
            WHERE group_id = \(group) AND note IS DISTINCT FROM left(\(text), 1000)
            """)
    }

    /// Stores a detector as the next version of its group.
    ///
    /// - Parameters:
    ///   - detector: What was trained.
    ///   - group: On which group, whose watch is locked.
    ///   - run: The job run that made it; nil outside a job.
    ///   - db: The transaction that stores its first scores.
    /// - Returns: Its number.
    /// - Throws: What the database refuses.
    package static func insert(
        _ detector: NewGroupDetector, of group: GroupID, run: JobRun? = nil,
        in db: borrowing Session
    ) throws -> Int64 {
        try db.run(
            """
            INSERT INTO systole.group_detector (group_id, version, family, members, data_from,
                data_until, metrics, weights, weights_sha256, job_id, lease_no)
            SELECT \(group), 1 + coalesce(max(version), 0), \(detector.family),
                \(detector.members.map(\.number))::bigint[], \(detector.from), \(detector.until),
                \(detector.metrics)::jsonb, \(detector.weights), \(digest(of: detector.weights)),
                \(run?.jobID)::bigint, \(run?.leaseNumber)::bigint
            FROM systole.group_detector WHERE group_id = \(group)
            RETURNING detector_id
            """
        ).only().int64("detector_id")
    }

    /// A detector by its number; nil where there is none.
    ///
    /// - Throws: `StoreError.detectorDamaged`.
    package static func detector(
        _ id: Int64, in db: borrowing Session
    ) throws -> StoredGroupDetector? {
        let rows = try db.run(
            """
            SELECT members, weights, weights_sha256 FROM systole.group_detector
            WHERE detector_id = \(id)
            """)
        guard let row = rows.first else { return nil }
        let weights = try row.bytes("weights")
        guard digest(of: weights) == (try row.bytes("weights_sha256")) else {
            throw StoreError.detectorDamaged(id)
        }
        return StoredGroupDetector(
            id: id, members: try row.int64s("members").map { SeriesID($0) }, weights: weights)
    }
}

/// The scores of rows of one group; a row without a score is left out.
package struct GroupScoreBatch: Sendable {
    package let detector: Int64
    /// In the order of the channels.
    package let members: [SeriesID]
    /// Ascending; never empty.
    package let instants: [Timestamp]
    /// `[instants]`, each 0...1.
    package let pValues: [Double]
    /// `[instants]`
    package let scores: [Double]
    /// `[instants · members]`, row-major; NaN where a member is missing or not judged.
    package let surprises: [Float]

    package init(
        detector: Int64, members: [SeriesID], instants: [Timestamp], pValues: [Double],
        scores: [Double], surprises: [Float]
    ) {
        precondition(
            !instants.isEmpty && pValues.count == instants.count && scores.count == instants.count
                && surprises.count == instants.count * members.count,
            "GroupScoreBatch: \(instants.count) rows of \(members.count) members")
        self.detector = detector
        self.members = members
        self.instants = instants
        self.pValues = pValues
        self.scores = scores
        self.surprises = surprises
    }
}

extension GroupWatchStore {
    /// Adds a batch.
    ///
    /// - Parameters:
    ///   - batch: At most `ScoreStore.batchMaximum` rows.
    ///   - group: Whose rows.
    ///   - run: The job run that made it; nil outside a job.
    ///   - db: The transaction, in which the watch also moves on.
    /// - Throws: `PostgresError` 23505 for a batch that ends where a stored one does.
    package static func write(
        _ batch: GroupScoreBatch, of group: GroupID, run: JobRun? = nil, in db: borrowing Session
    ) throws {
        let instants = batch.instants.map(\.microseconds)
        precondition(instants.count <= ScoreStore.batchMaximum, "\(instants.count) scores")
        try db.run(
            """
            INSERT INTO systole.group_score (group_id, first_us, last_us, detector_id, members,
                at_us, p_value, score, surprises, job_id, lease_no)
            VALUES (\(group), \(instants[0]), \(instants[instants.count - 1]), \(batch.detector),
                \(batch.members.map(\.number)), \(instants), \(batch.pValues), \(batch.scores),
                \(batch.surprises), \(run?.jobID), \(run?.leaseNumber))
            """)
    }
}
