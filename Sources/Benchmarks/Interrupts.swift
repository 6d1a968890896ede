import Dispatch
import Foundation

/// Turns the first Ctrl-C or SIGTERM into an orderly end: databases dropped, the private server
/// stopped, files removed. The second one ends the process at once.
struct Interrupts {
    private let sources: [any DispatchSourceSignal]

    /// - Parameter action: What asks the work to end.
    init(_ action: @escaping @Sendable () -> Void) {
        sources = [SIGINT, SIGTERM].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number)
            source.setEventHandler {
                Progress.say("ending after this sample")
                signal(number, SIG_DFL)
                action()
            }
            source.resume()
            return source
        }
    }

    /// Lets the signals do what they do by themselves.
    func end() {
        for source in sources { source.cancel() }
    }
}
