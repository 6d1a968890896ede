import Postgres
import Series
import TestSupport
import Testing

@testable import Store

@Suite struct ChunkFieldTests {
    @Test func `CRC-32C of the published vectors`() {
        // RFC 3720, B.4: 32 bytes of zeros, of ones, and ascending.
        func crc(_ words: [UInt32]) -> UInt32 {
            var crc = CRC32C()
            for word in words { crc.update(littleEndian: word) }
            return crc.value
        }
        #expect(crc(Array(repeating: 0, count: 8)) == 0x8A91_36AA)
        #expect(crc(Array(repeating: .max, count: 8)) == 0x62A8_AB43)
        let ascending = (0..<8).map { (word: UInt32) in 0x0302_0100 + 0x0404_0404 * word }
        #expect(crc(ascending) == 0x46DD_794E)
    }

    @Test func `SHA-256 of the published vector`() {
        #expect(
            digest(of: Array("abc".utf8)).prefix(4).elementsEqual([0xBA, 0x78, 0x16, 0xBF]))
    }
}

@Suite struct RecordingStoreTests {
    private static func channel(
        _ name: String, unit: String = "mV", samples: Int64
    ) -> RecordingChannel {
        RecordingChannel(
            channel: Channel(name: name, unit: PhysicalUnit(unit)), rate: SamplingRate(500),
            sampleCount: samples)
    }

    private static let header = RecordingHeader(
        key: "ward3/0001", startedAt: Fixture.start,
        channels: [channel("I", samples: 7), channel("V1", unit: "uV", samples: 3)])

    /// Missing samples, both ends of 16 bits, a chunk that needs 32 bits, one that is all missing.
    private static let chunks = [
        WaveformChunk(
            channel: 0, firstSample: 0, gain: 200, baseline: 10,
            samples: [10, nil, -32_768, 32_767]),
        WaveformChunk(
            channel: 0, firstSample: 4, gain: 200, baseline: 10,
            samples: [.max, .min + 1, nil]),
        WaveformChunk(
            channel: 1, firstSample: 0, gain: -2, baseline: 0.5, samples: [nil, nil, nil]),
    ]

    @Test func `a recording comes back as it was, missing and wide samples included`()
        async throws
    {
        try await withTestDatabase { database in
            let (found, chunks) = try await database.pool.transaction { db in
                let outcome = try RecordingStore.store(
                    Self.header, chunks: Self.chunks, in: db)
                let found = try RecordingStore.find(key: "ward3/0001", in: db)
                let chunks = try [0, 1].flatMap { channel in
                    try RecordingStore.chunks(of: outcome.id, channel: channel, in: db)
                }
                return (found.header, chunks)
            }
            #expect(found == Self.header)
            #expect(chunks == Self.chunks)
            let forms = try await database.pool.run(
                """
                SELECT samples IS NOT NULL AS narrow, vmin, vmax FROM systole.waveform_chunk
                ORDER BY channel, first_sample
                """)
            #expect(try forms.map { try $0.bool("narrow") } == [true, false, true])
            #expect(try forms[0].double("vmin") == -163.89)
            #expect(try forms[0].double("vmax") == 163.785)
            #expect(try forms[2].optionalDouble("vmin") == nil)
        }
    }

    @Test func `part of a channel is read by whole chunks`() async throws {
        try await withTestDatabase { database in
            let firsts = try await database.pool.transaction { db in
                let id = try RecordingStore.store(Self.header, chunks: Self.chunks, in: db).id
                return try [0..<4, 3..<5, 4..<9, 7..<9].map { range in
                    try RecordingStore.chunks(
                        of: id, channel: 0,
                        samples: Int64(range.lowerBound)..<Int64(range.upperBound), in: db
                    ).map(\.firstSample)
                }
            }
            #expect(firsts == [[0], [0, 4], [4], []])
        }
    }

