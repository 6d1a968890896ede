import Postgres
import Series
import Testing
import TestSupport

@testable import Store

/// A made-up live recording and the pieces that it can be cut into.
private struct LiveSignal {
    var key = "ward/1"
    var channels = ["I", "II", "V1"]
    var rate = SamplingRate(500)
    var start = Timestamp(microseconds: 1_700_000_000_000_000)
    let samples: Int
    var form = WaveformPiece.Form.integers
    /// Samples that never come.
    var gaps: [Range<Int>] = []

    init(samples: Int) { self.samples = samples }

    func word(_ channel: Int, _ index: Int) -> Int32 {
        let value = Int32(truncatingIfNeeded: (index &* 2_654_435_761) >> 7) % 2000 + Int32(channel)
        return form == .integers ? value : WaveformPiece.word(Float(value) / 1000)
    }

    func piece(_ range: Range<Int>, isLast: Bool = false, shifted: Int32 = 0) -> WaveformPiece {
        WaveformPiece(
            recording: key,
            channels: channels.map {
                PieceChannel(
                    channel: Channel(name: $0, unit: PhysicalUnit("mV")),
                    gain: form == .integers ? 1000 : 1)
            },
            rate: rate, first: Int64(range.lowerBound),
            at: TimeGrid(start: start, rate: rate, count: 0).instant(at: range.lowerBound),
            form: form,
            words: channels.indices.flatMap { channel in
                range.map { word(channel, $0) &+ shifted }
            }, isLast: isLast)
    }

    /// Consecutive pieces of these sizes, in turn, without the gaps.
    func pieces(sizes: [Int], from first: Int = 0) -> [WaveformPiece] {
        var pieces: [WaveformPiece] = []
        var place = first
        var turn = 0
        while place < samples {
            var end = min(samples, place + sizes[turn % sizes.count])
            turn += 1
            if let gap = gaps.first(where: { $0.contains(place) }) {
                place = gap.upperBound
                continue
            }
            if let gap = gaps.first(where: { place < $0.lowerBound && $0.lowerBound < end }) {
                end = gap.lowerBound
            }
            pieces.append(piece(place..<end))
            place = end
        }
        return pieces
    }
}

@Suite struct LiveStoreTests {
    private let received = Timestamp(microseconds: 1_700_000_100_000_000)

    /// Stores pieces, so many a transaction.
    @discardableResult
    private func feed(
        _ pieces: [WaveformPiece], perBatch: Int = 7, rule: ConflictRule = .keep, _ pool: Pool
    ) async throws -> LiveReport {
        var total = LiveReport()
        for start in stride(from: 0, to: pieces.count, by: perBatch) {
            let batch = Array(pieces[start..<min(start + perBatch, pieces.count)])
            let report = try await pool.transaction { [received] db in
                try LiveStore.append(batch, receivedAt: received, onConflict: rule, in: db)
            }
            total.counts += report.counts
            total.opened += report.opened
            total.closed += report.closed
            total.rejections += report.rejections
        }
        return total
    }

    /// What is stored, as text that is the same for the same recording.
    private func digest(_ key: String, _ pool: Pool) async throws -> String {
        try await pool.run(
            """
            SELECT encode(r.content, 'hex') || ' ' || md5(string_agg(concat_ws(' ', w.channel,
                w.first_sample, w.sample_count, w.gain, w.samples, w.wide, w.physical, w.vmin,
                w.vmax, w.crc32c), E'\\n' ORDER BY w.channel, w.first_sample)) AS digest
            FROM systole.recording r JOIN systole.waveform_chunk w USING (recording_id)
            WHERE r.key = \(key) GROUP BY r.content
            """
        ).only().text("digest")
    }

    private func values(_ key: String, _ lead: String, _ pool: Pool) async throws -> [Double] {
        try await pool.run(
            "SELECT value FROM systole.waveform(\(key), \(lead))", format: .binary
        ).allDoubles("value")
    }

    /// So that the next one of the same key begins anew.
    private func forget(_ pool: Pool) async throws {
        try await pool.run("TRUNCATE systole.recording CASCADE")
    }

    private func close(_ signal: LiveSignal, _ pool: Pool) async throws {
        try await feed([signal.piece(signal.samples..<signal.samples, isLast: true)], pool)
    }

