internal import Foundation
package import Learning
import Tensors

/// Why a stream cannot go on from a stored state.
package enum StreamStateError: Error, Equatable {
    /// A part is missing, or of another network.
    case checkpoint(CheckpointError)
    /// The description is absent or malformed.
    case description
    /// Written by a newer program.
    case version(found: Int)
    /// A part holds numbers that are not finite.
    case notFinite(String)
}

/// What a stored state says about itself.
private struct StreamDescription: Codable {
    static let key = "spacetime.stream"
    static let currentVersion = 1

    var version = Self.currentVersion
    let buffered: Int
    let sinceAnchor: Int
}

extension SpaceTimeStream {
    /// Everything that came so far, as far as it matters: a stream that goes on from it gives the same
    /// bits as this one.
    package var state: Checkpoint {
        var checkpoint = Checkpoint()
        let description = StreamDescription(buffered: buffered, sinceAnchor: sinceAnchor)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        if let data = try? encoder.encode(description) {  // Two integers always encode.
            checkpoint.metadata[StreamDescription.key] = String(decoding: data, as: UTF8.self)
        }
        for (name, tensor) in parts(buffered: buffered) { checkpoint.set(name, tensor) }
        return checkpoint
    }

    /// Goes on from what `state` gave, of the same network; this stream's own past is forgotten.
    ///
    /// - Throws: `StreamStateError`; the stream is then as it was.
    package func restore(_ state: Checkpoint) throws(StreamStateError) {
        let description = try Self.description(of: state)
        guard (0...network.configuration.lag).contains(description.buffered),
            description.sinceAnchor >= 0
        else { throw .description }
        let expected = parts(buffered: description.buffered)
        var found: [String: [S]] = [:]
        do throws(CheckpointError) {
            for (name, tensor) in expected {
                let stored = try state.tensor(name, of: S.self)
                guard stored.shape == tensor.shape else { throw .missing(name) }
                found[name] = stored.values
            }
        } catch {
            throw .checkpoint(error)
        }
        if let bad = found.first(where: { !$0.value.allSatisfy(\.isFinite) }) {
            throw .notFinite(bad.key)
        }
        buffered = description.buffered
        sinceAnchor = description.sinceAnchor
        install(found)
    }

    private static func description(
        of state: Checkpoint
    ) throws(StreamStateError) -> StreamDescription {
        guard let text = state.metadata[StreamDescription.key] else { throw .description }
        let description: StreamDescription
        do {
            description = try JSONDecoder().decode(StreamDescription.self, from: Data(text.utf8))
        } catch {
            throw .description
        }
        guard description.version == StreamDescription.currentVersion else {
            throw .version(found: description.version)
        }
        return description
    }

    private func parts(buffered: Int) -> [(name: String, value: Tensor<S>)] {
        func tensor(_ panel: Panel) -> Tensor<S> {
            Tensor([panel.rows, panel.columns], work.values(panel))
        }
        let (inputs, convolved) = (memory.narrowInputs(work), memory.narrowConvolved(work))
        var parts = [
            ("stream/offsets", Tensor([offsets.count], offsets)),
            ("stream/scales", Tensor([scales.count], scales)),
            ("stream/inputs", Tensor([inputs.count], inputs)),
            ("stream/convolved", Tensor([convolved.count], convolved)),
            ("stream/decoder", tensor(memory.decoder.past.rows)),
        ]
        for (variate, window) in memory.window.enumerated() {
            parts.append(("stream/window.\(variate)", tensor(window.last(buffered))))
        }
        for (index, bank) in memory.banks.enumerated() {
            parts.append(("stream/blocks.\(index)", tensor(bank.past.rows)))
        }
        return parts
    }

    private func install(_ found: [String: [S]]) {
        func values(_ name: String) -> [S] { found["stream/" + name] ?? [] }
        offsets = values("offsets")
        scales = values("scales")
        memory.restore(inputs: values("inputs"), convolved: values("convolved"), work)
        memory.decoder.restore(values("decoder"), work)
        for variate in memory.window.indices {
            for value in values("window.\(variate)") { memory.window[variate].push(value, work) }
        }
        for index in memory.banks.indices {
            memory.banks[index].restore(values("blocks.\(index)"), work)
        }
    }
}
