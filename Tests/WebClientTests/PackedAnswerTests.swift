import CZlib
import CZstd
import TestSupport
import Testing

@testable import WebClient

/// Answers that come packed: whole, cut, damaged, or larger than they look.
@Suite struct PackedAnswerTests {
    /// Lines that pack to about a third.
    private static let text = Array(
        (0..<40).map { "m,host=\($0 % 3) a=\($0 &* 7919 % 1000) 17356896\(10 + $0)\n" }
            .joined().utf8)
    private static let half = text.count / 2

    /// The answer of a receiver that sends these bytes under this coding.
    private static func answer(
        _ headers: [String], _ body: [UInt8], atMost bodyMaximum: Int = 1 << 20,
        status: Int = 200
    ) async throws -> WebResponse {
        let receiver = try WebReceiver { _ in
            .answer(status: status, headers: headers, body: body)
        }
        defer { receiver.stop() }
        let client = WebClientTests.client()
        var request = WebRequest(.get, try client.url(receiver.root))
        request.limits = WebLimits(bodyMaximum: bodyMaximum)
        request.acceptsCompression = true
        return try await client.send(request)
    }

    // MARK: - Whole

    struct Whole: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let headers: [String]
        let body: [UInt8]
        var text: [UInt8] = PackedAnswerTests.text