    @Test(arguments: [WaveformPiece.Form.integers, .reals])
    func `pieces of any size give the same chunks, digest and samples`(form: WaveformPiece.Form)
        async throws
    {
        try await withTestDatabase { database in
            var digests: Set<String> = []
            var streams: Set<[Double]> = []
            let sizes: [[Int]] = [
                [1], [7, 1, 250], [100], [4999], [5000], [5001], [12_345, 1], [1_800_000],
            ]
            for sizes in sizes {
                var signal = LiveSignal(samples: 10_700)
                try await forget(database.pool)
                signal.form = form
                let pieces = signal.pieces(sizes: sizes)
                let report = try await feed(
                    pieces, perBatch: max(1, pieces.count / 40), database.pool)
                #expect(report.counts.stored == 10_700 * 3)
                #expect(report.counts.duplicates + report.counts.conflicts == 0)
                streams.insert(try await values(signal.key, "II", database.pool))
                try await close(signal, database.pool)
                streams.insert(try await values(signal.key, "II", database.pool))
                digests.insert(try await digest(signal.key, database.pool))
            }
            #expect(digests.count == 1)
            #expect(streams.count == 1)
            #expect(streams.first?.count == 10_700)
        }
    }

    @Test func `every sample is there at once, and where it belongs`() async throws {
        try await withTestDatabase { database in
            let signal = LiveSignal(samples: 5100)
            for piece in signal.pieces(sizes: [700]) {
                try await feed([piece], database.pool)
                let values = try await values(signal.key, "V1", database.pool)
                let end = Int(piece.first ?? 0) + piece.count
                #expect(values == (0..<end).map { Double(signal.word(2, $0)) / 1000 })
            }
            let chunks = try await database.pool.run(
                "SELECT sample_count FROM systole.waveform_chunk ORDER BY channel")
            let length = Int(ChunkGrid(rate: signal.rate, staggeredBy: signal.key).start(of: 1))
            #expect(try chunks.map { try $0.int("sample_count") } == [length, length, length])
            let row = try await database.pool.run(
                "SELECT seconds, gap_seconds, state FROM systole.live_recordings"
            ).only()
            #expect(try row.double("seconds") == 10.2)
            #expect(try row.double("gap_seconds") == 0)
            #expect(try row.text("state") == "open")
        }
    }

    @Test func `pieces in any order, some of them twice, give what they give in order`()
        async throws
    {
        try await withTestDatabase { database in
            var digests: Set<String> = []
            for seed in 0..<6 {
                let signal = LiveSignal(samples: 16_000)
                try await forget(database.pool)
                var pieces = signal.pieces(sizes: [333, 50, 900])
                var state = UInt64(seed) &+ 1
                for index in pieces.indices where seed > 0 {
                    state = state &* 6_364_136_223_846_793_005 &+ 1
                    pieces.swapAt(index, Int(state >> 33) % pieces.count)
                }
                if seed > 2 { pieces += pieces.prefix(pieces.count / 2) }
                let report = try await feed(pieces, perBatch: 5 + seed, database.pool)
                #expect(report.counts.stored == 48_000)
                #expect(report.counts.conflicts == 0)
                #expect((report.counts.duplicates > 0) == (seed > 2))
                try await close(signal, database.pool)
                digests.insert(try await digest(signal.key, database.pool))
            }
            #expect(digests.count == 1)
        }
    }

    @Test func `a drop-out is a gap until its samples come, whatever the pieces`() async throws {
        try await withTestDatabase { database in
            var digests: Set<String> = []
            for (index, sizes) in [[100], [6000], [1, 999]].enumerated() {
                var signal = LiveSignal(samples: 40_000)
                try await forget(database.pool)
                // Within a chunk, over the end of one, and over two whole ones.
                signal.gaps = [10..<60, 4900..<5200, 9000..<26_000]
                try await feed(signal.pieces(sizes: sizes), perBatch: 40, database.pool)
                let found = try await values(signal.key, "I", database.pool)
                #expect(found.count { !$0.isNaN } == 40_000 - 17_350)
                let gap = try await database.pool.run(
                    """
                    SELECT gap_seconds FROM systole.live_recordings WHERE recording = \(signal.key)
                    """
                ).only().double("gap_seconds")
                #expect(abs(gap - 34.7) < 1e-9)
                try await close(signal, database.pool)
                digests.insert(try await digest(signal.key, database.pool))
                if index == 2 {
                    // They come after all: the recording is what it would have been.
                    var whole = signal
                    whole.gaps = []
                    try await feed(
                        [
                            whole.piece(0..<100), whole.piece(4000..<6000),
                            whole.piece(8000..<27_000),
                        ],
                        database.pool)
                    let full = try await values(signal.key, "I", database.pool)
                    #expect(full == (0..<40_000).map { Double(whole.word(0, $0)) / 1000 })
                }
            }
            #expect(digests.count == 1)
        }
    }

