import Crypto
import Foundation
package import Series
package import Signals

/// How recordings are read that do not say everything themselves.
package struct RecordingOptions: Sendable, Equatable {
    /// For tables without a column of times.
    package var rate: SamplingRate?
    /// For tables whose headers have no units.
    package var unit: String?
    /// The largest file, in bytes: an hour of twelve leads at 1000 Hz has 86 million in format 16, and a
    /// wave of files is in memory at once.
    package var bytesMaximum = 256 << 20

    package init() {}
}

/// Why a file gives no recording.
package struct RecordingFileError: Error, Hashable, Sendable, CustomStringConvertible {
    /// A word that stays the same in all versions.
    package enum Code: String, Sendable {
        case unreadable = "file_unreadable"
        case malformed = "file_malformed"
        case unknownFormat = "format_unknown"
        case headerMissing = "header_missing"
        case tooLarge = "file_too_large"
    }

    package let code: Code
    /// One sentence that names the file.
    package let description: String

    /// Samples whose header is not there.
    static func headerMissing(_ path: String) -> RecordingFileError {
        RecordingFileError(
            code: .headerMissing,
            description:
                "\(path.lastPathPart): samples alone say neither leads nor units nor rate; "
                + "the WFDB header (.hea) that names the file is needed beside it.")
    }
}

extension RecordingFile {
    /// The recording in the file.
    ///
    /// - Parameter options: What the file does not say itself.
    /// - Returns: The recording as the file gave it.
    /// - Throws: `RecordingFileError`.
    package func read(_ options: RecordingOptions) throws(RecordingFileError) -> Recording {
        guard bytes <= options.bytesMaximum else {
            throw RecordingFileError(
                code: .tooLarge,
                description: "\(path.lastPathPart): the file has \(bytes) bytes, and at most "
                    + "\(options.bytesMaximum) are accepted.")
        }
        do {
            switch kind {
            case .wfdb:
                var reader = WFDBReader()
                reader.bytesMaximum = options.bytesMaximum
                return try reader.read(header: path)
            case .edf:
                var reader = EDFReader()
                reader.bytesMaximum = options.bytesMaximum
                return try reader.read(file: path)
            case .csv:
                var reader = CSVReader()
                reader.options.bytesMaximum = options.bytesMaximum
                return try reader.recording(file: path, rate: options.rate, unit: options.unit)
            case .headless, .unknown: break
            }
        } catch {
            throw RecordingFileError(code: Self.code(of: error), description: "\(error)")
        }
        guard kind != .headless else {
            throw .headerMissing(path)
        }
        throw RecordingFileError(
            code: .unknownFormat,
            description: "\(path.lastPathPart): the format is not known by this name; accepted are "
                + ".hea (WFDB), .edf, .bdf, .csv and .tsv.")
    }

    private static func code(of error: any Error) -> RecordingFileError.Code {
        switch error {
        case let error as WFDBError:
            switch error.reason {
            case .unreadable: return .unreadable
            case .tooLarge, .tooLong: return .tooLarge
            default: break
            }
        case let error as EDFError:
            switch error.reason {
            case .unreadable: return .unreadable
            case .tooLarge, .tooLong: return .tooLarge
            default: break
            }
        case let error as CSVError:
            if case .unreadable = error.reason { return .unreadable }
            if case .tooLarge = error.reason { return .tooLarge }
        default: break
        }
        return .malformed
    }

    /// SHA-256 over the bytes of all files of the recording, in hexadecimal digits.
    ///
    /// - Parameter bytesMaximum: Larger files have no digest.
    /// - Returns: Nil where a file cannot be read.
    package func contentDigest(bytesMaximum: Int) -> String? {
        // A record whose header cannot be understood is its header alone.
        let files = kind == .wfdb ? (try? WFDBReader().files(ofRecord: path)) ?? [path] : [path]
        var hash = SHA256()
        for file in files {
            guard let status = FileStatus(file), status.kind == .file,
                status.bytes <= bytesMaximum,
                let data = FileManager.default.contents(atPath: file)
            else { return nil }
            hash.update(data: data)
        }
        return hash.hexadecimal
    }
}
