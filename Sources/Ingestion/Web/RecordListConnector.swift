import Crypto
import Foundation
package import Postgres
package import Series
import Signals
package import Store
import WebClient

/// What a source of kind `wfdb-http` is told; stored as JSON with the source.
package struct RecordListSettings: SourceSettings, Equatable {
    /// The folder, such as `https://physionet.org/files/mitdb/1.0.0/`.
    package var access: WebAccess
    /// The list of the records in the folder, one a line.
    package var list = "RECORDS"
    /// The SHA-256 of the files, as `sha256sum` writes them; nil for none.
    package var checksums: String? = "SHA256SUMS.txt"
    /// What a record is called in the database instead.
    package var renames: [String: String] = [:]
    /// How long before a record that is stored is looked at again, in seconds.
    package var recheckSeconds = 86_400.0
    /// The largest recording, in bytes.
    package var recordingBytesMaximum = 1 << 30
    /// What one pull takes at most; the next one goes on.
    package var recordsMaximum = 1000
    package var bytesMaximum = 4 << 30

    package init(access: WebAccess) { self.access = access }

    private enum CodingKeys: String, CodingKey {
        case access, list, checksums, renames, recheckSeconds, recordingBytesMaximum
        case recordsMaximum, bytesMaximum
    }

    package init(from decoder: any Decoder) throws {
        let box = try decoder.container(keyedBy: CodingKeys.self)
        self.init(access: try box.decode(WebAccess.self, forKey: .access))
        list = try box.decodeIfPresent(String.self, forKey: .list) ?? list
        if box.contains(.checksums) {
            checksums = try box.decodeIfPresent(String.self, forKey: .checksums)
        }
        renames = try box.decodeIfPresent([String: String].self, forKey: .renames) ?? [:]
        recheckSeconds =
            try box.decodeIfPresent(Double.self, forKey: .recheckSeconds) ?? recheckSeconds
        recordingBytesMaximum =
            try box.decodeIfPresent(Int.self, forKey: .recordingBytesMaximum)
            ?? recordingBytesMaximum
        recordsMaximum =
            try box.decodeIfPresent(Int.self, forKey: .recordsMaximum) ?? recordsMaximum
        bytesMaximum = try box.decodeIfPresent(Int.self, forKey: .bytesMaximum) ?? bytesMaximum
    }

    package func encode(to encoder: any Encoder) throws {
        var box = encoder.container(keyedBy: CodingKeys.self)
        try box.encode(access, forKey: .access)
        try box.encode(list, forKey: .list)
        // Without a list of digests says so, rather than leaving it to the default.
        try box.encode(checksums, forKey: .checksums)
        try box.encode(renames, forKey: .renames)
        try box.encode(recheckSeconds, forKey: .recheckSeconds)
        try box.encode(recordingBytesMaximum, forKey: .recordingBytesMaximum)
        try box.encode(recordsMaximum, forKey: .recordsMaximum)
        try box.encode(bytesMaximum, forKey: .bytesMaximum)
    }

    /// What is wrong with the settings; nil where they can be used.
    package var flaw: String? {
        if let flaw = access.flaw { return flaw }
        guard access.url.hasSuffix("/") else { return "the URL of a folder ends with a slash" }
        guard RecordList.isSafe(list), checksums.map(RecordList.isSafe) ?? true else {
            return "list and checksums are names below the folder"
        }
        guard (0...1e10).contains(recheckSeconds), (1...(4 << 30)).contains(recordingBytesMaximum),
            (1...1_000_000).contains(recordsMaximum), bytesMaximum > 0
        else { return "recheckSeconds, recordingBytesMaximum or recordsMaximum is out of range" }
        return nil
    }
}