    @Test(arguments: [ConflictRule.keep, .revise])
    func `a piece that says otherwise is kept out or taken, by the rule`(rule: ConflictRule)
        async throws
    {
        try await withTestDatabase { database in
            let signal = LiveSignal(samples: 6000)
            try await feed(signal.pieces(sizes: [500]), database.pool)
            // One in a chunk, one in the tail.
            let others = [100..<110, 5500..<5510].map { signal.piece($0, shifted: 5) }
            let report = try await feed(others, rule: rule, database.pool)
            let changed = rule == .revise
            #expect(report.counts.conflicts == (changed ? 0 : 60))
            #expect(report.counts.revised == (changed ? 60 : 0))
            let values = try await values(signal.key, "I", database.pool)
            #expect(values.count == 6000)
            for index in [99, 100, 109, 110, 5500, 5509, 5510] {
                let isOther = (100..<110).contains(index) || (5500..<5510).contains(index)
                let expected = signal.word(0, index) + (isOther && changed ? 5 : 0)
                #expect(values[index] == Double(expected) / 1000, "sample \(index)")
            }
        }
    }

    @Test func `a recording closes in silence and goes on with the next piece`() async throws {
        try await withTestDatabase { database in
            let signal = LiveSignal(samples: 7000)
            let source = try await database.pool.transaction { db in
                try SourceStore.add(name: "ward", kind: "mqtt", settings: "{}", in: db).id
            }
            let received = received
            func feed(_ pieces: [WaveformPiece]) async throws {
                try await database.pool.transaction { db in
                    _ = try LiveStore.append(
                        pieces, receivedAt: received, source: source, in: db)
                }
            }
            func close() async throws -> [String] {
                try await database.pool.transaction { db in
                    try LiveStore.closeSilent(
                        source: source, before: received + .seconds(60), in: db)
                }
            }
            try await feed([signal.piece(0..<6100)])
            #expect(try await close() == ["ward/1"])
            #expect(try await close() == [])
            let events = try await database.pool.run(
                "SELECT subject, data ->> 'reason' AS reason FROM systole.outbox")
            #expect(try events.map { try $0.text("reason") } == ["silent"])
            let tail = try await database.pool.run("SELECT FROM systole.waveform_tail")
            #expect(tail.isEmpty)
            try await feed([signal.piece(6100..<6200)])
            let values = try await values(signal.key, "I", database.pool)
            #expect(values == (0..<6200).map { Double(signal.word(0, $0)) / 1000 })
            try await feed([signal.piece(6200..<7000, isLast: true)])

            let cut = try await digest(signal.key, database.pool)
            try await forget(database.pool)
            try await feed([signal.piece(0..<7000, isLast: true)])
            #expect(try await digest(signal.key, database.pool) == cut)
        }
    }

    @Test func `what does not fit the recording is refused, and the rest goes on`() async throws {
        try await withTestDatabase { database in
            let signal = LiveSignal(samples: 4000)
            var faster = signal
            faster.rate = SamplingRate(250)
            var fewer = signal
            fewer.channels = ["I", "II"]
            var real = signal
            real.form = .reals
            let report = try await feed(
                [
                    signal.piece(0..<1000), faster.piece(0..<10), fewer.piece(0..<10),
                    real.piece(0..<10), signal.piece(1000..<2000, isLast: true),
                    signal.piece(2000..<3000), signal.piece(500..<600),
                ], database.pool)
            #expect(report.rejections.count == 4)
            #expect(report.counts.stored == 6000)
            #expect(report.counts.duplicates == 300)
            #expect(report.closed == ["ward/1"])
            #expect(try await values(signal.key, "I", database.pool).count == 2000)
        }
    }

