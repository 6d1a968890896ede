import Forecasting
import Learning
import Models
import Tensors
import Testing

@Suite struct SpaceTimeTrainerTests {
    /// A daily wave with a slower one and a little noise, scaled.
    static let series: [Float] = {
        var random = RandomStream(seed: 4)
        return (0..<600).map { t in
            let x = Float(t)
            return sine(x / 12) + 0.5 * sine(x / 45) + 0.05 * Float(random.normal())
        }
    }()

    static let configuration: SpaceTimeConfiguration = {
        var c = SpaceTimeConfiguration(lag: 48, horizon: 12, groups: 2, d: 8, dropout: 0.1)
        c.auxiliaryEpochs = 2
        return c
    }()

    static func train(
        threads: Int = 1, epochs: Int = 4, seed: UInt64 = 1, series: [Float] = series,
        progress: (TrainingProgress) throws -> Void = { _ in }
    ) throws -> TrainedSpaceTime {
        let options = TrainingOptions(
            batch: 16, epochsMaximum: epochs, rate: 1e-2, seed: seed, threads: threads)
        return try SpaceTimeTrainer(configuration: configuration, options: options).train(
            series: series, trainStarts: Array(0..<360), validationStarts: Array(372..<480),
            progress: progress)
    }

    @Test func `a training learns the series`() throws {
        let trained = try Self.train(epochs: 20)
        let errors = trained.record.epochs.map(\.validationError)
        #expect(trained.record.bestError == errors.min())
        // Repeating the last value is far off on a wave.
        let lastValue = Self.lastValueError()
        #expect(trained.record.bestError < 0.2 * lastValue)
    }

    @Test func `on autoregressive noise the error comes within 5 % of the innovations`() throws {
        // Stationary AR(4) with unit innovations: nothing can forecast one step better than they allow.
        var random = RandomStream(seed: 21)
        let coefficients: [Double] = [0.5, -0.3, 0.2, 0.2]
        var (series, innovations): ([Double], [Double]) = ([0, 0, 0, 0], [0, 0, 0, 0])
        while series.count < 4000 {
            innovations.append(random.normal())
            let recent = zip(coefficients, series.suffix(4).reversed())
            series.append(recent.reduce(innovations[series.count]) { $0 + $1.0 * $1.1 })
        }
        var configuration = SpaceTimeConfiguration(
            lag: 32, horizon: 1, groups: 2, d: 8, dropout: 0, transform: .none)
        configuration.auxiliaryEpochs = 0
        let validation = Array(3000..<3968)
        let trained = try SpaceTimeTrainer(
            configuration: configuration,
            options: TrainingOptions(batch: 64, epochsMaximum: 12, rate: 1e-2, seed: 3)
        ).train(
            series: series.map { Float($0) }, trainStarts: Array(0..<2960),
            validationStarts: validation
        ) { _ in }
        let least = validation.reduce(0.0) { total, start in
            total + innovations[start + 32] * innovations[start + 32] / Double(validation.count)
        }
        #expect(trained.record.bestError < 1.05 * least)
        #expect(trained.record.bestError > 0.95 * least)
    }

    private static func lastValueError() -> Double {
        var total = 0.0
        for start in 372..<480 {
            for t in 0..<12 {
                let e = Double(series[start + 48 + t] - series[start + 47])
                total += e * e
            }
        }
        return total / Double(108 * 12)
    }

    @Test func `the same seed gives the same bits, on any number of threads`() throws {
        let one = try Self.train(epochs: 2)
        #expect(try Self.train(epochs: 2).parameters == one.parameters)
        #expect(try Self.train(threads: 3, epochs: 2).parameters == one.parameters)
        #expect(try Self.train(epochs: 2, seed: 2).parameters != one.parameters)
    }

    @Test func `progress counts up to the last step and can end the training`() throws {
        struct Enough: Error {}
        var seen: [TrainingProgress] = []
        _ = try Self.train(epochs: 2) { seen.append($0) }
        #expect(seen.map(\.step) == seen.map(\.step).sorted())
        #expect(seen.last?.step == seen.last?.stepsMaximum)
        #expect(seen.first?.validationError == nil)
        #expect(seen.last?.validationError != nil)
        #expect(seen.last?.secondsLeft == 0)
        #expect(throws: Enough.self) {
            try Self.train { if $0.step > 10 { throw Enough() } }
        }
    }

    @Test func `a loss that is no number is told as divergence`() {
        var broken = Self.series
        broken[100] = .nan
        #expect(throws: TrainingError.self) { try Self.train(series: broken) }
    }

    @Test func `no windows are refused`() {
        let trainer = SpaceTimeTrainer(
            configuration: Self.configuration, options: TrainingOptions(batch: 4))
        #expect(throws: TrainingError.noWindows) {
            try trainer.train(series: Self.series, trainStarts: [], validationStarts: [1]) { _ in }
        }
        #expect(throws: TrainingError.noWindows) {
            try trainer.train(series: Self.series, trainStarts: [1], validationStarts: []) { _ in }
        }
    }

    @Test func `fewer windows than a batch are one smaller batch`() throws {
        let trainer = SpaceTimeTrainer(
            configuration: Self.configuration, options: TrainingOptions(batch: 64, epochsMaximum: 1)
        )
        let trained = try trainer.train(
            series: Self.series, trainStarts: [3, 9, 40], validationStarts: [200]
        ) { _ in }
        #expect(trained.record.epochs.count == 1)
    }

    @Test func `what is stored forecasts the same`() throws {
        let trained = try Self.train(epochs: 1)
        let read = try TrainedSpaceTime(Checkpoint(decoding: trained.checkpoint.encoded()))
        #expect(read.parameters == trained.parameters)
        #expect(read.record == trained.record)
        #expect(read.network.configuration == trained.network.configuration)
        let window = Tensor([2, 48], Array(Self.series[0..<96]))
        #expect(
            read.prepared(horizon: 12).forecast(windows: window)
                == trained.prepared(horizon: 12).forecast(windows: window))
    }

    @Test func `a checkpoint that lacks something is refused`() throws {
        let whole = try Self.train(epochs: 1).checkpoint
        var cut = whole
        cut.tensors["param/decoder.a"] = nil
        #expect(throws: CheckpointError.missing("param/decoder.a")) { try TrainedSpaceTime(cut) }
        cut = whole
        cut.metadata["spacetime.configuration"] = "{}"
        #expect(throws: CheckpointError.missing("spacetime.configuration")) {
            try TrainedSpaceTime(cut)
        }
    }

    @Test func `a longer horizon continues the same forecast`() throws {
        let trained = try Self.train(epochs: 1)
        let window = Tensor([1, 48], Array(Self.series[10..<58]))
        let short = trained.prepared(horizon: 12).forecast(windows: window).values
        let long = trained.prepared(horizon: 200).forecast(windows: window).values
        for (a, b) in zip(short, long) { #expect(abs(a - b) < 1e-5) }
        #expect(long.allSatisfy { $0.isFinite })
    }
}

private func sine(_ x: Float) -> Float {
    var z = x.truncatingRemainder(dividingBy: 2)
    if z > 1 { z -= 2 }
    return 4 * z * (1 - abs(z))  // A parabola's wave; smooth enough, and exact everywhere.
}
