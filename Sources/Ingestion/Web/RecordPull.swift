import Crypto
import Foundation
import Glibc
import Postgres
import Series
import Signals
import Store
import WebClient

/// The pull of one record.
struct RecordPull {
    let record: String
    let list: RecordList
    let folder: WebFolder
    let source: Source
    let pool: Pool
    let now: Timestamp
    let temporary: String
    /// The cursor as it is stored.
    let stored: String?

    /// The most files of one record.
    private static let filesMaximum = 10_000

    /// Why a record cannot be used as it was fetched.
    struct Flaw: Error, CustomStringConvertible {
        let description: String
    }

    /// Fetches and stores the record where it is new.
    ///
    /// - Parameter report: What was done is added to it.
    /// - Returns: How many bytes were fetched.
    /// - Throws: What ends the pull as a whole: the database, that it is stopped, or `PullError.later`.
    func run(_ report: inout IngestReport) async throws -> Int {
        report.files += 1
        var position = RecordPosition.decode(stored)
        let before = position
        let place = try PrivateFolder(in: temporary)
        do {
            let fetched = try await fetch(into: place, &position)
            position.lookedAt = now
            position.digest = list.digest(of: record)
            position.rejected = nil
            guard let fetched else {
                report.filesUnchanged += 1
                try await remember(position)
                return 0
            }
            try await store(fetched, from: place, position, &report)
            return fetched.bytes
        } catch let error as PullError {
            if case .later = error { throw error }
            if error.isPassing {
                report.trouble = error.description
                report.filesWaiting += 1
            } else {
                try await reject(error.description, before, &report)
            }
        } catch let error as WFDBError {
            try await reject(error.description, before, &report)
        } catch let error as Flaw {
            try await reject(error.description, before, &report)
        } catch StoreError.recordingDiffers(let key) {
            try await reject(
                StoreError.recordingDiffers(key: key).description, before, &report)
        }
        return 0
    }

    private func reject(
        _ reason: String, _ position: RecordPosition, _ report: inout IngestReport
    ) async throws {
        report.reject(record, reason)
        var position = position
        position.rejected = reason
        position.lookedAt = now
        position.digest = list.digest(of: record)
        position.files = [:]
        try await remember(position, rejected: true)
    }

    private func remember(_ position: RecordPosition, rejected: Bool = false) async throws {
        let (source, record, before) = (source.id, record, stored)
        let after = try StableJSON.text(position)
        try await pool.transaction { db in
            try GuardedCursor.move(
                source: source, part: record, from: before, to: after, in: db)
            if rejected {
                try SourceFigures.add(
                    SourceFigures(rejected: ["recording": 1]), to: source, in: db)
            }
        }
    }

    /// What was fetched of a record.
    private struct Fetched {
        var header = ""
        var bytes = 0
        var hash = SHA256()
    }

    /// Fetches the header and what it names; nil where the server says that nothing has changed.
    private func fetch(
        into place: PrivateFolder, _ position: inout RecordPosition
    ) async throws -> Fetched? {
        let parts = record.split(separator: "/")
        let name = parts.last.map(String.init) ?? record
        let below = String(record.dropLast(name.count))
        if try await isUnchanged(position, below: below) { return nil }
        var fetched = Fetched(header: place.path(name + ".hea"))
        var files: [String: Validators] = [:]
        var open = [name + ".hea"]
        var known = Set(open)
        while let file = open.popLast() {
            guard known.count <= Self.filesMaximum else {
                throw Flaw(
                    description: "\(record): it has more than \(Self.filesMaximum) files")
            }
            let answer = try await get(below + file, isHeader: file == name + ".hea")
            guard let answer else { continue }
            files[file] = answer.validators
            fetched.bytes += answer.body.count
            guard fetched.bytes <= folder.settings.recordingBytesMaximum else {
                throw Flaw(
                    description: "\(record): it has more than "
                        + "\(folder.settings.recordingBytesMaximum) bytes")
            }
            fetched.hash.update(data: answer.body)
            try place.write(answer.body, to: file)
            guard file.hasSuffix(".hea") else { continue }
            for next in try WFDBReader().names(inHeader: answer.body, file: file)
            where known.insert(next).inserted { open.append(next) }
        }
        position.files = files
        return fetched
    }

