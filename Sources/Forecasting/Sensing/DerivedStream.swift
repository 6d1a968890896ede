internal import Models

/// A stream of samples that a model turns into another stream, piece by piece; a piece is as many samples
/// as make a prediction. Pieces are numbered from any origin.
///
/// What is missing stands still at its last value, as in the training, and is nobody's observation: a
/// prediction is given only where every channel showed half of its samples at least. Once a channel has
/// been silent for longer than the model's memory, the past is worth nothing: the stream lapses, and
/// begins anew with the next piece that every channel shows half of.
package struct DerivedStream: Sendable, Equatable {
    /// Something that whoever reads the predictions should know.
    package enum Event: Sendable, Equatable {
        /// In a piece a channel has been silent for longer than the model's memory.
        case lapsed(piece: Int64, channel: Int)
        /// The stream begins, or begins anew, without a past.
        case began(piece: Int64)
    }

    /// What some samples led to.
    package struct Outcome: Sendable, Equatable {
        /// Pieces with a prediction, ascending.
        package var pieces: [Int64] = []
        /// `[pieces, outputs]`
        package var values: [Float] = []
        package var events: [Event] = []
    }

    /// The piece that comes next.
    package private(set) var next: Int64
    /// Whether there is no past to go on from.
    package private(set) var isLapsed = true
    /// The newest value of each channel.
    private var held: [Float]
    /// Samples since then.
    private var silent: [Int]
    /// What the model keeps; empty while there is no past.
    private var model: [UInt8] = []

    /// A stream that begins with a piece.
    package init(channels: Int, next: Int64) {
        self.next = next
        held = [Float](repeating: 0, count: channels)
        silent = [Int](repeating: 0, count: channels)
    }

    /// The same stream without its past.
    package mutating func forget() {
        self = DerivedStream(channels: held.count, next: next)
    }

    /// Takes whole pieces.
    ///
    /// - Parameters:
    ///   - rows: `[rows, channels]`, whole pieces; NaN where missing.
    ///   - first: The number of the first piece, `next` at least; pieces before it that did not come are
    ///     missing.
    ///   - computer: The model.
    /// - Returns: Predictions and what happened.
    /// - Throws: `StreamModelError`; the stream is then as it was.
    package mutating func advance(
        _ rows: [Float], from first: Int64, with computer: any StreamModel
    ) throws(StreamModelError) -> Outcome {
        let size = computer.ratio * computer.channels
        precondition(
            rows.count % size == 0 && first >= next && held.count == computer.channels,
            "DerivedStream: \(rows.count) numbers from piece \(first) on")
        var (moved, outcome) = (self, Outcome())
        try moved.pass(first - next, with: computer, &outcome)
        var run = Run()
        for index in 0..<rows.count / size {
            let piece = rows[index * size..<(index + 1) * size]
            try moved.take(piece, with: computer, &run, &outcome)
        }
        try moved.flush(&run, with: computer, &outcome)
        self = moved
        return outcome
    }

    /// Samples that wait for the model, so that it is called once for many.
    private struct Run {
        var samples: [Float] = []
        /// Of every piece: its number, and whether its prediction is given.
        var pieces: [(number: Int64, isGiven: Bool)] = []
    }

    /// Pieces that did not come.
    private mutating func pass(
        _ count: Int64, with computer: any StreamModel, _ outcome: inout Outcome
    ) throws(StreamModelError) {
        guard count > 0 else { return }
        let most = Int64(computer.memory / computer.ratio) + 1
        let missing = [Float](
            repeating: .nan, count: computer.ratio * computer.channels)
        var run = Run()
        // With so many the stream has lapsed, and the others change nothing.
        for _ in 0..<min(count, most) {
            try take(missing[...], with: computer, &run, &outcome)
        }
        try flush(&run, with: computer, &outcome)
        next += max(0, count - most)
    }

    private mutating func take(
        _ piece: ArraySlice<Float>, with computer: any StreamModel, _ run: inout Run,
        _ outcome: inout Outcome
    ) throws(StreamModelError) {
        let (channels, ratio) = (held.count, computer.ratio)
        var known = [Int](repeating: 0, count: channels)
        for (place, value) in piece.enumerated() where value.isFinite {
            known[place % channels] += 1
        }
        let isWhole = known.allSatisfy { 2 * $0 >= ratio }
        if isLapsed {
            guard isWhole else {
                next += 1
                return
            }
            isLapsed = false
            // Before its first sample a channel stands where that will be.
            held = (0..<channels).map { channel in
                piece.enumerated().first { $0.offset % channels == channel && $0.element.isFinite }?
                    .element ?? 0
            }
            silent = [Int](repeating: 0, count: channels)
            model = computer.begin()
            outcome.events.append(.began(piece: next))
        }
        var lost: Int?
        let begun = run.samples.count
        for (place, value) in piece.enumerated() {
            let channel = place % channels
            silent[channel] = value.isFinite ? 0 : silent[channel] + 1
            if value.isFinite { held[channel] = value }
            if silent[channel] > computer.memory { lost = lost ?? channel }
            run.samples.append(held[channel])
        }
        if let channel = lost {
            run.samples.removeLast(run.samples.count - begun)
            try flush(&run, with: computer, &outcome)
            outcome.events.append(.lapsed(piece: next, channel: channel))
            isLapsed = true
            model = []
        } else {
            run.pieces.append((next, isWhole))
        }
        next += 1
    }

    private mutating func flush(
        _ run: inout Run, with computer: any StreamModel, _ outcome: inout Outcome
    ) throws(StreamModelError) {
        guard !run.pieces.isEmpty else { return }
        let values = try computer.append(run.samples, to: &model)
        let width = computer.outputs
        for (index, piece) in run.pieces.enumerated() where piece.isGiven {
            let prediction = values[index * width..<(index + 1) * width]
            // A single precision that overflows is no prediction.
            guard prediction.allSatisfy({ $0.isFinite }) else { continue }
            outcome.pieces.append(piece.number)
            outcome.values += prediction
        }
        run = Run()
    }
}

