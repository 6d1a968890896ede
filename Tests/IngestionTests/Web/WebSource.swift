import Foundation
import Postgres
import Series
import Store
import TestSupport

@testable import Ingestion

/// A receiver on loopback, a database, and a source named `plant` between them.
struct WebSource {
    let pool: Pool
    let receiver: WebReceiver
    var isRevisable = false
    let client: FeedClient

    /// The time at which the source is pulled.
    static let now = Timestamp(microseconds: 1_760_000_000_000_000)

    init(
        _ database: TestDatabase, environment: [String: String] = [:],
        _ conduct: @escaping @Sendable (WebReceiver.Received) -> Conduct
    ) throws {
        pool = database.pool
        receiver = try WebReceiver(conduct)
        client = FeedClient(secrets: SecretReader(environment: environment))
    }

    /// How the receiver is reached.
    func access(_ path: String = "/data") -> WebAccess {
        var access = WebAccess(url: receiver.root + path)
        access.allowPrivate = true
        return access
    }

    /// One pull with these settings, which become the source's.
    @discardableResult
    func pull(
        _ settings: HTTPSettings, now: Timestamp = now,
        progress: @escaping @Sendable (IngestReport) throws -> Void = { _ in }
    ) async throws -> IngestReport {
        try await pull(
            HTTPConnector(client: client), HTTPConnector.kind, settings.json(), now: now,
            progress: progress)
    }

    @discardableResult
    func pull(
        _ connector: some Connector, _ kind: String, _ settings: String, now: Timestamp = now,
        progress: @escaping @Sendable (IngestReport) throws -> Void = { _ in }
    ) async throws -> IngestReport {
        let isRevisable = isRevisable
        let source = try await pool.transaction { db in
            do {
                _ = try SourceStore.find(name: "plant", in: db)
                try db.run(
                    "UPDATE systole.source SET settings = \(settings)::jsonb WHERE name = 'plant'")
                return try SourceStore.find(name: "plant", in: db)
            } catch StoreError.unknownSource {
                return try SourceStore.add(
                    name: "plant", kind: kind, settings: settings, isRevisable: isRevisable, in: db)
            }
        }
        return try await connector.pull(source, into: pool, now: now, progress: progress)
    }

    /// All stored observations as `series at value`, in order.
    func observations() async throws -> [String] {
        try await pool.run(
            """
            SELECT series || ' ' || to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') || ' '
                || value AS line
            FROM systole.observations ORDER BY series, at
            """
        ).map { try $0.text("line") }
    }

    /// Everything a pull writes, save when and how often: what must not change without news.
    func everything() async throws -> [String] {
        try await pool.run(
            """
            SELECT 'o ' || o::text AS line FROM systole.observation AS o
            UNION ALL SELECT 's ' || s::text FROM systole.series AS s
            UNION ALL SELECT 'c ' || part || position::text FROM systole.source_cursor
            UNION ALL SELECT 'e ' || event_id || type || data::text FROM systole.outbox
            UNION ALL SELECT 'r ' || r::text FROM systole.recording AS r
            UNION ALL SELECT 'w ' || w::text FROM systole.waveform_chunk AS w
            ORDER BY 1
            """
        ).map { try $0.text("line") }
    }

    /// The cursor of the only part.
    func position() async throws -> FeedPosition {
        let rows = try await pool.run("SELECT position FROM systole.source_cursor")
        return FeedPosition.decode(try rows.first?.text("position"))
    }
}

/// Lends a receiver and a database, and removes both.
func withWebSource(
    environment: [String: String] = [:],
    _ conduct: @escaping @Sendable (WebReceiver.Received) -> Conduct,
    _ body: (WebSource) async throws -> Void
) async throws {
    try await withTestDatabase { database in
        let source = try WebSource(database, environment: environment, conduct)
        defer { source.receiver.stop() }
        try await body(source)
    }
}

extension Conduct {
    /// An answer of status 200 with a text.
    static func text(_ text: String, _ headers: String...) -> Conduct {
        .answer(status: 200, headers: headers, body: Array(text.utf8))
    }
}

extension WebReceiver.Received {
    /// `/data?page=1`
    var target: String {
        let words = requestLine.split(separator: " ")
        return words.count > 1 ? String(words[1]) : ""
    }

    /// The value of a parameter, of the query or of the form in the body.
    func parameter(_ name: String) -> String? {
        let query = target.split(separator: "?", maxSplits: 1).dropFirst().first.map(String.init)
        let form = query ?? String(decoding: body, as: UTF8.self)
        for pair in form.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1).map(String.init)
            if parts[0] == name { return (parts.dropFirst().first ?? "").removingPercentEncoding }
        }
        return nil
    }
}

/// Bytes packed by hand, so that no other program is needed.
enum Packed {
    /// Gzip of one stored block, at most 65,535 bytes (RFC 1951, RFC 1952).
    static func gzip(_ text: String) -> [UInt8] {
        let bytes = Array(text.utf8)
        let length = UInt16(bytes.count)
        var packed: [UInt8] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 1]
        packed += little(length)
        packed += little(~length)
        packed += bytes
        packed += little(crc(bytes))
        return packed + little(UInt32(bytes.count))
    }

    /// A zstd frame of so many blocks of 128 KiB of one byte, four bytes each (RFC 8878).
    static func bomb(blocks: Int) -> [UInt8] {
        var packed = frame
        for index in 0..<blocks {
            packed += head(size: 131_072, kind: 1, isLast: index + 1 == blocks)
            packed.append(UInt8(ascii: "\n"))
        }
        return packed
    }

    /// A zstd frame of one raw block, at most 128 KiB.
    static func zstd(_ text: String) -> [UInt8] {
        frame + head(size: text.utf8.count, kind: 0, isLast: true) + Array(text.utf8)
    }

    private static let frame: [UInt8] = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58]

    private static func head(size: Int, kind: Int, isLast: Bool) -> [UInt8] {
        let bits = UInt32(size * 8 + kind * 2 + (isLast ? 1 : 0))
        return Array(little(bits).prefix(3))
    }

    private static func little<T: FixedWidthInteger>(_ value: T) -> [UInt8] {
        (0..<(T.bitWidth / 8)).map { UInt8(truncatingIfNeeded: value >> T($0 * 8)) }
    }

    private static func crc(_ bytes: [UInt8]) -> UInt32 {
        var crc = ~UInt32(0)
        for byte in bytes {
            crc ^= UInt32(byte)
            for _ in 0..<8 { crc = crc & 1 == 1 ? (crc >> 1) ^ 0xEDB8_8320 : crc >> 1 }
        }
        return ~crc
    }
}
