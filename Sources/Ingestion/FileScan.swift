import Foundation
import Postgres
import Series

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
    /// What a recording is called in its source: the name without its suffix, but with it where
    /// another recording has the same one without.
    fileprivate(set) var title: String
    let kind: Kind
    /// As it was found.
    let state: FileState
}

/// What tells, without reading it, whether a file has changed.
struct FileState: Sendable, Equatable {
    let size: Int
    /// When it was written last.
    let modified: Timestamp

    init(_ status: FileStatus) {
        self.init(size: status.bytes, modified: status.modified)
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

/// Finds the files of a source, each path once, in the order of the paths.
struct FileScan {
    /// The most files of one pull.
    static let filesMaximum = 1_000_000

    private(set) var files: [SourceFile] = []
    /// Paths that cannot be used, with the reason.
    private(set) var unusable: [(path: String, reason: String)] = []

    init(_ paths: [String]) throws(IngestError) {
        let told = Set(paths)
        var known: Set<String> = []
        for found in RecordingScan(paths) {
            switch found {
            case .unusable(let path, let reason): unusable.append((path, reason))
            case .recording(let file):
                // One that has gone since it was found is no part of the source.
                guard known.insert(file.path).inserted, let status = FileStatus(file.path),
                    status.kind == .file
                else { continue }
                files.append(
                    SourceFile(
                        path: file.path, name: file.name, title: Self.withoutSuffix(file.name),
                        kind: Self.kind(of: file, isTold: told.contains(file.path)),
                        state: FileState(status)))
            }
            guard files.count + unusable.count <= Self.filesMaximum else {
                throw .tooManyFiles(accepted: Self.filesMaximum)
            }
        }
        files.sort { $0.path < $1.path }
        giveTitles()
    }

    /// A file that was told by its path is a table unless its name says otherwise.
    private static func kind(of file: RecordingFile, isTold: Bool) -> SourceFile.Kind {
        switch file.kind {
        case .wfdb: .wfdb
        case .edf: .edf
        case .csv, .unknown: .table
        case .headless: isTold ? .table : .headless
        }
    }

    /// Where `a.edf` stands beside `a.hea`, both keep their suffixes.
    private mutating func giveTitles() {
        var counts: [String: Int] = [:]
        for file in files where file.kind.isRecording { counts[file.title, default: 0] += 1 }
        for index in files.indices where files[index].kind.isRecording {
            if counts[files[index].title] != 1 { files[index].title = files[index].name }
        }
    }

    private static func withoutSuffix(_ name: String) -> String {
        (name as NSString).deletingPathExtension
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
        case .tooManyFiles, .settings, .settingsFlaw, .secret, .overtaken: false
        }
    }

    package var description: String {
        switch self {
        case .tooManyFiles(let accepted): "the source has more than \(accepted) files"
        case .settings(let source): "the settings of source \"\(source)\" cannot be read"
        case .sameSeries(let key): "two columns or queries would become the series \"\(key)\""
        case .seriesKey(let key):
            "a column would become the series \"\(key.prefix(60))\"; accepted are 1 to 400 "
                + "characters without control characters or blanks at the ends"
        case .lineTooLong(let line, let accepted):
            "line \(line) is longer than the \(accepted) bytes that are accepted"
        case .settingsFlaw(let flaw): "the settings of the source cannot be used: \(flaw)"
        case .secret(let reference): "the secret \(reference) is not there, or is empty"
        case .overtaken: "its cursor was moved meanwhile, by another pull or a reset"
        }
    }
}

extension IngestError {
    /// What went wrong, in one sentence without parameters of a statement.
    ///
    /// - Parameters:
    ///   - error: Any.
    ///   - otherwise: The sentence for an error that has none for people.
    /// - Returns: The error's own sentence, where it has one.
    static func sentence(for error: any Error, otherwise: String) -> String {
        switch error {
        case let error as PostgresError: "the database refused it (\(error.sqlState))"
        case let error as any CustomStringConvertible where !(error is NSError): error.description
        default: otherwise
        }
    }
}
