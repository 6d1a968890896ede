import Foundation
package import Series

/// Reads pieces of recordings as devices send them: a line of JSON that says what they are, and the
/// samples either in it or behind it.
///
/// ```json
/// {"recording": "ward3/bed7", "channels": ["I", "II"], "unit": "mV", "gain": 1000, "rate": 500,
///  "first": 120000, "at": "2026-11-21T10:04:00Z", "samples": [[12, 15, null], [3, 4, 5]]}
/// ```
///
/// `rate` is in hertz, or `[samples, seconds]`. `first` is the position of the first sample in the
/// recording, `at` (or `at_us`, microseconds since 1970) the device's time of it; one of them must be
/// there. `samples` has a list a channel; instead of it `data` has them in Base64, or they follow the
/// line as bytes, little-endian, of the `form` `int16`, `int32` or `float32`, one channel after the
/// other, or with `"interleaved": true` one instant after the other. `"end": true` ends the recording.
package enum WaveformPieceReader {
    /// The largest piece, in bytes.
    package static let bytesMaximum = 64 << 20

    /// Reads one piece.
    ///
    /// - Parameters:
    ///   - bytes: The message.
    ///   - recording: The key, where the piece does not say it itself, or must not.
    /// - Returns: The piece.
    /// - Throws: `WaveformPieceError`.
    package static func read(
        _ bytes: [UInt8], recording: String? = nil
    ) throws(WaveformPieceError) -> WaveformPiece {
        guard bytes.count <= bytesMaximum else { throw .tooLarge }
        guard bytes.first == UInt8(ascii: "{") else { throw .noObject }
        // A line end in the head can only stand between two of its fields: JSON escapes all others.
        let line = bytes.firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
        let head: PieceHead
        do {
            head = try JSONDecoder().decode(PieceHead.self, from: Data(bytes[..<line]))
        } catch let DecodingError.typeMismatch(_, context) {
            throw .field(Self.name(context))
        } catch let DecodingError.keyNotFound(key, _) {
            throw .missing(key.stringValue)
        } catch let DecodingError.valueNotFound(_, context) {
            throw .field(Self.name(context))
        } catch let DecodingError.dataCorrupted(context) where !context.codingPath.isEmpty {
            throw .field(Self.name(context))
        } catch {
            throw .noObject
        }
        return try head.piece(recording: recording, behind: bytes[min(line + 1, bytes.count)...])
    }

    private static func name(_ context: DecodingError.Context) -> String {
        context.codingPath.first?.stringValue ?? "the object"
    }
}

/// Why a piece cannot be read. Names fields, never what is in them.
package enum WaveformPieceError: Error, Equatable, Sendable, CustomStringConvertible {
    case tooLarge
    case noObject
    case missing(String)
    /// A field of another kind, or outside its range.
    case field(String)
    /// Samples that are not the same number for each channel.
    case uneven

    /// One sentence.
    package var description: String {
        switch self {
        case .tooLarge: "the piece is longer than \(WaveformPieceReader.bytesMaximum) bytes"
        case .noObject: "the piece does not begin with a line of JSON, an object"
        case .missing(let field): "the piece has no field \"\(field)\""
        case .field(let field): "the field \"\(field)\" of the piece cannot be used"
        case .uneven: "the channels of the piece do not have the same number of samples"
        }
    }
}

/// The line of JSON as it came.
private struct PieceHead: Decodable {
    /// A number or a list.
    enum OneOrMany<Value: Decodable>: Decodable {
        case one(Value), many([Value])

        init(from decoder: any Decoder) throws {
            let box = try decoder.singleValueContainer()
            do {
                self = .one(try box.decode(Value.self))
            } catch {
                self = .many(try box.decode([Value].self))
            }
        }

        /// One for each of `count`; nil where there are others.
        func values(_ count: Int) -> [Value]? {
            switch self {
            case .one(let value): Array(repeating: value, count: count)
            case .many(let values): values.count == count ? values : nil
            }
        }
    }

    let recording: String?
    let channels: [String]
    let unit: OneOrMany<String>?
    let gain: OneOrMany<Double>?
    let baseline: OneOrMany<Double>?
    let rate: OneOrMany<Int64>
    let first: Int64?
    let at: String?
    let atMicroseconds: Int64?
    let form: String?
    let interleaved: Bool?
    let samples: [[Double?]]?
    let data: String?
    let end: Bool?

    enum CodingKeys: String, CodingKey {
        case recording, channels, unit, gain, baseline, rate, first, at, form, interleaved, samples
        case data, end
        case atMicroseconds = "at_us"
    }

    func piece(
        recording told: String?, behind bytes: ArraySlice<UInt8>
    ) throws(WaveformPieceError) -> WaveformPiece {
        guard let key = told ?? recording else { throw .missing("recording") }
        guard Self.isUsable(key) else { throw .field("recording") }
        let channels = try pieceChannels()
        let time = try instant()
        guard first != nil || time != nil else { throw .missing("first") }
        let rate = try samplingRate()
        // Further from the start than anybody records, and no time can be told.
        if let first, first < 0 || Double(first) * rate.stepSeconds > Self.secondsMaximum {
            throw .field("first")
        }
        let (words, form) = try words(behind: bytes)
        guard words.count % channels.count == 0 else { throw .uneven }
        return WaveformPiece(
            recording: key, channels: channels, rate: rate, first: first, at: time,
            form: form, words: words, isLast: end ?? false)
    }

    /// A century.
    private static let secondsMaximum = 3_155_760_000.0

