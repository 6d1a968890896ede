package import Series

/// How rows of inputs become samples and pieces of samples, and where the predictions of pieces lie.
///
/// Pieces are numbered on the grid of the rows alone, so that a stream that begins anew has its
/// predictions at the same instants as before.
package struct SensorPieces: Sendable, Equatable {
    /// Where rows of the inputs lie; an observation belongs to the nearest.
    package let grid: GroupGrid
    /// Rows that one sample is the mean of.
    package let merged: Int
    /// Samples for each prediction.
    package let ratio: Int

    package init(grid: GroupGrid, merged: Int, ratio: Int) {
        precondition(merged > 0 && ratio > 0, "SensorPieces: \(merged) rows, \(ratio) samples")
        self.grid = grid
        self.merged = merged
        self.ratio = ratio
    }

    /// Rows of a piece.
    package var rows: Int64 { Int64(merged * ratio) }

    /// The grid of a step on which an instant lies.
    package static func grid(
        stepMicroseconds step: Int64, through instant: Int64
    ) -> GroupGrid {
        GroupGrid(
            stepMicroseconds: step,
            phaseMicroseconds: instant - instant.flooredQuotient(by: step) * step)
    }

    /// The row of an instant in microseconds.
    package func row(of instant: Int64) -> Int64 {
        grid.number(of: Timestamp(microseconds: instant))
    }

    /// The piece that an instant in microseconds belongs to.
    package func piece(of instant: Int64) -> Int64 { row(of: instant).flooredQuotient(by: rows) }

    /// The first row of a piece.
    package func begin(of piece: Int64) -> Timestamp { grid.instant(of: piece * rows) }

    /// The last row of a piece, or one that lies so many samples further on.
    package func end(of piece: Int64, ahead: Int = 0) -> Timestamp {
        grid.instant(of: (piece + 1) * rows - 1 + Int64(ahead * merged))
    }

    /// Neighbouring pieces.
    package struct Stretch: Sendable {
        package let first: Int64
        /// `[pieces · ratio, channels]`; NaN where missing.
        package let samples: [Float]
    }

    /// The pieces in which something came, with those between them unless they are too many.
    ///
    /// - Parameters:
    ///   - instants: `[channel][observation]` in microseconds, ascending.
    ///   - values: `[channel][observation]`
    ///   - pieces: Which.
    ///   - gap: So many pieces without anything are left out.
    /// - Returns: In the order of time.
    package func stretches(
        _ instants: [[Int64]], _ values: [[Double]], in pieces: ClosedRange<Int64>, gap: Int64
    ) -> [Stretch] {
        let numbers = instants.map { $0.map { row(of: $0) } }
        var ranges: [ClosedRange<Int64>] = []
        let filled = Set(numbers.joined().map { $0.flooredQuotient(by: rows) }).sorted()
        for piece in filled where pieces.contains(piece) {
            if let last = ranges.last, piece - last.upperBound <= gap {
                ranges[ranges.count - 1] = last.lowerBound...piece
            } else {
                ranges.append(piece...piece)
            }
        }
        return ranges.map { range in
            Stretch(first: range.lowerBound, samples: samples(range, numbers, values))
        }
    }

    /// Means of what came for each sample.
    private func samples(
        _ range: ClosedRange<Int64>, _ numbers: [[Int64]], _ values: [[Double]]
    ) -> [Float] {
        let channels = numbers.count
        let count = Int(range.upperBound - range.lowerBound + 1) * ratio * channels
        let (begin, end) = (range.lowerBound * rows, (range.upperBound + 1) * rows)
        var sums = [Double](repeating: 0, count: count)
        var counts = [Double](repeating: 0, count: count)
        for (channel, rows) in numbers.enumerated() {
            for (index, number) in rows.enumerated() where number >= begin && number < end {
                let place = Int(number - begin) / merged * channels + channel
                sums[place] += values[channel][index]
                counts[place] += 1
            }
        }
        return zip(sums, counts).map { $1 > 0 ? Float($0 / $1) : .nan }
    }
}

