import Foundation
import Glibc
import Series
import Signals

/// A file that may hold a recording.
package struct RecordingFile: Hashable, Sendable {
    /// How the file is read, by its name.
    package enum Kind: String, Sendable {
        case wfdb, edf, csv
        /// Samples whose WFDB header is not there: nothing says which leads they are.
        case headless
        /// Told by path, and of no kind that is known.
        case unknown
    }

    /// As it is opened; that of the header for WFDB.
    package let path: String
    /// The path below the folder that was told; for a file that was told by path, its name.
    package let name: String
    /// `ward3/2026/0001`: the folder that was told and the path below it, without the suffix; for a
    /// file that was told by path, its name without the suffix.
    package let key: String
    package let kind: Kind
    /// Of all its files, as far as that is known without reading them.
    package let bytes: Int
}

/// What a walk over files and folders met, in its order.
package enum ScannedPath: Hashable, Sendable {
    case recording(RecordingFile)
    /// A path that was told, or a folder below it, that cannot be used; with the reason.
    case unusable(path: String, reason: String)
}

/// Walks over files and folders of recordings in an order that depends on their names alone.
///
/// Folders are read one at a time, so that a walk over a million files takes little memory. Links are
/// followed; a folder that several names lead to is walked once, under its own name where that is met,
/// since links to folders come last. WFDB records are found by their headers, and the segments of a
/// record are no recordings of their own; a signal file that no header names is handed out too, so that
/// it is not passed over in silence.
package struct RecordingScan: Sequence, Sendable {
    /// The deepest folder that is entered.
    package static let depthMaximum = 100

    private let paths: [String]

    /// - Parameter paths: Files and folders, walked in this order.
    package init(_ paths: [String]) {
        self.paths = paths
    }

    /// A new walk from the first path on.
    package func makeIterator() -> Walk { Walk(paths) }

    /// The walk as it goes.
    package struct Walk: IteratorProtocol {
        /// A folder to read, or an entry to hand out.
        private enum Pending {
            case told(String)
            /// `root` is the name of the folder that was told, `below` the path from there.
            case folder(path: String, root: String, below: String, depth: Int)
            case entry(ScannedPath)
        }

        /// The next one last.
        private var pending: [Pending]
        /// Links to folders, the next one first: a link that is made later moves no recording to
        /// another key.
        private var links: [Pending] = []
        private var walked: Set<FileIdentity> = []

        fileprivate init(_ paths: [String]) {
            pending = paths.reversed().map { .told($0) }
        }

        /// The next path that may hold a recording.
        package mutating func next() -> ScannedPath? {
            while true {
                if pending.isEmpty { (pending, links) = (links.reversed(), []) }
                guard let first = pending.popLast() else { return nil }
                switch first {
                case .entry(let entry): return entry
                case .told(let path):
                    if let entry = look(at: path) { return entry }
                case .folder(let path, let root, let below, let depth):
                    if let problem = enter(path, root, below, depth: depth) { return problem }
                }
            }
        }

        /// A path that was told: its entry if it is a file, otherwise it is walked next.
        private mutating func look(at path: String) -> ScannedPath? {
            guard let status = FileStatus(path) else {
                return .unusable(path: path, reason: FileStatus.reason(path))
            }
            switch status.kind {
            case .folder:
                pending.append(
                    .folder(path: path, root: Self.name(ofFolder: path), below: "", depth: 0))
                return nil
            case .file:
                let name = path.lastPathPart
                return .recording(
                    RecordingFile(
                        path: path, name: name, key: Self.withoutSuffix(name),
                        kind: kind(ofTold: path),
                        bytes: status.bytes + SignalFiles.bytes(of: kind(ofTold: path), path)))
            case .other:
                return .unusable(path: path, reason: "it is neither a file nor a folder")
            }
        }

        private func kind(ofTold path: String) -> RecordingFile.Kind {
            if let kind = Self.kind(of: path.lastPathPart) { return kind }
            let isAlone = FileStatus(SignalFiles.header(of: path)) == nil
            return SignalFiles.isOne(path) && isAlone ? .headless : .unknown
        }

        /// Puts what is in a folder before everything else that is pending.
        private mutating func enter(
            _ path: String, _ root: String, _ below: String, depth: Int
        ) -> ScannedPath? {
            guard depth <= RecordingScan.depthMaximum else {
                return .unusable(path: path, reason: "it lies too deep")
            }
            guard let status = FileStatus(path), walked.insert(status.identity).inserted else {
                return nil
            }
            let names: [String]
            do {
                names = try FileManager.default.contentsOfDirectory(atPath: path)
            } catch {
                return .unusable(path: path, reason: "the folder cannot be read")
            }
            let base = path.hasSuffix("/") ? path : path + "/"
            let inside = below.isEmpty ? "" : below + "/"
            var found: [Pending] = []
            let segments = RecordingScan.segments(of: names, in: base)
            let kept = names.filter { !FileScan.isPassing($0) && !segments.contains($0) }
            let headless = SignalFiles.withoutHeader(kept, in: base)
            var stems: [String: Int] = [:]
            for name in kept where Self.kind(of: name) != nil {
                stems[Self.withoutSuffix(name), default: 0] += 1
            }
            for name in kept.sorted() {
                let kind = headless.contains(name) ? .headless : Self.kind(of: name)
                guard let status = FileStatus(base + name) else {
                    // A link that leads nowhere matters only where it stands for a recording, and
                    // a file that has gone meanwhile not at all.
                    guard kind != nil, FileStatus.isListed(base + name) else { continue }
                    let reason = FileStatus.reason(base + name)
                    found.append(.entry(.unusable(path: base + name, reason: reason)))
                    continue
                }
                if status.kind == .folder {
                    let folder = Pending.folder(
                        path: base + name, root: root, below: inside + name, depth: depth + 1)
                    if FileStatus.isLink(base + name) {
                        links.append(folder)
                    } else {
                        found.append(folder)
                    }
                } else if let kind, status.kind == .file {
                    // Where `a.edf` stands beside `a.hea`, both keep their suffixes.
                    let stem = Self.withoutSuffix(name)
                    let isAlone = kind != .headless && stems[stem] == 1
                    let key = (root.isEmpty ? "" : root + "/") + inside + (isAlone ? stem : name)
                    let file = RecordingFile(
                        path: base + name, name: inside + name, key: key, kind: kind,
                        bytes: status.bytes + SignalFiles.bytes(of: kind, base + name))
                    found.append(.entry(.recording(file)))
                }
            }
            pending += found.reversed()
            return nil
        }

        private static let kinds: [String: RecordingFile.Kind] = [
            "hea": .wfdb, "edf": .edf, "bdf": .edf, "csv": .csv, "tsv": .csv,
        ]

        private static func kind(of name: String) -> RecordingFile.Kind? {
            guard let dot = name.lastIndex(of: ".") else { return nil }
            return kinds[name[name.index(after: dot)...].lowercased()]
        }

        private static func withoutSuffix(_ name: String) -> String {
            guard kind(of: name) != nil, let dot = name.lastIndex(of: ".") else { return name }
            return String(name[..<dot])
        }

        /// The folder's own name, also for `.` and `..`.
        private static func name(ofFolder path: String) -> String {
            let whole = URL(fileURLWithPath: path).standardizedFileURL.path
            return whole == "/" ? "" : whole.lastPathPart
        }
    }
}

