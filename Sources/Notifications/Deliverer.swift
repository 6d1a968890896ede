package import Logging
package import Postgres
import ServiceLifecycle
import Store
import Synchronization
package import WebClient

/// Sends what endpoints are owed: fans events out, claims due deliveries, sends each outside any
/// transaction, and records what came of it.
///
/// Any number may run at once, in any number of processes. One that dies leaves its claims to end
/// with their leases; the receiver may then get a webhook twice, with the same `webhook-id`.
package final class Deliverer: Service {
    private let pool: Pool
    private let client: WebClient
    private let options: DelivererOptions
    private let chance: @Sendable () -> Double
    private let logger: Logger
    private let wake = Wake()
    private let state = Mutex((running: 0, isStopping: false))

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
    }

    /// Works until the service is shut down; then lets what is under way end, which takes no longer
    /// than one request and its recording.
    package func run() async throws {
        await withGracefulShutdownHandler {
            await withDiscardingTaskGroup { group in
                var prunedAt: ContinuousClock.Instant?
                var fannedOutAt: ContinuousClock.Instant?
                while !shouldStop {
                    let isBusy = await round(&group, &fannedOutAt)
                    if prunedAt.map({ $0.duration(to: .now) >= options.pruneInterval }) ?? true {
                        await prune()
                        prunedAt = .now
                    }
                    if !isBusy { await wake.wait(atMost: pause) }
                }
            }
        } onGracefulShutdown: {
            self.state.withLock { $0.isStopping = true }
            self.logger.info("no further webhooks are sent; those under way end")
            self.wake.signal()
        }
    }

    private static let fanOutInterval = Duration.milliseconds(50)

    private var shouldStop: Bool { state.withLock { $0.isStopping } || Task.isCancelled }

    /// The poll interval, a fifth more or less, so that processes do not poll in step.
    private var pause: Duration { options.pollInterval * (1 + 0.2 * chance()) }

    /// Fans out, and starts sending what is due and has a place.
    ///
    /// A round follows every delivery that ends; events are looked for only now and then.
    ///
    /// - Parameters:
    ///   - group: Gets the deliveries.
    ///   - fannedOutAt: When events were last looked for; nil where some are left.
    /// - Returns: Whether there may be more to do at once.
    private func round(
        _ group: inout DiscardingTaskGroup, _ fannedOutAt: inout ContinuousClock.Instant?
    ) async -> Bool {
        do {
            if fannedOutAt.map({ $0.duration(to: .now) >= Self.fanOutInterval }) ?? true {
                let isFull = try await fanOut() == Fanout.eventsMaximum
                fannedOutAt = isFull ? nil : .now
            }
            let claims = try await claim(
                atMost: options.concurrency - state.withLock { $0.running })
            for claim in claims {
                state.withLock { $0.running += 1 }
                group.addTask { [self] in
                    await deliver(claim)
                    state.withLock { $0.running -= 1 }
                    wake.signal()
                }
            }
            return fannedOutAt == nil || !claims.isEmpty
        } catch {
            logger.warning("webhooks wait for the database", metadata: ["error": "\(error)"])
            return false
        }
    }

    private func prune() async {
        do {
            try await pool.transaction { db in try DeliveryStore.prune(in: db) }
        } catch {
            logger.warning("old deliveries were not deleted", metadata: ["error": "\(error)"])
        }
    }

    // MARK: - Steps

    /// Does one round to its end: fans out all there is, sends all that is due now, records it.
    ///
    /// - Returns: How many deliveries were attempted.
    /// - Throws: What the database refuses.
    @discardableResult
    package func deliverDue() async throws -> Int {
        while try await fanOut() == Fanout.eventsMaximum {}
        let claims = try await claim(atMost: options.concurrency)
        await withDiscardingTaskGroup { group in
            for claim in claims {
                group.addTask { [self] in await deliver(claim) }
            }
        }
        return claims.count
    }

    private func fanOut() async throws -> Int {
        try await pool.transaction { db in try Fanout.step(in: db) }
    }

    /// Ends lost attempts, then takes what is due.
    func claim(atMost count: Int) async throws -> [DeliveryStore.Claim] {
        guard count > 0 else { return [] }
        let limits = DeliveryStore.ClaimLimits(
            total: count, perEndpoint: options.concurrencyPerEndpoint,
            probingFrom: Breaker.failuresMaximum, attemptsMaximum: Delivery.attemptsMaximum,
            lease: options.lease)
        return try await pool.transaction { db in
            try DeliveryStore.endLostAttempts(attemptsMaximum: limits.attemptsMaximum, in: db)
            return try DeliveryStore.claim(limits, in: db)
        }
    }

    private func deliver(_ claim: DeliveryStore.Claim) async {
        let began = ContinuousClock.now
        let result = await send(claim)
        // Nobody answered, since we stopped: the lease ends by itself and another one sends.
        if case .failure(.web(.cancelled)) = result { return }
        if case .failure(.web(.closed)) = result { return }
        let report = AttemptReport(
            result, took: began.duration(to: .now), unixSeconds: claim.unixSeconds)
        do {
            try await record(report, of: claim)
        } catch {
            logger.error(
                "an attempt was not recorded and will be repeated",
                metadata: ["delivery": "\(claim.deliveryID)", "error": "\(error)"])
        }
    }

    private func send(
        _ claim: DeliveryStore.Claim
    ) async -> Result<WebResponse, AttemptFailure> {
        do {
            let secrets = try claim.secrets.map { secret in
                do throws(WebhookSecret.Fault) {
                    return try WebhookSecret(secret.revealed)
                } catch {
                    throw AttemptFailure.secret(error)
                }
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
        } catch let error as AttemptFailure {
            return .failure(error)
        } catch {
            return .failure(.web(.cancelled))
        }
    }

    // MARK: - Recording

    /// Writes an attempt and its consequences in one transaction, guarded by the lease; tried three
    /// times, since a failure to write would mean sending again.
    func record(_ report: AttemptReport, of claim: DeliveryStore.Claim) async throws {
        var delivery = Delivery(attempts: claim.attempts)
        let action = delivery.record(report.outcome, chance: chance())
        var tries = 1
        while true {
            do {
                let isOurs = try await pool.transaction { db in
                    try Self.write(report, action, of: claim, in: db)
                }
                log(report, action, of: claim, isOurs: isOurs)
                return
            } catch let error as PostgresError where error.isTransient && tries < 3 {
                tries += 1
            }
        }
    }

    private static func write(
        _ report: AttemptReport, _ action: Delivery.Action, of claim: DeliveryStore.Claim,
        in db: borrowing Session
    ) throws -> Bool {
        let next: DeliveryStore.NextStep =
            switch action {
            case .finish: .accepted
            case .retry(let wait): .retry(after: wait)
            case .giveUp, .giveUpAndDisable: .exhausted
            }
        guard try DeliveryStore.finish(claim, report.attempt, next: next, in: db) else {
            return false
        }
        guard action != .finish else { return true }
        let endpoint = claim.endpointID
        let failures = try DeliveryStore.noteFailure(of: endpoint, in: db)
        if action == .giveUpAndDisable {
            try DeliveryStore.disable(endpoint, because: "answered 410 Gone", in: db)
            return true
        }
        switch Breaker.judge(
            consecutive: failures.consecutive, lasting: failures.lasting, after: report.outcome)
        {
        case .carryOn: break
        case .pause(let pause): try DeliveryStore.pause(endpoint, for: pause, in: db)
        case .disable:
            try DeliveryStore.disable(
                endpoint, because: "every attempt failed for five days", in: db)
        }
        return true
    }

    private func log(
        _ report: AttemptReport, _ action: Delivery.Action, of claim: DeliveryStore.Claim,
        isOurs: Bool
    ) {
        var metadata: Logger.Metadata = [
            "delivery": "\(claim.deliveryID)", "endpoint": "\(claim.endpointID)",
            "attempt": "\(claim.attempts + 1)",
        ]
        metadata["status"] = report.attempt.status.map { "\($0)" }
        metadata["error"] = report.attempt.errorClass.map { "\($0)" }
        switch action {
        case _ where !isOurs: logger.info("a replaced attempt is not recorded", metadata: metadata)
        case .finish: logger.debug("a webhook was accepted", metadata: metadata)
        case .retry: logger.info("a webhook will be tried again", metadata: metadata)
        case .giveUp, .giveUpAndDisable:
            logger.warning("a webhook was given up", metadata: metadata)
        }
    }
}
