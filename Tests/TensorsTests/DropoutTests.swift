import Tensors
import Testing

@Suite struct DropoutTests {
    private func mask(_ dropout: Dropout, count: Int) -> [Float] {
        var plan = WorkspaceLayout()
        let (x, y) = (plan.reserve(1, count), plan.reserve(1, count))
        let work = Workspace<Float>(plan)
        work.fill(x, with: 1)
        work.dropout(x, into: y, dropout)
        return work.values(y)
    }

    @Test(arguments: [0.1, 0.25, 0.9])
    func `the stated share is dropped and the mean stays`(probability: Double) {
        let values = mask(Dropout(key: 99, probability: probability), count: 200_000)
        let dropped = Double(values.count { $0 == 0 }) / 200_000
        #expect(abs(dropped - probability) < 0.004)
        #expect(values.allSatisfy { $0 == 0 || abs(Double($0) * (1 - probability) - 1) < 1e-6 })
    }

    @Test func `a part has the mask that the whole has there`() {
        let dropout = Dropout(key: 7, probability: 0.5)
        let whole = mask(dropout, count: 100)
        #expect(mask(dropout.from(40), count: 30) == Array(whole[40..<70]))
    }

    @Test func `another key is another mask, and neighbours are independent`() {
        let a = mask(Dropout(key: 1, probability: 0.5), count: 10_000)
        let b = mask(Dropout(key: 2, probability: 0.5), count: 10_000)
        let c = mask(Dropout(key: 1 << 32, probability: 0.5), count: 10_000)
        for (x, y) in [(a, b), (a, c), (a, Array(a.dropFirst()))] {
            let equal = Double(zip(x, y).count { ($0 == 0) == ($1 == 0) }) / Double(y.count)
            #expect(abs(equal - 0.5) < 0.03)
        }
    }

    @Test func `no dropout changes nothing`() {
        #expect(mask(.none, count: 50) == [Float](repeating: 1, count: 50))
    }

    @Test func `a probability of one traps`() async {
        await #expect(processExitsWith: .failure) { _ = Dropout(key: 0, probability: 1) }
    }
}
