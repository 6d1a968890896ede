import Tensors
import Testing

@Suite struct WorkspaceTests {
    @Test func `panels of one plan do not overlap and are aligned`() {
        var plan = WorkspaceLayout()
        let panels = [(3, 5), (0, 7), (1, 1), (4, 16)].map { plan.reserve($0, $1) }
        let work = Workspace<Float>(plan)
        for (index, panel) in panels.enumerated() { work.fill(panel, with: Float(index + 1)) }
        for (index, panel) in panels.enumerated() {
            #expect(work.values(panel).allSatisfy { $0 == Float(index + 1) })
            #expect(panel.offset % 16 == 0)
        }
    }

    @Test func `rows, columns and steps of a panel name the numbers they should`() {
        var plan = WorkspaceLayout()
        let panel = plan.reserve(4, 3)
        let work = Workspace<Double>(plan)
        work.load(panel, from: (0..<12).map(Double.init))
        #expect(work.values(panel.rows(1..<3)) == [3, 4, 5, 6, 7, 8])
        #expect(work.values(panel.columns(1..<2)) == [1, 4, 7, 10])
        #expect(work.values(panel.rows(every: 2, from: 1)) == [3, 4, 5, 9, 10, 11])
        #expect(work.values(panel.reshaped(2, 6).row(1)) == [6, 7, 8, 9, 10, 11])
        #expect(work[panel, 2, 1] == 7)
    }

    @Test func `a panel of another plan traps where it does not fit`() async {
        await #expect(processExitsWith: .failure) {
            var (small, large) = (WorkspaceLayout(), WorkspaceLayout())
            _ = small.reserve(1, 4)
            Workspace<Float>(small).fill(large.reserve(10, 100))
        }
    }

    @Test func `reshaping a panel with gaps traps`() async {
        await #expect(processExitsWith: .failure) {
            var plan = WorkspaceLayout()
            _ = plan.reserve(4, 4).columns(0..<2).reshaped(1, 8)
        }
    }

    @Test func `products agree with those of tensors, also on parts of a panel`() {
        var random = RandomStream(seed: 1)
        let a = Tensor([3, 4], (0..<12).map { _ in random.normal() })
        let b = Tensor([4, 5], (0..<20).map { _ in random.normal() })
        var plan = WorkspaceLayout()
        let (wide, pa, pb) = (plan.reserve(3, 9), plan.reserve(3, 4), plan.reserve(4, 5))
        let work = Workspace<Double>(plan)
        work.load(pa, from: a.values)
        work.load(pb, from: b.values)
        work.fill(wide, with: 1)
        work.multiply(pa, pb, into: wide.columns(2..<7), alpha: 2, beta: 1)
        let expected = matmul(a, b).values.map { 1 + 2 * $0 }
        for (x, y) in zip(work.values(wide.columns(2..<7)), expected) {
            #expect(abs(x - y) < 1e-14)
        }
        #expect(work.values(wide.columns(0..<2)).allSatisfy { $0 == 1 })
        #expect(work.values(wide.columns(7..<9)).allSatisfy { $0 == 1 })
    }

    @Test func `combining with nothing forgets what was there, NaN as well`() {
        var plan = WorkspaceLayout()
        let (x, y) = (plan.reserve(1, 3), plan.reserve(1, 3))
        let work = Workspace<Float>(plan)
        work.load(x, from: [1, 2, 3])
        work.fill(y, with: .nan)
        work.combine(2, x, 0, y, plus: 1)
        #expect(work.values(y) == [3, 5, 7])
    }
}

@Suite struct TeamTests {
    @Test(arguments: [1, 2, 5])
    func `every item runs once, and members in use differ`(threads: Int) {
        var plan = WorkspaceLayout()
        let (counts, members) = (plan.reserve(100, 1), plan.reserve(100, 1))
        let work = Workspace<Float>(plan)
        Team(threads: threads).run(100) { item, member in
            work[counts, item, 0] += 1
            work[members, item, 0] = Float(member)
        }
        #expect(work.values(counts).allSatisfy { $0 == 1 })
        #expect(work.values(members).allSatisfy { $0 >= 0 && $0 < Float(threads) })
    }

    @Test(arguments: [1, 3])
    func `subnormal numbers are zero inside, and numbers again outside`(threads: Int) {
        var plan = WorkspaceLayout()
        let panel = plan.reserve(8, 1)
        let work = Workspace<Float>(plan)
        work.fill(panel, with: .leastNormalMagnitude)
        Team(threads: threads).run(8) { item, _ in
            work.add(panel.row(item), to: panel.row(item), times: -0.5)
        }
        #expect(work.values(panel).allSatisfy { $0 == 0 || $0 == .leastNormalMagnitude })
        work.fill(panel, with: .leastNormalMagnitude)
        work.add(panel, to: panel, times: -0.5)
        #expect(work.values(panel).allSatisfy { $0 == .leastNormalMagnitude / 2 })
    }

    @Test func `no items are no work`() {
        Team(threads: 2).run(0) { _, _ in Issue.record("an item of none") }
    }
}
