import Foundation
import Ingestion
import Synchronization

/// How far a run is, how fast, and how long still: one line, wherever its recordings are classified.
final class ClassifyProgress: Sendable {
    private let line = ProgressLine()
    private let start = ContinuousClock.now
    private let done = Atomic<Int>(0)
    private let resumed = Atomic<Int>(0)
    /// How many there are; 0 until all were counted.
    private let total = Atomic<Int>(0)

    /// Counts the recordings below `paths` beside the work, where somebody may be looking.
    init(_ paths: [String]) {
        guard ProgressLine.isTerminal else { return }
        let thread = Thread { [self] in
            var found = 0
            for _ in RecordingScan(paths) { found += 1 }
            total.store(found, ordering: .relaxed)
        }
        thread.start()
    }

    /// Since the run began.
    var seconds: Double { (ContinuousClock.now - start) / .seconds(1) }

    /// One recording more has its findings, or its reason.
    func finish() {
        done.add(1, ordering: .relaxed)
        show()
    }

    /// So many more were done by an earlier run.
    func resume(_ count: Int) {
        resumed.add(count, ordering: .relaxed)
        show()
    }

    /// Clears the line.
    func end() { line.end() }

    private func show() {
        line.show(
            Self.text(
                done: done.load(ordering: .relaxed), resumed: resumed.load(ordering: .relaxed),
                total: total.load(ordering: .relaxed), seconds: seconds))
    }

    /// - Parameters:
    ///   - done: Recordings of this run.
    ///   - resumed: Those that an earlier run had done.
    ///   - total: All there are; 0 where that is not known yet.
    ///   - seconds: Since the run began.
    /// - Returns: What matters most first, since a narrow terminal shows no more.
    static func text(done: Int, resumed: Int, total: Int, seconds: Double) -> String {
        let (all, rate) = (done + resumed, seconds > 0 ? Double(done) / seconds : 0)
        var text = "\(all)" + (total >= all && total > 0 ? " of \(total)" : "") + " recordings"
        text += ", \(Terminal.number(rate, digits: rate < 10 ? 2 : rate < 100 ? 2 : 3)) a second"
        if total > all, rate > 0 { text += ", \(span(Double(total - all) / rate)) left" }
        return text
    }

    /// `48 s`, `12 min`, `3 h 20 min`.
    private static func span(_ seconds: Double) -> String {
        guard seconds > 120 else { return "\(Int(seconds.rounded(.up))) s" }
        let minutes = Int(min(seconds / 60, 1e6).rounded(.up))
        return minutes < 120 ? "\(minutes) min" : "\(minutes / 60) h \(minutes % 60) min"
    }
}
