import Series
import Store
import Synchronization

/// What is known of watched series from the last run, so that the next one need not read it again.
///
/// Only what agrees with the database is used: the position must be the stored one, and nothing older
/// than it may have changed since.
final class WatchShelf: Sendable {
    /// A series after a run.
    struct Entry: Sendable {
        let scoredUntil: Timestamp
        let memory: WatchMemory
        let tail: SeriesTail
    }

    private struct State {
        var entries: [SeriesID: (entry: Entry, usedAt: Int)] = [:]
        var observations = 0
        var uses = 0
    }

    private let observationsMaximum: Int
    private let shelf = Mutex(State())

    /// - Parameter observationsMaximum: In all tails together; 16 bytes each.
    init(observationsMaximum: Int = 4 << 20) {
        self.observationsMaximum = observationsMaximum
    }

    /// What is known of a series whose watch stands at `position`; gone from here until it is put back.
    func take(_ series: SeriesID, at position: Timestamp) -> Entry? {
        shelf.withLock { shelf in
            guard let found = shelf.entries.removeValue(forKey: series) else { return nil }
            shelf.observations -= found.entry.tail.count
            return found.entry.scoredUntil == position ? found.entry : nil
        }
    }

    /// Keeps what is known of a series.
    func put(_ entry: Entry, _ series: SeriesID) {
        shelf.withLock { shelf in
            if let old = shelf.entries[series] { shelf.observations -= old.entry.tail.count }
            shelf.uses += 1
            shelf.entries[series] = (entry, shelf.uses)
            shelf.observations += entry.tail.count
            if shelf.observations > observationsMaximum { Self.forget(&shelf) }
        }
    }

    /// Drops the quarter that was used longest ago.
    private static func forget(_ shelf: inout State) {
        let oldest = shelf.entries.sorted { $0.value.usedAt < $1.value.usedAt }
        for (series, found) in oldest.prefix(max(1, oldest.count / 4)) {
            shelf.entries[series] = nil
            shelf.observations -= found.entry.tail.count
        }
    }
}
