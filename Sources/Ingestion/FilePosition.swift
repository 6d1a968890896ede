import Crypto
import Foundation
import Postgres
import Series
import Signals
import Store

/// How far a file is stored; the cursor of its part of the source.
struct FilePosition: Sendable, Equatable, Codable {
    /// The file's size when it was read, in bytes.
    var size: Int
    /// When it had been written, in microseconds since 1970.
    var modified: Int64
    /// Where reading goes on if the file has grown: behind the last whole line, in bytes.
    var resume = 0
    /// The line that begins there, from 1.
    var line = 1
    /// SHA-256 of what lies before `resume`, in hexadecimal.
    var prefix = ""
    /// SHA-256 of the whole file; nil while it is not stored whole.
    var content: String?
    /// Why the file was rejected as it was then; nothing that stands in it.
    private(set) var rejected: String?
    /// Whether that may pass while the file stays as it is, so that it is tried again; nil for no.
    private(set) var mayPass: Bool?
    /// Whether it is that there are no rows yet, which troubles nobody; nil for no.
    private(set) var isBeginning: Bool?

    init(_ state: FileState) {
        size = state.size
        modified = state.modified.microseconds
    }

    /// Whether nothing is to be done while the file is in `state`.
    func settles(_ state: FileState) -> Bool {
        isOf(state) && mayPass != true && (content != nil || rejected != nil)
    }

    /// Whether the file was rejected in `state` for a reason that may pass, and counted.
    func awaits(_ state: FileState) -> Bool { isOf(state) && mayPass == true }

    /// Keeps why the file was rejected in `state`; what is stored of it stays behind the position.
    mutating func reject(_ fault: FileFault, in state: FileState) {
        size = state.size
        modified = state.modified.microseconds
        content = nil
        rejected = fault.discreet
        mayPass = fault.mayPass ? true : nil
        isBeginning = fault.isOfBeginning ? true : nil
    }

    private func isOf(_ state: FileState) -> Bool {
        size == state.size && modified == state.modified.microseconds
    }

    /// The position in a stored cursor; nil for one that this version cannot read, so that the
    /// file is read again, which changes nothing that is there.
    static func decode(_ json: String) -> FilePosition? {
        try? JSONDecoder().decode(FilePosition.self, from: Data(json.utf8))
    }

    func json() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        return String(decoding: try encoder.encode(self), as: UTF8.self)
    }
}

/// Why a file of a pull was not stored, or not whole.
struct FileFault: Sendable, Equatable {
    /// One sentence for who asked for the pull; may quote what stands in the file.
    let description: String
    /// The sentence without anything that stands in the file; what is kept.
    let discreet: String
    /// Whether it may pass while the file stays as it is: it could not be opened or read.
    let mayPass: Bool
    /// Whether a table has nothing but a header yet, or not even that.
    private(set) var isOfBeginning = false

    /// Nil for an error that is not the file's fault, and ends the pull.
    init?(_ error: any Error) {
        let sentence = IngestError.sentence(for: error, otherwise: Self.unreadable)
        switch error {
        case is CancellationError, is PoolError: return nil
        case let error as PostgresError:
            guard error.isOfData else { return nil }
            self.init(sentence)
        case let error as IngestError:
            guard error.isOfData else { return nil }
            self.init(sentence, discreet: error.discreet)
        case let error as CSVError:
            self.init(sentence, discreet: error.discreet, mayPass: error.isOfReading)
            isOfBeginning = error.reason == .empty || error.reason == .noRows
        case let error as WFDBError:
            self.init(sentence, discreet: Self.discreet(error), mayPass: error.isOfReading)
        case let error as EDFError:
            self.init(sentence, discreet: Self.discreet(error), mayPass: error.isOfReading)
        case is RecordingFileError, is StoreError: self.init(sentence)
        default: self.init(Self.unreadable, mayPass: true)
        }
    }

    private init(_ description: String, discreet: String? = nil, mayPass: Bool = false) {
        self.description = description
        self.discreet = discreet ?? description
        self.mayPass = mayPass
    }

    private static let unreadable = "the file cannot be read"

    private static func discreet(_ error: WFDBError) -> String {
        let flaw: String
        switch error.reason {
        case .field(let field, _): flaw = "the \(field.rawValue) cannot be used"
        case .segmentName, .fileName: flaw = "a name in it is none of a file beside the header"
        case .segmentSignal: flaw = "a signal has no place in the record, or another rate"
        default: return error.description
        }
        return (error.line.map { "\(error.file), line \($0): " } ?? "\(error.file): ") + flaw + "."
    }

    private static func discreet(_ error: EDFError) -> String {
        guard case .field(let field, let signal, _) = error.reason else { return error.description }
        let whose = signal.map { " of signal \($0 + 1)" } ?? ""
        return "\(error.file): the \(field.rawValue)\(whose) is no number in range."
    }
}

// What follows tells files that could not be opened or read from those with something wrong in them.

extension CSVError {
    fileprivate var isOfReading: Bool {
        if case .unreadable = reason { true } else { false }
    }
}

extension WFDBError {
    fileprivate var isOfReading: Bool {
        if case .unreadable = reason { true } else { false }
    }
}

extension EDFError {
    fileprivate var isOfReading: Bool {
        if case .unreadable = reason { true } else { false }
    }
}

extension IngestError {
    /// The sentence without names that a file gives.
    fileprivate var discreet: String {
        switch self {
        case .sameSeries: "two columns or queries would become the same series"
        case .seriesKey:
            "a column has a name that no series can have; accepted are 1 to 400 characters, with "
                + "the source's, without control characters or blanks at the ends"
        default: description
        }
    }
}

extension SHA256 {
    /// The digest of what was put in so far, in hexadecimal.
    var hexadecimal: String {
        finalize().map { byte in
            let text = String(byte, radix: 16)
            return byte < 16 ? "0" + text : text
        }.joined()
    }
}

/// SHA-256 of bytes.
enum Digest {
    static func hexadecimal(of bytes: [UInt8]) -> String {
        var hash = SHA256()
        hash.update(data: bytes)
        return hash.hexadecimal
    }
}
