import Learning
import Models
import TestSupport
import Tensors

/// Random recordings with findings.
func randomRecordings<S: Scalar>(
    _ sizes: RecordingSizes, count: Int, seed: UInt64
) -> RecordingBatch<S> {
    var random = RandomStream(seed: seed)
    var batch = RecordingBatch<S>(sizes: sizes, count: count)
    for i in batch.signals.indices { batch.signals[i] = S(random.normal()) }
    for i in batch.targets.indices { batch.targets[i] = random.uniform() < 0.4 ? 1 : 0 }
    for i in batch.extra.indices { batch.extra[i] = S(random.normal()) }
    return batch
}

/// Compares the gradient of a step with differences of the loss, for every so-manieth parameter.
func stepGradientError<N: RecordingNetwork>(
    _ network: N, _ batch: RecordingBatch<Double>, _ step: RecordingStep, every stride: Int
) -> Double {
    var random = RandomStream(seed: 3)
    var parameters: Parameters<Double> = network.begin(&random)
    // Off the symmetric start.
    for i in parameters.values.indices { parameters.values[i] += 0.05 * random.normal() }
    let statistics: Parameters<Double> = network.beginStatistics()
    let pass: any RecordingPass<Double> = network.makePass(
        batch: batch.count, training: true, team: Team(threads: 2))
    pass.load(batch, records: 0..<batch.count)
    var gradient = Parameters<Double>(zeros: network.layout)
    func loss(_ values: [Double]) -> Double {
        parameters.values = values
        var moved = statistics
        pass.prepare(parameters, statistics: statistics)
        return pass.step(step, gradient: &gradient, statistics: &moved)
    }
    let point = parameters.values
    _ = loss(point)
    let found = gradient.values
    return gradientError(
        at: point, gradient: found,
        indices: Array(Swift.stride(from: 0, to: point.count, by: stride)), of: loss)
}
