import Foundation
import Series
import Signals

/// A file that a source has.
struct SourceFile: Sendable, Equatable {
    /// What is in it, by its name.
    enum Kind: Sendable {
        case table, wfdb, edf
        /// Samples of a WFDB record whose header is not there.
        case headless

        /// Whether it is a recording of its own.
        var isRecording: Bool { self == .wfdb || self == .edf }
    }

    let path: String
    /// The path below the folder that was searched, or the name of a file that was told by path.
    let name: String
    let kind: Kind
    let state: FileState
}

/// What tells, without reading it, whether a file has changed.
struct FileState: Sendable, Equatable {
    let size: Int
    /// When it was written last.
    let modified: Timestamp

    /// The state of the file at `path`; nil where there is none.
    init?(path: String) {
        // Whatever the reason, a file that cannot be looked at is not there.
        guard let found = try? FileManager.default.attributesOfItem(atPath: path),
            let size = found[.size] as? NSNumber, let date = found[.modificationDate] as? Date
        else { return nil }
        self.size = size.intValue
        modified = Timestamp(unixSeconds: date.timeIntervalSince1970)
    }

    init(size: Int, modified: Timestamp) {
        self.size = size
        self.modified = modified
    }

    /// The state of several files as if they were one.
    static func + (a: FileState, b: FileState) -> FileState {
        FileState(size: a.size + b.size, modified: max(a.modified, b.modified))
    }
}

/// Finds the files of a source.
struct FileScan {
    /// The most files of one pull.
    static let filesMaximum = 1_000_000

    private(set) var files: [SourceFile] = []
    /// Paths that were told and cannot be used, with the reason.
    private(set) var unusable: [(path: String, reason: String)] = []

    init(_ paths: [String]) throws {
        for path in paths {
            // Whatever the reason, a path that cannot be looked at is not there.
            let found = try? FileManager.default.attributesOfItem(
                atPath: URL(fileURLWithPath: path).resolvingSymlinksInPath().path)
            switch found?[.type] as? FileAttributeType {
            case .typeDirectory: try search(path)
            case .typeRegular: add(file: path)
            case nil: unusable.append((path, "there is no such file or folder"))
            default: unusable.append((path, "it is neither a file nor a folder"))
            }
        }
        files.sort { $0.path < $1.path }
    }

    /// A file that was told by its path is a table unless its name says otherwise.
    private mutating func add(file path: String) {
        let name = (path as NSString).lastPathComponent
        guard let state = FileState(path: path) else {
            unusable.append((path, "it cannot be looked at"))
            return
        }
        files.append(
            SourceFile(path: path, name: name, kind: Self.kind(of: name) ?? .table, state: state))
    }

    private mutating func search(_ folder: String) throws {
        guard let walk = FileManager.default.enumerator(atPath: folder) else {
            unusable.append((folder, "the folder cannot be read"))
            return
        }
        var found: [SourceFile] = []
        while let name = walk.nextObject() as? String {
            let last = (name as NSString).lastPathComponent
            if Self.isPassing(last) {
                walk.skipDescendants()
                continue
            }
            let path = folder + (folder.hasSuffix("/") ? "" : "/") + name
            let isMatrix = last.lowercased().hasSuffix(".mat")
            guard let kind = isMatrix ? .headless : Self.kind(of: last),
                let state = FileState(path: path),
                walk.fileAttributes?[.type] as? FileAttributeType == .typeRegular
            else { continue }
            found.append(SourceFile(path: path, name: name, kind: kind, state: state))
            guard files.count + found.count <= Self.filesMaximum else {
                throw IngestError.tooManyFiles(accepted: Self.filesMaximum)
            }
        }
        files += Self.recordings(found)
    }

    /// Without headers that are segments of others, and without samples that a header names.
    private static func recordings(_ found: [SourceFile]) -> [SourceFile] {
        let folders = Dictionary(grouping: found) { $0.path.dropLast($0.path.lastPathPart.count) }
        return folders.flatMap { folder, files in
            let base = String(folder)
            let names = files.map { $0.path.lastPathPart }
            let segments = RecordingScan.segments(of: names, in: base)
            let headless = SignalFiles.withoutHeader(names, in: base)
            return files.filter { file in
                let name = file.path.lastPathPart
                return file.kind == .headless ? headless.contains(name) : !segments.contains(name)
            }
        }
    }

    private static let endings: [String: SourceFile.Kind] = [
        "csv": .table, "tsv": .table, "hea": .wfdb, "edf": .edf, "bdf": .edf,
    ]

    private static func kind(of name: String) -> SourceFile.Kind? {
        endings[(name as NSString).pathExtension.lowercased()]
    }

    /// Hidden files, and the names that programs give to what they have not finished.
    static func isPassing(_ name: String) -> Bool {
        let endings = ["~", ".tmp", ".temp", ".part", ".partial", ".crdownload", ".swp", ".lock"]
        return name.hasPrefix(".") || name.hasPrefix("#") || name.hasPrefix("~")
            || endings.contains { name.lowercased().hasSuffix($0) }
    }
}

/// Why a pull as a whole could not be done.
package enum IngestError: Error, Equatable, CustomStringConvertible {
    case tooManyFiles(accepted: Int)
    case settings(String)
    /// Two columns of one table would become the same series.
    case sameSeries(key: String)
    /// A name that no series can have.
    case seriesKey(String)
    case lineTooLong(line: Int, accepted: Int)
    /// What is wrong with the settings of an MQTT source.
    case mqtt(String)
    /// What is wrong with the settings of a source.
    case settingsFlaw(String)
    /// A secret that a source refers to is not there; the reference alone.
    case secret(String)
    /// Another pull from the same source has moved its cursor meanwhile.
    case overtaken

    /// Whether what was read is at fault, rather than the settings or the database.
    var isOfData: Bool {
        switch self {
        case .sameSeries, .seriesKey, .lineTooLong: true
        case .tooManyFiles, .settings, .mqtt, .settingsFlaw, .secret, .overtaken: false
        }
    }

    package var description: String {
        switch self {
        case .tooManyFiles(let accepted): "the source has more than \(accepted) files"
        case .settings(let source): "the settings of source \"\(source)\" cannot be read"
        case .sameSeries(let key): "two columns would become the series \"\(key)\""
        case .seriesKey(let key):
            "a column would become the series \"\(key.prefix(60))\"; accepted are 1 to 400 "
                + "characters without control characters or blanks at the ends"
        case .lineTooLong(let line, let accepted):
            "line \(line) is longer than the \(accepted) bytes that are accepted"
        case .mqtt(let flaw): "the settings of an MQTT source: \(flaw)"
        case .settingsFlaw(let flaw): "the settings of the source cannot be used: \(flaw)"
        case .secret(let reference): "the secret \(reference) is not there, or is empty"
        case .overtaken: "another pull from the same source was faster"
        }
    }
}
