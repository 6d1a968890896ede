package import Models
package import Series

/// What one channel showed, in the order of time.
package struct SensorTrack: Sendable, Equatable {
    package let channel: Channel
    /// Microseconds since 1970, ascending.
    package let instants: [Int64]
    /// `[instants]`, finite, in the unit of the channel.
    package let values: [Double]

    /// Leaves out what is no number.
    package init(channel: Channel, instants: [Int64], values: [Double]) {
        let known = instants.indices.filter { values[$0].isFinite }
        self.channel = channel
        self.instants = known.map { instants[$0] }
        self.values = known.map { values[$0] }
    }

    /// The mean distance of two observations in microseconds; nil for fewer than two.
    var meanStep: Double? {
        guard let first = instants.first, let last = instants.last, instants.count > 1 else {
            return nil
        }
        return Double(last - first) / Double(instants.count - 1)
    }
}

extension SensorSequence {
    /// Puts tracks of one recording side by side.
    ///
    /// An input belongs to the nearest row of the grid. A target that comes as fast as inputs is the mean
    /// of its piece; one that comes once a piece or less often belongs to the piece that ends nearest to
    /// it. nil where inputs and targets have no whole piece in common.
    ///
    /// - Parameters:
    ///   - name: Of the recording.
    ///   - inputs: In the order of a sample.
    ///   - targets: In the order of a prediction.
    ///   - stepMicroseconds: Between two samples.
    ///   - ratio: Samples for each prediction.
    package init?(
        name: String, inputs: [SensorTrack], targets: [SensorTrack], stepMicroseconds: Int64,
        ratio: Int
    ) {
        guard let begin = inputs.compactMap(\.instants.first).max(),
            let end = inputs.compactMap(\.instants.last).min(), begin < end
        else { return nil }
        let phase = begin - begin.flooredQuotient(by: stepMicroseconds) * stepMicroseconds
        let grid = GroupGrid(stepMicroseconds: stepMicroseconds, phaseMicroseconds: phase)
        let size = Int64(ratio)
        func row(_ instant: Int64) -> Int64 { grid.number(of: Timestamp(microseconds: instant)) }
        let first = (row(begin) + size - 1).flooredQuotient(by: size)
        let pieces = Int((row(end) + 1).flooredQuotient(by: size) - first)
        guard pieces > 0 else { return nil }
        let columns = inputs.map { track in
            track.means(rows: pieces * ratio) { row($0) - first * size }
        }
        let known = targets.map { track in
            let isSlow = (track.meanStep ?? .infinity) > 0.75 * Double(size * stepMicroseconds)
            return track.means(rows: pieces) { instant in
                let place = row(instant) - first * size
                // The last row of a piece is size − 1 rows behind its first one.
                return (isSlow ? place - (size - 1) + size / 2 : place).flooredQuotient(by: size)
            }
        }
        guard known.contains(where: { $0.contains { $0.isFinite } }) else { return nil }
        self.init(name: name, inputs: columns, targets: known, ratio: ratio)
    }

    /// A part of it, by predictions.
    func slice(_ range: Range<Int>, name: String) -> SensorSequence {
        func columns(_ values: [Float], width: Int, rows: Range<Int>) -> [[Double]] {
            (0..<width).map { column in rows.map { Double(values[$0 * width + column]) } }
        }
        return SensorSequence(
            name: name,
            inputs: columns(
                inputs, width: channels, rows: range.lowerBound * ratio..<range.upperBound * ratio),
            targets: columns(targets, width: outputs, rows: range), ratio: ratio)
    }
}

extension SensorTrack {
    /// Means of what belongs to each row; NaN where nothing does.
    fileprivate func means(rows: Int, _ row: (Int64) -> Int64) -> [Double] {
        var sums = [Double](repeating: 0, count: rows)
        var counts = [Double](repeating: 0, count: rows)
        for (instant, value) in zip(instants, values) {
            let place = row(instant)
            guard (0..<Int64(rows)).contains(place) else { continue }
            sums[Int(place)] += value
            counts[Int(place)] += 1
        }
        return zip(sums, counts).map { $1 > 0 ? $0 / $1 : .nan }
    }
}

