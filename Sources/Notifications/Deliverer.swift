package import Logging
package import Postgres
import ServiceLifecycle
import Store
import Synchronization
package import WebClient

/// Sends what endpoints are owed: fans events out, claims due deliveries, sends each outside any
/// transaction, and records what came of them.
///
/// Any number may run at once, in any number of processes. One that dies leaves its claims to end
/// with their leases; the receiver may then get a webhook twice, with the same `webhook-id`.
///
/// Deliveries end one by one and are recorded together: what has ended while the transaction
/// before was under way goes into the next one, with the claims that fill the places. So a slow
/// disk makes larger batches, not a slower service.
package final class Deliverer: Service {
    private struct State {
        var traffic: Traffic
        var ended: [DeliveryReport] = []
        var isStopping = false
        /// Refusals of the database since we were told to stop.
        var refusalsWhileStopping = 0
    }

    private let pool: Pool
    private let client: WebClient
    private let options: DelivererOptions
    private let chance: @Sendable () -> Double
    private let logger: Logger
    private let wake = Wake()
    private let fanOutWake = Wake()
    private let state: Mutex<State>

    /// - Parameters:
    ///   - pool: Connections to the database.
    ///   - client: Sends the requests; its time limit must be well inside the lease.
    ///   - options: Limits.
    ///   - chance: Draws from -1 to 1, evenly: the jitter of retries and polls.
    ///   - logger: Told about failures, without URLs, bodies and secrets.
    package init(
        pool: Pool, client: WebClient, options: DelivererOptions = DelivererOptions(),
        chance: @escaping @Sendable () -> Double, logger: Logger
    ) {
        precondition(
            client.configuration.totalTimeLimit * 2 <= options.lease,
            "a lease of \(options.lease) for requests of \(client.configuration.totalTimeLimit)")
        self.pool = pool
        self.client = client
        self.options = options
        self.chance = chance
        self.logger = logger
        state = Mutex(State(traffic: Traffic(options)))
    }

    /// Works until the service is shut down; then lets what is under way end, which takes no longer
    /// than one request and its recording.
    package func run() async throws {
        await withGracefulShutdownHandler {
            await withDiscardingTaskGroup { group in
                group.addTask { [self] in await fanOutUntilStopped() }
                var prunedAt: ContinuousClock.Instant?
                while !isDone {
                    let isBusy = await round(&group)
                    if prunedAt.map({ $0.duration(to: .now) >= options.pruneInterval }) ?? true {
                        await prune()
                        prunedAt = .now
                    }
                    if !isBusy {
                        await wake.wait(atMost: pause)
                    } else if isCrowded {
                        // So that more of them end before the next transaction, which costs the
                        // same for one and for many. Ends early only with a cancelled task.
                        try? await Task.sleep(for: Self.gatheringTime)
                    }
                }
            }
        } onGracefulShutdown: {
            self.state.withLock { $0.isStopping = true }
            self.logger.info("no further webhooks are sent; those under way end")
            self.wake.signal()
            self.fanOutWake.signal()
        }
    }

    private var shouldStop: Bool { state.withLock { $0.isStopping } || Task.isCancelled }

    /// Whether there is nothing left to record either, or the database does not take it: then the
    /// leases end by themselves.
    private var isDone: Bool {
        Task.isCancelled
            || state.withLock { state in
                state.isStopping
                    && (state.refusalsWhileStopping >= 3
                        || (state.traffic.count == 0 && state.ended.isEmpty))
            }
    }

    /// The poll interval, a fifth more or less, so that processes do not poll in step. Shorter while
    /// something is under way: a delivery that becomes slow makes place without a word.
    private var pause: Duration {
        let isIdle = state.withLock { $0.traffic.count == 0 }
        return (isIdle ? options.pollInterval : min(options.pollInterval, options.slowAfter))
            * (1 + 0.2 * chance())
    }

    private static let gatheringTime = Duration.milliseconds(3)

    /// Whether so many are under way that it pays to wait for more of them to end.
    private var isCrowded: Bool {
        state.withLock { $0.traffic.count >= 64 && $0.ended.count * 2 < $0.traffic.count }
    }

    // MARK: - Rounds

    /// Records what has ended, claims what has a place, and starts sending it.
    ///
    /// - Parameter group: Gets the deliveries.
    /// - Returns: Whether there may be more to do at once.
    private func round(_ group: inout DiscardingTaskGroup) async -> Bool {
        let ended = state.withLock { state in
            defer { state.ended = [] }
            return state.ended
        }
        do {
            let claims = try await exchange(ended)
            for claim in claims {
                group.addTask { [self] in
                    let report = await attempt(claim)
                    state.withLock { state in
                        if let report {
                            state.ended.append(report)
                        } else {
                            state.traffic.end(claim.deliveryID, isAccepted: false)
                        }
                    }
                    wake.signal()
                }
            }
            return !claims.isEmpty
        } catch {
            logger.warning("webhooks wait for the database", metadata: ["error": "\(error)"])
            // Kept, since not to record would mean to send again.
            state.withLock { state in
                state.ended = ended + state.ended
                if state.isStopping { state.refusalsWhileStopping += 1 }
            }
            return false
        }
    }

    /// One transaction: records reports and takes what is due instead.
    private func exchange(_ ended: [DeliveryReport]) async throws -> [DeliveryStore.Claim] {
        let now = ContinuousClock.now
        let isStopping = shouldStop
        let wantsSweep = !isStopping && state.withLock { $0.traffic.wantsSweep(now: now) }
        if wantsSweep { try await sweep(now) }
        // The places of what is recorded now are free for what is claimed now.
        let plan = state.withLock { state in
            for report in ended {
                state.traffic.end(
                    report.claim.deliveryID, isAccepted: report.action == .finish)
            }
            return isStopping ? nil : state.traffic.plan(now: now)
        }
        guard plan != nil || !ended.isEmpty else { return [] }
        let limits = claimLimits(total: plan?.places ?? 0)
        let claims: [DeliveryStore.Claim]
        do {
            claims = try await pool.transaction { db in
                try Recording.write(ended, in: db, logger)
                guard let plan else { return [] }
                return try DeliveryStore.claim(limits, among: plan.endpoints, in: db)
            }
        } catch let error as PostgresError where !error.isTransient && !ended.isEmpty {
            try await recordOneByOne(ended)
            return []
        }
        if let plan {
            state.withLock { state in
                state.traffic.begin(
                    claims.map { ($0.deliveryID, $0.endpointID) }, by: plan, now: .now)
            }
        }
        return claims
    }

    /// Records what could not be recorded together; what is refused alone too is sent again when
    /// its lease has run out.
    private func recordOneByOne(_ ended: [DeliveryReport]) async throws {
        for report in ended {
            do {
                try await record([report])
            } catch let error as PostgresError where !error.isTransient {
                logger.error(
                    "an attempt was not recorded and will be repeated",
                    metadata: [
                        "delivery": "\(report.claim.deliveryID)", "error": "\(error)",
                    ])
            }
        }
    }

    /// Ends lost attempts, tends secrets, and looks at every endpoint.
    private func sweep(_ now: ContinuousClock.Instant) async throws {
        try await tendSecrets()
        let limits = claimLimits(total: 0)
        let due = try await pool.transaction { db in
            try DeliveryStore.endLostAttempts(attemptsMaximum: limits.attemptsMaximum, in: db)
            return try DeliveryStore.dueEndpoints(limits, in: db)
        }
        state.withLock { $0.traffic.sweep(due, now: now) }
    }

    private func prune() async {
        do {
            try await pool.transaction { db in try DeliveryStore.prune(in: db) }
        } catch {
            logger.warning("old deliveries were not deleted", metadata: ["error": "\(error)"])
        }
    }

    private func claimLimits(total: Int) -> DeliveryStore.ClaimLimits {
        DeliveryStore.ClaimLimits(
            total: total, perEndpoint: options.concurrencyPerEndpoint,
            attemptsMaximum: Delivery.attemptsMaximum, lease: options.lease,
            keyIDs: options.sealingKeys.ids)
    }

    // MARK: - Fan-out

    /// Looks for events, in a task of its own: a large fan-out holds no delivery up.
    private func fanOutUntilStopped() async {
        let soonest = options.fanOutInterval / 8
        var pause = soonest
        while !shouldStop {
            do {
                let step = try await fanOut()
                if step.isFull { continue }
                pause = step.events > 0 ? soonest : min(pause * 2, options.fanOutInterval)
            } catch {
                logger.warning("events wait for the database", metadata: ["error": "\(error)"])
                pause = options.pollInterval
            }
            await fanOutWake.wait(atMost: pause)
        }
    }

    private func fanOut() async throws -> Fanout.Step {
        let step = try await pool.transaction { db in try Fanout.step(in: db) }
        if !step.endpoints.isEmpty {
            state.withLock { $0.traffic.look(at: step.endpoints) }
            wake.signal()
        }
        return step
    }

    // MARK: - Steps for tests and tools

    /// Does one round to its end: fans out all there is, sends all that is due now, records it.
    ///
    /// - Returns: How many deliveries were attempted.
    /// - Throws: What the database refuses.
    @discardableResult
    package func deliverDue() async throws -> Int {
        try await tendSecrets()
        while try await fanOut().isFull {}
        let claims = try await claim(atMost: options.concurrency)
        let reports = await withTaskGroup(of: DeliveryReport?.self) { group in
            for claim in claims { group.addTask { [self] in await attempt(claim) } }
            return await group.reduce(into: []) { $0 += $1.map { [$0] } ?? [] }
        }
        try await record(reports)
        return claims.count
    }

    /// Ends lost attempts, then takes what is due.
    func claim(atMost count: Int) async throws -> [DeliveryStore.Claim] {
        let limits = claimLimits(total: count)
        return try await pool.transaction { db in
            try DeliveryStore.endLostAttempts(attemptsMaximum: limits.attemptsMaximum, in: db)
            return try DeliveryStore.claim(limits, in: db)
        }
    }

    /// Writes attempts and their consequences in one transaction, guarded by the leases.
    func record(_ reports: [DeliveryReport]) async throws {
        try await pool.transaction { db in try Recording.write(reports, in: db, logger) }
    }

    // MARK: - One delivery

    /// Makes one attempt.
    ///
    /// - Parameter claim: The delivery.
    /// - Returns: What came of it; nil where we stopped before anybody answered: the lease ends by
    ///   itself and another one sends.
    func attempt(_ claim: DeliveryStore.Claim) async -> DeliveryReport? {
        let began = ContinuousClock.now
        let result = await send(claim)
        if case .failure(.web(.cancelled)) = result { return nil }
        if case .failure(.web(.closed)) = result { return nil }
        let report = AttemptReport(
            result, took: began.duration(to: .now), unixSeconds: claim.unixSeconds)
        return DeliveryReport(claim, report, chance: chance())
    }

    private func send(
        _ claim: DeliveryStore.Claim
    ) async -> Result<WebResponse, AttemptFailure> {
        do {
            let secrets = try claim.secrets.map { secret in
                try WebhookSecret(try options.sealingKeys.open(secret.revealed))
            }
            var headers = Signature.headers(
                id: claim.messageID, unixSeconds: claim.unixSeconds, body: claim.body,
                secrets: secrets)
            headers["content-type"] = "application/json"
            let url = try client.url(claim.url.revealed)
            return .success(
                try await client.send(
                    WebRequest(.post, url, headers: headers, body: claim.body)))
        } catch let error as WebError {
            return .failure(.web(error))
        } catch let error as SealingKeys.Fault {
            return .failure(.seal(error))
        } catch let error as WebhookSecret.Fault {
            return .failure(.secret(error))
        } catch {
            return .failure(.web(.cancelled))
        }
    }

    // MARK: - Secrets

    /// Brings secrets into the state in which they are to lie: sealed under the newest key, without
    /// those whose overlap is over, and with the public key of asymmetric ones.
    private func tendSecrets() async throws {
        let keys = options.sealingKeys
        let tended = try await pool.transaction { db in
            let found = try DeliveryStore.secretsToTend(
                sealedUnder: keys.ids.first, openable: keys.ids, limit: 500, in: db)
            for secrets in found {
                guard let renewed = Self.tended(secrets, keys) else { continue }
                try DeliveryStore.store(renewed, in: db)
            }
            return found.count
        }
        if tended > 0 {
            logger.info("webhook secrets were tended", metadata: ["endpoints": "\(tended)"])
        }
    }

    /// - Returns: Nil for secrets that cannot be read; their deliveries say so.
    private static func tended(
        _ secrets: DeliveryStore.EndpointSecrets, _ keys: SealingKeys
    ) -> DeliveryStore.EndpointSecrets? {
        var secrets = secrets
        do {
            let current = try keys.open(secrets.current.revealed)
            secrets.current = StoredSecret(keys.seal(current))
            secrets.previous = try secrets.previous.map {
                StoredSecret(keys.seal(try keys.open($0.revealed)))
            }
            if secrets.isAsymmetric {
                secrets.publicKey = try WebhookSecret(current).publicKey?.text
            }
            return secrets
        } catch {
            return nil
        }
    }
}
