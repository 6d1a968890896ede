import Forecasting
import Store
import Synchronization

/// Decoded models that batches take, use and put back.
///
/// A model that is taken is gone until it is put back, so that two runs never wait for each other's
/// turn with it: each has one of its own.
final class PipelineShelf: Sendable {
    private struct Place {
        let id: ModelID
        let pipeline: FittedPipeline
        /// Of its weights as they are stored: about what it takes up here.
        let bytes: Int
    }

    private struct State {
        /// The ones used longest ago first.
        var places: [Place] = []
        var bytes = 0
    }

    private let bytesMaximum: Int
    private let shelf = Mutex(State())

    /// - Parameter bytesMaximum: Models are kept up to so many bytes of weights.
    init(bytesMaximum: Int = 64 << 20) {
        self.bytesMaximum = bytesMaximum
    }

    /// The model `id`: from here, or decoded anew.
    func take(_ id: ModelID, orDecode weights: () throws -> [UInt8]) throws -> TakenPipeline {
        let place = shelf.withLock { shelf -> Place? in
            guard let index = shelf.places.lastIndex(where: { $0.id == id }) else { return nil }
            let place = shelf.places.remove(at: index)
            shelf.bytes -= place.bytes
            return place
        }
        if let place { return TakenPipeline(pipeline: place.pipeline, bytes: place.bytes) }
        let weights = try weights()
        return TakenPipeline(pipeline: try FittedPipeline(decoding: weights), bytes: weights.count)
    }

    /// Puts a model back.
    func put(_ taken: TakenPipeline, _ id: ModelID) {
        shelf.withLock { shelf in
            shelf.places.append(Place(id: id, pipeline: taken.pipeline, bytes: taken.bytes))
            shelf.bytes += taken.bytes
            while shelf.bytes > bytesMaximum, shelf.places.count > 1 {
                shelf.bytes -= shelf.places.removeFirst().bytes
            }
        }
    }
}

/// A model off the shelf.
struct TakenPipeline: Sendable {
    let pipeline: FittedPipeline
    fileprivate let bytes: Int

    fileprivate init(pipeline: FittedPipeline, bytes: Int) {
        self.pipeline = pipeline
        self.bytes = bytes
    }
}