        init(_ name: String, _ coding: String..., body: [UInt8], text: [UInt8]? = nil) {
            testDescription = name
            headers = coding.map { "Content-Encoding: \($0)" }
            self.body = body
            if let text { self.text = text }
        }
    }

    static let wholes = [
        Whole("gzip", "gzip", body: Pack.gzip(text)),
        Whole("gzip by its old name", "x-gzip", body: Pack.gzip(text)),
        Whole("gzip in large letters", "GZip", body: Pack.gzip(text)),
        Whole("gzip and nothing", "identity, gzip ,", body: Pack.gzip(text)),
        Whole("gzip and nothing in two headers", "gzip", "identity", body: Pack.gzip(text)),
        Whole(
            "gzip of three members", "gzip",
            body: Pack.gzip(text[..<half]) + Pack.gzip([]) + Pack.gzip(text[half...])),
        Whole(
            "gzip that fills its last block with zeros", "gzip",
            body: Pack.gzip(text) + [UInt8](repeating: 0, count: 700)),
        Whole(
            "gzip with a name, a comment and more", "gzip",
            body: Pack.gzip(text, flags: 0x1c, more: [2, 0, 7, 7] + Array("n\0c\0".utf8))),
        Whole("gzip of nothing", "gzip", body: Pack.gzip([]), text: []),
        Whole("nothing, called gzip", "gzip", body: [], text: []),
        Whole("nothing, called something", "pigeon", body: [], text: []),
        Whole("zstd", "zstd", body: Pack.zstd(text)),
        Whole(
            "zstd of three frames", "zstd",
            body: Pack.zstd(text[..<half]) + Pack.zstd([]) + Pack.zstd(text[half...])),
        Whole(
            "zstd with frames to be skipped", "zstd",
            body: Pack.skipped + Pack.zstd(text) + Pack.skipped),
        Whole("zstd of nothing", "zstd", body: Pack.zstd([]), text: []),
        Whole("nothing, called zstd", "zstd", body: [], text: []),
        Whole("no coding", body: text),
        Whole("an empty coding", "", body: text),
        Whole("no coding by its name", "identity", body: text),
        Whole("what is packed in itself", body: Pack.gzip(text), text: Pack.gzip(text)),
    ]

    @Test(arguments: wholes)
    func `what is whole is unpacked`(_ c: Whole) async throws {
        let answer = try await Self.answer(c.headers, c.body)
        #expect(answer.status == 200 && answer.body == c.text)
    }

    @Test(arguments: [204, 304])
    func `an answer without a body may call itself packed`(status: Int) async throws {
        for coding in ["gzip", "zstd", "br", "gzip, gzip"] {
            let headers = ["Content-Encoding: \(coding)"]
            let answer = try await Self.answer(headers, [], status: status)
            #expect(answer.status == status && answer.body == [])
        }
    }

    @Test(arguments: ["gzip", "zstd"])
    func `chunks change nothing`(coding: String) async throws {
        let packed = Pack.pack(Self.text, coding)
        let headers = ["Transfer-Encoding: chunked", "Content-Encoding: \(coding)"]
        #expect(try await Self.answer(headers, Pack.chunks(packed)).body == Self.text)
        // Chunks that are whole, of a body that is not.
        await #expect(throws: WebError.damaged) {
            try await Self.answer(headers, Pack.chunks(packed.dropLast()))
        }
    }

    @Test func `who asks for packing asks for what is understood`() async throws {
        let receiver = try WebReceiver(status: 204)
        defer { receiver.stop() }
        let client = WebClientTests.client()
        var request = WebRequest(.get, try client.url(receiver.root))
        request.acceptsCompression = true
        _ = try await client.send(request)
        request.headers = ["accept-encoding": "identity"]
        _ = try await client.send(request)
        request = WebRequest(.get, request.url)
        _ = try await client.send(request)
        let asked = receiver.received.map { $0.headers["accept-encoding"] }
        #expect(asked == ["gzip, zstd", "identity", nil])
    }

    // MARK: - Cut

    struct Cut: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let coding: String
        let parts: [[UInt8]]
    }

    static let cuts = [
        Cut(testDescription: "gzip", coding: "gzip", parts: [Pack.gzip(text)]),
        Cut(
            testDescription: "gzip of two members", coding: "gzip",
            parts: [Pack.gzip(text[..<half]), Pack.gzip(text[half...])]),
        Cut(
            testDescription: "gzip with a name", coding: "x-gzip",
            parts: [Pack.gzip(text, flags: 0x08, more: Array("name\0".utf8))]),
        Cut(
            testDescription: "gzip that was not made smaller", coding: "gzip",
            parts: [Pack.gzip(text, level: 0)]),
        Cut(testDescription: "zstd", coding: "zstd", parts: [Pack.zstd(text)]),
        Cut(
            testDescription: "zstd without a checksum", coding: "zstd",
            parts: [Pack.zstd(text, checksum: false)]),
        Cut(
            testDescription: "zstd of two frames", coding: "zstd",
            parts: [Pack.zstd(text[..<half]), Pack.zstd(text[half...])]),
    ]

    /// A cut between two wholes cannot be told from an answer that is shorter.
    @Test(arguments: cuts)
    func `what is cut is refused, wherever it is cut`(_ c: Cut) throws {
        let body = Array(c.parts.joined())
        let wholes = c.parts.count == 1 ? [] : [c.parts[0].count]
        for count in 1..<body.count where !wholes.contains(count) {
            let answer = Pack.response(c.coding, Array(body[..<count]))
            #expect(throws: WebError.damaged, "\(count) of \(body.count) bytes") {
                try answer.unpacked(atMost: 1 << 20)
            }
        }
        #expect(try Pack.response(c.coding, body).unpacked(atMost: 1 << 20).body == Self.text)
    }

    @Test(arguments: cuts)
    func `an answer of the announced length whose packing is cut is not handed on`(
        _ c: Cut
    ) async throws {
        let body = Array(c.parts.joined())
        for count in [1, 9, body.count / 3, body.count - 9, body.count - 4, body.count - 1] {
            await #expect(throws: WebError.damaged, "\(count) of \(body.count) bytes") {
                try await Self.answer(["Content-Encoding: \(c.coding)"], Array(body[..<count]))
            }
        }
    }

    // MARK: - Damaged and unknown

    struct Bad: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let headers: [String]
        let body: [UInt8]
        let error: WebError

        init(
            _ name: String, _ coding: String..., header: String = "Content-Encoding",
            body: [UInt8], error: WebError = .damaged
        ) {
            testDescription = name
            headers = coding.map { "\(header): \($0)" }
            self.body = body
            self.error = error
        }
    }

    static let bad = [
        Bad("gzip that is none", "gzip", body: text),
        Bad("zstd that is none", "zstd", body: text),
        Bad("zstd called gzip", "gzip", body: Pack.zstd(text)),
        Bad("gzip called zstd", "zstd", body: Pack.gzip(text)),
        Bad("words behind gzip", "gzip", body: Pack.gzip(text) + text),
        Bad("one byte behind gzip", "gzip", body: Pack.gzip(text) + [7]),
        Bad("a byte behind the zeros behind gzip", "gzip", body: Pack.gzip(text) + [0, 0, 7]),
        Bad("half a member behind gzip", "gzip", body: Pack.gzip(text) + [0x1f, 0x8b, 8]),
        Bad("words behind zstd", "zstd", body: Pack.zstd(text) + text),
        Bad("zeros behind zstd", "zstd", body: Pack.zstd(text) + [0, 0, 0, 0]),
        Bad("a wrong checksum in gzip", "gzip", body: Pack.gzip(text).flipped(fromEnd: 8)),
        Bad("a wrong length in gzip", "gzip", body: Pack.gzip(text).flipped(fromEnd: 1)),
        Bad(
            "a wrong checksum in the first of two members", "gzip",
            body: Pack.gzip(text).flipped(fromEnd: 5) + Pack.gzip(text)),
        Bad("a wrong checksum in zstd", "zstd", body: Pack.zstd(text).flipped(fromEnd: 1)),
        Bad("a digit changed", "gzip", body: Pack.gzip(text, level: 0).flipped(fromEnd: 20)),
        Bad("brotli", "br", body: text, error: .unpackable),
        Bad("deflate", "deflate", body: text, error: .unpackable),
        Bad("a coding that nobody knows", "g zip", body: Pack.gzip(text), error: .unpackable),
        Bad("gzip twice", "gzip, gzip", body: Pack.gzip(Pack.gzip(text)), error: .unpackable),
        Bad("two in two headers", "gzip", "zstd", body: Pack.gzip(text), error: .unpackable),
        Bad(
            "gzip for the way alone", "gzip, chunked", header: "Transfer-Encoding",
            body: Pack.chunks(Pack.gzip(text)), error: .unpackable),
        Bad(
            "gzip for the way alone, cut", "gzip, chunked", header: "Transfer-Encoding",
            body: Pack.chunks(Pack.gzip(text).dropLast(20)), error: .unpackable),
        // A window of 1 GiB, of which a block holds nothing.
        Bad(
            "zstd that wants much memory", "zstd",
            body: [0x28, 0xb5, 0x2f, 0xfd, 0, 0xa0, 1, 0, 0], error: .unpackable),
        Bad(
            "zstd that wants a dictionary", "zstd",
            body: [0x28, 0xb5, 0x2f, 0xfd, 1, 0x58, 9, 1, 0, 0], error: .unpackable),
    ]

    @Test(arguments: bad)
    func `what is damaged, or packed otherwise, is refused by name`(_ c: Bad) async throws {
        let error = await #expect(throws: WebError.self) {
            try await Self.answer(c.headers, c.body)
        }
        #expect(error == c.error)
        #expect("\(c.error)".contains("cannot be unpacked"))
    }

    // MARK: - Large

    @Test(arguments: ["gzip", "zstd"])
    func `the limit counts what is unpacked, to the byte`(coding: String) async throws {
        let text = [UInt8](repeating: UInt8(ascii: "\n"), count: 4 << 20)
        let headers = ["Content-Encoding: \(coding)"]
        let packed = Pack.pack(text, coding)
        #expect(packed.count < 16 << 10)
        let whole = try await Self.answer(headers, packed, atMost: text.count).body == text
        #expect(whole)
        for limit in [text.count - 1, text.count / 2, 64 << 10] {
            let error = WebError.answerTooLarge(limit: limit, status: 200)
            await #expect(throws: error) {
                try await Self.answer(headers, packed, atMost: limit)
            }
            // Many that are small alone are large together.
            let parts = Array(repeatElement(Pack.pack(text[..<(64 << 10)], coding), count: 64))
            await #expect(throws: error) {
                try await Self.answer(headers, Array(parts.joined()), atMost: limit)
            }
        }
    }

    @Test(arguments: ["gzip", "zstd"])
    func `the limit counts what comes in`(coding: String) async throws {
        let body = Array(repeatElement(Pack.pack([], coding), count: 1000).joined())
        let headers = ["Content-Encoding: \(coding)"]
        #expect(try await Self.answer(headers, body, atMost: body.count).body == [])
        let limit = body.count - 1
        await #expect(throws: WebError.answerTooLarge(limit: limit, status: 200)) {
            try await Self.answer(headers, body, atMost: limit)
        }
    }

    @Test(arguments: ["gzip", "zstd"])
    func `what is larger than a piece is the same in one whole and in many`(
        coding: String
    ) throws {
        var state: UInt32 = 1
        // Half of it noise: neither what comes in nor what goes out fits into one step.
        let text = (0..<(3 << 19)).map { index in
            state = state &* 1_664_525 &+ 1_013_904_223
            return index & 1024 == 0 ? UInt8(state >> 24) : UInt8(ascii: "x")
        }
        for sizes in [[text.count], [1, text.count - 1], [700_000, 0, text.count - 700_000]] {
            var (start, packed) = (0, [UInt8]())
            for size in sizes {
                packed += Pack.pack(text[start..<(start + size)], coding)
                start += size
            }
            let answer = try Pack.response(coding, packed).unpacked(atMost: text.count)
            let isWhole = answer.body == text
            #expect(isWhole)
            for count in [256 << 10, (256 << 10) + 1, packed.count - 1] {
                #expect(throws: WebError.damaged) {
                    try Pack.response(coding, Array(packed[..<count])).unpacked(atMost: text.count)
                }
            }
        }
    }

    @Test func `a task that is cancelled unpacks nothing`() async {
        let answer = Pack.response("gzip", Pack.gzip(Self.text))
        await #expect(throws: WebError.cancelled) {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.cancelAll()
                group.addTask { _ = try answer.unpacked(atMost: 1 << 20) }
                try await group.waitForAll()
            }
        }
    }
}

