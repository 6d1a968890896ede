import Foundation

/// A set of series in the text format of the Monash archive.
package struct TSFSet: Hashable, Sendable {
    /// One series; its place in time does not matter here.
    package struct Series: Hashable, Sendable {
        package let name: String
        /// NaN where missing.
        package let values: [Double]
    }

    /// The file's name without its ending.
    package let name: String
    /// Such as `monthly`; empty where the header does not say.
    package let frequency: String
    /// Steps to forecast; nil where the header does not say.
    package let horizon: Int?
    package let series: [Series]
}

/// Reads `.tsf` files: `@` lines that describe, `@data`, then one series per line, its attributes and
/// values parted by `:`, the values by `,`, with `?` for a missing one.
///
/// - Source: Godahewa et al. 2021, "Monash Time Series Forecasting Archive", appendix.
package enum TSFReader {
    /// The largest file read, in bytes.
    package static let bytesMaximum = 1 << 30

    /// The set in the file at `path`.
    package static func read(file path: String) throws(TSFError) -> TSFSet {
        let name = path.lastPathPart
        let bytes: [UInt8]
        do throws(CSVError) {
            bytes = try FileBytes.read(path, limit: bytesMaximum)
        } catch {
            throw TSFError(file: name, line: nil, reason: .unreadable(error.reason.sentence))
        }
        return try read(bytes, name: name)
    }

    /// The set in `bytes`, called `name` in errors.
    package static func read(_ bytes: [UInt8], name: String) throws(TSFError) -> TSFSet {
        if bytes.starts(with: [0x1F, 0x8B]) {
            throw TSFError(file: name, line: nil, reason: .gzip)
        }
        var header = Header()
        var isData = false
        var series: [TSFSet.Series] = []
        for (index, line) in bytes.split(
            separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false
        ).enumerated() {
            let line = line.last == UInt8(ascii: "\r") ? line.dropLast() : line
            if line.isEmpty || line.first == UInt8(ascii: "#") { continue }
            do throws(Refusal) {
                if isData {
                    series.append(
                        try Self.series(line, attributes: header.attributes, index: series.count))
                } else {
                    isData = try header.read(line)
                }
            } catch {
                throw TSFError(file: name, line: index + 1, reason: error.reason)
            }
        }
        guard isData else { throw TSFError(file: name, line: nil, reason: .noData) }
        guard !series.isEmpty else { throw TSFError(file: name, line: nil, reason: .noSeries) }
        return TSFSet(
            name: name.hasSuffix(".tsf") ? String(name.dropLast(4)) : name,
            frequency: header.frequency, horizon: header.horizon, series: series)
    }

    /// What is wrong with a line; the caller adds where.
    private struct Refusal: Error {
        let reason: TSFError.Reason
    }

    private struct Header {
        var attributes = 0
        var frequency = ""
        var horizon: Int?

        /// Takes in one line; says whether the data begin after it.
        mutating func read(_ line: ArraySlice<UInt8>) throws(Refusal) -> Bool {
            let words = String(decoding: line, as: UTF8.self).split(separator: " ")
            switch words.first {
            case "@data": return true
            case "@attribute": attributes += 1
            case "@frequency": frequency = words.dropFirst().first.map(String.init) ?? ""
            case "@horizon":
                let text = words.dropFirst().first.map(String.init) ?? ""
                guard let value = Int(text), value > 0 else {
                    throw Refusal(reason: .horizon(found: String(text.prefix(20))))
                }
                horizon = value
            default: break
            }
            return false
        }
    }

    private static func series(
        _ line: ArraySlice<UInt8>, attributes: Int, index: Int
    ) throws(Refusal) -> TSFSet.Series {
        let parts = line.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        guard parts.count == attributes + 1, let text = parts.last else {
            throw Refusal(reason: .attributes(found: parts.count - 1, needed: attributes))
        }
        let scanner = DecimalScanner(mark: UInt8(ascii: "."))
        var values: [Double] = []
        for part in text.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false) {
            let word = Array(part)
            if word == [UInt8(ascii: "?")] {
                values.append(.nan)
                continue
            }
            var position = 0
            guard let value = scanner.scan(word.span, &position), position == word.count,
                value.isFinite
            else { throw Refusal(reason: .value(place: values.count + 1)) }
            values.append(value)
        }
        let name = attributes > 0 ? String(decoding: parts[0], as: UTF8.self) : "\(index + 1)"
        return TSFSet.Series(name: name, values: values)
    }
}
