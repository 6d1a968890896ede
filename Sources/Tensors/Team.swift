internal import CKernels
internal import Dispatch
internal import Synchronization

/// Some threads that share out the items of a loop.
///
/// Which thread takes which item is chance; results are the same bits all the same as long as every
/// item writes memory of its own.
///
/// While an item is worked on, subnormal numbers count as 0: gradients of inputs long ago decay into
/// them, and a processor multiplies them some fifty times slower than any other number.
package struct Team: Sendable {
    /// How many threads work at once, 1 or more.
    package let threads: Int

    /// Traps unless there is at least one thread.
    package init(threads: Int) {
        precondition(threads > 0, "Team: \(threads) threads")
        self.threads = threads
    }

    /// Runs `body(item, member)` for every item, and returns when all are done.
    ///
    /// - Parameters:
    ///   - items: How many items there are.
    ///   - body: The work on one item; `member` is in `0..<threads`, and no two calls at the same
    ///     time have the same one, so that it can name scratch memory.
    package func run(_ items: Int, _ body: @Sendable (_ item: Int, _ member: Int) -> Void) {
        let members = min(threads, items)
        guard members > 1 else {
            let before = ck_flush_subnormals()
            defer { ck_restore_subnormals(before) }
            for item in 0..<items { body(item, 0) }
            return
        }
        let next = Atomic(0)
        DispatchQueue.concurrentPerform(iterations: members) { member in
            let before = ck_flush_subnormals()
            defer { ck_restore_subnormals(before) }
            while true {
                let item = next.add(1, ordering: .relaxed).oldValue
                guard item < items else { return }
                body(item, member)
            }
        }
    }
}