extension RecordingScan {
    /// The headers of a folder that are segments of others in it.
    ///
    /// - Parameters:
    ///   - names: What is in the folder.
    ///   - base: The folder, with its slash.
    /// - Returns: File names.
    static func segments(of names: some Sequence<String>, in base: String) -> Set<String> {
        var segments: Set<String> = []
        for name in names where name.hasSuffix(".hea") {
            // A header that cannot be read has no segments; it gets its row when it is classified.
            let listed = try? WFDBReader().segments(ofRecord: base + name)
            for segment in listed ?? [] where segment + ".hea" != name {
                segments.insert(segment + ".hea")
            }
        }
        return segments
    }
}

/// Files of samples that only their WFDB header explains.
enum SignalFiles {
    static func isOne(_ path: String) -> Bool {
        path.lowercased().hasSuffix(".mat") || path.lowercased().hasSuffix(".dat")
    }

    /// The header that such a file has by custom.
    static func header(of path: String) -> String { path.dropLast(4) + ".hea" }

    /// The bytes beside a header in the file of its name, which is the only one of most records.
    static func bytes(of kind: RecordingFile.Kind, _ path: String) -> Int {
        guard kind == .wfdb else { return 0 }
        let stem = path.dropLast(4)
        return FileStatus(stem + ".dat")?.bytes ?? FileStatus(stem + ".mat")?.bytes ?? 0
    }

