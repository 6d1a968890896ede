import Learning
import Models
import TestSupport
import Tensors
import Testing

/// The laws of the residual network, and of passes over recordings.
@Suite struct ECGResNetTests {
    private static let configuration: ECGResNetConfiguration = {
        var configuration = ECGResNetConfiguration(
            sizes: RecordingSizes(leads: 2, samples: 45, classes: 3, extra: 2), widths: [3, 3, 5])
        configuration.taps = 3
        return configuration
    }()

    @Test func `it has as many parameters as the tiny ECG Mamba`() {
        let own = ECGResNet(.tiny(classes: 26)).layout.count
        let other = ECGMamba(.tiny(classes: 26)).layout.count
        #expect(abs(own - other) < other / 20, "\(own) and \(other)")
    }

    @Test(arguments: [false, true])
    func `the gradient agrees with differences of the loss`(isFrozen: Bool) {
        let network = ECGResNet(Self.configuration)
        let batch: RecordingBatch<Double> = randomRecordings(network.sizes, count: 3, seed: 8)
        var step = RecordingStep(positiveWeights: [1, 2, 1])
        step.isFrozen = isFrozen
        #expect(stepGradientError(network, batch, step, every: 1) < 1e-6)
    }

    @Test func `the number of threads changes no bit of a step`() {
        checkThreads(ECGResNet(Self.configuration))
        checkThreads(ECGMamba(ECGMambaTests.configuration(.middle)))
    }

    private func checkThreads(_ network: some RecordingNetwork) {
        let batch: RecordingBatch<Float> = randomRecordings(network.sizes, count: 11, seed: 9)
        var results: [[Float]] = []
        for threads in [1, 2, 5] {
            var random = RandomStream(seed: 1)
            let parameters: Parameters<Float> = network.begin(&random)
            var statistics: Parameters<Float> = network.beginStatistics()
            var gradient = Parameters<Float>(zeros: network.layout)
            let pass: any RecordingPass<Float> = network.makePass(
                batch: 11, training: true, team: Team(threads: threads))
            pass.prepare(parameters, statistics: statistics)
            pass.load(batch, records: 0..<11)
            let loss = pass.step(
                RecordingStep(dropoutKey: 5), gradient: &gradient, statistics: &statistics)
            results.append(gradient.values + statistics.values + [Float(loss)])
        }
        #expect(results[0] == results[1] && results[0] == results[2])
    }

    @Test func `recordings one by one get the logits that they get together`() {
        let network = ECGResNet(Self.configuration)
        let batch: RecordingBatch<Double> = randomRecordings(network.sizes, count: 5, seed: 9)
        var random = RandomStream(seed: 1)
        let parameters: Parameters<Double> = network.begin(&random)
        func logits(_ size: Int) -> [Double] {
            let pass: any RecordingPass<Double> = network.makePass(
                batch: size, training: false, team: Team(threads: 2))
            pass.prepare(parameters, statistics: network.beginStatistics())
            var found: [Double] = []
            for start in stride(from: 0, to: 5, by: size) {
                pass.load(batch, records: start..<min(5, start + size))
                pass.forward()
                found += pass.logits.values
            }
            return found
        }
        #expect(logits(5) == logits(1))
        #expect(logits(5) == logits(2))
    }

    @Test func `a training learns what it is shown`() {
        let network = ECGResNet(Self.configuration)
        let batch: RecordingBatch<Float> = randomRecordings(network.sizes, count: 16, seed: 2)
        var random = RandomStream(seed: 1)
        var parameters: Parameters<Float> = network.begin(&random)
        var statistics: Parameters<Float> = network.beginStatistics()
        var gradient = Parameters<Float>(zeros: network.layout)
        var optimiser = AdamW<Float>(
            network.layout, schedule: LearningRateSchedule(peak: 1e-2, steps: 100), weightDecay: 0)
        let pass: any RecordingPass<Float> = network.makePass(
            batch: 16, training: true, team: Team(threads: 1))
        pass.load(batch, records: 0..<16)
        var loss = 0.0
        for _ in 0..<100 {
            pass.prepare(parameters, statistics: statistics)
            loss = pass.step(RecordingStep(), gradient: &gradient, statistics: &statistics)
            _ = optimiser.update(&parameters, gradient)
        }
        #expect(loss < 0.2)
        pass.prepare(parameters, statistics: statistics)
        pass.forward()
        let right = zip(pass.probabilities.values, batch.targets).filter { ($0 > 0.5) == ($1 == 1) }
        #expect(right.count > 42)
    }
}