/// Pulls WFDB records from a folder on the web that lists them in `RECORDS`.
///
/// Every record is a part of the source with a cursor of its own. Its files are fetched to a private
/// folder, held against the digests where the folder has some, and stored as the folder connector
/// stores them, whole and in one transaction.
package struct RecordListConnector: SourceConnector {
    /// What sources of this connector have as their kind.
    package static let kind = "wfdb-http"

    private let client: FeedClient
    /// Where private folders are made.
    private let temporary: String

    /// - Parameters:
    ///   - client: Fetches the files.
    ///   - temporary: A folder of this machine where private ones are made.
    package init(client: FeedClient, temporary: String) {
        self.client = client
        self.temporary = temporary
    }

    /// Private folders are made where the system has its temporary ones.
    ///
    /// - Parameter client: Fetches the files.
    package init(client: FeedClient) {
        self.init(client: client, temporary: URL.temporaryDirectory.path)
    }

    /// Takes what is new, with the settings that are stored with the source.
    package func pull(
        _ source: Source, into pool: Pool, now: Timestamp,
        progress: @Sendable (IngestReport) throws -> Void
    ) async throws -> IngestReport {
        let settings = try RecordListSettings(json: source.settings, of: source.name)
        let folder = WebFolder(settings: settings, client: client)
        let cursors = try await pool.transaction { db in
            try CursorStore.positions(source: source.id, in: db)
        }
        var report = IngestReport()
        let peace = ListPosition.decode(cursors[ListPosition.part])
        if let notBefore = peace.notBefore, now < notBefore {
            report.filesWaiting += 1
            report.trouble = "the other side asked to be left alone until \(notBefore)"
            return report
        }
        do {
            let list = try await folder.records()
            for reason in list.unusable { report.reject(settings.access.host, reason) }
            let pull = ListPull(
                list: list, folder: folder, source: source, pool: pool, now: now,
                temporary: temporary, cursors: cursors)
            try await pull.run(&report, progress)
        } catch let error as PullError {
            report.trouble = error.description
            guard case .later(_, let seconds) = error else {
                report.reject(settings.access.host, error.description)
                return report
            }
            // A server that asks for peace gets it for all its records.
            report.filesWaiting += 1
            let position = try StableJSON.text(ListPosition(notBefore: now + .seconds(seconds)))
            try await pool.transaction { db in
                try CursorStore.move(
                    source: source.id, part: ListPosition.part, to: position, in: db)
            }
        }
        return report
    }

    /// Reads the list of records, and stores nothing: the names that recordings would have.
    func preview(
        name: String, settings: RecordListSettings, now: Timestamp
    ) async throws -> [PullPreview] {
        let list = try await WebFolder(settings: settings, client: client).records()
        let recordings = list.records.map { "\(name)/\(settings.renames[$0] ?? $0)" }
        return [PullPreview(items: recordings.count, recordings: recordings)]
    }
}

/// What is kept of a folder as a whole.
struct ListPosition: Sendable, Equatable, Codable {
    /// No record is called so.
    static let part = "/"

    /// The server asks to be left alone until then.
    var notBefore: Timestamp?

    /// The position in a stored cursor; an empty one for what this version cannot read.
    static func decode(_ json: String?) -> ListPosition {
        json.flatMap { try? JSONDecoder().decode(ListPosition.self, from: Data($0.utf8)) }
            ?? ListPosition()
    }
}

/// One pull of the records of a list.
struct ListPull {
    let list: RecordList
    let folder: WebFolder
    let source: Source
    let pool: Pool
    let now: Timestamp
    /// A folder of this machine where private ones are made.
    let temporary: String
    /// As they were stored when the pull began.
    let cursors: [String: String]

    /// Pulls what is new, until one pull has taken enough.
    ///
    /// - Throws: `PullError.later` where the server asks for peace; what ends a pull as a whole.
    func run(
        _ report: inout IngestReport, _ progress: (IngestReport) throws -> Void
    ) async throws {
        let settings = folder.settings
        var (bytes, taken) = (0, 0)
        for record in list.records {
            let stored = cursors[record]
            let position = RecordPosition.decode(stored)
            if position.settles(record, list, now: now, recheckSeconds: settings.recheckSeconds) {
                report.files += 1
                if let reason = position.rejected {
                    report.reject(record, reason)
                } else {
                    report.filesUnchanged += 1
                }
                continue
            }
            guard taken < settings.recordsMaximum, bytes < settings.bytesMaximum else {
                report.filesWaiting += 1
                continue
            }
            taken += 1
            let pull = RecordPull(
                record: record, list: list, folder: folder, source: source, pool: pool, now: now,
                temporary: temporary, stored: stored)
            bytes += try await pull.run(&report)
            try progress(report)
            // What is away for one record is away for all.
            if report.trouble != nil { break }
        }
    }
}

/// The records of a folder, and the digests of its files.
struct RecordList: Sendable {
    /// The most records of one source.
    static let recordsMaximum = 200_000

    private(set) var records: [String] = []
    /// By the file's path below the folder, in small hexadecimal digits.
    private(set) var digests: [String: String] = [:]
    /// Why lines of the list are passed over.
    private(set) var unusable: [String] = []

    /// Adds the lines of a list that lies in `below`; returns folders with lists of their own.
    mutating func add(_ text: String, below: String) -> [String] {
        var folders: [String] = []
        for line in text.split(whereSeparator: \.isNewline) {
            let name = line.trimmingCharacters(in: .whitespaces)
            if name.isEmpty || name.hasPrefix("#") { continue }
            guard Self.isSafe(name) else {
                if unusable.count < 20 {
                    unusable.append(
                        "the list has a line that is no path below the folder: "
                            + "\"\(name.prefix(40))\"")
                }
                continue
            }
            if name.hasSuffix("/") {
                folders.append(below + name)
            } else if records.count < Self.recordsMaximum {
                records.append(below + name)
            } else if unusable.count < 20 {
                unusable.append("the list has more than \(Self.recordsMaximum) records")
            }
        }
        return folders
    }