    /// Those in a folder that none of its headers names.
    static func withoutHeader(_ names: [String], in base: String) -> Set<String> {
        let known = Set(names)
        let alone = names.filter { isOne($0) && !known.contains(header(of: $0)) }
        guard !alone.isEmpty else { return [] }
        var named: Set<String> = []
        for name in names where name.hasSuffix(".hea") {
            // A header that cannot be read names no files.
            named.formUnion((try? WFDBReader().files(ofRecord: base + name)) ?? [])
        }
        return Set(alone).filter { !named.contains(base + $0) }
    }
}

/// Which file or folder it is, whatever its names.
struct FileIdentity: Hashable, Sendable {
    let device: UInt64
    let number: UInt64
}

/// What the file system says of a path, links followed.
struct FileStatus: Sendable {
    enum Kind: Sendable {
        case file, folder, other
    }

    let kind: Kind
    let bytes: Int
    /// When it was written last.
    let modified: Timestamp
    let identity: FileIdentity

    /// Nil where nothing can be said; `reason` then tells why.
    init?(_ path: String) {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { return nil }
        switch status.st_mode & S_IFMT {
        case S_IFREG: kind = .file
        case S_IFDIR: kind = .folder
        default: kind = .other
        }
        bytes = Int(status.st_size)
        modified = Self.instant(
            seconds: status.st_mtim.tv_sec, nanoseconds: status.st_mtim.tv_nsec)
        identity = FileIdentity(device: UInt64(status.st_dev), number: UInt64(status.st_ino))
    }

    /// The most seconds before and after 1970 that are told apart, sixty thousand years: a file
    /// system takes any 64 bits, which no count of microseconds has room for.
    static let secondsMaximum = 2_000_000_000_000

    /// An instant as the file system has it, to the nearest microsecond.
    static func instant(seconds: Int, nanoseconds: Int) -> Timestamp {
        let seconds = min(max(seconds, -secondsMaximum), secondsMaximum)
        return Timestamp(microseconds: Int64(seconds * 1_000_000 + (nanoseconds + 500) / 1000))
    }

    /// Whether the name is there, wherever it leads.
    static func isListed(_ path: String) -> Bool {
        var status = stat()
        return unsafe lstat(path, &status) == 0
    }

    /// Whether the name itself is a link.
    static func isLink(_ path: String) -> Bool {
        var status = stat()
        guard unsafe lstat(path, &status) == 0 else { return false }
        return status.st_mode & S_IFMT == S_IFLNK
    }

    /// Why nothing can be said of `path`.
    static func reason(_ path: String) -> String {
        var status = stat()
        guard unsafe stat(path, &status) != 0 else { return "it has come back" }
        switch errno {
        case ENOENT:
            return unsafe lstat(path, &status) == 0
                ? "the link leads nowhere" : "there is no such file or folder"
        case ELOOP: return "its symbolic links form a loop"
        case EACCES: return "permission denied"
        default: return "it cannot be looked at"
        }
    }
}