extension SensorSet {
    /// Keeps a fifth for validation and a fifth for a test: whole recordings where there are five or more,
    /// the later parts of each where there are fewer.
    package init(name: String, outputs: [String], splitting sequences: [SensorSequence]) {
        let count = sequences.count
        guard count < 5 else {
            let (tests, judged) = (max(1, count / 5), max(1, count / 5))
            self.init(
                name: name, outputs: outputs, train: Array(sequences.dropLast(tests + judged)),
                validation: Array(sequences.dropLast(tests).suffix(judged)),
                test: Array(sequences.suffix(tests)))
            return
        }
        func part(_ from: Double, _ to: Double, _ label: String) -> [SensorSequence] {
            sequences.map { sequence in
                let n = Double(sequence.count)
                return sequence.slice(
                    Int(from * n)..<Int(to * n), name: "\(label) of \(sequence.name)")
            }.filter { $0.count > 0 }
        }
        self.init(
            name: name, outputs: outputs, train: part(0, 0.6, "first three fifths"),
            validation: part(0.6, 0.8, "fourth fifth"), test: part(0.8, 1, "last fifth"))
    }
}

/// Fits a sensor model and says how well it does on what it has not seen.
package struct SensorFitting: Sendable {
    /// Predictions without which nothing is fitted.
    package static let predictionsMinimum = 50

    package let configuration: HiSSConfiguration
    package let options: HiSSTrainingOptions
    /// Who fits, such as `systole 1.0 (abc)`.
    package let software: String

    package init(
        configuration: HiSSConfiguration, options: HiSSTrainingOptions, software: String
    ) {
        self.configuration = configuration
        self.options = options
        self.software = software
    }

    /// Trains, and looks at the test part once.
    ///
    /// - Parameters:
    ///   - set: What was recorded.
    ///   - inputs: What the model reads.
    ///   - outputs: What it gives.
    ///   - stepMicroseconds: Between two samples.
    ///   - clock: Measures the seconds.
    ///   - progress: Called after every epoch with its number and both errors.
    /// - Returns: The model with its card.
    /// - Throws: `SensorFittingError`, or `TrainingError`.
    package func fit(
        _ set: SensorSet, inputs: [Channel], outputs: [Channel], stepMicroseconds: Int64,
        clock: any Clock<Duration> = ContinuousClock(),
        progress: (_ epoch: Int, _ loss: Double, _ validationError: Double) -> Void = { _, _, _ in }
    ) throws -> SensorModel {
        let parts = [set.train, set.validation, set.test]
        let known = parts.map { part in
            part.reduce(0) { $0 + $1.targets.count { $0.isFinite } } / outputs.count
        }
        let needed = [Self.predictionsMinimum, 5, 5]
        guard zip(known, needed).allSatisfy({ $0 >= $1 }) else {
            throw SensorFittingError.tooShort(
                found: known.reduce(0, +), needed: 2 * Self.predictionsMinimum)
        }
        let trainer = HiSSTrainer(configuration: configuration, options: options)
        let trained = try trainer.train(
            set.train, validation: set.validation, clock: clock, progress: progress)
        let predictions = HiSSTrainer.predict(trained, set.test, threads: options.threads)
        let mean = set.test.map { sequence in
            (0..<sequence.count).flatMap { _ in trained.scaling.targetOffsets }
        }
        let card = SensorCard(
            set: set, errors: SensorErrors(predictions, of: set.test, trained.scaling),
            errorsOfMean: SensorErrors(mean, of: set.test, trained.scaling), seed: options.seed,
            software: software)
        return SensorModel(
            inputs: inputs, outputs: outputs, stepMicroseconds: stepMicroseconds,
            memory: options.crop * configuration.ratio, trained: trained, card: card)
    }
}

/// Why nothing can be fitted.
package enum SensorFittingError: Error, Equatable, CustomStringConvertible {
    /// Fewer predictions with a known target than are needed.
    case tooShort(found: Int, needed: Int)

    package var description: String {
        switch self {
        case .tooShort(let found, let needed):
            "there are \(found) outputs with a known target; at least \(needed) are needed, spread over "
                + "the recordings"
        }
    }
}
