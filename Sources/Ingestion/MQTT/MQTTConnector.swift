import Messaging
package import Postgres
package import Series
package import Store

/// Takes what an MQTT broker has for a source, for as long as its slice of time lasts.
///
/// A batch of messages, the cursor and the source's figures are one transaction; the broker is told
/// after its commit. A worker that dies between the two, or whose connection does, leaves messages
/// that come again, and keys make them change nothing. While a transaction waits for the database
/// nothing is read, so that what there is waits with the broker.
package struct MQTTConnector: SourceConnector {
    /// What sources of this connector have as their kind.
    package static let kind = "mqtt"

    /// How long a lost broker is looked for before the pull ends, and how long the database.
    package var patience: [Duration] = [
        .milliseconds(500), .seconds(1), .seconds(2), .seconds(4), .seconds(8),
    ]
    /// Called between the commit of a batch and its acknowledgement; for tests, which stop there.
    package var committed: @Sendable () throws -> Void = {}

    package init() {}

    /// Takes messages until the slice is over; a schedule starts the next.
    package func pull(
        _ source: Source, into pool: Pool, now: Timestamp,
        progress: @Sendable (IngestReport) throws -> Void
    ) async throws -> IngestReport {
        let settings = try MQTTSettings(json: source.settings, of: source.name)
        var pull = MQTTPull(
            source: source, settings: settings, pool: pool, connector: self,
            clock: PullClock(start: now))
        try await pull.run(progress)
        return pull.report
    }
}

/// Our clock, carried on from the time at which a pull began.
struct PullClock: Sendable {
    let start: Timestamp
    private let began = ContinuousClock.now

    init(start: Timestamp) { self.start = start }

    var elapsed: Duration { began.duration(to: .now) }
    var now: Timestamp { start + elapsed }

    func time(of instant: ContinuousClock.Instant) -> Timestamp {
        start + began.duration(to: instant)
    }
}

/// One pull.
struct MQTTPull {
    /// The part of the source that has the cursor.
    static let part = "session"

    let source: Source
    let settings: MQTTSettings
    let pool: Pool
    let connector: MQTTConnector
    let clock: PullClock
    var report = IngestReport()
    /// The cursor as it is in the database, and what it says.
    private var cursor: String?
    private var position = MQTTPosition()
    /// What may come again over this connection.
    private var resent = MQTTResent()
    private var inflightMaximum = 1
    /// The newest time that stood for one that a message does not have.
    private var arrivedUntil: Timestamp?
    private var lookedAround = Duration.zero

    init(
        source: Source, settings: MQTTSettings, pool: Pool, connector: MQTTConnector,
        clock: PullClock
    ) {
        self.source = source
        self.settings = settings
        self.pool = pool
        self.connector = connector
        self.clock = clock
    }

    /// How long messages are waited for after connecting before all that come are new.
    private static let resendMaximum = Duration.seconds(10)

    private var slice: Duration { .seconds(settings.sliceSeconds ?? 600) }

    /// Takes messages until the slice is over, over as many connections as it takes.
    mutating func run(_ progress: (IngestReport) throws -> Void) async throws {
        var tries = 0
        while clock.elapsed < slice {
            do {
                try await session(&tries, progress)
                return
            } catch let error as MQTTError {
                // Somebody else has the session: two who take it from each other store nothing.
                guard !error.isTakeover, tries < connector.patience.count else {
                    report.trouble = error.description
                    return
                }
                try await ContinuousClock().sleep(for: connector.patience[tries])
                tries += 1
                try progress(report)
            } catch IngestError.overtaken {
                // Another worker stores the same session, or the source was reset. What is not
                // acknowledged comes again.
                report.trouble = IngestError.overtaken.description
                return
            }
        }
    }

    /// Takes messages over one connection.
    private mutating func session(
        _ tries: inout Int, _ progress: (IngestReport) throws -> Void
    ) async throws {
        let configuration = try settings.configuration(source: source.name)
        let client = try MQTTClient(
            configuration, subscriptions: settings.topics.map(\.filter))
        inflightMaximum = configuration.inflightMaximum
        try await client.connect()
        lookedAround = clock.elapsed
        var waited = Duration.zero
        do {
            // Now that whoever had the session before has lost it.
            try await readCursor()
            while clock.elapsed < slice {
                let before = clock.elapsed
                let messages = try await client.receive(settings.limits)
                waited += clock.elapsed - before
                tries = 0
                if !messages.isEmpty {
                    try await store(messages, progress)
                    try connector.committed()
                    try await client.acknowledge()
                }
                if waited > Self.resendMaximum { resent = MQTTResent() }
                try await lookAround()
                try progress(report)
            }
        } catch {
            // Also where the run is to stop: what is not acknowledged waits for the next one.
            await client.disconnect()
            throw error
        }
        await client.disconnect()
    }

