/// How far predictions of sensor sequences are off, in units of the targets.
package struct SensorErrors: Sendable, Equatable, Codable {
    /// Mean of all squared errors.
    package let mse: Double
    /// Of each output.
    package let mseByOutput: [Double]
    /// Mean squared error in units of the training targets' deviations, over all outputs.
    package let scaledMSE: Double
    /// Of each output: 1 is about what the mean of the training gets where recordings are alike.
    package let scaledMSEByOutput: [Double]
    /// Mean length of the error as a vector, where all outputs are known.
    package let euclid: Double
    /// Length of the sum of all errors of a sequence, meaned over sequences: what would be left of an
    /// integrated quantity.
    package let drift: Double
    /// Known targets.
    package let count: Int

    /// - Parameters:
    ///   - predictions: Of every sequence, `[count, outputs]`.
    ///   - sequences: With the targets.
    ///   - scaling: Of the training.
    package init(
        _ predictions: [[Float]], of sequences: [SensorSequence], _ scaling: SensorScaling
    ) {
        let width = scaling.targetOffsets.count
        var squares = [Double](repeating: 0, count: width)
        var counts = [Int](repeating: 0, count: width)
        var (lengths, rows, drifts) = (0.0, 0, 0.0)
        for (values, sequence) in zip(predictions, sequences) {
            var sums = [Double](repeating: 0, count: width)
            for row in 0..<sequence.count {
                var (square, isWhole) = (0.0, true)
                for output in 0..<width {
                    let index = row * width + output
                    guard sequence.targets[index].isFinite else {
                        isWhole = false
                        continue
                    }
                    let error = Double(values[index]) - Double(sequence.targets[index])
                    squares[output] += error * error
                    counts[output] += 1
                    sums[output] += error
                    square += error * error
                }
                if isWhole {
                    lengths += square.squareRoot()
                    rows += 1
                }
            }
            drifts += sums.map { $0 * $0 }.reduce(0, +).squareRoot()
        }
        count = counts.reduce(0, +)
        mse = squares.reduce(0, +) / Double(max(1, count))
        mseByOutput = zip(squares, counts).map { $0 / Double(max(1, $1)) }
        let scaled = zip(squares, scaling.targetScales).map { $0 / Double($1 * $1) }
        scaledMSEByOutput = zip(scaled, counts).map { $0 / Double(max(1, $1)) }
        scaledMSE = scaled.reduce(0, +) / Double(max(1, count))
        euclid = lengths / Double(max(1, rows))
        drift = drifts / Double(max(1, sequences.count))
    }
}
