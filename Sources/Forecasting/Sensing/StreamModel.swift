internal import Foundation
internal import Learning
internal import Models
internal import Series
internal import Tensors

/// A model that takes samples as they come, and whose memory of them can be stored.
///
/// - Important: One call at a time.
package protocol StreamModel: AnyObject {
    /// Numbers of a sample.
    var channels: Int { get }
    /// Numbers of a prediction.
    var outputs: Int { get }
    /// Samples for each prediction.
    var ratio: Int { get }
    /// Microseconds between two samples.
    var stepMicroseconds: Int64 { get }
    /// Steps of its own that a prediction lies behind the last sample that it follows from: 0 for what
    /// was meanwhile, 1 for what comes next.
    var ahead: Int { get }
    /// Samples without news after which nothing is known any more.
    var memory: Int { get }

    /// What is stored of a stream that has not begun.
    func begin() -> [UInt8]

    /// Takes samples.
    ///
    /// - Parameters:
    ///   - samples: `[samples, channels]`, finite; a whole multiple of `ratio`.
    ///   - state: Of the stream, as it was stored; moved on.
    /// - Returns: `[samples / ratio, outputs]`.
    /// - Throws: `StreamModelError` where the state is another model's; it is as it was then.
    func append(_ samples: [Float], to state: inout [UInt8]) throws(StreamModelError) -> [Float]
}

/// Why a stream cannot go on from what was stored.
package enum StreamModelError: Error, Equatable, CustomStringConvertible {
    /// Not all of it is there, or it is something else.
    case damaged
    /// Written by a newer program.
    case newer
    /// Of another network.
    case otherModel

    package var description: String {
        switch self {
        case .damaged: "its stored state was damaged"
        case .newer: "its stored state was written by a newer program"
        case .otherModel: "its stored state was that of another model"
        }
    }
}

/// A hierarchical or flat sensor model over live samples.
package final class SensorStream: StreamModel {
    private let model: SensorModel
    private let prepared: PreparedHiSS<Float>

    package init(_ model: SensorModel) {
        self.model = model
        prepared = PreparedHiSS(
            HiSSNetwork(model.trained.configuration), model.trained.parameters)
    }

    package var channels: Int { model.inputs.count }
    package var outputs: Int { model.outputs.count }
    package var ratio: Int { model.ratio }
    package var stepMicroseconds: Int64 { model.stepMicroseconds }
    package var ahead: Int { 0 }
    package var memory: Int { model.memory }

    /// Before the state of the network stands that of the scaling, where inputs are scaled as they run.
    private var headBytes: Int {
        model.trained.runningSamples > 0 ? 4 * RunningScaling.wordCount(channels: channels) : 0
    }

    package func begin() -> [UInt8] {
        var head: [UInt8] = []
        if model.trained.runningSamples > 0 {
            let running = RunningScaling(
                samples: model.trained.runningSamples, channels: channels)
            head = StateWords(running.words).bytes
        }
        return head + prepared.initialState.bytes
    }

    package func append(
        _ samples: [Float], to state: inout [UInt8]
    ) throws(StreamModelError) -> [Float] {
        guard state.count >= headBytes else { throw .damaged }
        var (samples, head) = (samples, Array(state[..<headBytes]))
        if headBytes > 0 {
            guard let words = StateWords(bytes: head)?.words,
                var running = RunningScaling(
                    words: words, samples: model.trained.runningSamples)
            else { throw .damaged }
            running.scale(&samples)
            head = StateWords(running.words).bytes
        }
        var known: HiSSState<Float>
        do throws(HiSSStateError) {
            known = try HiSSState(bytes: Array(state[headBytes...]))
            try prepared.check(known)
        } catch {
            switch error {
            case .version: throw .newer
            case .sizes, .steps: throw .otherModel
            case .damaged, .notFinite: throw .damaged
            }
        }
        let scaling = model.trained.scaling
        let predictions = prepared.append(scaling.scaled(inputs: samples), to: &known)
        state = head + known.bytes
        return scaling.restored(targets: predictions)
    }
}

/// A SpaceTime forecaster of one series over live observations: each is followed by what the next one is
/// expected to be.
package final class ForecastStream: StreamModel {
    private let pipeline: FittedPipeline
    private let network: SpaceTimeNetwork
    private let parameters: Parameters<Float>

    /// nil where the model is of another family.
    package init?(_ pipeline: FittedPipeline) {
        guard case .spacetime(let forecaster) = pipeline.forecaster else { return nil }
        self.pipeline = pipeline
        network = forecaster.trained.network
        parameters = forecaster.trained.parameters
    }

    package var channels: Int { 1 }
    package var outputs: Int { 1 }
    package var ratio: Int { 1 }
    package var ahead: Int { 1 }
    package var memory: Int { network.configuration.lag }
    package var stepMicroseconds: Int64 {
        Int64((pipeline.rate.stepSeconds * 1_000_000).rounded())
    }

    package func begin() -> [UInt8] { stream.state.encoded() }

    private var stream: SpaceTimeStream<Float> { SpaceTimeStream(network, parameters) }

    package func append(
        _ samples: [Float], to state: inout [UInt8]
    ) throws(StreamModelError) -> [Float] {
        let stream = stream
        do {
            try stream.restore(Checkpoint(decoding: state))
        } catch let error as StreamStateError {
            switch error {
            case .version: throw .newer
            case .checkpoint, .description: throw .otherModel
            case .notFinite: throw .damaged
            }
        } catch {
            throw .damaged
        }
        let standardiser = pipeline.standardiser
        var expected: [Float] = []
        for sample in samples {
            stream.push(Tensor([1, 1], [Float(standardiser.scale(Double(sample)))]))
            let next = stream.forecast(steps: 1).values[0]
            expected.append(Float(standardiser.unscale(Double(next))))
        }
        state = stream.state.encoded()
        return expected
    }
}
