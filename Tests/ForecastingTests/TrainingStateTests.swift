import Forecasting
import Learning
import Models
import Synchronization
import Testing

@Suite struct TrainingStateTests {
    /// Every state of a training, and what came out.
    private struct Observed {
        var states: [TrainingState] = []
        let trained: TrainedSpaceTime
    }

    private struct Killed: Error {}

    private static let trainer = SpaceTimeTrainer(
        configuration: SpaceTimeTrainerTests.configuration,
        options: TrainingOptions(batch: 16, epochsMaximum: 3, rate: 1e-2, seed: 1))

    private static func train(
        _ trainer: SpaceTimeTrainer = trainer, from state: TrainingState? = nil,
        validation: [Int] = Array(372..<480), checkpoints: TrainingCheckpoints? = nil,
        progress: (TrainingProgress) throws -> Void = { _ in }
    ) throws -> TrainedSpaceTime {
        try trainer.train(
            series: SpaceTimeTrainerTests.series, trainStarts: Array(0..<360),
            validationStarts: validation, from: state, clock: ContinuousClock(),
            checkpoints: checkpoints, progress: progress)
    }

    /// Trains with a state after every step.
    private static func observe() throws -> Observed {
        let states = Mutex<[TrainingState]>([])
        var checkpoints = TrainingCheckpoints(
            load: { _ in nil }, save: { state in states.withLock { $0.append(state) } })
        checkpoints.interval = .zero
        let trained = try train(checkpoints: checkpoints)
        return Observed(states: states.withLock { $0 }, trained: trained)
    }

    /// All that a training decides; not how long it took.
    private static func expectSame(_ a: TrainedSpaceTime, _ b: TrainedSpaceTime) {
        #expect(a.parameters == b.parameters)
        #expect(a.record.epochs.map(\.trainLoss) == b.record.epochs.map(\.trainLoss))
        #expect(a.record.epochs.map(\.validationError) == b.record.epochs.map(\.validationError))
        #expect(a.record.bestEpoch == b.record.bestEpoch)
    }

    @Test func `a training that goes on from any state gives the bits of one that was not stopped`()
        throws
    {
        let whole = try Self.observe()
        // 22 steps an epoch, one state more after each validation, and the last one.
        #expect(whole.states.count == 3 * 22 + 3 + 1)
        Self.expectSame(whole.trained, try Self.train())
        for index in [0, 1, 7, 20, 21, 22, 23, 40, 45, 67, 68, 69] {
            let bytes = whole.states[index].encoded()
            let state = try TrainingState(decoding: bytes)
            #expect(state == whole.states[index])
            #expect(state.encoded() == bytes)
            Self.expectSame(try Self.train(from: state), whole.trained)
        }
    }

    @Test func `a training that is killed again and again ends as if it had not been`() throws {
        let kept = Mutex<(state: TrainingState?, resumed: Int)>((nil, 0))
        var checkpoints = TrainingCheckpoints(
            load: { fingerprint in
                kept.withLock { kept in
                    guard kept.state?.fingerprint == fingerprint else { return nil }
                    kept.resumed += 1
                    return kept.state?.encoded()
                }
            },
            save: { state in kept.withLock { $0.state = state } })
        checkpoints.interval = .zero
        var trained: TrainedSpaceTime?
        while trained == nil {
            // Every life lasts for some ten steps.
            let begun = kept.withLock { $0.state?.step ?? 0 }
            do {
                trained = try Self.train(checkpoints: checkpoints) { now in
                    if now.step > begun + 10 { throw Killed() }
                }
            } catch is Killed {}
        }
        #expect(kept.withLock { $0.resumed } > 3)
        Self.expectSame(try #require(trained), try Self.train())
    }

    @Test func `the seconds before an interruption count`() throws {
        let first = try #require(try Self.observe().states.first { $0.step == 30 })
        let trained = try Self.train(from: first)
        #expect(trained.record.seconds > first.record.seconds)
        #expect(
            trained.record.epochs.map(\.seconds) == trained.record.epochs.map(\.seconds).sorted())
    }

