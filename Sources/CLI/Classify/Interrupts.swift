import Dispatch
import Foundation
import Synchronization

/// Turns the first Ctrl-C or SIGTERM into a wish to stop; the second one ends the process at once.
final class Interrupts: Sendable {
    private let wish = Atomic<Bool>(false)

    /// Whether somebody asked.
    var isAsked: Bool { wish.load(ordering: .relaxed) }

    init() {
        for number in [SIGINT, SIGTERM] {
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(
                signal: number, queue: .global(qos: .userInitiated))
            // The handler keeps its source, and both last as long as the process.
            source.setEventHandler {
                withExtendedLifetime(source) { self.wish.store(true, ordering: .relaxed) }
                signal(number, SIG_DFL)
            }
            source.resume()
        }
    }
}
