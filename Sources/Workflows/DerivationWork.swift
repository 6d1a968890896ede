import Forecasting
import Series
import Store

/// One derivation with what is new of its inputs.
struct DerivationWork: Sendable {
    let stored: StoredDerivation
    let model: LoadedModel
    /// By input.
    let observed: [ObservedStretch]
    /// The first instant of what was told of; nil where it was asked for without news.
    let firstNews: Timestamp?

    /// The first instant of the inputs to read: that of the first row that was not taken in, half a step
    /// earlier for what lies beside it.
    static func firstInstant(of stored: StoredDerivation) -> Timestamp {
        if let until = stored.derivedUntil {
            return Timestamp(microseconds: until.microseconds - stored.stepMicroseconds / 2)
        }
        // Nothing is stored from before 1900.
        return stored.since ?? Timestamp(microseconds: -2_208_988_800_000_000)
    }

    /// What the model makes of it.
    ///
    /// - Parameter computer: The model.
    /// - Returns: Observations, notes and the new position; a result without a position where there is
    ///   nothing to begin with, or no whole piece came.
    /// - Throws: `DerivationMisfit`.
    func derived(by computer: any StreamModel) throws(DerivationMisfit) -> DerivationResult {
        var result = DerivationResult(stored: stored)
        // What lies half a step before the next row belongs to it.
        if let first = firstNews, stored.derivedUntil != nil,
            first < Self.firstInstant(of: stored)
        {
            result.note(
                .late, first,
                "observations came for a stretch that was derived already; nothing changes there")
        }
        guard computer.channels == stored.inputs.count, computer.outputs == stored.outputs.count,
            computer.ratio == stored.ratio,
            isNear(computer.stepMicroseconds, stored.stepMicroseconds * Int64(stored.merged))
        else { throw DerivationMisfit() }
        guard let places, let range = readyPieces(places) else { return result }
        var stream = open(places, first: range.lowerBound, &result)
        let outcome = try advance(&stream, through: range.upperBound, places, computer, &result)
        note(outcome.events, places, &result)
        place(outcome, places, ahead: computer.ahead, &result)
        result.hasMore = observed.contains(where: \.isCut)
        result.advance = DerivationAdvance(
            derivation: stored.id, phaseMicroseconds: places.grid.phaseMicroseconds,
            derivedUntil: places.begin(of: stream.next), state: stream.bytes,
            stateModel: model.name)
        return result
    }

    private func isNear(_ a: Int64, _ b: Int64) -> Bool { abs(a - b) * 1000 <= a }

    // MARK: What is ready

    /// Rows and pieces of the inputs; nil before the first observation.
    private var places: SensorPieces? {
        let step = stored.stepMicroseconds
        let grid: GroupGrid
        if let phase = stored.phaseMicroseconds {
            grid = GroupGrid(stepMicroseconds: step, phaseMicroseconds: phase)
        } else {
            guard let first = observed.compactMap(\.instants.first).min() else { return nil }
            grid = SensorPieces.grid(stepMicroseconds: step, through: first)
        }
        return SensorPieces(grid: grid, merged: stored.merged, ratio: stored.ratio)
    }

    /// The pieces from the next one to the last that every channel has shown, or that those which are
    /// behind have been waited for; nil where there is none.
    private func readyPieces(_ places: SensorPieces) -> ClosedRange<Int64>? {
        let known = observed.compactMap(\.newest).map { places.row(of: $0) }
        guard let newest = known.max(), let oldest = known.min() else { return nil }
        var ready = newest - stored.latenessMicroseconds / stored.stepMicroseconds
        if known.count == observed.count { ready = max(ready, oldest) }
        // Of an input that was not read to its end, no further than it was read.
        for stretch in observed where stretch.isCut {
            ready = min(ready, stretch.instants.last.map { places.row(of: $0) } ?? ready)
        }
        let last = (ready + 1).flooredQuotient(by: places.rows) - 1
        guard let first = firstPiece(places), first <= last else { return nil }
        return first...last
    }