    @Test func `a state of another training is refused`() throws {
        let state = try #require(try Self.observe().states.first { $0.step == 30 })
        func expectRefused(_ trainer: SpaceTimeTrainer, validation: [Int] = Array(372..<480)) {
            #expect(throws: TrainingStateError.otherTraining) {
                try Self.train(trainer, from: state, validation: validation)
            }
        }
        var options = Self.trainer.options
        options.seed = 2
        expectRefused(
            SpaceTimeTrainer(configuration: Self.trainer.configuration, options: options))
        var configuration = Self.trainer.configuration
        configuration.dropout = 0.2
        expectRefused(
            SpaceTimeTrainer(configuration: configuration, options: Self.trainer.options))
        expectRefused(Self.trainer, validation: Array(372..<479))
    }

    @Test func `the number of threads does not make another training`() throws {
        let state = try #require(try Self.observe().states.first { $0.step == 30 })
        var options = Self.trainer.options
        options.threads = 2
        let trainer = SpaceTimeTrainer(
            configuration: Self.trainer.configuration, options: options)
        Self.expectSame(try Self.train(trainer, from: state), try Self.train())
    }

    @Test func `bytes that are no state are refused`() throws {
        let state = try #require(try Self.observe().states.first { $0.step == 30 })
        let whole = try Checkpoint(decoding: state.encoded())
        func expect(_ error: TrainingStateError, _ change: (inout Checkpoint) -> Void) {
            var changed = whole
            change(&changed)
            let bytes = changed.encoded()
            #expect(throws: error) { try TrainingState(decoding: bytes) }
        }
        expect(.format(found: "0")) { $0.metadata["training.format"] = "0" }
        expect(.format(found: "")) { $0.metadata["training.format"] = nil }
        expect(.malformed) { $0.metadata["training.record"] = "{}" }
        expect(.malformed) { $0.tensors["steps"] = nil }
        expect(.checkpoint(.missing("parameters"))) { $0.tensors["parameters"] = nil }
        expect(.malformed) {
            $0.tensors["moments.first"] = .init(shape: [1], values: .float([0]))
        }
        #expect(throws: TrainingStateError.checkpoint(.truncated)) {
            try TrainingState(decoding: Array(state.encoded().dropLast()))
        }
    }

    @Test func `a state whose parts do not fit together is refused`() throws {
        let state = try #require(try Self.observe().states.first { $0.step == 30 })
        var changed = try Checkpoint(decoding: state.encoded())
        changed.tensors["steps"] = .init(shape: [3], values: .integer([3_000, 66, 3]))
        let bytes = changed.encoded()
        #expect(throws: TrainingStateError.malformed) {
            try Self.train(from: TrainingState(decoding: bytes))
        }
    }

    @Test func `states come as often as asked, and one at the end`() throws {
        let count = Mutex(0)
        let checkpoints = TrainingCheckpoints(
            load: { _ in nil }, save: { _ in count.withLock { $0 += 1 } })
        // Twenty seconds never pass here.
        _ = try Self.train(checkpoints: checkpoints)
        #expect(count.withLock { $0 } == 1)
    }

    @Test func `no more than the interval is ever lost`() throws {
        // A second passes at every report: three in an epoch of 22 steps, and one after it.
        let clock = HandClock()
        let states = Mutex<[TrainingState]>([])
        var checkpoints = TrainingCheckpoints(
            load: { _ in nil }, save: { state in states.withLock { $0.append(state) } })
        checkpoints.interval = .seconds(6)
        _ = try Self.trainer.train(
            series: SpaceTimeTrainerTests.series, trainStarts: Array(0..<360),
            validationStarts: Array(372..<480), clock: clock, checkpoints: checkpoints
        ) { _ in clock.move(by: .seconds(1)) }
        let kept = states.withLock { $0 }
        #expect(kept.map(\.record.seconds) == [3, 7, 11, 12])
        #expect(kept.map(\.record.epochs.count) == [1, 2, 3, 3])

        states.withLock { $0 = [] }
        checkpoints.interval = .seconds(2)
        _ = try Self.trainer.train(
            series: SpaceTimeTrainerTests.series, trainStarts: Array(0..<360),
            validationStarts: Array(372..<480), clock: clock, checkpoints: checkpoints
        ) { _ in clock.move(by: .seconds(1)) }
        let seconds = [0] + states.withLock { $0 }.map(\.record.seconds)
        #expect(zip(seconds, seconds.dropFirst()).allSatisfy { $1 - $0 <= 2 })
        #expect(seconds.last == 12)
    }

    @Test func `a kept state that is of no use lets the training begin again`() throws {
        let checkpoints = TrainingCheckpoints(load: { _ in [1, 2, 3] }, save: { _ in })
        Self.expectSame(try Self.train(checkpoints: checkpoints), try Self.train())
    }
}