    /// Keeps one more reason for which something of the list is passed over.
    mutating func note(_ reason: String) { unusable.append(reason) }

    mutating func addDigests(_ text: String) {
        for line in text.split(whereSeparator: \.isNewline) where digests.count < 2_000_000 {
            let parts = line.split(separator: " ", maxSplits: 1)
            guard parts.count == 2, parts[0].utf8.count == 64 else { continue }
            // A star marks a file that was read as bytes.
            let path = parts[1].drop { $0 == " " || $0 == "*" }
            digests[String(path)] = parts[0].lowercased()
        }
    }

    /// Whether a name stays below the folder, and in a private one on this machine.
    static func isSafe(_ name: String) -> Bool {
        (1...400).contains(name.utf8.count) && !name.hasPrefix("/")
            && name.utf8.allSatisfy { byte in
                byte | 0x20 &- 97 < 26 || byte &- 48 < 10 || "/._-+".utf8.contains(byte)
            }
            && !name.split(separator: "/", omittingEmptySubsequences: false).dropLast()
                .contains { $0.isEmpty || $0 == "." || $0 == ".." }
            && !["..", "."].contains(name.split(separator: "/").last.map(String.init) ?? "..")
    }
}

/// How far one record is stored.
struct RecordPosition: Sendable, Equatable, Codable {
    /// SHA-256 over the files as they are stored; nil while it is not stored.
    var content: String?
    /// What the server calls each file.
    var files: [String: Validators] = [:]
    /// What the folder said the header's digest is.
    var digest: String?
    var lookedAt: Timestamp?
    /// Why it was rejected when it was looked at.
    var rejected: String?

    /// The position in a stored cursor; an empty one for what this version cannot read, so that the
    /// record is read again, which changes nothing that is there.
    static func decode(_ json: String?) -> RecordPosition {
        json.flatMap { try? JSONDecoder().decode(RecordPosition.self, from: Data($0.utf8)) }
            ?? RecordPosition()
    }

    /// Whether nothing is to be done: the folder's digests are the ones that were stored, or it was
    /// looked at a short while ago.
    func settles(
        _ record: String, _ list: RecordList, now: Timestamp, recheckSeconds: Double
    ) -> Bool {
        guard content != nil || rejected != nil, let lookedAt else { return false }
        if list.digest(of: record) != digest { return false }
        if digest != nil, content != nil, rejected == nil { return true }
        return Double(now.microseconds - lookedAt.microseconds) < recheckSeconds * 1e6
    }
}

extension RecordList {
    /// One digest for what the folder says of a record's files; nil where it says nothing.
    func digest(of record: String) -> String? {
        guard let header = digests[record + ".hea"] else { return nil }
        let others = ["dat", "mat"].compactMap { digests["\(record).\($0)"] }
        return ([header] + others).joined(separator: " ")
    }
}

/// A folder on the web.
struct WebFolder: Sendable {
    let settings: RecordListSettings
    let client: FeedClient

    /// How many lists are read, with those that they lead to.
    private static let listsMaximum = 10_000

    /// The records that the folder and those below it list.
    func records() async throws -> RecordList {
        var list = RecordList()
        var open = [""]
        var count = 0
        while let below = open.popLast() {
            count += 1
            guard count <= Self.listsMaximum else {
                list.note("there are more than \(Self.listsMaximum) lists; the others are not read")
                break
            }
            let answer = try await fetch(below + settings.list, known: nil)
            let text = String(decoding: answer.body, as: UTF8.self)
            if answer.mediaType == "text/html" || text.drop(while: \.isWhitespace).hasPrefix("<") {
                throw PullError.mediaType("HTML", accepted: "a list of records, one a line")
            }
            // Digests are told once, for everything below.
            open += list.add(text, below: below)
        }
        if let checksums = settings.checksums {
            do {
                let answer = try await fetch(checksums, known: nil)
                list.addDigests(String(decoding: answer.body, as: UTF8.self))
            } catch PullError.status(404, _) {
                return list
            }
        }
        return list
    }

    /// One file of the folder.
    func fetch(_ name: String, known: Validators?) async throws -> FeedAnswer {
        let path = name.split(separator: "/", omittingEmptySubsequences: false)
            .map { PageWalk.escaped(String($0)) }.joined(separator: "/")
        var access = settings.access
        access.bodyBytesMaximum = max(access.bodyBytesMaximum, settings.recordingBytesMaximum)
        let url = try client.url(settings.access.url + path, onHostOf: access)
        return try await client.fetch(url, access, known: known)
    }
}
