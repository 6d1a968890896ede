import Classification
package import Jobs
package import Postgres
import Series
import Signals
import Store
import Synchronization

/// The job `classify`: what a classifier says of stored recordings, many of them a job.
///
/// Recordings that the classifier has answered for already are left alone, so that a job that runs
/// again does nothing twice. All answers, their events and the job's completion are one transaction.
package struct ClassifyRecordings: JobHandler {
    package let kind = "classify"
    /// Recordings that are in memory at once.
    static let batch = 16

    private let pool: Pool
    private let threads: Int
    private let shipped: RecordingClassifier?
    private let cache = ClassifierCache()

    /// - Parameters:
    ///   - pool: Where recordings and classifiers are read.
    ///   - threads: Cores that one job may use.
    ///   - shipped: Stored and made live where the database has no classifier; nil where none ships.
    package init(pool: Pool, threads: Int, shipped: RecordingClassifier?) {
        precondition(threads > 0, "ClassifyRecordings: \(threads) threads")
        self.pool = pool
        self.threads = threads
        self.shipped = shipped
    }

    package func run(_ lease: Lease, _ context: JobContext) async throws -> Effects {
        let arguments = try JobArguments.decode(JobArguments.Classify.self, of: lease)
        let (id, classifier) = try await classifier(arguments.classifierID)
        let due = try await pool.transaction { db in
            try FindingStore.due(of: arguments.recordings, classifier: id, in: db)
        }
        let numbers = due.keys.sorted()
        var answers: [RecordingAnswer] = []
        for start in stride(from: 0, to: numbers.count, by: Self.batch) {
            try context.checkStopped()
            context.report(
                fraction: Double(start) / Double(numbers.count),
                note: "\(start) of \(numbers.count) recordings")
            let batch = Array(numbers[start..<min(start + Self.batch, numbers.count)])
            answers += try await answer(batch, due, classifier)
        }
        let found = answers
        return { db in
            try FindingStore.write(found, classifier: id, run: JobRun(lease), in: db)
        }
    }

    private func answer(
        _ batch: [Int64], _ contents: [Int64: [UInt8]], _ classifier: RecordingClassifier
    ) async throws -> [RecordingAnswer] {
        let loaded = try await pool.transaction { db in
            try batch.map { try StoredRecording.load($0, in: db) }
        }
        let threads = threads
        let classified = try await Computation.run { _ in
            classifier.classify(loaded.compactMap(\.recording), threads: threads)
        }
        var next = classified.makeIterator()
        return zip(batch, loaded).compactMap { number, recording in
            guard let content = contents[number] else { return nil }
            if let refusal = recording.refusal {
                return RecordingAnswer(
                    recording: number, content: content, quality: nil,
                    abstention: .init(code: refusal.code, reason: refusal.reason), notes: [],
                    findings: [])
            }
            return next.next()?.answer(recording: number, content: content)
        }
    }

    /// The classifier that a job asks for, or the live one; the one that ships where there is none.
    private func classifier(_ asked: Int64?) async throws -> (Int64, RecordingClassifier) {
        if let asked, let known = cache.find(asked) { return (asked, known) }
        let (pool, shipped) = (pool, shipped)
        let stored: StoredClassifier
        do {
            stored = try await pool.transaction { db in
                if let asked { return try ClassifierStore.find(asked, in: db) }
                if let live = try ClassifierStore.live(in: db) { return live }
                guard let shipped else {
                    throw PermanentJobError("the database has no classifier, and none ships here")
                }
                return try ClassifierStore.find(
                    ClassifierStore.ensure(try NewClassifier(shipped), in: db), in: db)
            }
        } catch let error as StoreError {
            throw PermanentJobError(error.description)
        }
        if let known = cache.find(stored.id) { return (stored.id, known) }
        let classifier: RecordingClassifier
        do {
            classifier = try RecordingClassifier(decoding: stored.model)
        } catch {
            throw PermanentJobError("classifier \(stored.id) is not understood by this program")
        }
        cache.keep(classifier, as: stored.id)
        return (stored.id, classifier)
    }
}

/// The classifier of the last job: most jobs of a worker have the same.
private final class ClassifierCache: Sendable {
    private let last = Mutex<(id: Int64, classifier: RecordingClassifier)?>(nil)

    func find(_ id: Int64) -> RecordingClassifier? {
        last.withLock { $0?.id == id ? $0?.classifier : nil }
    }

    func keep(_ classifier: RecordingClassifier, as id: Int64) {
        last.withLock { $0 = (id, classifier) }
    }
}

/// A recording as it comes out of the database, or why it does not.
struct StoredRecording: Sendable {
    let recording: Recording?
    let refusal: Refusal?

    /// The largest recording that is classified, in samples of all channels.
    static let samplesMaximum: Int64 = 1 << 27

    static func load(_ number: Int64, in db: borrowing Session) throws -> StoredRecording {
        guard let header = try RecordingStore.header(of: number, in: db) else {
            return refused("recording_gone", "the recording was removed meanwhile.")
        }
        let seconds = header.channels.map { Double($0.sampleCount) * $0.rate.stepSeconds }.max()
        if let refusal = RecordingClassifier.refusal(seconds: seconds ?? 0) {
            return StoredRecording(recording: nil, refusal: refusal)
        }
        let total = header.channels.reduce(Int64(0)) { $0 + $1.sampleCount }
        guard total <= samplesMaximum else {
            return refused(
                "too_long", "the recording has \(total) samples; up to \(samplesMaximum) are read.")
        }
        do {
            let chunks = try RecordingStore.chunks(of: number, in: db)
            return StoredRecording(recording: Recording(header, chunks), refusal: nil)
        } catch let error as StoreError {
            return refused("samples_damaged", "\(error.description).")
        }
    }

    private static func refused(_ code: String, _ reason: String) -> StoredRecording {
        StoredRecording(recording: nil, refusal: Refusal(code: code, reason: reason))
    }
}

extension Recording {
    /// - Parameters:
    ///   - header: As it is stored.
    ///   - chunks: All of the recording's.
    init(_ header: RecordingHeader, _ chunks: [WaveformChunk]) {
        let byChannel = Dictionary(grouping: chunks, by: \.channel)
        let signals = header.channels.enumerated().map { index, channel in
            let own = byChannel[index] ?? []
            let (gain, baseline) = own.first.map { ($0.gain, $0.baseline) } ?? (1, 0)
            var samples = [Int32](repeating: Signal.missing, count: Int(channel.sampleCount))
            for chunk in own {
                let first = Int(chunk.firstSample)
                for (place, sample) in chunk.samples.enumerated()
                where first + place < samples.count {
                    guard let sample else { continue }
                    guard chunk.gain != gain || chunk.baseline != baseline else {
                        samples[first + place] = sample
                        continue
                    }
                    let value = (Double(sample) - chunk.baseline) / chunk.gain * gain + baseline
                    samples[first + place] = Int32(max(-2e9, min(2e9, value.rounded())))
                }
            }
            return Signal(
                channel: channel.channel, rate: channel.rate, gain: gain, baseline: baseline,
                samples: samples, declaredCount: samples.count)
        }
        self.init(name: header.key, start: header.startedAt, signals: signals)
    }
}
