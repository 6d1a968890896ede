import Foundation
import Synchronization

/// Why a run is asked to stop before it is done.
package enum StopReason: String, Equatable, Sendable {
    /// Another worker has the job; nothing this run does will be kept.
    case lost
    /// An operator cancelled the job.
    case cancelled
    /// The time limit is over.
    case deadline
    /// The process is shutting down; the job will be run again without losing an attempt.
    case draining
}

/// A run's line to its worker: progress out, the wish to stop in.
package struct JobContext: Sendable {
    /// When the run's time is over.
    package let deadline: ContinuousClock.Instant
    let control: RunControl

    init(deadline: ContinuousClock.Instant, control: RunControl) {
        self.deadline = deadline
        self.control = control
    }

    /// A context that belongs to no worker, for calling a handler directly.
    ///
    /// - Parameters:
    ///   - deadline: When the run's time is over.
    ///   - observe: Told the measures of each report, on the thread that reports, which waits.
    package init(
        deadline: ContinuousClock.Instant,
        observe: @escaping @Sendable ([String: Double]) -> Void = { _ in }
    ) {
        self.init(deadline: deadline, control: RunControl(observe: observe))
    }

    /// Why the run should stop, or nil while it should go on. The task is cancelled as well.
    package var stopReason: StopReason? { control.stopReason }

    /// Throws `CancellationError` when the run should stop.
    package func checkStopped() throws {
        if stopReason != nil { throw CancellationError() }
        try Task.checkCancellation()
    }

    /// Says how far the run has got; stored with the worker's next heartbeat.
    ///
    /// - Parameters:
    ///   - fraction: How much is done, in 0...1; nil where nobody knows.
    ///   - note: A few words for the operator, without sample values.
    ///   - measures: Numbers by name, such as losses; those that are not finite are left out.
    package func report(fraction: Double?, note: String, measures: [String: Double] = [:]) {
        control.report(Progress(fraction: fraction, note: note, measures: measures))
    }

    /// States the result of the run, which is kept with the job when it is completed.
    ///
    /// - Parameter result: A JSON object without sample values.
    package func conclude(_ result: String) { control.conclude(result) }

    /// What the run stated.
    package var result: String? { control.result }
}

/// What a run says about itself.
struct Progress: Encodable, Equatable, Sendable {
    var fraction: Double?
    var note: String
    var measures: [String: Double] = [:]

    private struct Key: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    /// One flat object.
    func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: Key.self)
        for (name, number) in measures where number.isFinite {
            try values.encode(number, forKey: Key(stringValue: name))
        }
        try values.encodeIfPresent(fraction, forKey: Key(stringValue: "fraction"))
        try values.encode(note, forKey: Key(stringValue: "note"))
    }

    /// A JSON object; nil for a fraction that is no number.
    var json: String? {
        // JSON has no NaN: such a report is dropped.
        guard let data = try? JSONEncoder().encode(self) else { return nil }
        return String(data: data, encoding: .utf8)
    }
}

/// What the run, its worker and the heartbeat share about one run.
final class RunControl: Sendable {
    private struct State {
        var stopReason: StopReason?
        var progress: Progress?
        var result: String?
        var cancel: (@Sendable () -> Void)?
    }

    private let state = Mutex(State())
    private let observe: @Sendable ([String: Double]) -> Void

    init(observe: @escaping @Sendable ([String: Double]) -> Void = { _ in }) {
        self.observe = observe
    }

    var stopReason: StopReason? { state.withLock { $0.stopReason } }

    /// The first reason stays, save that losing the lease outranks all others.
    func stop(_ reason: StopReason) {
        let cancel = state.withLock { state in
            if state.stopReason == nil || reason == .lost { state.stopReason = reason }
            return state.cancel
        }
        cancel?()
    }

    /// Hands over what cancels the run's task; calls it at once if the run was already stopped.
    func onStop(_ cancel: @escaping @Sendable () -> Void) {
        let isStopped = state.withLock { state in
            state.cancel = cancel
            return state.stopReason != nil
        }
        if isStopped { cancel() }
    }

    func report(_ progress: Progress) {
        state.withLock { $0.progress = progress }
        observe(progress.measures)
    }

    func conclude(_ result: String) {
        state.withLock { $0.result = result }
    }

    var result: String? { state.withLock { $0.result } }

    /// The newest progress.
    var progress: Progress? { state.withLock { $0.progress } }
}