// MARK: As it is stored

extension DerivedStream {
    private static var version: UInt32 { 1 }

    /// What `init(bytes:)` reads: version, next piece (two), whether it has lapsed, channels, what each
    /// showed last and for how long it has been silent, and then what the model keeps.
    package var bytes: [UInt8] {
        let place = UInt64(bitPattern: next)
        var words = [
            Self.version, UInt32(truncatingIfNeeded: place), UInt32(place >> 32),
            isLapsed ? 1 : 0, UInt32(held.count),
        ]
        words += held.map { $0.bitPattern }
        words += silent.map { UInt32(clamping: $0) }
        return StateWords(words).bytes + model
    }

    /// Reads what `bytes` gave.
    ///
    /// - Parameters:
    ///   - bytes: All of them.
    ///   - channels: That there should be.
    /// - Throws: `StreamModelError`.
    package init(bytes: [UInt8], channels: Int) throws(StreamModelError) {
        guard let head = StateWords(bytes: bytes.prefix(20))?.words, head.count == 5 else {
            throw .damaged
        }
        guard head[0] == Self.version else { throw .newer }
        guard head[4] == UInt32(channels) else { throw .otherModel }
        let end = 20 + 8 * channels
        guard bytes.count >= end, let body = StateWords(bytes: bytes[20..<end])?.words,
            head[3] <= 1
        else { throw .damaged }
        next = Int64(bitPattern: UInt64(head[2]) << 32 | UInt64(head[1]))
        isLapsed = head[3] == 1
        held = body[..<channels].map { Float(bitPattern: $0) }
        silent = body[channels...].map { Int($0) }
        model = Array(bytes[end...])
    }
}