extension DerivedStream {
    /// Takes pieces up to and with `last`; those that are not in a stretch are missing.
    ///
    /// - Parameters:
    ///   - stretches: From the next piece on, in the order of time.
    ///   - last: The last piece, the one before the next at least.
    ///   - computer: The model.
    /// - Returns: Predictions and what happened.
    /// - Throws: `StreamModelError`; the stream is then as it was.
    package mutating func advance(
        _ stretches: [SensorPieces.Stretch], through last: Int64, with computer: any StreamModel
    ) throws(StreamModelError) -> Outcome {
        var (moved, outcome) = (self, Outcome())
        for stretch in stretches {
            outcome.add(try moved.advance(stretch.samples, from: stretch.first, with: computer))
        }
        outcome.add(try moved.advance([], from: last + 1, with: computer))
        self = moved
        return outcome
    }
}

extension DerivedStream.Outcome {
    fileprivate mutating func add(_ other: Self) {
        pieces += other.pieces
        values += other.values
        events += other.events
    }
}

/// What a sensor model makes of a recording, as it would of a stream.
package struct DerivedRecording: Sendable {
    /// Where predictions lie.
    package let instants: [Timestamp]
    /// `[instants, outputs]`
    package let values: [Float]
    /// Where the stream began anew after its beginning.
    package let resets: [Timestamp]
    /// Rows of the recording that one sample is the mean of.
    package let merged: Int

    /// - Parameters:
    ///   - tracks: As many as the model reads.
    ///   - model: The model.
    /// - Throws: `DerivedRecordingError`.
    package init(_ tracks: [SensorTrack], by model: SensorModel) throws {
        precondition(tracks.count == model.inputs.count, "DerivedRecording: \(tracks.count) tracks")
        for track in tracks where track.instants.isEmpty {
            throw DerivedRecordingError.empty(track.channel.name)
        }
        let wanted = model.stepMicroseconds
        let found = tracks.compactMap(\.commonStep).min() ?? wanted
        merged = max(1, Int((Double(wanted) / Double(found)).rounded()))
        guard abs(Int64(merged) * found - wanted) * 1000 <= wanted else {
            throw DerivedRecordingError.step(found: found, wanted: wanted)
        }
        let (firsts, lasts) = (
            tracks.compactMap(\.instants.first), tracks.compactMap(\.instants.last)
        )
        let places = SensorPieces(
            grid: SensorPieces.grid(stepMicroseconds: found, through: firsts.min() ?? 0),
            merged: merged, ratio: model.ratio)
        let first = places.piece(of: firsts.max() ?? 0)
        let last = (places.row(of: lasts.max() ?? 0) + 1).flooredQuotient(by: places.rows) - 1
        guard first <= last else {
            (instants, values, resets) = ([], [], [])
            return
        }
        let computer = SensorStream(model)
        var stream = DerivedStream(channels: tracks.count, next: first)
        let outcome = try stream.advance(
            places.stretches(
                tracks.map(\.instants), tracks.map(\.values), in: first...last,
                gap: Int64(model.memory / model.ratio) + 1),
            through: last, with: computer)
        instants = outcome.pieces.map { places.end(of: $0) }
        values = outcome.values
        resets = outcome.events.dropFirst().compactMap { event in
            if case .began(let piece) = event { places.begin(of: piece) } else { nil }
        }
    }
}

/// Why a model makes nothing of a recording.
package enum DerivedRecordingError: Error, Equatable, CustomStringConvertible {
    /// A channel without an observation.
    case empty(String)
    /// Microseconds between two rows, of which the model's step is no whole multiple.
    case step(found: Int64, wanted: Int64)

    package var description: String {
        switch self {
        case .empty(let channel): "channel \(channel) has no observation"
        case .step(let found, let wanted):
            "the model reads a sample every \(wanted) µs, and the recording has a row every \(found) µs; "
                + "accepted are whole fractions, of which means are taken"
        }
    }
}

extension SensorTrack {
    /// The commonest distance of two observations in microseconds; nil for fewer than two.
    package var commonStep: Int64? {
        var counts: [Int64: Int] = [:]
        for (earlier, later) in zip(instants, instants.dropFirst()) {
            counts[later - earlier, default: 0] += 1
        }
        return counts.max { ($0.value, -$0.key) < ($1.value, -$1.key) }?.key
    }
}
