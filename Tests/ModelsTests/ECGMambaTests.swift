import Learning
import Models
import TestSupport
import Tensors
import Testing

/// The ECG Mamba network against an independent reference, and its laws.
@Suite struct ECGMambaTests {
    @Test(arguments: GoldenFile.cases("ecg"), [1, 3])
    func `logits, loss, statistics and every gradient agree with the reference`(
        path: String, threads: Int
    ) throws {
        try ECGCase<Double>(path).check(threads: threads)
        try ECGCase<Float>(path).check(threads: threads)
    }

    @Test func `token counts are those of the published stem`() {
        #expect(ECGMambaConfiguration.paper(classes: 26).tokens == 729)
        #expect(ECGMambaConfiguration.tiny(classes: 26).tokens == 250)
        #expect(ECGMambaConfiguration.mid(classes: 26).tokens == 388)
    }

    @Test(arguments: [
        (ECGMambaConfiguration.tiny(classes: 26), 135_000), (.small(classes: 26), 350_000),
        (.mid(classes: 26), 2_500_000), (.paper(classes: 26), 26_000_000),
    ])
    func `configurations have about as many parameters as their names promise`(
        configuration: ECGMambaConfiguration, expected: Int
    ) {
        let count = ECGMamba(configuration).layout.count
        #expect(abs(count - expected) < expected / 10, "\(count)")
    }

    @Test(arguments: ECGMambaConfiguration.Pooling.allCases)
    func `with padding, dropout and unknown labels the gradient agrees with differences`(
        pooling: ECGMambaConfiguration.Pooling
    ) {
        let network = ECGMamba(Self.configuration(pooling))
        var batch: RecordingBatch<Double> = randomRecordings(network.sizes, count: 3, seed: 1)
        batch.padding = [0, 21, 38]
        for (record, padding) in batch.padding.enumerated() {
            for lead in 0..<2 {
                let start = batch.signalRange(record).lowerBound + lead * 41
                for t in 0..<padding { batch.signals[start + t] = 0 }
            }
        }
        batch.weights[1] = 0
        batch.weights[5] = 0.5
        let step = RecordingStep(positiveWeights: [2, 1, 3], dropoutKey: 12)
        #expect(stepGradientError(network, batch, step, every: 3) < 1e-6)
    }

    @Test func `a block that a recording passes by has no gradient from it`() {
        var configuration = Self.configuration(.middle)
        configuration.dropPath = 0.999
        let network = ECGMamba(configuration)
        let batch: RecordingBatch<Double> = randomRecordings(network.sizes, count: 2, seed: 4)
        var random = RandomStream(seed: 1)
        let (parameters, statistics): (Parameters<Double>, Parameters<Double>) = (
            network.begin(&random), network.beginStatistics()
        )
        var (gradient, moved) = (Parameters<Double>(zeros: network.layout), statistics)
        let pass: any RecordingPass<Double> = network.makePass(
            batch: 2, training: true, team: Team(threads: 1))
        pass.prepare(parameters, statistics: statistics)
        pass.load(batch, records: 0..<2)
        _ = pass.step(RecordingStep(dropoutKey: 7), gradient: &gradient, statistics: &moved)
        for slot in network.layout.slots {
            let isPassed = slot.name.hasPrefix("blocks.1")
            #expect(gradient[slot].values.allSatisfy { $0 == 0 } == isPassed, "\(slot.name)")
        }
    }

    @Test(arguments: ECGMambaConfiguration.Pooling.allCases)
    func `what stands in the padding's place of the scans changes no token behind it`(
        pooling: ECGMambaConfiguration.Pooling
    ) {
        let network = ECGMamba(Self.configuration(pooling))
        var random = RandomStream(seed: 2)
        var parameters: Parameters<Double> = network.begin(&random)
        var batch: RecordingBatch<Double> = randomRecordings(network.sizes, count: 1, seed: 5)
        for lead in 0..<2 { for t in 0..<20 { batch.signals[lead * 41 + t] = 0 } }
        batch.padding = [20]
        let pass: any RecordingPass<Double> = network.makePass(
            batch: 1, training: false, team: Team(threads: 1))
        func logits() -> [Double] {
            pass.prepare(parameters, statistics: network.beginStatistics())
            pass.load(batch, records: 0..<1)
            pass.forward()
            return pass.logits.values
        }
        let before = logits()
        // Positions of masked tokens are all that is left of them.
        guard let slot = network.layout.slots.first(where: { $0.name == "positions" }) else {
            Issue.record("no positions")
            return
        }
        parameters.values[slot.offset] += 1
        #expect(zip(before, logits()).allSatisfy { abs($0 - $1) < 1e-12 })
    }

