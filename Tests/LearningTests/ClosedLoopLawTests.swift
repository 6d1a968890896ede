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
        let filter = decoder.filter
        var plan = WorkspaceLayout()
        let p = plan.reserve(1, layout.count)
        let memory = FilterMemory(&plan, filter)
        let (input, y) = (plan.reserve(1, lag), plan.reserve(1, horizon))
        let (w, block) = (plan.reserve(lag, 16), plan.reserve(horizon, 16))
        let rest = plan.reserve(decoder.continuedLength(horizon: horizon), 16)
        let scratch = ForecastScratch(&plan, d: d, horizon: horizon, training: false)
        let (states, tiles) = (plan.reserve(memory.step, 16), plan.reserve(horizon, 16))
        let work = Workspace<Double>(plan)
        work.load(p, from: parameters.values)
        work.load(input, from: window)
        work.toBlock(input, into: w)
        filter.prepare(0, memory, p, work)
        filter.filter(w, into: w, length: lag, memory, work)
        decoder.continued(
            w, rest, into: block, length: lag, horizon: horizon, memory, work)
        // The forecast operator is another way to the same numbers.
        filter.states(w, into: states, length: lag, memory, work)
        decoder.forecast(states, into: tiles, memory, scratch, work) { _, _ in }
        #expect(work.squaredDistance(block, tiles) < 1e-20)
        work.fromBlock(block, into: y)
        return work.values(y)
    }
}
