internal import Synchronization

/// Maps a range on several cores; the result does not depend on how many.
package enum ParallelMap {
    /// - Parameters:
    ///   - count: How many items.
    ///   - threads: How many are worked on at once, from 1.
    ///   - body: Gives the result of one item.
    /// - Returns: The results in the order of the items.
    package static func map<T: Sendable>(
        _ count: Int, threads: Int, _ body: @Sendable (Int) -> T
    ) -> [T] {
        let results = Mutex([T?](repeating: nil, count: count))
        Team(threads: threads).run(count) { item, _ in
            let value = body(item)
            results.withLock { $0[item] = value }
        }
        return results.withLock { $0.compactMap { $0 } }
    }
}
