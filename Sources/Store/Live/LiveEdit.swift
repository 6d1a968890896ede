import Series

/// What a batch does to one recording. Pure: it is told what is stored, and says what to write.
struct LiveEdit {
    let before: LiveState
    private(set) var after: LiveState
    /// Of the pieces that are taken, in the order in which they came.
    private(set) var pieces: [(first: Int64, piece: WaveformPiece)] = []
    private(set) var rejections: [String] = []
    var counts = LiveCounts()

    // What to write.
    /// Rows that come to the tail.
    private(set) var spans: [LiveSpan] = []
    /// Whether the rows that the tail has go first.
    private(set) var replacesTail = false
    /// Windows that become chunks, in place of those that may be there.
    private(set) var windows: [LiveWindow] = []

    /// How long a stretch may be left out for which no time has passed, where the device tells the time,
    /// and where it does not; in seconds.
    private static let (aheadMaximum, untimedMaximum) = (300.0, 86_400.0)

    private let receivedAt: Timestamp?
    /// Receive time less device time, as it was in the beginning.
    private var firstOffset: Int64?

    /// - Parameters:
    ///   - state: The recording as it is stored.
    ///   - pieces: What came for it.
    ///   - receivedAt: When, on our clock; nil where nothing did.
    init(_ state: LiveState, _ pieces: [WaveformPiece], receivedAt: Timestamp?) {
        before = state
        after = state
        self.receivedAt = receivedAt
        firstOffset = state.firstOffset
        for piece in pieces {
            do {
                try take(piece)
            } catch {
                rejections.append(error.description)
            }
        }
    }

    /// Takes note of a piece, if it belongs here.
    private mutating func take(_ piece: WaveformPiece) throws(LivePieceError) {
        guard piece.channels == before.channels else { throw .channels }
        guard piece.rate == before.rate else { throw .rate }
        guard piece.form == before.form else { throw .form }
        guard let first = after.first(of: piece) else { throw .position }
        let end = first + Int64(piece.count)
        if after.closed == .ended, end > after.head { throw .ended }
        if liesAhead(first, end) { throw .ahead }
        counts.pieces += 1
        if piece.count > 0 {
            pieces.append((first, piece))
            if first > after.head, after.head > 0 {
                counts.gaps += 1
                counts.gapSamples += first - after.head
            }
            if end > after.head {
                after.head = end
                after.closed = nil
            }
        }
        if piece.isLast { after.closed = .ended }
    }

    /// Whether a piece leaves out a stretch for which no time has passed: its clock is wrong. A device
    /// whose clock is ahead from the beginning may stay so, and what was recorded before may come at
    /// any pace.
    private mutating func liesAhead(_ first: Int64, _ end: Int64) -> Bool {
        guard let receivedAt else { return false }
        let offset = before.offset(at: end, receivedAt: receivedAt)
        let reference = firstOffset ?? offset
        firstOffset = reference
        let most = before.startedAt == nil ? Self.untimedMaximum : Self.aheadMaximum
        let gap = Double(first - after.head) / before.rate.hertz
        return gap > most && offset < min(0, reference) - Int64(most * 1e6)
    }

    private var grid: ChunkGrid { before.grid }

    /// The window that the end of the stored samples lies in.
    private var openBefore: Int64 { grid.ordinal(of: before.head) }
    /// The window that stays open; nil where none does.
    private var openAfter: Int64? {
        after.closed == nil ? grid.ordinal(of: after.head) : nil
    }

    /// Whether the tail must be looked at: it becomes chunks, or a piece lies over it.
    var needsTail: Bool {
        guard before.closed == nil, before.head > grid.start(of: openBefore) else { return false }
        return openAfter != openBefore || laysOverTail
    }

    /// Whether a piece begins before the end of what lies in the open window by then.
    private var laysOverTail: Bool {
        guard let openAfter else { return false }
        let start = grid.start(of: openAfter)
        var end = max(before.head, start)
        for (first, piece) in pieces where first + Int64(piece.count) > start {
            if max(first, start) < end { return true }
            end = first + Int64(piece.count)
        }
        return false
    }

    /// First samples of the windows whose chunks must be looked at.
    var chunksNeeded: [Int64] {
        touched.filter { ordinal in
            // A recording that was closed has its last, unfinished window as chunks too.
            before.closed != nil
                ? grid.start(of: ordinal) < before.head : ordinal < openBefore
        }.map { grid.start(of: $0) }
    }

    private var touched: [Int64] {
        var ordinals: Set<Int64> = []
        for (first, piece) in pieces {
            let last = first + Int64(piece.count) - 1
            ordinals.formUnion(grid.ordinal(of: first)...grid.ordinal(of: last))
        }
        // One that goes on where it was closed has its last window open again.
        if before.closed != nil, after.closed == nil { ordinals.insert(openBefore) }
        return ordinals.sorted()
    }

