import ArgumentParser
import Forecasting
import Foundation
import Learning
import Postgres
import Series
import Store

/// What was recorded together: fast inputs, and what is to be read from them.
struct SensorRecording {
    let name: String
    let inputs: [SensorTrack]
    let targets: [SensorTrack]

    /// Side by side, as models see them; nil where nothing is common.
    func sequence(stepMicroseconds: Int64, ratio: Int) -> SensorSequence? {
        SensorSequence(
            name: name, inputs: inputs, targets: targets, stepMicroseconds: stepMicroseconds,
            ratio: ratio)
    }

    /// The step that the inputs of all recordings share.
    static func step(of recordings: [SensorRecording]) throws -> Int64 {
        var found: Int64?
        for recording in recordings {
            for track in recording.inputs {
                guard let step = track.commonStep else {
                    throw ValidationError(
                        "\(recording.name): \(track.channel.name) has no regular step")
                }
                if let found, abs(found - step) * 1000 > found {
                    throw ValidationError(
                        "\(recording.name): \(track.channel.name) has a step of \(step) µs, and others "
                            + "have one of \(found) µs; inputs share one")
                }
                found = found ?? step
            }
        }
        guard let found else { throw ValidationError("there are no inputs") }
        return found
    }

    /// Samples for each target, where those come less often; 10 where they come as fast.
    static func ratio(of recordings: [SensorRecording], step: Int64) throws -> Int {
        let steps = recordings.flatMap(\.targets).compactMap(\.commonStep)
        guard let slowest = steps.max() else { return 10 }
        let ratio = Double(slowest) / Double(step)
        guard ratio > 1.5 else { return 10 }
        guard abs(ratio - ratio.rounded()) < 0.01 * ratio, ratio < 10_000 else {
            throw ValidationError(
                "the target comes every \(slowest) µs, which is no whole number of the inputs' \(step) "
                    + "µs: give --ratio")
        }
        return Int(ratio.rounded())
    }
}

/// Observations of a stored series.
enum StoredTrack {
    static func read(
        _ key: String, from: String?, until: String?, on pool: Pool
    ) async throws -> SensorTrack {
        let row = try await pool.run(
            """
            SELECT s.unit, o.instants, o.samples
            FROM systole.series_id_of(\(key)) AS wanted (series_id)
            JOIN systole.series_list AS s USING (series_id)
            CROSS JOIN LATERAL (
                SELECT array_agg(systole.epoch_us(l.at) ORDER BY l.at) AS instants,
                    array_agg(l.value ORDER BY l.at) AS samples
                FROM systole.observations AS l
                WHERE l.series_id = wanted.series_id
                    AND l.at >= coalesce(\(from)::timestamptz, '-infinity')
                    AND l.at <= coalesce(\(until)::timestamptz, 'infinity')) AS o
            """
        ).only()
        return SensorTrack(
            channel: Channel(name: key, unit: PhysicalUnit(try row.text("unit"))),
            instants: try row.optionalInt64s("instants") ?? [],
            values: try row.optionalDoubles("samples") ?? [])
    }
}

/// Puts sensor models into the database, and decides which goes live.
enum SensorModelFiling {
    /// What became of a model.
    struct Verdict: Encodable {
        let name: String
        let number: Int64
        let isLive: Bool
        let reason: String
    }

    /// Stores a version and promotes it where it is better than the mean, and than the live one.
    static func store(
        _ model: SensorModel, name: String, judgedOn set: SensorSet, on pool: Pool
    ) async throws -> Verdict {
        let live = try await pool.run(
            """
            SELECT sensor_model_id, weights FROM systole.sensor_model
            WHERE name = \(name) AND stage = 'live'
            """
        ).first.map { row in try row.bytes("weights") }
        let (isBetter, reason) = try judge(model, against: live, on: set)
        let number = try await pool.transaction { db in
            let number = try SensorModelStore.add(
                NewSensorModel(
                    name: name, family: "hiss", inputs: model.inputs.map(\.name),
                    outputs: model.outputs, stepMicroseconds: model.stepMicroseconds,
                    ratio: model.ratio, memory: model.memory, card: try card(model),
                    weights: model.encoded()), in: db)
            try db.run("SELECT systole.judge_sensor_model(\(number), \(reason), \(isBetter))")
            return number
        }
        return Verdict(name: name, number: number, isLive: isBetter, reason: reason)
    }

    private static func card(_ model: SensorModel) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        return String(decoding: try encoder.encode(model.card), as: UTF8.self)
    }

    private static func judge(
        _ model: SensorModel, against live: [UInt8]?, on set: SensorSet
    ) throws -> (isBetter: Bool, reason: String) {
        guard let card = model.card else { return (false, "nothing was kept back to judge it on") }
        let (own, mean) = (card.errors.scaledMSE, card.errorsOfMean.scaledMSE)
        let rows = "\(card.errors.count) outputs that it had not seen"
        func text(_ value: Double) -> String { Terminal.number(value, digits: 3) }
        guard card.isBetterThanMean else {
            return (
                false,
                "on \(rows) its mean squared error is \(text(own)), that of the mean \(text(mean))"
            )
        }
        var reason =
            "on \(rows) its mean squared error is \(text(own)), that of the mean \(text(mean))"
        guard let live, let other = try? SensorModel(decoding: live) else { return (true, reason) }
        let theirs = SensorErrors(
            set.test.map { other.predict($0) }, of: set.test, model.trained.scaling
        ).scaledMSE
        reason += ", and that of the live version \(text(theirs))"
        return (own < theirs, reason)
    }
}

/// What a command says of a sensor model.
struct SensorModelReport: Encodable {
    let inputs: [String]
    let outputs: [String]
    let stepMicroseconds: Int64
    let samplesPerOutput: Int
    let parameters: Int
    let bestEpoch: Int
    let epochs: Int
    let seconds: Double
    let card: SensorCard?
    let file: String?
    let stored: SensorModelFiling.Verdict?

    init(_ model: SensorModel, file: String?, stored: SensorModelFiling.Verdict?) {
        inputs = model.inputs.map(\.name)
        outputs = model.outputs.map(\.name)
        stepMicroseconds = model.stepMicroseconds
        samplesPerOutput = model.ratio
        parameters = model.trained.parameters.values.count
        bestEpoch = model.trained.bestEpoch
        epochs = model.trained.epochs
        seconds = model.trained.seconds
        card = model.card
        self.file = file
        self.stored = stored
    }

    var text: String {
        var lines = [
            "\(parameters) parameters, best of \(epochs) epochs: \(bestEpoch), "
                + "\(Terminal.number(seconds, digits: 3)) s"
        ]
        if let card {
            lines.append(
                "test (\(card.test.joined(separator: ", "))): mean squared error "
                    + "\(Terminal.number(card.errors.mse)), of the mean of the training "
                    + "\(Terminal.number(card.errorsOfMean.mse)); \(card.errors.count) outputs")
        }
        if let file { lines.append("model: \(file)") }
        if let stored {
            let state = stored.isLive ? "live" : "a candidate"
            lines.append("\(stored.name): model \(stored.number) is \(state); \(stored.reason)")
        }
        return lines.joined(separator: "\n")
    }
}
