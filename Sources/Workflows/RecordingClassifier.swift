package import Classification
import Series
package import Signals
package import Store
import Tensors

/// A classifier by its bytes, and what it says of recordings as their files gave them.
package struct RecordingClassifier: Sendable {
    package let model: FittedClassifier
    /// The whole model, as it is stored.
    package let bytes: [UInt8]
    /// SHA-256 of the bytes, in hexadecimal digits.
    package let digest: String

    /// - Parameter bytes: What `FittedClassifier.encoded` gave.
    /// - Throws: What `FittedClassifier` throws; the bytes may be anything at all.
    package init(decoding bytes: [UInt8]) throws {
        model = try FittedClassifier(decoding: bytes)
        self.bytes = bytes
        digest = Store.digest(of: bytes).hexadecimal
    }

    /// The first twelve digits of the digest: short, and the same for the same model everywhere.
    package var version: String { String(digest.prefix(12)) }

    /// What the model says of recordings, each by itself.
    ///
    /// - Parameters:
    ///   - recordings: Of any leads, rate and length.
    ///   - threads: Cores to use, from 1; the answers do not depend on it.
    /// - Returns: One answer a recording, in their order: nothing about a recording is an error.
    package func classify(
        _ recordings: [Recording], threads: Int
    ) -> [ClassifiedRecording] {
        ParallelMap.map(recordings.count, threads: threads) { classify(recordings[$0]) }
    }

    /// The longest recording that is classified, in seconds. A window every twenty minutes is the least
    /// that can stand for a whole; of a day, three windows of ten seconds would say next to nothing, with
    /// a probability that was calibrated on recordings at rest.
    package static let secondsMaximum = 3600.0

    /// Why a recording is too long; nil where it is not.
    static func refusal(seconds: Double) -> Refusal? {
        guard seconds > secondsMaximum else { return nil }
        let hours = (seconds / 360).rounded() / 10
        return Refusal(
            code: "too_long",
            reason: "the recording has \(hours) h; up to \(Int(secondsMaximum / 3600)) h is "
                + "classified, from a few windows: cut out the minutes in question.")
    }

    /// What the model says of one recording.
    package func classify(_ recording: Recording) -> ClassifiedRecording {
        var notes = recording.notes
        // By what there is, whatever the header promises; and before anything is made of the samples,
        // since that takes several times their memory.
        let seconds = recording.signals.map { Double($0.samples.count) * $0.rate.stepSeconds }
        if let refusal = Self.refusal(seconds: seconds.max() ?? 0) {
            return ClassifiedRecording(refusal: refusal, notes: notes)
        }
        let ecg: Electrocardiogram
        do throws(ElectrocardiogramError) {
            ecg = try Electrocardiogram(recording)
        } catch {
            return ClassifiedRecording(
                refusal: Refusal(code: error.code, reason: error.description), notes: notes)
        }
        do throws(Abstention) {
            let prepared = try model.preparation.prepare(ecg)
            notes += prepared.notes.map { AnswerNote(code: $0.code, text: $0.description) }
            return ClassifiedRecording(
                electrocardiogram: ecg, prepared: prepared, notes: notes,
                findings: model.classify([prepared], threads: 1)[0])
        } catch {
            return ClassifiedRecording(
                electrocardiogram: ecg, quality: error.quality,
                refusal: Refusal(code: error.code, reason: error.description), notes: notes)
        }
    }
}

/// Why a recording has no findings.
package struct Refusal: Hashable, Sendable, Codable {
    /// A word that stays the same in all versions.
    package let code: String
    /// One sentence.
    package let reason: String

    package init(code: String, reason: String) {
        self.code = code
        self.reason = reason
    }
}

/// What is worth knowing about a recording, or was done to it.
package struct AnswerNote: Hashable, Sendable, Codable {
    /// A word that stays the same in all versions.
    package let code: String
    /// One sentence.
    package let text: String

    package init(code: String, text: String) {
        self.code = code
        self.text = text
    }
}