extension [UInt8] {
    /// The same with one bit of another value.
    fileprivate func flipped(fromEnd place: Int) -> [UInt8] {
        var copy = self
        copy[count - place] ^= 1
        return copy
    }
}

/// Packs as servers do.
private enum Pack {
    /// A frame of zstd that holds nothing to unpack.
    static let skipped: [UInt8] = [0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]

    static func pack(_ bytes: some Collection<UInt8>, _ coding: String) -> [UInt8] {
        coding == "zstd" ? zstd(bytes) : gzip(bytes)
    }

    /// A body sent in chunks of one byte (RFC 9112, section 7.1).
    static func chunks(_ bytes: some Collection<UInt8>) -> [UInt8] {
        let end = Array("\r\n".utf8)
        return bytes.flatMap { Array("1\r\n".utf8) + [$0] + end } + Array("0\r\n\r\n".utf8)
    }

    static func response(_ coding: String, _ body: [UInt8]) -> WebResponse {
        WebResponse(
            status: 200, headers: ["content-encoding": coding], body: body, remoteAddress: "",
            timing: .init(
                resolved: .zero, connected: .zero, secured: .zero, firstByte: .zero, total: .zero))
    }

    /// One member of gzip (RFC 1952); `more` stands behind the head, as `flags` say.
    static func gzip(
        _ bytes: some Collection<UInt8>, flags: UInt8 = 0, more: [UInt8] = [], level: Int32 = 9
    ) -> [UInt8] {
        let bytes = Array(bytes)
        var wrapped = [UInt8](repeating: 0, count: Int(compressBound(UInt(bytes.count))))
        var count = UInt(wrapped.count)
        let code = unsafe compress2(&wrapped, &count, bytes, UInt(bytes.count), level)
        precondition(code == Z_OK, "compress2: \(code)")
        let head: [UInt8] = [0x1f, 0x8b, 8, flags, 0, 0, 0, 0, 0, 255]
        // zlib's own wrapping is two bytes before and four behind.
        return head + more + wrapped[2..<(Int(count) - 4)]
            + little(unsafe UInt32(crc32(0, bytes, UInt32(bytes.count))))
            + little(UInt32(bytes.count))
    }

    /// One frame of zstd.
    static func zstd(_ bytes: some Collection<UInt8>, checksum: Bool = true) -> [UInt8] {
        let bytes = Array(bytes)
        let context = unsafe ZSTD_createCCtx()
        defer { unsafe _ = ZSTD_freeCCtx(context) }
        unsafe _ = ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, checksum ? 1 : 0)
        var packed = [UInt8](repeating: 0, count: ZSTD_compressBound(bytes.count))
        let size = packed.count
        let count = unsafe ZSTD_compress2(context, &packed, size, bytes, bytes.count)
        precondition(ZSTD_isError(count) == 0, "ZSTD_compress2: \(count)")
        return Array(packed[..<count])
    }

    private static func little(_ value: UInt32) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }
    }
}
