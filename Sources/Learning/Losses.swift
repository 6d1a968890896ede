internal import Foundation
package import Tensors

/// A loss and its gradient with respect to the prediction.
package struct LossValue<S: Scalar>: Sendable {
    package let value: Double
    /// Of the prediction's shape.
    package let gradient: Tensor<S>

    package init(value: Double, gradient: Tensor<S>) {
        self.value = value
        self.gradient = gradient
    }
}

/// Training losses, each a mean; sums are taken in `Double`.
///
/// - Source: Koenker, Bassett 1978 (pinball); the others by their definitions, which every case tells.
package enum Loss {
    /// How regression errors are measured.
    package enum Regression: Sendable {
        case squared
        /// The derivative at 0 is 0.
        case absolute
        /// The root of the mean square; its gradient is 0 where it is 0.
        case rootSquared
    }

    /// The mean error over everything; both of one shape, or the call traps.
    package static func regression<S>(
        _ kind: Regression, _ prediction: Tensor<S>, _ target: Tensor<S>
    ) -> LossValue<S> {
        precondition(
            prediction.shape == target.shape && prediction.count > 0,
            "Loss: \(prediction.shape) against \(target.shape)")
        let count = Double(prediction.count)
        let errors = zip(prediction.values, target.values).map { Double($0) - Double($1) }
        let squares = errors.reduce(0) { $0 + $1 * $1 } / count
        let value: Double
        let slopes: [Double]
        switch kind {
        case .squared: (value, slopes) = (squares, errors.map { 2 * $0 / count })
        case .absolute:
            value = errors.reduce(0) { $0 + abs($1) } / count
            slopes = errors.map { ($0 > 0 ? 1 : $0 < 0 ? -1 : 0) / count }
        case .rootSquared:
            value = squares.squareRoot()
            slopes = errors.map { value == 0 ? 0 : $0 / (count * value) }
        }
        return LossValue(value: value, gradient: Tensor(prediction.shape, slopes.map { S($0) }))
    }

    /// The mean square over the first `lengths[i]` steps of sample i.
    ///
    /// - Parameters:
    ///   - prediction: `[batch, time, channel]`
    ///   - target: Of the same shape.
    ///   - lengths: `[batch]`, not all 0.
    /// - Returns: The loss; later steps have gradient 0.
    package static func maskedSquared<S>(
        _ prediction: Tensor<S>, _ target: Tensor<S>, lengths: [Int]
    ) -> LossValue<S> {
        target.expect(prediction.shape.map { $0 })
        prediction.expect([lengths.count, nil, nil])
        let (steps, channels) = (prediction.shape[1], prediction.shape[2])
        let total = Double(lengths.reduce(0, +) * channels)
        precondition(total > 0 && lengths.allSatisfy { (0...steps).contains($0) }, "Loss: lengths")
        var gradient = Tensor<S>(zeros: prediction.shape)
        var sum = 0.0
        for (sample, length) in lengths.enumerated() {
            let start = sample * steps * channels
            for i in start..<start + length * channels {
                let error = Double(prediction.values[i]) - Double(target.values[i])
                sum += error * error
                gradient.values[i] = S(2 * error / total)
            }
        }
        return LossValue(value: sum / total, gradient: gradient)
    }

    /// Binary cross-entropy of many labels, `−(w·t·log σ(x) + (1−t)·log(1−σ(x)))`.
    ///
    /// - Parameters:
    ///   - logits: `[batch, classes]`
    ///   - targets: `[batch, classes]`, 0 or 1, or between.
    ///   - positiveWeights: w, `[classes]`; 1 where nil.
    /// - Returns: The mean over batch and classes.
    package static func binaryCrossEntropy<S>(
        _ logits: Tensor<S>, targets: Tensor<S>, positiveWeights: [Double]? = nil
    ) -> LossValue<S> {
        targets.expect(logits.shape.map { $0 })
        logits.expect([nil, positiveWeights?.count])
        let (count, classes) = (Double(logits.count), logits.shape[1])
        var gradient = Tensor<S>(zeros: logits.shape)
        var sum = 0.0
        for i in 0..<logits.count {
            let (x, t) = (Double(logits.values[i]), Double(targets.values[i]))
            let weight = positiveWeights?[i % classes] ?? 1
            let decay = exp(-abs(x))
            let logOfPositive = min(x, 0) - log1p(decay)  // log σ(x)
            let positive = (x < 0 ? decay : 1) / (1 + decay)
            sum -= weight * t * logOfPositive + (1 - t) * (logOfPositive - x)
            let negative = (x < 0 ? 1 : decay) / (1 + decay)
            gradient.values[i] = S(((1 - t) * positive - weight * t * negative) / count)
        }
        return LossValue(value: sum / count, gradient: gradient)
    }

    /// `clip(√(negatives/positives), 1, 10)` for every class of `[batch, classes]`; 10 for a class
    /// without a positive.
    package static func positiveWeights<S>(_ targets: Tensor<S>) -> [Double] {
        targets.expect([nil, nil])
        let (batch, classes) = (targets.shape[0], targets.shape[1])
        return (0..<classes).map { label in
            let positives = (0..<batch).reduce(0.0) { $0 + Double(targets[$1, label]) }
            guard positives > 0 else { return 10 }
            return min(10, max(1, ((Double(batch) - positives) / positives).squareRoot()))
        }
    }

    /// Cross-entropy of one class out of several: the mean of `−log softmax(x)[class]`.
    ///
    /// - Parameters:
    ///   - logits: `[batch, classes]`
    ///   - labels: `[batch]`, each below the number of classes, or the call traps.
    /// - Returns: The mean over the batch.
    package static func crossEntropy<S>(_ logits: Tensor<S>, labels: [Int]) -> LossValue<S> {
        logits.expect([labels.count, nil])
        let (batch, classes) = (labels.count, logits.shape[1])
        var gradient = Tensor<S>(zeros: logits.shape)
        var sum = 0.0
        for (row, label) in labels.enumerated() {
            precondition((0..<classes).contains(label), "Loss: class \(label) of \(classes)")
            let x = (0..<classes).map { Double(logits[row, $0]) }
            let largest = x.max() ?? 0
            let total = x.reduce(0) { $0 + exp($1 - largest) }
            sum += log(total) + largest - x[label]
            for i in 0..<classes {
                let share = exp(x[i] - largest) / total
                gradient[row, i] = S((share - (i == label ? 1 : 0)) / Double(batch))
            }
        }
        return LossValue(value: sum / Double(batch), gradient: gradient)
    }

    /// The mean quantile loss `max(q·e, (q − 1)·e)` with `e = target − prediction`; at e = 0 the
    /// branch of q is taken.
    ///
    /// - Parameters:
    ///   - prediction: `[n, levels]`
    ///   - target: `[n]`
    ///   - levels: In 0…1.
    /// - Returns: The mean over all values and levels.
    package static func pinball<S>(
        _ prediction: Tensor<S>, target: [S], levels: [Double]
    ) -> LossValue<S> {
        prediction.expect([target.count, levels.count])
        let count = Double(prediction.count)
        var gradient = Tensor<S>(zeros: prediction.shape)
        var sum = 0.0
        for i in 0..<prediction.count {
            let level = levels[i % levels.count]
            let error = Double(target[i / levels.count]) - Double(prediction.values[i])
            let slope = error >= 0 ? level : level - 1
            sum += slope * error
            gradient.values[i] = S(-slope / count)
        }
        return LossValue(value: sum / count, gradient: gradient)
    }
}
