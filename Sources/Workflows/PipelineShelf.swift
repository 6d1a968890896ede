import Forecasting
import Store
import Synchronization

/// Decoded models that batches take, use and put back.
///
/// A model that is taken is gone until it is put back, so that two runs never wait for each other's
/// turn with it: each has one of its own.
final class PipelineShelf: Sendable {
    /// The most models that are kept; the ones unused longest go first.
    static let pipelinesMaximum = 8

    private let shelf = Mutex<[(ModelID, FittedPipeline)]>([])

    /// The model `id`, if it is here.
    func take(_ id: ModelID) -> FittedPipeline? {
        shelf.withLock { shelf in
            shelf.lastIndex { $0.0 == id }.map { shelf.remove(at: $0).1 }
        }
    }

    /// Puts a model back.
    func put(_ pipeline: FittedPipeline, _ id: ModelID) {
        shelf.withLock { shelf in
            shelf.append((id, pipeline))
            if shelf.count > Self.pipelinesMaximum { shelf.removeFirst() }
        }
    }
}
