import Foundation
import Testing

@testable import Ingestion

@Suite struct FolderPieceTests {
    /// Lends a file that goes with the test.
    private func withFile(_ text: String, _ body: (String) throws -> Void) throws {
        let file = URL.temporaryDirectory.appending(path: "systole-pieces-\(UUID()).csv")
        try Data(text.utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        try body(file.path)
    }

    @Test func `a line of twice a piece is read whole, and a longer one refused by that figure`()
        throws
    {
        try withFile(String(repeating: "x", count: 127) + "\ny\n") { path in
            var pieces = try TablePieces(path: path, size: 130, pieceBytes: 64)
            let count = try pieces.next()?.wholeCount
            #expect(count == 128)
        }
        try withFile(String(repeating: "x", count: 128) + "\ny\n") { path in
            var pieces = try TablePieces(path: path, size: 131, pieceBytes: 64)
            let read = Result { try pieces.next()?.wholeCount }
            #expect(throws: IngestError.lineTooLong(line: 1, accepted: 128)) { try read.get() }
        }
    }
}
