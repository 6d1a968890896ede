internal import CKernels
internal import Foundation
internal import Synchronization

/// A loop whose items threads may share: a value, so that handing it to them allocates nothing.
package protocol TeamWork: Sendable {
    /// Works on one item; `member` is the number of the calling thread, and no two calls at the same
    /// time have the same one, so that it can name scratch memory.
    func run(item: Int, member: Int)
}

/// Some threads that share out the items of a loop.
///
/// Which thread takes which item is chance; results are the same bits all the same as long as every
/// item writes memory of its own.
///
/// While an item is worked on, subnormal numbers count as 0: gradients of inputs long ago decay into
/// them, and a processor multiplies them some fifty times slower than any other number.
package struct Team: Sendable {
    /// How many threads work at once, 1 or more: the calling one, and others that wait in between.
    package let threads: Int
    private let helpers: Helpers?

    /// Traps unless there is at least one thread.
    package init(threads: Int) {
        precondition(threads > 0, "Team: \(threads) threads")
        self.threads = threads
        helpers = threads > 1 ? Helpers(count: threads - 1) : nil
    }

    /// Runs the work on every item, and returns when all are done. An item must not run another loop
    /// on the same team.
    package func run(_ items: Int, _ work: some TeamWork) {
        if let helpers, items > 1 {
            helpers.run(items, work)
        } else {
            takingSubnormalsAsZero {
                for item in 0..<items { work.run(item: item, member: 0) }
            }
        }
    }

    /// The same for a closure, which costs an allocation where there are several threads.
    package func run(_ items: Int, _ body: @Sendable (_ item: Int, _ member: Int) -> Void) {
        guard helpers != nil, items > 1 else {
            takingSubnormalsAsZero { for item in 0..<items { body(item, 0) } }
            return
        }
        withoutActuallyEscaping(body) { run(items, ClosureWork(body: $0)) }
    }
}

private struct ClosureWork: TeamWork {
    let body: @Sendable (Int, Int) -> Void

    func run(item: Int, member: Int) { body(item, member) }
}

private func takingSubnormalsAsZero(_ body: () -> Void) {
    let before = ck_flush_subnormals()
    body()
    ck_restore_subnormals(before)
}

/// The threads of a team beside the calling one. They end when this does.
private final class Helpers: Sendable {
    private let board: Board
    private let turn = Mutex(())

    init(count: Int) {
        let board = Board()
        self.board = board
        for member in 1...count {
            let thread = Thread {
                Thread.current.name = "team"
                board.help(as: member)
            }
            thread.start()
        }
    }

    deinit { board.close() }

    /// Runs the work on every item; callers on other threads wait for their turn.
    func run<Work: TeamWork>(_ items: Int, _ work: Work) {
        turn.withLock { _ in
            unsafe withUnsafePointer(to: work) { pointer in
                unsafe board.run(Loop(work: pointer, type: Work.self, items: items))
            }
        }
    }
}

/// One loop that is shared out.
@unsafe private struct Loop {
    let work: UnsafeRawPointer
    let type: any TeamWork.Type
    let items: Int
}

/// Where a team's threads find the loop to work on.
///
/// `@unchecked Sendable`: all that changes is changed under the condition's lock, but the number of the
/// next item, which is atomic. The loop's pointer is used between its posting and the last helper's
/// leaving, while `run` keeps what it points to.
@safe private final class Board: @unchecked Sendable {
    private let condition = NSCondition()
    private let next = Atomic(0)
    private var loop: Loop?
    /// Counts loops, so that a helper takes part in each but once.
    private var round = 0
    /// Helpers that are inside the loop. One that wakes after it has ended stays outside.
    private var working = 0
    private var isClosed = false

    func run(_ loop: Loop) {
        condition.lock()
        next.store(0, ordering: .relaxed)
        unsafe self.loop = loop
        round += 1
        condition.broadcast()
        condition.unlock()
        unsafe takeItems(of: loop, as: 0)
        condition.lock()
        unsafe self.loop = nil
        while working > 0 { condition.wait() }
        condition.unlock()
    }

    /// Works until the board is closed.
    func help(as member: Int) {
        var seen = 0
        condition.lock()
        while true {
            while round == seen && !isClosed { condition.wait() }
            if isClosed { break }
            seen = round
            guard let loop = unsafe loop else { continue }
            working += 1
            condition.unlock()
            unsafe takeItems(of: loop, as: member)
            condition.lock()
            working -= 1
            if working == 0 { condition.broadcast() }
        }
        condition.unlock()
    }

    func close() {
        condition.lock()
        isClosed = true
        condition.broadcast()
        condition.unlock()
    }

    private func takeItems(of loop: Loop, as member: Int) {
        unsafe Self.takeItems(of: loop, type: loop.type, as: member, next)
    }

    private static func takeItems<Work: TeamWork>(
        of loop: Loop, type: Work.Type, as member: Int, _ next: borrowing Atomic<Int>
    ) {
        let work = unsafe loop.work.assumingMemoryBound(to: Work.self)
        takingSubnormalsAsZero {
            while true {
                let item = next.add(1, ordering: .relaxed).oldValue
                guard item < (unsafe loop.items) else { return }
                unsafe work.pointee.run(item: item, member: member)
            }
        }
    }
}