    /// Reads how far the session is stored.
    private mutating func readCursor() async throws {
        let id = source.id
        cursor = try await pool.transaction { db in
            try CursorStore.position(source: id, part: Self.part, in: db)
        }
        position = MQTTPosition.decode(cursor)
        resent = MQTTResent(position)
    }

    /// Stores messages, in one transaction unless one of them is refused.
    private mutating func store(
        _ messages: [MQTTMessage], _ progress: (IngestReport) throws -> Void
    ) async throws {
        let batch = MQTTBatch(
            messages, routes: settings.topics, after: position, resent: resent,
            inflightMaximum: inflightMaximum, clock: clock, since: arrivedUntil)
        do {
            try await commit(batch, progress)
        } catch let error as PostgresError where error.isOfData {
            guard messages.count > 1 else {
                try await refuse(batch, because: error)
                return
            }
            // One message of many cannot be stored: the others can.
            let half = messages.count / 2
            try await store(Array(messages[..<half]), progress)
            try await store(Array(messages[half...]), progress)
        }
    }

    /// Stores a batch; tries again for a while where the database is away.
    private mutating func commit(
        _ batch: MQTTBatch, _ progress: (IngestReport) throws -> Void
    ) async throws {
        var tries = 0
        let (source, cursor, next) = (source, cursor, try batch.position.json())
        while true {
            do {
                let (now, isRepeated) = (clock.now, tries > 0)
                let outcome = try await pool.transaction { db -> MQTTOutcome? in
                    // A commit whose answer was lost may have taken place.
                    let isStored =
                        try isRepeated
                        && GuardedCursor.isAt(next, source: source.id, part: Self.part, in: db)
                    if isStored { return nil }
                    let outcome = try batch.store(from: source, receivedAt: now, in: db)
                    try GuardedCursor.move(
                        source: source.id, part: Self.part, from: cursor, to: next, in: db)
                    return outcome
                }
                moved(to: next, after: batch)
                outcome?.add(to: &report, batch)
                return
            } catch let error as PostgresError
                where error.isTransient && tries < connector.patience.count
            {
                // Nothing is read meanwhile.
                try await ContinuousClock().sleep(for: connector.patience[tries])
                tries += 1
                try progress(report)
            }
        }
    }

    /// Counts a message that the database does not take, so that it is not sent for ever.
    private mutating func refuse(_ batch: MQTTBatch, because error: PostgresError) async throws {
        let (source, cursor, next) = (source, cursor, try batch.position.json())
        try await pool.transaction { db in
            try SourceFigures.add(
                SourceFigures(rejected: ["refused": 1]), to: source.id, in: db)
            try GuardedCursor.move(
                source: source.id, part: Self.part, from: cursor, to: next, in: db)
        }
        moved(to: next, after: batch)
        report.rows += 1
        report.badRows += 1
        report.note(source.name, "the database refused a message (\(error.sqlState))")
    }

    private mutating func moved(to cursor: String, after batch: MQTTBatch) {
        self.cursor = cursor
        position = batch.position
        resent = batch.resent
        arrivedUntil = batch.arrivedUntil
    }

    /// Now and then says that the broker is heard and closes recordings that have fallen silent.
    ///
    /// Not at once: of two who take the session from each other neither is well.
    private mutating func lookAround() async throws {
        guard clock.elapsed - lookedAround >= .seconds(2) else { return }
        lookedAround = clock.elapsed
        let (source, now) = (source, clock.now)
        let silence = Duration.seconds(settings.silenceSeconds ?? 60)
        try await pool.transaction { db in
            try SourceFigures.heard(source: source.id, in: db)
            _ = try LiveRecordings.closeSilent(of: source, now: now, after: silence, in: db)
        }
    }
}

/// What storing a batch did.
private struct MQTTOutcome {
    var filed = FilingCounts()
    var live = LiveReport()

    func add(to report: inout IngestReport, _ batch: MQTTBatch) {
        report.rows += batch.messages.count
        report.badRows += batch.messagesRejected
        report.stored += filed.appended.inserted
        report.duplicates += filed.appended.duplicate
        report.conflicts += filed.appended.conflicting
        report.revised += filed.appended.revised
        report.parked += filed.appended.parked
        report.missing += filed.missing
        report.badRows += filed.refused
        for refusal in filed.refusals { report.note("a series", refusal.description) }
        report.add(live)
    }
}

extension MQTTBatch {
    /// Stores everything.
    fileprivate func store(
        from source: Source, receivedAt: Timestamp, in db: borrowing Session
    ) throws -> MQTTOutcome {
        var outcome = MQTTOutcome()
        outcome.live = try LiveRecordings.append(
            pieces, receivedAt: receivedAt, from: source, in: db)
        var rejected = rejected
        if !outcome.live.rejections.isEmpty { rejected["piece"] = outcome.live.rejections.count }
        outcome.filed = try SeriesFiling.store(
            series, rejected: rejected, bufferedBytes: bytes, from: source, in: db)
        return outcome
    }
}