    private static func isUsable(_ key: String) -> Bool {
        key.first?.isWhitespace == false && key.last?.isWhitespace == false
            && isUsable(key, lengths: 1...400)
    }

    private static func isUsable(_ name: String, lengths: ClosedRange<Int>) -> Bool {
        lengths.contains(name.unicodeScalars.count)
            && !name.unicodeScalars.contains { $0.properties.generalCategory == .control }
    }

    private func pieceChannels() throws(WaveformPieceError) -> [PieceChannel] {
        let count = channels.count
        guard (1...WaveformPiece.channelsMaximum).contains(count),
            channels.allSatisfy({ Self.isUsable($0, lengths: 1...100) }),
            Set(channels).count == count
        else { throw .field("channels") }
        guard let units = (unit ?? .one("")).values(count),
            units.allSatisfy({ Self.isUsable($0, lengths: 0...100) })
        else { throw .field("unit") }
        guard let gains = (gain ?? .one(1)).values(count),
            gains.allSatisfy({ $0.isFinite && $0 != 0 })
        else { throw .field("gain") }
        guard let baselines = (baseline ?? .one(0)).values(count),
            baselines.allSatisfy(\.isFinite)
        else { throw .field("baseline") }
        return channels.indices.map { index in
            PieceChannel(
                channel: Channel(name: channels[index], unit: PhysicalUnit(units[index])),
                gain: gains[index], baseline: baselines[index])
        }
    }

    private func samplingRate() throws(WaveformPieceError) -> SamplingRate {
        let parts: [Int64] =
            switch rate {
            case .one(let hertz): [hertz, 1]
            case .many(let parts): parts
            }
        guard parts.count == 2, parts.allSatisfy({ $0 > 0 && $0 <= 1_000_000_000 }),
            WaveformPiece.hertz.contains(Double(parts[0]) / Double(parts[1]))
        else { throw .field("rate") }
        return SamplingRate(parts[0], per: parts[1])
    }

    private func instant() throws(WaveformPieceError) -> Timestamp? {
        // Within the years that PostgreSQL and we can both hold, with room for arithmetic.
        let range = Int64(-2_208_988_800_000_000)..<Int64(32_503_680_000_000_000)
        if let atMicroseconds {
            guard range.contains(atMicroseconds) else { throw .field("at_us") }
            return Timestamp(microseconds: atMicroseconds)
        }
        guard let at else { return nil }
        guard let time = Timestamp(iso8601: at), range.contains(time.microseconds) else {
            throw .field("at")
        }
        return time
    }

    /// The samples, one channel after the other.
    private func words(
        behind bytes: ArraySlice<UInt8>
    ) throws(WaveformPieceError) -> ([Int32], WaveformPiece.Form) {
        if let samples { return try words(of: samples) }
        let form: WaveformPiece.Form = self.form == "float32" ? .reals : .integers
        var raw = bytes
        if let data {
            guard let decoded = Data(base64Encoded: data) else { throw .field("data") }
            raw = [UInt8](decoded)[...]
        }
        if raw.isEmpty, end == true { return ([], form) }
        let width: Int
        switch self.form {
        case "int16": width = 2
        case "int32", "float32": width = 4
        case nil: throw raw.isEmpty ? .missing("samples") : .missing("form")
        default: throw .field("form")
        }
        guard raw.count % (width * channels.count) == 0 else { throw .uneven }
        return (arranged(Self.words(raw, width, form)), form)
    }

    private static func words(
        _ raw: ArraySlice<UInt8>, _ width: Int, _ form: WaveformPiece.Form
    ) -> [Int32] {
        var words: [Int32] = []
        words.reserveCapacity(raw.count / width)
        var place = raw.startIndex
        while place < raw.endIndex {
            let low = Int32(raw[place]) | Int32(raw[place + 1]) << 8
            if width == 2 {
                words.append(Int32(Int16(truncatingIfNeeded: low)))
            } else {
                let word = low | Int32(raw[place + 2]) << 16 | Int32(raw[place + 3]) << 24
                words.append(
                    form == .integers
                        ? word : WaveformPiece.word(Float(bitPattern: UInt32(bitPattern: word))))
            }
            place += width
        }
        return words
    }

    /// One channel after the other, where they came one instant after the other.
    private func arranged(_ words: [Int32]) -> [Int32] {
        guard interleaved == true, channels.count > 1 else { return words }
        let count = words.count / channels.count
        var arranged = [Int32](repeating: 0, count: words.count)
        for channel in channels.indices {
            for index in 0..<count {
                arranged[channel * count + index] = words[index * channels.count + channel]
            }
        }
        return arranged
    }

    private func words(
        of samples: [[Double?]]
    ) throws(WaveformPieceError) -> ([Int32], WaveformPiece.Form) {
        let isInterleaved = interleaved == true
        let width = isInterleaved ? channels.count : samples.first?.count ?? 0
        guard samples.allSatisfy({ $0.count == width }),
            isInterleaved || samples.count == channels.count
        else { throw .uneven }
        let form: WaveformPiece.Form
        switch self.form {
        case nil, "int16", "int32": form = .integers
        case "float32": form = .reals
        default: throw .field("form")
        }
        var words: [Int32] = []
        words.reserveCapacity(samples.count * width)
        for row in samples {
            for value in row {
                guard let value else {
                    words.append(WaveformPiece.missing)
                    continue
                }
                if form == .reals {
                    words.append(WaveformPiece.word(Float(value)))
                } else {
                    guard let word = Int32(exactly: value) else { throw .field("samples") }
                    words.append(word)
                }
            }
        }
        return (arranged(words), form)
    }
}
