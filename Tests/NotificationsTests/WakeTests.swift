import Testing

@testable import Notifications

@Suite struct WakeTests {
    @Test func `a signal that comes early ends one wait, and only one`() async {
        let wake = Wake()
        wake.signal()
        await wake.wait(atMost: .seconds(3600))
        let limit = Duration.milliseconds(50)
        for _ in 0..<3 {
            let elapsed = await ContinuousClock().measure { await wake.wait(atMost: limit) }
            #expect(elapsed >= limit)
        }
    }

    @Test func `a signal ends the wait that is under way`() async {
        let wake = Wake()
        await withTaskGroup { group in
            group.addTask { await wake.wait(atMost: .seconds(3600)) }
            wake.signal()
        }
    }

    @Test func `a cancelled task does not wait`() async {
        let wake = Wake()
        let task = Task { await wake.wait(atMost: .seconds(3600)) }
        task.cancel()
        await task.value
    }
}
