import Testing

@testable import Jobs

/// When a worker turns to the queue; no clock and no database.
@Suite struct IntakeTests {
    private let start = ContinuousClock.now

    private func intake(slots: Int = 10) -> Intake {
        Intake(slots: slots, claimMaximum: 8, pollInterval: .seconds(1))
    }

    private func action(
        _ intake: Intake, runs: Int, done: Int = 0, doneFor: Duration = .zero,
        isDraining: Bool = false, after: Duration = .zero
    ) -> Intake.Action {
        let now = start + after
        return intake.action(
            runs: runs, done: done, doneSince: done > 0 ? now - doneFor : nil,
            isDraining: isDraining, at: now)
    }

    @Test func `it asks for the places that are free, and for no more than one look takes`() {
        #expect(action(intake(), runs: 0) == .look(claim: 8))
        #expect(action(intake(), runs: 7) == .look(claim: 3))
        #expect(action(intake(), runs: 10) == .wait(.seconds(1)))
    }

    @Test func `what is done makes room in the same look`() {
        #expect(action(intake(), runs: 10, done: 6) == .look(claim: 6))
        #expect(action(intake(), runs: 10, done: 10) == .look(claim: 8))
        #expect(action(intake(slots: 1), runs: 1, done: 1) == .look(claim: 1))
    }

    @Test func `a few that are done wait for others, but not for long`() {
        #expect(action(intake(), runs: 10, done: 4) == .wait(Intake.patience))
        let waited = action(intake(), runs: 10, done: 4, doneFor: .milliseconds(1))
        #expect(waited == .wait(Intake.patience - .milliseconds(1)))
        #expect(action(intake(), runs: 10, done: 4, doneFor: Intake.patience) == .look(claim: 4))
        #expect(
            action(intake(), runs: 10, done: 5) == .look(claim: 5), "half of them wait for no one")
    }

    @Test func `an empty queue is left alone until there is news or the poll is due`() {
        var intake = intake()
        intake.looked(claimed: 2, of: 8, at: start)
        #expect(action(intake, runs: 2, after: .milliseconds(400)) == .wait(.milliseconds(600)))
        #expect(action(intake, runs: 2, after: .seconds(1)) == .look(claim: 8))
        intake.heardNews()
        #expect(action(intake, runs: 2, after: .milliseconds(400)) == .look(claim: 8))
        intake.looked(claimed: 8, of: 8, at: start)
        #expect(action(intake, runs: 8) == .look(claim: 2), "there may be more")
    }

    @Test func `news that comes while all places are taken is not forgotten`() {
        var intake = intake()
        intake.looked(claimed: 2, of: 8, at: start)
        intake.heardNews()
        #expect(action(intake, runs: 10) == .wait(.seconds(1)))
        intake.looked(claimed: 0, of: 0, at: start)
        #expect(action(intake, runs: 9) == .look(claim: 1))
    }

    @Test func `a worker that drains completes and claims nothing`() {
        #expect(action(intake(), runs: 3, isDraining: true) == .wait(.seconds(1)))
        #expect(action(intake(), runs: 3, done: 2, isDraining: true) == .look(claim: 0))
    }

    @Test func `a clock that leaps ahead costs one look, not a claim too many`() {
        var intake = intake()
        intake.looked(claimed: 0, of: 8, at: start)
        #expect(action(intake, runs: 10, after: .seconds(86_400)) == .wait(.seconds(1)))
        #expect(action(intake, runs: 9, after: .seconds(86_400)) == .look(claim: 1))
    }
}
