import Logging
import Postgres
import Store

/// An attempt that has ended, and what the delivery does next.
struct DeliveryReport: Sendable {
    let claim: DeliveryStore.Claim
    let report: AttemptReport
    let action: Delivery.Action

    /// - Parameters:
    ///   - claim: The claim under which the attempt was made.
    ///   - report: What it brought.
    ///   - chance: From -1 to 1, for the next wait.
    init(_ claim: DeliveryStore.Claim, _ report: AttemptReport, chance: Double) {
        self.claim = claim
        self.report = report
        var delivery = Delivery(attempts: claim.attempts)
        // What was our own fault spends no attempt.
        action =
            report.outcome == .notAttempted
            ? .retry(after: Delivery.waits[1]) : delivery.record(report.outcome, chance: chance)
    }

    var ended: DeliveryStore.Ended {
        let next: DeliveryStore.NextStep =
            switch action {
            case .finish: .accepted
            case .retry(let wait) where report.outcome == .notAttempted: .unattempted(after: wait)
            case .retry(let wait): .retry(after: wait)
            case .giveUp, .giveUpAndDisable: .exhausted
            }
        return DeliveryStore.Ended(claim, report.attempt, next: next)
    }
}

/// Writes what came of attempts, and what that means for their endpoints.
enum Recording {
    /// Records reports, in the order in which the attempts ended.
    ///
    /// - Parameters:
    ///   - reports: The attempts.
    ///   - db: The transaction.
    ///   - logger: Told about each, without anything secret.
    /// - Throws: What the database refuses.
    static func write(
        _ reports: [DeliveryReport], in db: borrowing Session, _ logger: Logger
    ) throws {
        let ours = try DeliveryStore.finish(reports.map(\.ended), in: db)
        var outcomes: [Int64: DeliveryStore.EndpointOutcome] = [:]
        var newestFailure: [Int64: Delivery.Outcome] = [:]
        var gone: Set<Int64> = []
        for report in reports {
            let isOurs = ours.contains(report.claim.deliveryID)
            log(report, isOurs: isOurs, logger)
            guard isOurs, report.report.outcome != .notAttempted else { continue }
            let endpoint = report.claim.endpointID
            var outcome = outcomes[endpoint] ?? .init(endpointID: endpoint)
            if report.action == .finish {
                outcome.hasSuccess = true
                outcome.failures = 0
            } else {
                outcome.failures += 1
                newestFailure[endpoint] = report.report.outcome
            }
            if report.action == .giveUpAndDisable { gone.insert(endpoint) }
            outcomes[endpoint] = outcome
        }
        let sorted = outcomes.values.sorted { $0.endpointID < $1.endpointID }
        for failures in try DeliveryStore.note(sorted, in: db) {
            guard let newest = newestFailure[failures.endpointID] else { continue }
            try judge(failures, after: newest, isGone: gone.contains(failures.endpointID), in: db)
        }
    }

    private static func judge(
        _ failures: DeliveryStore.EndpointFailures, after newest: Delivery.Outcome, isGone: Bool,
        in db: borrowing Session
    ) throws {
        let endpoint = failures.endpointID
        guard !isGone else {
            return try DeliveryStore.disable(endpoint, because: "answered 410 Gone", in: db)
        }
        switch Breaker.judge(
            consecutive: failures.consecutive, lasting: failures.lasting, after: newest)
        {
        case .carryOn: break
        case .pause(let pause): try DeliveryStore.pause(endpoint, for: pause, in: db)
        case .disable:
            return try DeliveryStore.disable(
                endpoint, because: "every attempt failed for five days", in: db)
        }
        let notices = Breaker.notices(lasting: failures.lasting)
        if notices > failures.notices {
            try DeliveryStore.giveNotice(
                notices, of: endpoint, failingAtMost: Breaker.failingMaximum, in: db)
        }
    }

    private static func log(_ report: DeliveryReport, isOurs: Bool, _ logger: Logger) {
        // Thousands a second are accepted: their words are not even put together.
        guard !isOurs || report.action != .finish || logger.logLevel <= .debug else { return }
        let (claim, attempt) = (report.claim, report.report.attempt)
        var metadata: Logger.Metadata = [
            "delivery": "\(claim.deliveryID)", "endpoint": "\(claim.endpointID)",
            "attempt": "\(claim.attempts + 1)",
        ]
        metadata["status"] = attempt.status.map { "\($0)" }
        metadata["error"] = attempt.errorClass.map { "\($0)" }
        switch report.action {
        case _ where !isOurs: logger.info("a replaced attempt is not recorded", metadata: metadata)
        case .finish: logger.debug("a webhook was accepted", metadata: metadata)
        case .retry: logger.info("a webhook will be tried again", metadata: metadata)
        case .giveUp, .giveUpAndDisable:
            logger.warning("a webhook was given up", metadata: metadata)
        }
    }
}
