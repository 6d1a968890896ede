import AllocationCount
import Learning
import Models
import Tensors
import Testing

/// In processes of their own: the count is of all threads.
@Suite struct AllocationTests {
    @Test func `the count sees what Swift allocates`() async {
        await #expect(processExitsWith: .success) {
            let before = allocation_count()
            let values = [Int](repeating: 1, count: Int(before % 7) + 1000)
            precondition(allocation_count() > before && values.count > 999)
        }
    }

    @Test func `a step of training allocates nothing on one thread`() async {
        await #expect(processExitsWith: .success) { countSteps(threads: 1) }
    }

    @Test func `a step of training allocates nothing on two threads`() async {
        await #expect(processExitsWith: .success) { countSteps(threads: 2) }
    }

    @Test func `a step over recordings allocates nothing, on one thread and on two`() async {
        await #expect(processExitsWith: .success) {
            for threads in [1, 2] {
                countRecordingSteps(ECGMamba(ECGMambaTests.configuration(.middle)), threads)
                countRecordingSteps(
                    ECGResNet(
                        ECGResNetConfiguration(
                            sizes: RecordingSizes(leads: 2, samples: 40, classes: 3),
                            widths: [3, 5])), threads)
            }
        }
    }

    @Test func `a step of a hierarchical model allocates nothing, on one thread and on two`() async
    {
        await #expect(processExitsWith: .success) {
            for threads in [1, 2] {
                for c in HiSSTests.cases { countHiSSSteps(c.configuration, threads) }
            }
        }
    }

    @Test func `a step over a group allocates nothing, on one thread and on two`() async {
        await #expect(processExitsWith: .success) {
            for threads in [1, 2] {
                for c in TSM2Tests.cases { countGroupSteps(c.configuration, threads) }
            }
        }
    }
}

/// The same for a step over a group of series.
private func countGroupSteps(_ configuration: TSM2Configuration, _ threads: Int) {
    var (network, parameters, series) = TSM2Tests.trial(configuration, Float.self)
    var random = RandomStream(seed: 1)
    var gradient = Parameters<Float>(zeros: network.layout)
    var optimiser = AdamW<Float>(
        network.layout, schedule: LearningRateSchedule(peak: 1e-3, steps: 100), weightDecay: 0.01)
    let pass = TSM2Pass<Float>(
        network, batch: 9, variates: 3, training: true, team: Team(threads: threads))
    let (starts, variates) = (Array(0..<9), [0, 1, 2])
    var quiet = 0
    for _ in 0..<200 where quiet < 10 {
        let before = allocation_count()
        pass.load(series, starts: starts, variates: variates)
        let loss = pass.step(parameters, dropoutKey: random.next(), gradient: &gradient)
        _ = optimiser.update(&parameters, gradient)
        quiet = allocation_count() == before ? quiet + 1 : 0
        precondition(loss.isFinite)
    }
    precondition(quiet == 10, "steps over a group allocate")
}

/// The same for a step of a hierarchical model.
private func countHiSSSteps(_ configuration: HiSSConfiguration, _ threads: Int) {
    var random = RandomStream(seed: 1)
    let network = HiSSNetwork(configuration)
    var parameters: Parameters<Float> = network.begin(&random)
    var gradient = Parameters<Float>(zeros: network.layout)
    var optimiser = AdamW<Float>(
        network.layout, schedule: LearningRateSchedule(peak: 1e-3, steps: 100), weightDecay: 0.01,
        rateLimits: network.rateLimits)
    let pass = HiSSPass<Float>(
        network, batch: 9, length: 6, training: true, team: Team(threads: threads))
    var batch = HiSSBatch<Float>(configuration, count: 9, length: 6)
    for i in batch.inputs.indices { batch.inputs[i] = Float(random.normal()) }
    var quiet = 0
    for _ in 0..<200 where quiet < 10 {
        let before = allocation_count()
        pass.load(batch, sequences: 0..<9)
        let loss = pass.step(parameters, dropoutKey: random.next(), gradient: &gradient)
        _ = optimiser.update(&parameters, gradient)
        quiet = allocation_count() == before ? quiet + 1 : 0
        precondition(loss.isFinite)
    }
    precondition(quiet == 10, "steps of a hierarchical model allocate")
}

/// Traps unless some ten steps in a row allocate nothing: the first ones may, and so may the one in which
/// a thread begins, whenever a busy machine lets it.
private func countSteps(threads: Int) {
    var configuration = SpaceTimeConfiguration(lag: 48, horizon: 30, groups: 4, d: 8)
    configuration.encoderBlocks = 2
    var random = RandomStream(seed: 1)
    let network = SpaceTimeNetwork(configuration, &random)
    var parameters: Parameters<Float> = network.begin(&random)
    var gradient = Parameters<Float>(zeros: network.layout)
    var optimiser = AdamW<Float>(
        network.layout, schedule: LearningRateSchedule(peak: 1e-3, steps: 100), weightDecay: 0.01)
    let pass = SpaceTimePass<Float>(
        network, batch: 12, training: true, team: Team(threads: threads))
    let series = (0..<12 * 78).map { _ in Float(random.normal()) }
    let starts = (0..<12).map { $0 * 78 }
    var quiet = 0
    for _ in 0..<200 where quiet < 10 {
        let before = allocation_count()
        pass.load(series: series, starts: starts[...], futures: true)
        pass.prepare(parameters)
        pass.forward(auxiliary: true, dropoutKey: random.next())
        let loss = pass.loss(gradient: &gradient)
        _ = optimiser.update(&parameters, gradient)
        quiet = allocation_count() == before ? quiet + 1 : 0
        precondition(loss.isFinite)
    }
    precondition(quiet == 10, "steps allocate")
}

/// The same for a step of a network over recordings.
private func countRecordingSteps(_ network: some RecordingNetwork, _ threads: Int) {
    var random = RandomStream(seed: 1)
    var parameters: Parameters<Float> = network.begin(&random)
    var statistics: Parameters<Float> = network.beginStatistics()
    var gradient = Parameters<Float>(zeros: network.layout)
    var optimiser = AdamW<Float>(
        network.layout, schedule: LearningRateSchedule(peak: 1e-3, steps: 100), weightDecay: 0.01)
    let pass: any RecordingPass<Float> = network.makePass(
        batch: 12, training: true, team: Team(threads: threads))
    let batch: RecordingBatch<Float> = randomRecordings(network.sizes, count: 12, seed: 2)
    var step = RecordingStep(positiveWeights: [1, 2, 3])
    var quiet = 0
    for _ in 0..<200 where quiet < 10 {
        let before = allocation_count()
        step.dropoutKey = random.next()
        pass.load(batch, records: 0..<12)
        pass.prepare(parameters, statistics: statistics)
        let loss = pass.step(step, gradient: &gradient, statistics: &statistics)
        _ = optimiser.update(&parameters, gradient)
        quiet = allocation_count() == before ? quiet + 1 : 0
        precondition(loss.isFinite)
    }
    precondition(quiet == 10, "steps over recordings allocate")
}