    /// The piece that comes next: at the beginning the one in which the last channel begins.
    private func firstPiece(_ places: SensorPieces) -> Int64? {
        if let until = stored.derivedUntil { return places.piece(of: until.microseconds) }
        let firsts = observed.compactMap(\.instants.first)
        guard firsts.count == observed.count, let last = firsts.max() else { return nil }
        return places.piece(of: last)
    }

    // MARK: The stream

    /// The stream as it was stored, or one without a past, with a note that says why.
    private func open(
        _ places: SensorPieces, first: Int64, _ result: inout DerivationResult
    ) -> DerivedStream {
        let new = DerivedStream(channels: stored.inputs.count, next: first)
        guard let state = stored.state, let name = stored.stateModel else { return new }
        let at = places.begin(of: first)
        guard name == model.name else {
            result.note(.model, at, "\(model.name) instead of \(name), which begins anew")
            return new
        }
        do {
            let stream = try DerivedStream(bytes: state, channels: stored.inputs.count)
            guard stream.next == first else { throw StreamModelError.damaged }
            return stream
        } catch {
            result.note(.state, at, Self.lost(error))
            return new
        }
    }

    private static func lost(_ error: any Error) -> String {
        let reason = (error as? StreamModelError)?.description ?? "its stored state was damaged"
        return "begins anew: \(reason)"
    }

    /// Takes in all pieces; begins anew where the model cannot use what it kept.
    private func advance(
        _ stream: inout DerivedStream, through last: Int64, _ places: SensorPieces,
        _ computer: any StreamModel, _ result: inout DerivationResult
    ) throws(DerivationMisfit) -> DerivedStream.Outcome {
        let stretches = places.stretches(
            observed.map(\.instants), observed.map(\.values), in: stream.next...last,
            gap: Int64(computer.memory / computer.ratio) + 1)
        do throws(StreamModelError) {
            return try stream.advance(stretches, through: last, with: computer)
        } catch {
            result.note(.state, places.begin(of: stream.next), Self.lost(error))
            stream.forget()
        }
        do throws(StreamModelError) {
            return try stream.advance(stretches, through: last, with: computer)
        } catch {
            throw DerivationMisfit()  // A stream without a past has none to be refused.
        }
    }

    private func note(
        _ events: [DerivedStream.Event], _ places: SensorPieces, _ result: inout DerivationResult
    ) {
        for event in events {
            switch event {
            case .began(let piece):
                result.note(
                    .began, places.begin(of: piece),
                    "begins without a past, with \(model.name)")
            case .lapsed(let piece, let channel):
                result.note(
                    .lapsed, places.end(of: piece),
                    "channel \(model.channels[channel]) has been silent for longer than the model "
                        + "remembers; nothing is derived until all channels are back")
            }
        }
    }

    /// Puts predictions at the last instant that they follow from.
    private func place(
        _ outcome: DerivedStream.Outcome, _ places: SensorPieces, ahead: Int,
        _ result: inout DerivationResult
    ) {
        let width = stored.outputs.count
        for (index, piece) in outcome.pieces.enumerated() {
            let at = places.end(of: piece, ahead: ahead)
            for output in 0..<width {
                result.observations[output].append(
                    Observation(at: at, value: Double(outcome.values[index * width + output])))
            }
        }
    }
}

/// A model that does not read and give what its derivation has.
struct DerivationMisfit: Error, CustomStringConvertible {
    var description: String {
        "the model does not read or give what this derivation was made for: derive it anew"
    }
}

/// What one run makes of one derivation.
struct DerivationResult: Sendable {
    let stored: StoredDerivation
    /// By output.
    var observations: [[Observation]]
    var notes: [DerivationNote] = []
    /// nil where nothing was taken in.
    var advance: DerivationAdvance?
    /// Whether more may be stored than was read.
    var hasMore = false

    init(stored: StoredDerivation) {
        self.stored = stored
        observations = [[Observation]](repeating: [], count: stored.outputs.count)
    }

    mutating func note(_ kind: DerivationNote.Kind, _ at: Timestamp, _ detail: String) {
        notes.append(
            DerivationNote(derivation: stored.id, kind: kind, at: at, detail: detail))
    }
}