    @Test func `storing again does nothing; other content is refused, or replaces by rule`()
        async throws
    {
        try await withTestDatabase { database in
            let other = [
                WaveformChunk(
                    channel: 0, firstSample: 0, gain: 200, baseline: 10, samples: [1, 2])
            ]
            let (first, second) = try await database.pool.transaction { db in
                (
                    try RecordingStore.store(Self.header, chunks: Self.chunks, in: db),
                    try RecordingStore.store(Self.header, chunks: Self.chunks, in: db)
                )
            }
            #expect(first == .stored(id: first.id))
            #expect(second == .unchanged(id: first.id))
            await #expect(throws: StoreError.recordingDiffers(key: "ward3/0001")) {
                try await database.pool.transaction { db in
                    _ = try RecordingStore.store(Self.header, chunks: other, in: db)
                }
            }
            let (third, chunks) = try await database.pool.transaction { db in
                let outcome = try RecordingStore.store(
                    Self.header, chunks: other, onConflict: .revise, in: db)
                return (
                    outcome, try RecordingStore.chunks(of: outcome.id, channel: 0, in: db)
                )
            }
            #expect(third == .replaced(id: first.id))
            #expect(chunks == other)
            let keys = try await database.pool.transaction { db in
                try ["", "ward3/", "ward4"].map {
                    try RecordingStore.keys(startingWith: $0, in: db)
                }
            }
            #expect(keys == [["ward3/0001"], ["ward3/0001"], []])
        }
    }

    @Test func `a damaged chunk is not handed out`() async throws {
        try await withTestDatabase { database in
            let id = try await database.pool.transaction { db in
                try RecordingStore.store(Self.header, chunks: Self.chunks, in: db).id
            }
            try await database.pool.run(
                """
                UPDATE systole.waveform_chunk SET samples[1] = 11
                WHERE channel = 0 AND first_sample = 0
                """)
            await #expect(
                throws: StoreError.chunkDamaged(recording: id, channel: 0, firstSample: 0)
            ) {
                try await database.pool.transaction { db in
                    _ = try RecordingStore.chunks(of: id, channel: 0, in: db)
                }
            }
        }
    }

    @Test func `SQL shows a lead in millivolts by second`() async throws {
        try await withTestDatabase { database in
            _ = try await database.pool.transaction { db in
                try RecordingStore.store(Self.header, chunks: Self.chunks, in: db)
            }
            let rows = try await database.pool.run(
                """
                SELECT at, second, value, millivolts
                FROM systole.waveform('ward3/0001', lead => 'i', from_second => 0.004,
                    to_second => 0.010)
                """)
            #expect(try rows.allDoubles("second") == [0.004, 0.006, 0.008])
            #expect(
                try rows.allDoubles("millivolts")
                    == [-32_778.0 / 200, 32_757.0 / 200, Double(Int32.max - 10) / 200])
            #expect(
                try rows[0].epochMicroseconds("at") == Fixture.start.microseconds + 4000)
            let whole = try await database.pool.run(
                "SELECT value FROM systole.waveform('ward3/0001', 'V1')")
            #expect(whole.count == 3)
            #expect(try whole.allSatisfy { try $0.isNull("value") })
        }
    }

    @Test func `an unknown recording or lead is refused with the names there are`() async throws {
        try await withTestDatabase { database in
            _ = try await database.pool.transaction { db in
                try RecordingStore.store(Self.header, chunks: Self.chunks, in: db)
            }
            let recording = try await database.pool.refusal(
                of: "SELECT * FROM systole.waveform('ward9', 'I')")
            #expect(recording?.sqlState == "SY012")
            let lead = try await database.pool.refusal(
                of: "SELECT * FROM systole.waveform('ward3/0001', 'aVR')")
            #expect(lead?.sqlState == "SY012")
            #expect(lead?.hint == "It has: I, V1.")
            await #expect(throws: StoreError.unknownRecording(key: "ward9")) {
                try await database.pool.transaction { db in
                    _ = try RecordingStore.find(key: "ward9", in: db)
                }
            }
        }
    }

    @Test func `a recording that has more samples than the stored one takes its place`()
        async throws
    {
        @Sendable func header(_ count: Int64) -> RecordingHeader {
            RecordingHeader(
                key: "ward3/grows", startedAt: Fixture.start,
                channels: [
                    RecordingChannel(
                        channel: Channel(name: "II", unit: PhysicalUnit("mV")),
                        rate: SamplingRate(4), sampleCount: count)
                ])
        }
        @Sendable func chunks(_ samples: [[Int32?]]) -> [WaveformChunk] {
            samples.enumerated().map { place, samples in
                WaveformChunk(
                    channel: 0, firstSample: Int64(place * 4), gain: 2, baseline: 0,
                    samples: samples)
            }
        }
        try await withTestDatabase { database in
            func store(_ count: Int64, _ samples: [[Int32?]]) async throws -> RecordingOutcome {
                try await database.pool.transaction { db in
                    try RecordingStore.store(header(count), chunks: chunks(samples), in: db)
                }
            }
            let id = try await store(4, [[1, nil, 3, 4]]).id
            #expect(try await store(6, [[1, 2, 3, 4], [5, 6]]) == .replaced(id: id))
            #expect(try await store(8, [[1, 2, 3, 4], [5, 6, 7, 8]]) == .replaced(id: id))
            let worse: [(Int64, [[Int32?]])] = [
                (8, [[1, 2, 3, 4], [5, 6, 7, 9]]), (6, [[1, 2, 3, 4], [5, 6]]),
                (8, [[1, nil, 3, 4], [5, 6, 7, 8]]), (9, [[1, 2, 3, 4]]),
            ]
            for (count, samples) in worse {
                await #expect(throws: StoreError.recordingDiffers(key: "ward3/grows")) {
                    try await store(count, samples)
                }
            }
        }
    }
}