    static func configuration(
        _ pooling: ECGMambaConfiguration.Pooling
    ) -> ECGMambaConfiguration {
        var configuration = ECGMambaConfiguration(
            sizes: RecordingSizes(leads: 2, samples: 41, classes: 3, extra: 1),
            stem: [
                .init(channels: 3, taps: 7, stride: 2, padding: 3),
                .init(channels: 5, taps: 5, stride: 2, padding: 2),
            ], depth: 2, states: 3)
        configuration.pooling = pooling
        configuration.dropout = 0.2
        configuration.dropPath = 0.3
        return configuration
    }
}

/// One golden case of the network.
private struct ECGCase<S: Scalar> {
    let golden: GoldenFile
    let network: ECGMamba
    let batch: RecordingBatch<S>
    let positiveWeights: [Double]?
    let isTraining: Bool

    init(_ path: String) throws {
        golden = try GoldenFile(path)
        let model = try #require(golden.configuration["model"] as? [String: Any])
        func size(_ key: String) throws -> Int { try #require(model[key] as? Int) }
        let layers = try #require(model["stem"] as? [[String: Int]])
        let sizes = RecordingSizes(
            leads: try size("leads"), samples: try size("samples"), classes: try size("classes"),
            extra: try size("head_extra"))
        var configuration = ECGMambaConfiguration(
            sizes: sizes,
            stem: layers.map {
                .init(
                    channels: $0["channels"] ?? 0, taps: $0["taps"] ?? 0,
                    stride: $0["stride"] ?? 0, padding: $0["padding"] ?? 0)
            }, depth: try size("depth"), states: try size("n"))
        configuration.pooling = model["cls_at"] as? String == "end" ? .end : .middle
        configuration.isHalved = try #require(model["halve"] as? Bool)
        network = ECGMamba(configuration)
        isTraining = golden.configuration["training"] as? Bool ?? false
        let x: Tensor<S> = try golden.tensor("in/x")
        var batch = RecordingBatch<S>(sizes: sizes, count: x.shape[0])
        let size = sizes.samples * sizes.leads
        for record in 0..<batch.count {
            let rows = Array(x.values[record * size..<(record + 1) * size])
            let signals = Tensor([sizes.samples, sizes.leads], rows).transposed().values
            batch.signals.replaceSubrange(batch.signalRange(record), with: signals)
        }
        batch.targets = try golden.tensor("in/targets").values
        if golden.has("in/padding") {
            batch.padding = try golden.checkpoint.integers("in/padding").map { Int($0) }
        }
        if golden.has("in/extra") { batch.extra = try golden.tensor("in/extra").values }
        self.batch = batch
        positiveWeights =
            golden.has("in/positive_weight")
            ? try golden.tensor("in/positive_weight", of: Double.self).values : nil
    }

    func check(threads: Int) throws {
        let pass: any RecordingPass<S> = network.makePass(
            batch: batch.count + 1, training: true, team: Team(threads: threads))
        var statistics = try Parameters<S>(
            network.statisticsLayout, from: golden.checkpoint, prefix: "buffer/")
        pass.prepare(
            try Parameters(network.layout, from: golden.checkpoint), statistics: statistics)
        pass.load(batch, records: 0..<batch.count)
        var gradient = Parameters<S>(zeros: network.layout)
        var step = RecordingStep(positiveWeights: positiveWeights)
        step.isFrozen = !isTraining
        let loss = pass.step(step, gradient: &gradient, statistics: &statistics)
        #expect(try golden.excess(of: pass.logits, over: "out/logits") <= 1)
        #expect(try golden.excess(of: Tensor<S>([], [S(loss)]), over: "out/loss") <= 1)
        for slot in network.layout.slots {
            let excess = try golden.excess(of: gradient[slot], over: "grad/param/" + slot.name)
            #expect(excess <= 1, "\(slot.name)")
        }
        guard isTraining else { return try checkUse(pass) }
        for slot in network.statisticsLayout.slots {
            let excess = try golden.excess(
                of: statistics[slot], over: "alt/buffer_after/" + slot.name)
            #expect(excess <= 1, "\(slot.name)")
        }
    }

    /// The network as it is used: logits, also of a pass that is no training, and the gradient of the
    /// loss with respect to the recordings, put together from those of the logits.
    private func checkUse(_ pass: any RecordingPass<S>) throws {
        let used: any RecordingPass<S> = network.makePass(
            batch: batch.count, training: false, team: Team(threads: 1))
        used.prepare(
            try Parameters(network.layout, from: golden.checkpoint),
            statistics: try Parameters(
                network.statisticsLayout, from: golden.checkpoint, prefix: "buffer/"))
        used.load(batch, records: 0..<batch.count)
        used.forward()
        #expect(try golden.excess(of: used.logits, over: "out/logits") <= 1)
        let slopes = Loss.binaryCrossEntropy(
            used.logits, targets: try golden.tensor("in/targets"),
            positiveWeights: positiveWeights
        ).gradient
        let sizes = network.sizes
        var dx = Tensor<S>(zeros: [batch.count, sizes.samples, sizes.leads])
        for label in 0..<sizes.classes {
            let own = pass.inputGradient(of: label)
            for record in 0..<batch.count {
                for t in 0..<sizes.samples {
                    for lead in 0..<sizes.leads {
                        dx[record, t, lead] += slopes[record, label] * own[record, lead, t]
                    }
                }
            }
        }
        #expect(try golden.excess(of: dx, over: "grad/in/x") <= 1)
    }
}

extension ECGMambaTests {
    @Test func `the tiny configuration agrees in either precision`() throws {
        try checkDefault(Double.self)
        try checkDefault(Float.self)
    }