    /// Whether the server says of every file that it is the one that is stored.
    private func isUnchanged(_ position: RecordPosition, below: String) async throws -> Bool {
        // Digests that have changed are kept by files that match them.
        guard position.content != nil, position.rejected == nil,
            position.digest == list.digest(of: record), !position.files.isEmpty,
            position.files.values.allSatisfy({ !$0.isEmpty })
        else { return false }
        for (file, validators) in position.files.sorted(by: { $0.key < $1.key }) {
            guard try await folder.fetch(below + file, known: validators).isUnchanged else {
                return false
            }
        }
        return true
    }

    /// One file; nil for one that is not there, which the reader then tells of.
    private func get(_ path: String, isHeader: Bool) async throws -> FeedAnswer? {
        let answer: FeedAnswer
        do {
            answer = try await folder.fetch(path, known: nil)
        } catch PullError.status(404, _) where !isHeader {
            return nil
        }
        if answer.mediaType == "text/html" {
            throw PullError.mediaType("text/html", accepted: "a file of a WFDB record")
        }
        if let declared = list.digests[path], declared != answer.digest {
            throw Flaw(
                description: "\(path): the file does not match the SHA-256 that the folder has "
                    + "for it; it is fetched again when the folder changes")
        }
        return answer
    }

    /// Stores the record whole, with its cursor, in one transaction.
    private func store(
        _ fetched: Fetched, from place: PrivateFolder, _ position: RecordPosition,
        _ report: inout IngestReport
    ) async throws {
        var reader = WFDBReader()
        reader.bytesMaximum = folder.settings.recordingBytesMaximum
        // The files go with the folder's last use.
        let recording = try withExtendedLifetime(place) {
            try reader.read(header: fetched.header)
        }
        var position = position
        position.content = fetched.hash.hexadecimal
        let key = "\(source.name)/\(folder.settings.renames[record] ?? record)"
        guard key.unicodeScalars.count <= 400 else {
            throw Flaw(description: "\(record.prefix(60)): its name is longer than 400 characters")
        }
        let filing = RecordingFiling(recording, key: key)
        let (source, part, before, now) = (source, record, stored, now)
        let after = try StableJSON.text(position)
        let outcome = try await pool.transaction { db in
            let outcome = try filing.store(onConflict: source.conflictRule, in: db)
            var figures = SourceFigures()
            if case .unchanged = outcome {} else { figures.samples = filing.sampleCount }
            figures.dataUntil = filing.until.map { min($0, now) }
            figures.bufferedBytes = fetched.bytes
            try SourceFigures.add(figures, to: source.id, in: db)
            try GuardedCursor.move(
                source: source.id, part: part, from: before, to: after, in: db)
            return outcome
        }
        switch outcome {
        case .stored, .replaced: report.recordings += 1
        case .unchanged: report.filesUnchanged += 1
        }
        for finding in filing.damage { report.find(record, finding) }
    }
}

/// A folder that only this user may enter, and that goes with its owner.
final class PrivateFolder: Sendable {
    private let folder: String

    init(in parent: String) throws {
        var template = Array("\(parent)/systole-XXXXXX".utf8CString)
        guard unsafe mkdtemp(&template) != nil else { throw CocoaError(.fileWriteUnknown) }
        folder = String(
            decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
        // What cannot be removed is left to the system's own cleaning.
        try? FileManager.default.removeItem(atPath: folder)
    }

    func path(_ name: String) -> String { "\(folder)/\(name)" }

    /// Writes a file whose name has no slash in it.
    func write(_ bytes: [UInt8], to name: String) throws {
        precondition(!name.contains("/"), "PrivateFolder: \(name)")
        try Data(bytes).write(to: URL(fileURLWithPath: path(name)))
    }
}
