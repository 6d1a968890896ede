import Store
import WebClient

/// Why an attempt got no answer.
enum AttemptFailure: Error {
    case web(WebError)
    case secret(WebhookSecret.Fault)
    case seal(SealingKeys.Fault)
}

/// What an attempt brought: for the delivery, which decides, and for the log.
struct AttemptReport: Sendable {
    let outcome: Delivery.Outcome
    let attempt: DeliveryStore.Attempt

    /// As much of a refusal as is kept.
    private static let headMaximum = 4096

    /// - Parameters:
    ///   - result: The answer, or why there was none.
    ///   - took: From the first byte of work to the last.
    ///   - unixSeconds: The time of the attempt, against which an HTTP date is read.
    init(_ result: Result<WebResponse, AttemptFailure>, took: Duration, unixSeconds: Int64) {
        switch result {
        case .success(let answer):
            outcome = .answered(
                status: answer.status,
                retryAfter: answer.headers["retry-after"].flatMap {
                    RetryAfter.wait($0, now: unixSeconds)
                })
            let isAccepted = (200..<300).contains(answer.status)
            attempt = DeliveryStore.Attempt(
                status: answer.status, errorClass: isAccepted ? nil : "status", took: took,
                remoteAddress: answer.remoteAddress, answerBytes: answer.body.count,
                answerHead: isAccepted
                    ? nil : Redaction.applied(to: Array(answer.body.prefix(Self.headMaximum))))
        case .failure(.web(.noSocket)):
            // The receiver is innocent of it.
            outcome = .notAttempted
            attempt = DeliveryStore.Attempt(errorClass: WebError.noSocket.errorClass, took: took)
        case .failure(.web(let error)):
            var status: Int?
            // The receiver has decided, however long it talks about it.
            if case .answerTooLarge(_, let known) = error, known > 0 { status = known }
            outcome = status.map { .answered(status: $0) } ?? .unreachable
            attempt = DeliveryStore.Attempt(
                status: status, errorClass: error.errorClass, reason: "\(error)", took: took)
        case .failure(.secret(let fault)):
            outcome = .unreachable
            attempt = DeliveryStore.Attempt(errorClass: "secret", reason: "\(fault)", took: took)
        case .failure(.seal(let fault)):
            outcome = .unreachable
            attempt = DeliveryStore.Attempt(errorClass: "secret", reason: "\(fault)", took: took)
        }
    }
}
