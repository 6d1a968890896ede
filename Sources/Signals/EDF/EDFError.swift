/// Why an EDF, EDF+ or BDF file could not be read. Its description is one sentence.
package struct EDFError: Error, Equatable, CustomStringConvertible {
    package let file: String
    package let reason: Reason

    /// What was found, and with it what is accepted.
    package enum Reason: Equatable, Sendable {
        case unreadable(String)
        case tooLarge(bytes: Int, accepted: Int)
        case empty
        case notEDF
        case headerTooShort(bytes: Int, accepted: Int)
        case field(Field, signal: Int?, found: String)
        case tooManySignals(declared: Int, accepted: Int)
        case calibration(signal: Int)
        case noOnset(record: Int)
        case overlap(record: Int)
        case tooLong(samples: Double, accepted: Int)
        case gapTooLong(record: Int, seconds: Double, accepted: Double)
    }

    /// A field of the header.
    package enum Field: String, Sendable {
        case headerBytes = "header length"
        case recordCount = "number of data records"
        case recordSeconds = "duration of a data record"
        case signalCount = "number of signals"
        case samplesPerRecord = "number of samples per data record"
        case digitalRange = "digital minimum or maximum"
        case physicalRange = "physical minimum or maximum"
    }

    package var description: String { "\(file): \(sentence)." }

    private var sentence: String {
        switch reason {
        case .unreadable(let why): "the file cannot be read (\(why))"
        case .tooLarge(let bytes, let accepted):
            "the file is too large: it has \(bytes) bytes, and at most \(accepted) are accepted"
        case .empty: "the file is empty"
        case .notEDF:
            "the file begins like neither EDF (\"0\" and blanks) nor BDF (byte 255 and BIOSEMI)"
        case .headerTooShort(let bytes, let accepted):
            "the file has \(bytes) bytes, and its header alone takes \(accepted)"
        case .field(let field, let signal, let found):
            "the \(field.rawValue)\(signal.map { " of signal \($0 + 1)" } ?? "") is "
                + "\"\(found.prefix(20))\"; accepted is a number in range"
        case .tooManySignals(let declared, let accepted):
            "the header promises \(declared) signals, and at most \(accepted) are accepted"
        case .calibration(let signal):
            "signal \(signal + 1) has an empty digital or physical range, so that it has no scale"
        case .noOnset(let record): "data record \(record + 1) does not tell when it begins"
        case .overlap(let record): "data record \(record + 1) begins before the last one ends"
        case .tooLong(let samples, let accepted):
            "the signals with their gaps have \(samples) samples, and at most \(accepted) are accepted"
        case .gapTooLong(let record, let seconds, let accepted):
            "\(seconds) s are missing before data record \(record + 1), and gaps up to "
                + "\(accepted) s are accepted"
        }
    }
}
