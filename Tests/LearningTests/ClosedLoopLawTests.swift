import Learning
import Tensors
import Testing

/// What the decoder is for: it continues autoregressive series exactly.
@Suite struct ClosedLoopLawTests {
    struct Case: CustomTestStringConvertible, Sendable {
        let name: String
        /// Coefficients of the series, newest first; of L1 norm 1, as the layer makes them.
        let coefficients: [Double]
        var testDescription: String { name }
    }

    @Test(arguments: [
        Case(name: "AR(4)", coefficients: [0.5, -0.2, 0.2, 0.1]),
        Case(name: "seasonal, period 24", coefficients: (1...24).map { $0 == 24 ? 1 : 0 }),
        Case(name: "repeating the last value", coefficients: [1, 0]),
    ])
    func `hand-set weights continue a series without error`(_ c: Case) {
        let (d, lag, horizon) = (c.coefficients.count, 60, 200)
        var random = RandomStream(seed: 2)
        var series = (0..<d).map { _ in random.normal() }
        while series.count < lag + horizon {
            let recent = series.suffix(d).reversed()
            series.append(zip(c.coefficients, recent).reduce(0) { $0 + $1.0 * $1.1 })
        }
        let forecast = continued(Array(series[..<lag]), c.coefficients, horizon)
        for (a, b) in zip(forecast, series[lag...]) { #expect(abs(a - b) < 1e-10) }
    }

    /// The closed loop with a = 0, b = e₀ and c = k = the coefficients.
    private func continued(
        _ window: [Double], _ coefficients: [Double], _ horizon: Int
    ) -> [Double] {
        let (d, lag) = (coefficients.count, window.count)
        var layout = ParameterLayout()
        let decoder = ClosedLoopSSM(&layout, heads: 1, d: d)
        var parameters = Parameters<Double>(zeros: layout)
        parameters.values[decoder.b.offset] = 1
        parameters[decoder.c] = Tensor([1, d], coefficients)
        parameters[decoder.k] = Tensor([1, d], coefficients)
        var plan = WorkspaceLayout()
        let p = plan.reserve(1, layout.count)
        let memory = ClosedLoopMemory(&plan, heads: 1, d: d, horizon: horizon)
        let scratch = ClosedLoopScratch(&plan, d: d, length: lag, horizon: 1, batch: 1)
        let z = Lanes(&plan, windows: 1, length: lag)
        let w = Lanes(&plan, windows: 1, length: lag, before: d)
        let (input, state) = (plan.reserve(1, lag), plan.reserve(Lanes.count(1), d))
        let y = plan.reserve(1, horizon)
        let work = Workspace<Double>(plan)
        work.load(p, from: parameters.values)
        work.load(input, from: window)
        work.toLanes(input, into: z)
        decoder.prepare(head: 0, memory, scratch, p, work)
        decoder.filter(head: 0, z, into: w, memory, work)
        decoder.closedLoop(head: 0, w, state: state, into: y, memory, work)
        return work.values(y)
    }
}
