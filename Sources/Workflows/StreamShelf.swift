import Forecasting
import Jobs
import Postgres
import Series
import Store
import Synchronization

/// A decoded model that a derivation is made by.
struct LoadedModel: Sendable {
    fileprivate enum Content: Sendable {
        case sensor(SensorModel)
        case forecaster(FittedPipeline)
    }

    /// Such as `sensor model 7`: what a state is of.
    let name: String
    /// What the model calls what it reads.
    let channels: [String]
    fileprivate let content: Content
    fileprivate let bytes: Int

    /// The model, ready to run; nil where it is of a family that does not.
    var stream: (any StreamModel)? {
        switch content {
        case .sensor(let model): SensorStream(model)
        case .forecaster(let pipeline): ForecastStream(pipeline)
        }
    }
}

/// Decoded models of derivations; those used longest ago are let go where they become too large.
final class StreamShelf: Sendable {
    private struct State {
        /// The ones used longest ago first.
        var places: [(key: DerivationModel, model: LoadedModel)] = []
    }

    private let bytesMaximum: Int
    private let shelf = Mutex(State())

    /// - Parameter bytesMaximum: Models are kept up to so many bytes of weights.
    init(bytesMaximum: Int) {
        self.bytesMaximum = bytesMaximum
    }

    /// The model of a derivation: from here, or decoded anew.
    func model(of stored: StoredDerivation, in db: borrowing Session) throws -> LoadedModel {
        guard let key = stored.model else {
            throw PermanentJobError("there is no live version of its model any more")
        }
        let known = shelf.withLock { shelf -> LoadedModel? in
            guard let index = shelf.places.firstIndex(where: { $0.key == key }) else { return nil }
            let place = shelf.places.remove(at: index)
            shelf.places.append(place)
            return place.model
        }
        if let known { return known }
        let model = try Self.load(key, in: db)
        shelf.withLock { shelf in
            shelf.places.append((key, model))
            var bytes = shelf.places.reduce(0) { $0 + $1.model.bytes }
            while bytes > bytesMaximum, shelf.places.count > 1 {
                bytes -= shelf.places.removeFirst().model.bytes
            }
        }
        return model
    }

    private static func load(
        _ key: DerivationModel, in db: borrowing Session
    ) throws -> LoadedModel {
        switch key {
        case .sensor(let id):
            let weights = try SensorModelStore.weights(id, in: db)
            let model = try SensorModel(decoding: weights)
            return LoadedModel(
                name: key.description, channels: model.inputs.map(\.name),
                content: .sensor(model), bytes: weights.count)
        case .forecaster(let id):
            let weights = try ModelStore.find(id, in: db).weights
            let pipeline = try FittedPipeline(decoding: weights)
            return LoadedModel(
                name: key.description, channels: ["value"], content: .forecaster(pipeline),
                bytes: weights.count)
        }
    }
}