    @Test func `the clock of a device is compared, and never set`() async throws {
        try await withTestDatabase { database in
            let signal = LiveSignal(samples: 1)
            // A device that is six minutes ahead, and whose clock loses two seconds an hour; what it
            // sends is on its way for a while, now and then for long.
            for index in 0..<120 {
                let seconds = 10 * index
                let delay = index % 9 == 5 ? 4_000_000 : 50_000 + index % 7 * 1000
                let at =
                    signal.start.microseconds + Int64(seconds) * 1_000_000 - 360_000_000
                    + Int64(delay) + Int64(seconds) * 2_000_000 / 3600
                let piece = signal.piece(500 * seconds..<500 * seconds + 1)
                try await database.pool.transaction { db in
                    _ = try LiveStore.append(
                        [piece], receivedAt: Timestamp(microseconds: at), in: db)
                }
            }
            let row = try await database.pool.run(
                """
                SELECT extract(epoch FROM clock_offset)::float8 AS offset, is_ahead, is_drifting,
                    drift_seconds_per_hour AS drift,
                    extract(epoch FROM corrected_start - started_at)::float8 AS corrected,
                    systole.epoch_us(started_at) AS started
                FROM systole.live_recordings
                """
            ).only()
            #expect(abs(try row.double("offset") + 360) < 1)
            #expect(try row.double("corrected") == (try row.double("offset")))
            #expect(try row.bool("is_ahead"))
            #expect(try row.bool("is_drifting"))
            // The late ones pull a median up, by less the more there are.
            let drift = try row.double("drift")
            #expect(abs(drift - 2) < 0.25, "\(drift)")
            #expect(try row.int64("started") == signal.start.microseconds)
        }
    }

    @Test func `Swift reads what is not in a chunk yet`() async throws {
        try await withTestDatabase { database in
            let signal = LiveSignal(samples: 6000)
            try await feed(signal.pieces(sizes: [800]), database.pool)
            let chunks = try await database.pool.transaction { db in
                let id = try RecordingStore.find(key: "ward/1", in: db).id
                return try RecordingStore.chunks(of: id, channel: 1, in: db)
            }
            let samples = chunks.flatMap(\.samples)
            #expect(samples == (0..<6000).map { signal.word(1, $0) })
        }
    }

    @Test func `an envelope knows that the first chunk is shorter, and what is missing`()
        async throws
    {
        try await withTestDatabase { database in
            // A key whose first chunk is a small part of the others.
            let rate = SamplingRate(100)
            let key = try #require(
                (0..<10_000).lazy.map { "env/\($0)" }.first {
                    ChunkGrid(rate: rate, staggeredBy: $0).start(of: 1) < 20
                })
            var signal = LiveSignal(samples: 20_000)
            signal.key = key
            signal.rate = rate
            signal.gaps = [7_100..<7_400]
            try await feed(signal.pieces(sizes: [500]), database.pool)
            for (points, width) in [(200, 100), (4, 5000)] {
                let rows = try await database.pool.run(
                    """
                    SELECT seconds, samples FROM systole.waveform_envelope(
                        \(key), 'II', 0, 200, \(points))
                    """)
                #expect(try rows.allDoubles("seconds").allSatisfy { $0 == Double(width) / 100 })
                #expect(try rows.map { try $0.int("samples") }.reduce(0, +) == 19_700)
                #expect(rows.count == (points == 4 ? 4 : 197))
            }
        }
    }

    @Test func `a piece whose clock is ahead by years is refused, and the recording goes on`()
        async throws
    {
        try await withTestDatabase { database in
            let signal = LiveSignal(samples: 3000)
            let astray = signal.piece(400_000_000..<400_000_010)
            let pieces = signal.pieces(sizes: [500])
            let report = try await feed(
                Array(pieces[..<3]) + [astray] + Array(pieces[3...]), database.pool)
            #expect(report.rejections.map(\.reason) == [LivePieceError.ahead.description])
            let row = try await database.pool.run(
                "SELECT seconds, gap_seconds FROM systole.live_recordings"
            ).only()
            #expect(try row.double("seconds") == 6 && row.double("gap_seconds") == 0)
        }
    }

    @Test func `a drop-out of hours is a gap, for a device and for a log that is read later`()
        async throws
    {
        try await withTestDatabase { database in
            for (index, delay) in [Int64(7200), 100_000].enumerated() {
                var signal = LiveSignal(samples: 10)
                signal.key = "drop/\(index)"
                let late = signal.piece(3_600_000..<3_600_010)
                let first = signal.piece(0..<10)
                for (piece, after) in [(first, index == 0 ? 0 : delay), (late, delay)] {
                    let received = signal.start + .seconds(after)
                    let report = try await database.pool.transaction { db in
                        try LiveStore.append([piece], receivedAt: received, in: db)
                    }
                    #expect(report.rejections.isEmpty)
                    #expect(report.counts.gaps == (piece.first == 0 ? 0 : 1))
                    #expect(abs(report.gapSeconds - (piece.first == 0 ? 0 : 7200)) < 0.1)
                }
            }
            let gaps = try await database.pool.run(
                "SELECT gap_seconds FROM systole.live_recordings"
            ).allDoubles("gap_seconds")
            #expect(gaps.count == 2 && gaps.allSatisfy { abs($0 - 7200) < 0.1 })
        }
    }
}
