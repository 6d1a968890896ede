internal import Tensors

/// Linear regression on what the inputs come to between two predictions, and did before: the honest
/// baseline of every network. Features are the mean and the deviation of each channel over the rows of a
/// prediction and of those before it; penalty and reach are chosen on validation, for each output.
package struct SensorRidge: Sendable {
    /// The pieces that may be looked back on, with the last.
    static let reaches = [1, 2, 4, 8]
    /// In units of the features' variance, for each known target.
    static let penalties = [1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1, 10]

    /// Of the features of the longest reach, and of targets.
    private let scaling: SensorScaling
    /// `[output][feature]`, as many as the output's reach has.
    private let weights: [[Double]]
    /// Mean squared errors of scaled validation targets, by output.
    package let validationByOutput: [Double]
    /// Over all known targets.
    package let validationError: Double

    /// Chooses and fits.
    ///
    /// - Parameters:
    ///   - train: To learn from.
    ///   - stretched: To learn from besides; moments do not know it.
    ///   - validation: To choose by.
    package init(
        _ train: [SensorSequence], stretched: [SensorSequence] = [], validation: [SensorSequence]
    ) {
        let own = train.map(Self.features)
        let scaling = SensorScaling(own)
        let known = (own + stretched.map(Self.features)).map { Rows($0, scaling) }
        let judged = validation.map { Rows(Self.features($0), scaling) }
        let outputs = scaling.targetOffsets.count
        var (weights, errors, count, total): ([[Double]], [Double], Int, Double) = ([], [], 0, 0)
        for output in 0..<outputs {
            let sums = Sums(known, output, of: outputs)
            var best: (weights: [Double], error: Double)?
            for reach in Self.reaches {
                let width = scaling.inputOffsets.count / (Self.reaches.max() ?? 1) * reach
                let solver = sums.solver(features: width)
                for penalty in Self.penalties {
                    let found = solver.weights(penalty: penalty * Double(sums.count)).values
                    let error = Self.error(found, judged, output, of: outputs)
                    if error.mean < best?.error ?? .infinity { best = (found, error.mean) }
                }
            }
            let error = Self.error(best?.weights ?? [], judged, output, of: outputs)
            weights.append(best?.weights ?? [])
            errors.append(error.mean)
            count += error.count
            total += error.mean * Double(error.count)
        }
        (self.scaling, self.weights, validationByOutput) = (scaling, weights, errors)
        validationError = total / Double(max(1, count))
    }

    /// Numbers that were fitted.
    package var parameters: Int { weights.map(\.count).reduce(0, +) }

    /// Predictions for a whole sequence, in units of the targets, `[count, outputs]`.
    package func predict(_ sequence: SensorSequence) -> [Float] {
        let rows = Rows(Self.features(sequence), scaling)
        return scaling.restored(
            targets: (0..<rows.count).flatMap { row in
                weights.map { Float(rows.prediction(row, $0)) }
            })
    }

    /// Means and deviations as a sequence of their own, one row for each prediction: those of its rows,
    /// of the rows before, and so on; before the first there is the first.
    private static func features(_ sequence: SensorSequence) -> SensorSequence {
        let (channels, ratio) = (sequence.channels, sequence.ratio)
        var columns: [[Double]] = []
        for channel in 0..<channels {
            var (means, deviations): ([Double], [Double]) = ([], [])
            for piece in 0..<sequence.count {
                var (sum, squares) = (0.0, 0.0)
                for row in piece * ratio..<(piece + 1) * ratio {
                    let value = Double(sequence.inputs[row * channels + channel])
                    sum += value
                    squares += value * value
                }
                let mean = sum / Double(ratio)
                means.append(mean)
                deviations.append(max(0, squares / Double(ratio) - mean * mean).squareRoot())
            }
            columns += [means, deviations]
        }
        let all = (0..<(reaches.max() ?? 1)).flatMap { lag in
            columns.map { column in column.indices.map { column[max(0, $0 - lag)] } }
        }
        let targets = (0..<sequence.outputs).map { output in
            (0..<sequence.count).map { Double(sequence.targets[$0 * sequence.outputs + output]) }
        }
        return SensorSequence(name: sequence.name, inputs: all, targets: targets, ratio: 1)
    }

    private static func error(
        _ weights: [Double], _ judged: [Rows], _ output: Int, of outputs: Int
    ) -> (mean: Double, count: Int) {
        var (squares, count) = (0.0, 0)
        for rows in judged {
            for row in 0..<rows.count {
                let target = Double(rows.targets[row * outputs + output])
                guard target.isFinite else { continue }
                let error = rows.prediction(row, weights) - target
                squares += error * error
                count += 1
            }
        }
        return (squares / Double(max(1, count)), count)
    }

    /// Scaled features and targets of a sequence.
    private struct Rows {
        let inputs: [Float]
        let targets: [Float]
        let width: Int
        let count: Int

        init(_ features: SensorSequence, _ scaling: SensorScaling) {
            inputs = scaling.scaled(inputs: features.inputs)
            targets = scaling.scaled(targets: features.targets)
            (width, count) = (features.channels, features.count)
        }

        func prediction(_ row: Int, _ weights: [Double]) -> Double {
            var sum = 0.0
            for (column, weight) in weights.enumerated() {
                sum += weight * Double(inputs[row * width + column])
            }
            return sum
        }
    }

    /// XᵀX and XᵀY over the known targets of one output.
    private struct Sums {
        private let gram: Tensor<Double>
        private let cross: [Double]
        let count: Int

        init(_ known: [Rows], _ output: Int, of outputs: Int) {
            var (inputs, targets): ([Double], [Double]) = ([], [])
            let width = known.first?.width ?? 0
            for rows in known {
                for row in 0..<rows.count {
                    let target = rows.targets[row * outputs + output]
                    guard target.isFinite else { continue }
                    targets.append(Double(target))
                    inputs += rows.inputs[row * width..<(row + 1) * width].map { Double($0) }
                }
            }
            count = targets.count
            let x = Tensor([count, width], inputs)
            gram = matmul(x, x, transposeA: true)
            cross = matmul(x, Tensor([count, 1], targets), transposeA: true).values
        }

        /// For the first features alone.
        func solver(features: Int) -> RidgeSolver {
            let width = cross.count
            let part = (0..<features).flatMap { row in
                gram.values[row * width..<row * width + features]
            }
            let (values, vectors) = symmetricEigen(Tensor([features, features], part))
            return RidgeSolver(
                values: values, vectors: vectors,
                rotated: matmul(
                    vectors, Tensor([features, 1], Array(cross[0..<features])), transposeA: true))
        }
    }
}
