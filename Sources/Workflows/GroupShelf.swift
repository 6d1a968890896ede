import Forecasting
import Jobs
import Postgres
import Store
import Synchronization

/// The decoded models of a few groups.
final class GroupShelf: Sendable {
    private static let modelsMaximum = 8

    /// The ones used longest ago first.
    private let places = Mutex<[(id: Int64, model: FittedGroup)]>([])

    /// The model of a group: from here, or decoded anew.
    func model(_ stored: StoredGroupModel, in db: borrowing Session) throws -> FittedGroup {
        let known = places.withLock { places -> FittedGroup? in
            guard let index = places.firstIndex(where: { $0.id == stored.id }) else { return nil }
            let place = places.remove(at: index)
            places.append(place)
            return place.model
        }
        if let known { return known }
        let model = try FittedGroup(decoding: try ModelStore.find(stored.models[0], in: db).weights)
        places.withLock { places in
            places.append((stored.id, model))
            if places.count > Self.modelsMaximum { places.removeFirst() }
        }
        return model
    }
}
