import Dispatch
import Foundation
import Synchronization

/// Turns the first Ctrl-C or SIGTERM into a wish to stop; the second one ends the process at once.
final class Interrupts: Sendable {
    private let wish = Atomic<Bool>(false)
    private let sources = Mutex<[any DispatchSourceSignal]>([])

    /// Whether somebody asked.
    var isAsked: Bool { wish.load(ordering: .relaxed) }

    init() {
        for number in [SIGINT, SIGTERM] {
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(
                signal: number, queue: .global(qos: .userInitiated))
            source.setEventHandler { [weak self] in
                signal(number, SIG_DFL)
                self?.wish.store(true, ordering: .relaxed)
            }
            source.resume()
            sources.withLock { $0.append(source) }
        }
    }
}
