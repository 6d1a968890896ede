/// Why a WFDB record could not be read. Its description is one sentence.
package struct WFDBError: Error, Equatable, CustomStringConvertible {
    /// The header or signal file.
    package let file: String
    /// The line of the header, from 1; nil where the file as a whole is meant.
    package let line: Int?
    package let reason: Reason

    /// What was found, and with it what is accepted.
    package enum Reason: Equatable, Sendable {
        case unreadable(String)
        case tooLarge(bytes: Int, accepted: Int)
        case empty
        case field(Field, found: String)
        case signalCount(declared: Int, found: Int)
        case tooManySignals(declared: Int, accepted: Int)
        case segmentCount(declared: Int, found: Int)
        /// A segment that is itself a record of segments.
        case nestedSegments
        case noSegment(listed: Int)
        case segmentName(String)
        case segmentSignal(String)
        case tooLong(samples: Int, accepted: Int)
        case flacChannels(declared: Int, found: Int)
        case flacFrames
        case format(Int)
        case mixedFormats(first: Int, second: Int)
        case fileName(String)
        case byteOffset(Int, bytes: Int)
    }

    /// A field of the header.
    package enum Field: String, Sendable {
        case recordName = "record name"
        case segmentCount = "number of segments"
        case signalCount = "number of signals"
        case samplingRate = "sampling rate"
        case sampleCount = "number of samples"
        case format = "signal format"
        case gain = "gain"
        case resolution = "ADC resolution"
        case zero = "ADC zero"
        case initialValue = "initial value"
        case checksum = "checksum"
    }

    package var description: String {
        let place = line.map { "\(file), line \($0): " } ?? "\(file): "
        return place + sentence + "."
    }

    private var sentence: String {
        switch reason {
        case .unreadable(let why): "the file cannot be read (\(why))"
        case .tooLarge(let bytes, let accepted):
            "the file is too large: it has \(bytes) bytes, and at most \(accepted) are accepted"
        case .empty: "the header has no record line"
        case .field(let field, let found):
            "the \(field.rawValue) is \"\(found.prefix(40))\"; accepted is \(field.accepted)"
        case .signalCount(let declared, let found):
            "the header promises \(declared) signals and describes \(found)"
        case .tooManySignals(let declared, let accepted):
            "the header promises \(declared) signals, and at most \(accepted) are accepted"
        case .segmentCount(let declared, let found):
            "the header promises \(declared) segments and lists \(found)"
        case .nestedSegments: "a segment is made of segments itself; one level is accepted"
        case .noSegment(let listed): "none of the \(listed) segments can be read"
        case .segmentName(let name):
            "a segment is named \"\(name.prefix(40))\"; accepted is a record beside the header"
        case .segmentSignal(let name):
            "the signal \"\(name.prefix(40))\" of the segment has no place in the record, or another rate"
        case .tooLong(let samples, let accepted):
            "the segments add up to \(samples) samples, and at most \(accepted) are accepted"
        case .flacChannels(let declared, let found):
            "the header describes \(declared) signals in the file, whose FLAC stream has \(found)"
        case .flacFrames:
            "the signals of a FLAC file have different numbers of samples per frame; one is accepted"
        case .format(let code):
            "the signal format \(code) is not read; accepted are "
                + WFDBFormat.allCases.map { "\($0.rawValue)" }.joined(separator: ", ")
        case .mixedFormats(let first, let second):
            "the file has signals in the formats \(first) and \(second); one is accepted"
        case .fileName(let name):
            "the signal file is named \"\(name.prefix(40))\"; accepted is a file beside the header"
        case .byteOffset(let offset, let bytes):
            "the samples are said to begin at byte \(offset) of \(bytes)"
        }
    }
}

extension WFDBError.Field {
    var accepted: String {
        switch self {
        case .recordName: "a name without blanks"
        case .segmentCount: "a whole number from 1 to \(WFDBHeader.segmentsMaximum)"
        case .signalCount, .sampleCount: "a whole number from 0"
        case .samplingRate: "a number of hertz above 0 up to 1000000, such as 360 or 62.4725"
        case .format: "a number such as 16 or 212, with x, : and + parts as in 16x2:3+24"
        case .gain: "gain(baseline)/unit such as 200(1024)/mV"
        case .resolution, .zero, .initialValue, .checksum: "a whole number"
        }
    }
}
