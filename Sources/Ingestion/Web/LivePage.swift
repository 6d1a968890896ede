import Postgres
import Series
import Signals
import Store

/// Pieces of recordings on a page, a line each.
struct LivePage: Sendable {
    let pieces: [WaveformPiece]
    let receivedAt: Timestamp

    /// Reasons of one page that are told in words.
    private static let reasonsMaximum = 10

    /// - Parameters:
    ///   - body: Lines; empty ones are left out.
    ///   - name: What reasons call the page.
    ///   - receivedAt: When it came, on our clock.
    ///   - feed: Counts the lines, and those that are no pieces.
    init(_ body: [UInt8], name: String, receivedAt: Timestamp, counting feed: inout ParsedFeed) {
        self.receivedAt = receivedAt
        var pieces: [WaveformPiece] = []
        var number = 0
        for line in body.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            number += 1
            let line = line.last == UInt8(ascii: "\r") ? line.dropLast() : line
            if line.isEmpty { continue }
            feed.items += 1
            do throws(WaveformPieceError) {
                pieces.append(try WaveformPieceReader.read(Array(line)))
            } catch {
                feed.badItems += 1
                if feed.reasons.count < Self.reasonsMaximum {
                    feed.reasons.append("\(name), line \(number): \(error.description)")
                }
            }
        }
        self.pieces = pieces
    }

    /// When the newest piece with a time begins that is not ahead of its time; nil where there is none.
    var newest: Timestamp? {
        let limit = receivedAt + .microseconds(FeedPieces.aheadMaximum)
        return pieces.lazy.compactMap(\.at).filter { $0 <= limit }.max()
    }

    /// Stores the pieces in the transaction in which the cursor moves.
    func file(from source: Source, in db: borrowing Session) throws -> LiveReport {
        let report = try LiveRecordings.append(
            pieces, receivedAt: receivedAt, from: source, in: db)
        if !report.rejections.isEmpty {
            try SourceFigures.add(
                SourceFigures(rejected: ["piece": report.rejections.count]), to: source.id, in: db)
        }
        return report
    }
}
