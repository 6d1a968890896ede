/// Why a `.tsf` file could not be read.
package struct TSFError: Error, Equatable {
    /// What is wrong.
    package enum Reason: Equatable, Sendable {
        /// Compressed; this reader wants the text itself.
        case gzip
        case unreadable(String)
        case noData
        case noSeries
        case horizon(found: String)
        /// A line of data has fewer parts than the header has attributes.
        case attributes(found: Int, needed: Int)
        /// A value is neither a number nor `?`; the place counts from 1.
        case value(place: Int)
    }

    package let file: String
    /// From 1; nil where the file as a whole is meant.
    package let line: Int?
    package let reason: Reason

    package init(file: String, line: Int?, reason: Reason) {
        self.file = file
        self.line = line
        self.reason = reason
    }
}

extension TSFError: CustomStringConvertible {
    package var description: String {
        let place = line.map { "\(file), line \($0): " } ?? "\(file): "
        switch reason {
        case .gzip: return place + "the file is compressed; unpack it with gunzip -k first"
        case .unreadable(let why): return place + why
        case .noData: return place + "there is no @data line"
        case .noSeries: return place + "no series follows the @data line"
        case .horizon(let found):
            return place + "@horizon is '\(found)'; accepted is a whole number above zero"
        case .attributes(let found, let needed):
            return place + "\(found) parts before the values; the header names \(needed) attributes"
        case .value(let place1): return place + "value \(place1) is neither a number nor ?"
        }
    }
}