/// A recording and what a classifier says of it: findings, or a refusal.
package struct ClassifiedRecording: Sendable {
    /// Nil where the recording is no electrocardiogram.
    package let electrocardiogram: Electrocardiogram?
    /// Nil where the classifier abstains.
    package let prepared: PreparedECG?
    /// 0…1, as `SignalQuality.score`; also of a recording that is refused, where it came so far.
    package let quality: Double?
    package let refusal: Refusal?
    package let notes: [AnswerNote]
    /// By class; none where there is a refusal.
    package let findings: [Finding]

    init(
        electrocardiogram: Electrocardiogram? = nil, prepared: PreparedECG? = nil,
        quality: Double? = nil, refusal: Refusal? = nil, notes: [AnswerNote],
        findings: [Finding] = []
    ) {
        self.electrocardiogram = electrocardiogram
        self.prepared = prepared
        self.quality = prepared?.quality ?? quality
        self.refusal = refusal
        self.notes = notes
        self.findings = findings
    }

    /// As it is stored.
    ///
    /// - Parameters:
    ///   - recording: The recording's number.
    ///   - content: The content that was looked at.
    /// - Returns: The answer.
    package func answer(recording: Int64, content: [UInt8]) -> RecordingAnswer {
        RecordingAnswer(
            recording: recording, content: content, quality: quality,
            abstention: refusal.map { .init(code: $0.code, reason: $0.reason) },
            notes: notes.map { "\($0.code): \($0.text)" },
            findings: findings.map {
                StoredFinding(
                    classIndex: $0.index, probability: $0.probability, threshold: $0.threshold,
                    isPositive: $0.isPositive)
            })
    }
}

extension NewClassifier {
    /// - Parameter classifier: On its way into the database, with its card.
    /// - Throws: `EncodingError` for a card with numbers that are none.
    package init(_ classifier: RecordingClassifier) throws {
        let model = classifier.model
        self.init(
            family: model.family.rawValue,
            classes: model.classes.map {
                StoredClass(
                    code: $0.code, system: $0.system, abbreviation: $0.abbreviation, name: $0.name)
            }, card: try JSON.text(model.card), model: classifier.bytes)
    }
}

extension [UInt8] {
    /// Two digits a byte.
    package var hexadecimal: String {
        let digits = Array("0123456789abcdef".utf8)
        return String(
            decoding: flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}

extension Recording {
    /// What is odd about the samples, a sentence a finding; those of one kind in all channels are one.
    var notes: [AnswerNote] {
        var notes: [AnswerNote] = []
        var truncated: (channels: Int, found: Int, declared: Int)?
        var counts: [String: Int] = [:]
        for finding in findings {
            switch finding {
            case .truncated(_, let declared, let found):
                let channels = (truncated?.channels ?? 0) + 1
                truncated = (channels, found, declared)
            case .checksum: counts["checksum", default: 0] += 1
            case .uncalibrated: counts["uncalibrated", default: 0] += 1
            case .rescaled: counts["rescaled", default: 0] += 1
            case .gap(let after, let seconds):
                notes.append(
                    AnswerNote(code: "gap", text: "\(seconds) s are missing after \(after) s."))
            case .segmentUnread(let name):
                notes.append(
                    AnswerNote(
                        code: "segment_unread",
                        text: "the segment \(name.prefix(40)) cannot be read."))
            case .unreadableStart, .annotationsLeftAside: break
            }
        }
        if let (channels, found, declared) = truncated {
            let text = "\(channels) channels have \(found) of \(declared) samples."
            notes.insert(AnswerNote(code: "truncated", text: text), at: 0)
        }
        let texts = [
            "checksum": "channels do not match their checksums.",
            "uncalibrated": "channels have no gain; 200 raw units are taken for a millivolt.",
            "rescaled": "channels change their gain on the way.",
        ]
        for (code, count) in counts.sorted(by: { $0.key < $1.key }) {
            notes.append(AnswerNote(code: code, text: "\(count) \(texts[code] ?? code)"))
        }
        return Array(notes.prefix(Self.notesMaximum))
    }

    private static var notesMaximum: Int { 20 }
}