    /// Decides what to write.
    ///
    /// - Parameters:
    ///   - tail: The rows of the tail, where `needsTail`.
    ///   - chunks: What is stored of the windows in `chunksNeeded`: words of one channel each.
    ///   - rule: What happens to a sample that differs from a stored one.
    mutating func decide(
        tail: [LiveSpan], chunks: [(channel: Int, first: Int64, words: [Int32])],
        rule: ConflictRule
    ) {
        var open: [Int64: LiveWindow] = [:]
        var changed: Set<Int64> = []
        let channels = before.channels.count
        func window(_ ordinal: Int64) -> LiveWindow {
            open[ordinal] ?? LiveWindow(grid.samples(of: ordinal), channels: channels)
        }
        for chunk in chunks {
            let ordinal = grid.ordinal(of: chunk.first)
            var loaded = window(ordinal)
            loaded.load(
                chunk.words, first: chunk.first, channels: chunk.channel..<chunk.channel + 1)
            open[ordinal] = loaded
        }
        if !tail.isEmpty {
            var loaded = window(openBefore)
            for span in tail { loaded.load(span.words, first: span.first, channels: 0..<channels) }
            open[openBefore] = loaded
            if openAfter != openBefore { changed.insert(openBefore) }
        }
        let laysOver = laysOverTail || (before.closed != nil && after.closed == nil)
        for (first, piece) in pieces {
            let last = first + Int64(piece.count) - 1
            for ordinal in grid.ordinal(of: first)...grid.ordinal(of: last) {
                if ordinal == openAfter, !laysOver {
                    add(LiveSpan(piece, first: first, from: grid.start(of: ordinal)))
                    continue
                }
                var edited = window(ordinal)
                open[ordinal] = nil  // So that it is not copied.
                if edited.lay(piece, first: first, rule: rule, &counts) { changed.insert(ordinal) }
                open[ordinal] = edited
            }
        }
        settle(open, changed)
    }

    /// Puts a piece behind those that go to the tail.
    private mutating func add(_ span: LiveSpan) {
        counts.stored += span.words.count { $0 != WaveformPiece.missing }
        spans.append(span)
    }

    private mutating func settle(_ open: [Int64: LiveWindow], _ changed: Set<Int64>) {
        joinSpans()
        // What was a chunk becomes the tail where the recording goes on.
        let reopened = before.closed != nil && after.closed == nil ? openBefore : nil
        for (ordinal, window) in open.sorted(by: { $0.key < $1.key }) {
            if ordinal == openAfter {
                guard changed.contains(ordinal) || ordinal == reopened else { continue }
                spans = window.spans()
                replacesTail = true
                if ordinal == reopened { windows.append(window) }
            } else if changed.contains(ordinal) || ordinal == reopened {
                windows.append(window)
            }
        }
        if openAfter != openBefore { replacesTail = needsTail }
    }

    /// Spans that follow each other become one row.
    private mutating func joinSpans() {
        guard spans.count > 1 else { return }
        var runs: [[LiveSpan]] = []
        for span in spans {
            if let end = runs.last?.last?.end, end == span.first {
                runs[runs.count - 1].append(span)
            } else {
                runs.append([span])
            }
        }
        spans = runs.map { LiveSpan.joined($0, channels: before.channels.count) }
    }

    /// Whether a window is written as chunks; the open one, read from them, only loses them.
    func isChunked(_ window: LiveWindow) -> Bool {
        openAfter.map { grid.start(of: $0) > window.samples.lowerBound } ?? true
    }

    /// The end of what the recording has, by the device's clock; nil where nothing was taken.
    var until: Timestamp? {
        guard !pieces.isEmpty else { return nil }
        return TimeGrid(start: before.startedAt ?? before.openedAt, rate: before.rate, count: 0)
            .instant(at: Int(after.head))
    }

    /// Where chunks end at the latest.
    var end: Int64 { after.head }

    /// Closes a recording in which nothing comes any more.
    mutating func fallSilent() {
        after.closed = .silent
    }
}

/// Why a piece is not taken.
enum LivePieceError: Error, CustomStringConvertible {
    case channels, rate, form, position, ended, ahead, whole

    var description: String {
        switch self {
        case .channels: "its channels, units or gains differ from those of the recording"
        case .rate: "its rate differs from that of the recording"
        case .form: "it has integers where the recording has reals, or the other way round"
        case .position: "it lies before the start of the recording, or its place is not told"
        case .ended: "the recording has ended before it"
        case .ahead: "it lies further ahead of what came before than time has passed"
        case .whole: "the recording of this key came as a file"
        }
    }
}