    private func checkDefault<S: Scalar>(_: S.Type) throws {
        let golden = try GoldenFile("ecg_default/ecg")
        let run = try ECGCase<S>("ecg_default/ecg")
        #expect(run.network.configuration.stem == ECGMambaConfiguration.tiny(classes: 26).stem)
        let parameters = try Parameters<S>(run.network.layout, from: golden.checkpoint)
        let pass: any RecordingPass<S> = run.network.makePass(
            batch: 2, training: true, team: Team(threads: 2))
        var statistics = try Parameters<S>(
            run.network.statisticsLayout, from: golden.checkpoint, prefix: "buffer/")
        var gradient = Parameters<S>(zeros: run.network.layout)
        pass.prepare(parameters, statistics: statistics)
        pass.load(run.batch, records: 0..<2)
        var step = RecordingStep()
        step.isFrozen = true
        let loss = pass.step(step, gradient: &gradient, statistics: &statistics)
        #expect(try golden.excess(of: pass.logits, over: "out/logits") <= 1)
        #expect(try golden.excess(of: Tensor<S>([], [S(loss)]), over: "out/loss") <= 1)
        for slot in run.network.layout.slots {
            let norm = gradient[slot].values.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
            let expected: Tensor<Double> = try golden.tensor("grad_norm/param/" + slot.name)
            let allowed =
                max(1e-6, 10 * golden.tolerance(of: S.self)) * max(expected.values[0], 1e-3)
            #expect(abs(norm - expected.values[0]) <= allowed, "\(slot.name)")
        }
    }

    @Test func `three steps of training agree with the reference`() throws {
        try checkTraining(Double.self)
        try checkTraining(Float.self)
    }

    private func checkTraining<S: Scalar>(_: S.Type) throws {
        let golden = try GoldenFile("ecg_training/ecg")
        let run = try ECGCase<S>("ecg_training/ecg")
        var parameters = try Parameters<S>(run.network.layout, from: golden.checkpoint)
        var statistics = try Parameters<S>(
            run.network.statisticsLayout, from: golden.checkpoint, prefix: "buffer/")
        var gradient = Parameters<S>(zeros: run.network.layout)
        var optimiser = AdamW<S>(
            run.network.layout, schedule: LearningRateSchedule(peak: 1e-3, steps: 40, floor: 1e-3),
            weightDecay: 0.05)
        let pass: any RecordingPass<S> = run.network.makePass(
            batch: run.batch.count, training: true, team: Team(threads: 1))
        pass.load(run.batch, records: 0..<run.batch.count)
        var (losses, norms): ([S], [S]) = ([], [])
        for _ in 0..<3 {
            pass.prepare(parameters, statistics: statistics)
            let step = RecordingStep(positiveWeights: run.positiveWeights)
            losses.append(S(pass.step(step, gradient: &gradient, statistics: &statistics)))
            norms.append(S(optimiser.update(&parameters, gradient).norm))
        }
        #expect(try golden.excess(of: Tensor([3], losses), over: "out/loss") <= 1)
        #expect(try golden.excess(of: Tensor([3], norms), over: "out/norm") <= 1)
        for slot in run.network.layout.slots {
            let expected: Tensor<Double> = try golden.tensor("out/param/" + slot.name)
            let worst = zip(parameters[slot].values, expected.values).map { abs(Double($0) - $1) }
            let allowed = S.self == Float.self ? golden.stated("float32_parameter_absolute") : 1e-9
            #expect(try #require(worst.max()) <= allowed, "\(slot.name)")
        }
        for slot in run.network.statisticsLayout.slots {
            let excess = try golden.excess(of: statistics[slot], over: "out/buffer/" + slot.name)
            #expect(excess <= 1, "\(slot.name)")
        }
    }
}
