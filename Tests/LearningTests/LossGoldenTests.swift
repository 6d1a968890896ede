import Learning
import TestSupport
import Tensors
import Testing

/// Losses against an independent reference, values and gradients.
@Suite struct LossGoldenTests {
    @Test(arguments: GoldenFile.cases("loss_regression"))
    func `regression losses agree`(path: String) throws {
        try checkRegression(path, Double.self)
        try checkRegression(path, Float.self)
    }

    private func checkRegression<S: Scalar>(_ path: String, _: S.Type) throws {
        let golden = try GoldenFile(path)
        let (x, target): (Tensor<S>, Tensor<S>) = (
            try golden.tensor("in/prediction"), try golden.tensor("in/target")
        )
        let loss: LossValue<S> =
            switch golden.configuration["kind"] as? String {
            case "mae": Loss.regression(.absolute, x, target)
            case "mse": Loss.regression(.squared, x, target)
            case "rmse": Loss.regression(.rootSquared, x, target)
            default:
                Loss.maskedSquared(
                    x, target, lengths: try golden.checkpoint.integers("in/lengths").map { Int($0) }
                )
            }
        try expect(loss, golden, "prediction")
    }

    @Test(arguments: GoldenFile.cases("loss_zero_rmse"))
    func `where everything is met, the root's gradient is 0`(path: String) throws {
        let golden = try GoldenFile(path)
        let x: Tensor<Double> = try golden.tensor("in/prediction")
        try expect(
            Loss.regression(.rootSquared, x, try golden.tensor("in/target")), golden, "prediction")
    }

    @Test(arguments: GoldenFile.cases("loss_bce"))
    func `binary cross-entropy agrees, for extreme logits as well`(path: String) throws {
        try checkBinary(path, Double.self)
        try checkBinary(path, Float.self)
    }

    private func checkBinary<S: Scalar>(_ path: String, _: S.Type) throws {
        let golden = try GoldenFile(path)
        let x: Tensor<S> = try golden.tensor("in/logits")
        let weights: Tensor<Double>? =
            golden.has("in/positive_weight") ? try golden.tensor("in/positive_weight") : nil
        try expect(
            Loss.binaryCrossEntropy(
                x, targets: try golden.tensor("in/targets"), positiveWeights: weights?.values),
            golden, "logits")
    }

    @Test(arguments: GoldenFile.cases("loss_cross_entropy"))
    func `cross-entropy agrees`(path: String) throws {
        try checkCrossEntropy(path, Double.self)
        try checkCrossEntropy(path, Float.self)
    }

    private func checkCrossEntropy<S: Scalar>(_ path: String, _: S.Type) throws {
        let golden = try GoldenFile(path)
        let labels = try golden.checkpoint.integers("in/classes").map { Int($0) }
        let x: Tensor<S> = try golden.tensor("in/logits")
        try expect(Loss.crossEntropy(x, labels: labels), golden, "logits")
    }

    @Test(arguments: GoldenFile.cases("loss_pinball"))
    func `the quantile loss agrees`(path: String) throws {
        try checkPinball(path, Double.self)
        try checkPinball(path, Float.self)
    }

    private func checkPinball<S: Scalar>(_ path: String, _: S.Type) throws {
        let golden = try GoldenFile(path)
        let (x, target): (Tensor<S>, Tensor<S>) = (
            try golden.tensor("in/prediction"), try golden.tensor("in/target")
        )
        let levels: Tensor<Double> = try golden.tensor("in/levels")
        let loss = Loss.pinball(
            x.reshaped([target.count, levels.count]), target: target.values, levels: levels.values)
        try expect(
            LossValue(value: loss.value, gradient: loss.gradient.reshaped(x.shape)), golden,
            "prediction")
    }

    @Test(arguments: GoldenFile.cases("loss_positive_weights"))
    func `weights of rare classes agree, and of classes that never occur`(path: String) throws {
        let golden = try GoldenFile(path)
        let weights = Loss.positiveWeights(try golden.tensor("in/targets", of: Double.self))
        #expect(try golden.excess(of: Tensor([weights.count], weights), over: "out/weights") <= 1)
    }

    private func expect<S: Scalar>(
        _ loss: LossValue<S>, _ golden: GoldenFile, _ input: String
    ) throws {
        #expect(try golden.excess(of: Tensor<S>([], [S(loss.value)]), over: "out/loss") <= 1)
        #expect(try golden.excess(of: loss.gradient, over: "grad/in/" + input) <= 1)
    }
}
