import Foundation
import Notifications
import Synchronization

/// How long what was sent took until it was verified by its receiver.
final class WaitTally: Sendable {
    private struct State {
        var sentAt: [Int: ContinuousClock.Instant] = [:]
        var waits: [Double] = []
        var refused = 0
        var unexpected = 0
    }

    private let state = Mutex(State())

    /// Whether something was sent that has not arrived.
    var isOwed: Bool { state.withLock { !$0.sentAt.isEmpty } }

    /// Notes that `number` is being sent now.
    func sent(_ number: Int) {
        state.withLock { $0.sentAt[number] = .now }
    }

    /// Takes a request: its signature is verified before its time is taken.
    ///
    /// - Parameters:
    ///   - bytes: Head and body as they came.
    ///   - number: Finds in the text what was sent; nil where it is nothing of ours.
    ///   - secret: Of the endpoint that the text is for; nil for a stranger.
    func received(
        _ bytes: ArraySlice<UInt8>, number: (String) -> Int?, secret: (String) -> WebhookSecret?
    ) {
        let text = String(decoding: bytes, as: UTF8.self)
        let isVerified = secret(text).map { Self.isVerified(text, by: $0) } ?? false
        let now = ContinuousClock.now
        state.withLock { state in
            guard isVerified else {
                state.refused += 1
                return
            }
            guard let number = number(text), let sentAt = state.sentAt.removeValue(forKey: number)
            else {
                state.unexpected += 1
                return
            }
            state.waits.append((now - sentAt) / .milliseconds(1))
        }
    }

    private static func isVerified(_ text: String, by secret: WebhookSecret) -> Bool {
        let parts = text.split(separator: "\r\n\r\n", maxSplits: 1)
        guard parts.count == 2 else { return false }
        var headers: [String: String] = [:]
        for line in parts[0].split(separator: "\r\n") {
            let field = line.split(separator: ":", maxSplits: 1)
            guard field.count == 2 else { continue }
            headers[field[0].lowercased()] = field[1].trimmingCharacters(in: .whitespaces)
        }
        do {
            try Signature.verify(
                headers: headers, body: Array(parts[1].utf8), secret: secret,
                now: Int64(Date().timeIntervalSince1970))
            return true
        } catch {
            return false  // Counted as refused.
        }
    }

    /// Quantiles in milliseconds, and counts.
    func figures() -> [String: Double] {
        let state = state.withLock { $0 }
        let waits = state.waits.sorted()
        guard let longest = waits.last else { return [:] }
        func quantile(_ p: Double) -> Double { waits[Int(p * Double(waits.count - 1))] }
        return [
            "wait_p50_ms": quantile(0.5), "wait_p95_ms": quantile(0.95),
            "wait_p99_ms": quantile(0.99), "wait_longest_ms": longest,
            "events": Double(waits.count), "refused": Double(state.refused),
            "unexpected": Double(state.unexpected),
        ]
    }
}
