import CTerminal
import Foundation
import Glibc
import Synchronization

/// What commands say to people: tables on standard output, progress and complaints on standard
/// error.
enum Terminal {
    /// Writes one line to standard error.
    static func complain(_ text: String) {
        FileHandle.standardError.write(Data((text + "\n").utf8))
    }

    /// Hands on what was printed, so that a reader behind a pipe sees it now.
    ///
    /// - Throws: `OutputFailure` where that fails, or where something printed before was lost.
    static func flush() throws {
        let failure = cterminal_flush()
        guard failure == 0 else { throw OutputFailure(code: failure) }
    }

    /// Writes to standard output at once, and fails where that fails, which `print` does not.
    ///
    /// - Parameter bytes: Written whole, behind what was printed and handed on before.
    /// - Throws: `OutputFailure`.
    static func write(all bytes: [UInt8]) throws {
        var written = 0
        while written < bytes.count {
            let count = unsafe bytes[written...].withUnsafeBytes { rest in
                unsafe Glibc.write(1, rest.baseAddress, rest.count)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw OutputFailure(code: errno) }
            written += count
        }
    }

    /// Standard output takes no more.
    struct OutputFailure: Error, CustomStringConvertible {
        /// As the system numbers its errors; -1 where what failed was an earlier write.
        let code: Int32

        var description: String {
            guard code > 0 else { return "standard output could not be written" }
            let reason = unsafe String(cString: strerror(code))
            return "standard output cannot be written: \(reason)"
        }
    }

    /// Prints rows under a header, columns padded to their widest cell; numbers to the right.
    static func table(_ header: [String], _ rows: [[String]]) {
        let all = [header] + rows
        let widths = header.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
        let isNumeric = header.indices.map { column in
            !rows.isEmpty && rows.allSatisfy { Double($0[column]) != nil || $0[column] == "–" }
        }
        for row in all {
            let cells = row.indices.map { column in
                let space = String(repeating: " ", count: widths[column] - row[column].count)
                return isNumeric[column] ? space + row[column] : row[column] + space
            }
            print(cells.joined(separator: "  ").trimmingTrailingBlanks)
        }
    }

    /// Prints a value as JSON, keys sorted, dates and numbers as their types encode them.
    static func json(_ value: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        print(String(decoding: try encoder.encode(value), as: UTF8.self))
    }

    /// A number for a table: up to `digits` significant digits, no exponent for usual sizes.
    static func number(_ value: Double, digits: Int = 4) -> String {
        value.isFinite ? String(format: "%.\(digits)g", value) : "–"
    }
}

extension String {
    fileprivate var trimmingTrailingBlanks: String {
        var text = self[...]
        while text.last == " " { text = text.dropLast() }
        return String(text)
    }
}

/// One line on standard error that tells how far work has come; silent where that is no terminal.
///
/// The line appears after two seconds, so that quick work stays quiet.
final class ProgressLine: Sendable {
    private struct State {
        var shownAt: ContinuousClock.Instant?
        var width = 0
    }

    /// Whether somebody may be looking.
    static let isTerminal = isatty(2) == 1
    /// The terminal's width in characters, which may change at any time; 80 where it does not tell.
    private static var columns: Int {
        var size = winsize()
        let isKnown = unsafe ioctl(2, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0
        return isKnown ? Int(size.ws_col) : 80
    }
    private let startedAt = ContinuousClock.now
    private let state = Mutex(State())

    /// Shows `text` in place of what was shown before, at most ten times a second.
    func show(_ text: @autoclosure () -> String) {
        guard Self.isTerminal, ContinuousClock.now - startedAt > .seconds(2) else { return }
        state.withLock { state in
            let now = ContinuousClock.now
            if let last = state.shownAt, now - last < .milliseconds(100) { return }
            // A line that wraps could not be taken back.
            let line = String(text().prefix(max(1, Self.columns - 1)))
            let padding = String(
                repeating: " ", count: max(0, min(state.width, Self.columns - 1) - line.count))
            FileHandle.standardError.write(Data(("\r" + line + padding).utf8))
            state.shownAt = now
            state.width = line.count
        }
    }

    /// Clears the line.
    func end() {
        state.withLock { state in
            guard state.width > 0 else { return }
            let blank = String(repeating: " ", count: min(state.width, max(1, Self.columns - 1)))
            FileHandle.standardError.write(Data(("\r" + blank + "\r").utf8))
            state.width = 0
        }
    }
}
