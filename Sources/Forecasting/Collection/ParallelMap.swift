import Synchronization
import Tensors

/// Maps a range on several cores; the result does not depend on how many.
enum ParallelMap {
    static func map<T: Sendable>(
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
