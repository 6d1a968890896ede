import Dispatch
import Foundation
import Synchronization

/// Ends the process with a sentence when an input hangs or crashes it.
final class Watch: Sendable {
    /// The input that is being parsed, and how often it was seen by the clock; read by the handler of
    /// a crash, which may touch nothing else.
    private static let current = Atomic<Int>(-1)
    private static let seed = Atomic<UInt64>(0)
    private static let name = Mutex("")

    private let limit: Double

    /// - Parameter limit: Seconds for one input.
    init(limit: Double) {
        self.limit = limit
        for number in [SIGILL, SIGTRAP, SIGSEGV, SIGBUS, SIGFPE, SIGABRT] {
            signal(number) { number in
                Watch.report("crashed with signal \(number)")
                signal(number, SIG_DFL)
                raise(number)
            }
        }
        let thread = Thread { [limit] in Self.guardTime(limit) }
        thread.start()
    }

    /// From now on inputs are of the parser `name`.
    func begin(_ name: String, seed: UInt64) {
        Self.name.withLock { $0 = name }
        Self.seed.store(seed, ordering: .relaxed)
    }

    func enter(_ input: Int) { Self.current.store(input, ordering: .relaxed) }

    func leave() { Self.current.store(-1, ordering: .relaxed) }

    /// Looks ten times within the limit whether the input is still the same.
    private static func guardTime(_ limit: Double) -> Never {
        var (last, seen) = (-1, 0)
        while true {
            Thread.sleep(forTimeInterval: limit / 10)
            let now = current.load(ordering: .relaxed)
            seen = now == last && now >= 0 ? seen + 1 : 0
            last = now
            if seen >= 10 {
                report("takes longer than \(limit) s")
                _exit(3)
            }
        }
    }

    private static func report(_ what: String) {
        let parser = name.withLockIfAvailable { $0 } ?? "?"
        let input = current.load(ordering: .relaxed)
        let text =
            "\(parser), input \(input): \(what)\nagain: ops/fuzz --parser \(parser) --seed "
            + "\(seed.load(ordering: .relaxed)) --from \(input) --inputs 1 --save input.bin\n"
        FileHandle.standardError.write(Data(text.utf8))
    }

    /// An input that asks for more ends the process, which is then a finding.
    static func limitMemory(to bytes: Int) {
        var limit = rlimit(rlim_cur: rlim_t(bytes), rlim_max: rlim_t(bytes))
        unsafe setrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit)
    }

    /// The most memory that the process has held.
    static var peakMegabytes: Int {
        var usage = rusage()
        unsafe getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return usage.ru_maxrss >> 10
    }
}
