import Foundation
import Testing
import Threads

/// An actor whose work may block.
private actor Worker {
    private let executor: ThreadExecutor
    nonisolated var unownedExecutor: UnownedSerialExecutor {
        unsafe executor.asUnownedSerialExecutor()
    }
    private(set) var numbers: [Int] = []

    init(_ name: String) { executor = ThreadExecutor(name: name) }

    func append(_ number: Int) { numbers.append(number) }

    /// Blocks its thread until told, as a call into C does.
    func wait(for semaphore: DispatchSemaphore) -> Bool {
        semaphore.wait(timeout: .now() + 60) == .success
    }

    var threadName: String? { Thread.current.name }
}

@Suite struct ThreadExecutorTests {
    @Test func `work is done on a thread of this name, in order`() async {
        let worker = Worker("letters")
        #expect(await worker.threadName == "letters")
        for number in 0..<1000 { await worker.append(number) }
        #expect(await worker.numbers == Array(0..<1000))
    }

    @Test func `many that block hold nobody else up`() async {
        // More than Swift's shared pool has threads; the one that frees the others comes last.
        let semaphore = DispatchSemaphore(value: 0)
        let freed = await withTaskGroup(of: Bool.self) { group in
            for number in 0..<64 {
                group.addTask { await Worker("w\(number)").wait(for: semaphore) }
            }
            group.addTask {
                for _ in 0..<64 { semaphore.signal() }
                return true
            }
            return await group.allSatisfy { $0 }
        }
        #expect(freed)
    }

    @Test func `an executor's thread ends with it`() async throws {
        func threads() throws -> Int {
            try FileManager.default.contentsOfDirectory(atPath: "/proc/self/task").filter {
                let name = try? String(
                    contentsOfFile: "/proc/self/task/\($0)/comm", encoding: .utf8)
                return name?.hasPrefix("short-lived") == true
            }.count
        }
        do {
            let worker = Worker("short-lived")
            await worker.append(1)
            // The list leaves out threads while others beside them end.
            var count = 0
            for _ in 0..<500 where count == 0 {
                count = try threads()
                try await Task.sleep(for: .milliseconds(20))
            }
            #expect(count == 1)
            // It may go with its last use.
            await worker.append(2)
        }
        for _ in 0..<500 where try threads() > 0 { try await Task.sleep(for: .milliseconds(20)) }
        #expect(try threads() == 0)
    }
}
