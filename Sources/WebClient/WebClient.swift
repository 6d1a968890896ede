import Foundation

/// Sends requests over HTTPS within fixed limits, and only where its policy lets it.
///
/// All requests share one thread and its connections, which are kept open for reuse. Redirects are
/// never followed; cookies, `.netrc` and the environment's proxies are never used.
package final class WebClient: Sendable {
    package let configuration: WebConfiguration
    private let inbox: Inbox

    package init(_ configuration: WebConfiguration = WebConfiguration()) {
        self.configuration = configuration
        let inbox = Inbox()
        self.inbox = inbox
        let thread = Thread {
            Thread.current.name = "systole-web"
            // Without memory for a loop every request is answered as by a closed client.
            guard let loop = try? CurlLoop(inbox, configuration) else {
                inbox.close()
                Self.refuseAll(inbox)
                return
            }
            loop.run()
        }
        thread.start()
    }

    deinit {
        inbox.close()
    }

    /// Sends a request and reads its whole answer, whatever the status.
    ///
    /// Cancelling the calling task ends the transfer and throws `WebError.cancelled`. A packed answer
    /// is unpacked here, in the calling task: the loop's thread belongs to all requests.
    ///
    /// - Throws: `WebError`, also for an answer whose packing is damaged or not whole.
    package func send(_ request: WebRequest) async throws(WebError) -> WebResponse {
        let id = inbox.newID()
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { answer in
                inbox.put(.start(id: id, request, answer))
                // A cancellation that came before the start found nothing to cancel.
                if Task.isCancelled { inbox.put(.cancel(id: id)) }
            }
        } onCancel: {
            inbox.put(.cancel(id: id))
        }
        let answer = try result.get()
        guard request.acceptsCompression else { return answer }
        return try answer.unpacked(
            atMost: request.limits?.bodyMaximum ?? configuration.bodyMaximum)
    }

    /// Reads a URL and checks it against this client's policy.
    package func url(_ text: String) throws(WebError) -> WebURL {
        try WebURL(text, policy: configuration.policy)
    }

    /// Ends every running request with `WebError.closed`, and answers later ones so.
    package func shutDown() {
        inbox.close()
    }

    private static func refuseAll(_ inbox: Inbox) {
        for case .start(_, _, let answer) in inbox.take() ?? [] {
            answer.resume(returning: .failure(.closed))
        }
    }
}
