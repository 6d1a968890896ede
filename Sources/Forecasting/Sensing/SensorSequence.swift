/// A recording of fast sensors beside slower quantities that are to be read from them.
package struct SensorSequence: Sendable, Equatable {
    package let name: String
    /// `[rows, inputs]`, finite; whole pieces of `ratio` rows.
    package let inputs: [Float]
    /// `[rows / ratio, outputs]`; NaN where nothing is known.
    package let targets: [Float]
    package let channels: Int
    package let outputs: Int
    /// Rows for each target.
    package let ratio: Int

    /// Targets, and predictions.
    package var count: Int { targets.count / outputs }

    /// Cuts off what is not whole on either side; a missing input stands still, at 0 before the first one
    /// that is known.
    ///
    /// - Parameters:
    ///   - name: Of the recording.
    ///   - inputs: `[channel][row]`; NaN where missing.
    ///   - targets: `[output][row / ratio]`; NaN where unknown.
    ///   - ratio: Above zero.
    package init(name: String, inputs: [[Double]], targets: [[Double]], ratio: Int) {
        precondition(
            ratio > 0 && !inputs.isEmpty && !targets.isEmpty,
            "SensorSequence: \(inputs.count) inputs, \(targets.count) targets, ratio \(ratio)")
        let count = min((inputs.map(\.count).min() ?? 0) / ratio, targets.map(\.count).min() ?? 0)
        self.name = name
        (channels, outputs, self.ratio) = (inputs.count, targets.count, ratio)
        var values = [Float](repeating: 0, count: count * ratio * inputs.count)
        for (channel, column) in inputs.enumerated() {
            var last: Float = 0
            for row in 0..<count * ratio {
                let value = Float(column[row])
                if value.isFinite { last = value }
                values[row * inputs.count + channel] = last
            }
        }
        self.inputs = values
        var known = [Float](repeating: .nan, count: count * targets.count)
        for (output, column) in targets.enumerated() {
            for row in 0..<count { known[row * targets.count + output] = Float(column[row]) }
        }
        self.targets = known
    }

    /// The same targets with other inputs of the same shape.
    init(_ other: SensorSequence, inputs: [Float]) {
        precondition(inputs.count == other.inputs.count, "SensorSequence: \(inputs.count) inputs")
        (name, targets, self.inputs) = (other.name, other.targets, inputs)
        (channels, outputs, ratio) = (other.channels, other.outputs, other.ratio)
    }
}

/// Sequences kept apart by recording or by subject.
package struct SensorSet: Sendable {
    package let name: String
    /// What stands for the numbers of a target, with units.
    package let outputs: [String]
    package let train: [SensorSequence]
    /// Those of training as they would be at other speeds: to learn from, never for moments or errors.
    package let stretched: [SensorSequence]
    package let validation: [SensorSequence]
    package let test: [SensorSequence]

    package init(
        name: String, outputs: [String], train: [SensorSequence],
        stretched: [SensorSequence] = [], validation: [SensorSequence], test: [SensorSequence]
    ) {
        self.name = name
        self.outputs = outputs
        (self.train, self.stretched) = (train, stretched)
        (self.validation, self.test) = (validation, test)
    }
}

/// Offsets and scales of the training sequences alone, for inputs and targets.
package struct SensorScaling: Sendable, Equatable, Codable {
    package let inputOffsets: [Float]
    package let inputScales: [Float]
    package let targetOffsets: [Float]
    package let targetScales: [Float]

    /// Scaled inputs lie within so many deviations; a spike would rule the differences otherwise.
    package static var deviationsMaximum: Float { 20 }

    /// Means and deviations; a channel that stands still is scaled by 1.
    package init(_ sequences: [SensorSequence]) {
        func moments(_ width: Int, _ values: [[Float]]) -> (offsets: [Float], scales: [Float]) {
            var (offsets, scales): ([Float], [Float]) = ([], [])
            for column in 0..<width {
                var (count, mean, squares) = (0.0, 0.0, 0.0)
                for rows in values {
                    for index in stride(from: column, to: rows.count, by: width)
                    where rows[index].isFinite {
                        // Welford 1962.
                        let value = Double(rows[index])
                        count += 1
                        let difference = value - mean
                        mean += difference / count
                        squares += difference * (value - mean)
                    }
                }
                let deviation = count > 1 ? (squares / (count - 1)).squareRoot() : 0
                offsets.append(Float(mean))
                scales.append(deviation > 1e-12 ? Float(deviation) : 1)
            }
            return (offsets, scales)
        }
        let first = sequences.first
        (inputOffsets, inputScales) = moments(first?.channels ?? 0, sequences.map(\.inputs))
        (targetOffsets, targetScales) = moments(first?.outputs ?? 0, sequences.map(\.targets))
    }

    /// Rows of inputs in units of deviations.
    package func scaled(inputs: [Float]) -> [Float] {
        let width = inputOffsets.count
        let limit = Self.deviationsMaximum
        return inputs.indices.map { index in
            let value = (inputs[index] - inputOffsets[index % width]) / inputScales[index % width]
            return max(-limit, min(limit, value))
        }
    }

    /// Rows of targets in units of deviations; NaN stays.
    package func scaled(targets: [Float]) -> [Float] {
        let width = targetOffsets.count
        return targets.indices.map {
            (targets[$0] - targetOffsets[$0 % width]) / targetScales[$0 % width]
        }
    }

    /// Predictions back in units of the targets.
    package func restored(targets: [Float]) -> [Float] {
        let width = targetOffsets.count
        return targets.indices.map {
            targets[$0] * targetScales[$0 % width] + targetOffsets[$0 % width]
        }
    }
}
