import Foundation
import Learning
import Models
import Tensors
import Testing

/// A streamable network taking one patch after the other, and what its use tells.
@Suite struct TSM2StreamTests {
    static let cases = [
        TSM2Tests.Case("as it is") { ($0.isStreamable, $0.contextMaximum) = (true, 3) },
        TSM2Tests.Case("without context") { $0.isStreamable = true },
        TSM2Tests.Case("each variate by itself, no sums, a full head") {
            ($0.isStreamable, $0.contextMaximum) = (true, 2)
            ($0.mixesVariates, $0.averages, $0.headRank) = (false, false, 0)
        },
    ]

    @Test(arguments: cases)
    func `a stream forecasts what the whole window does, wherever it is stored between`(
        _ own: TSM2Tests.Case
    ) throws {
        let c = own.configuration
        let (network, parameters, series) = TSM2Tests.trial(c, rows: 70, Double.self)
        let pass = TSM2Pass<Double>(
            network, batch: 1, variates: 3, training: false, team: Team(threads: 1))
        let stream = TSM2Stream(network, parameters, variates: 3)
        var state = stream.initialState
        var rows = 0
        func append(_ count: Int) throws {
            for row in rows..<rows + count {
                stream.append(
                    (0..<3).map { variate in
                        let place = variate * series.rows + row
                        return series.known?[place] == 0 ? .nan : series.values[place]
                    }, to: &state)
            }
            rows += count
            state = try JSONDecoder().decode(
                TSM2StreamState<Double>.self, from: try JSONEncoder().encode(state))
        }
        try append(c.lookback - 1)
        #expect(stream.forecast(state) == nil)
        try append(1)
        for patch in 0..<10 {
            let context = patch % (c.contextMaximum + 1)
            pass.load(
                series, starts: [(patch - context) * c.stride], variates: [0, 1, 2],
                context: context)
            pass.forward(parameters)
            let found = try #require(stream.forecast(state))
            let worst = zip(found, pass.outputs.values).map { abs($0 - $1) }.max()
            #expect(try #require(worst) < 1e-10, "patch \(patch)")
            try append(c.stride)
        }
    }

    @Test func `a variate influences the others only where they are mixed`() {
        for mixes in [true, false] {
            var c = TSM2Tests.cases[0].configuration
            c.mixesVariates = mixes
            let (network, parameters, series) = TSM2Tests.trial(c, missing: false, Float.self)
            let prepared = PreparedTSM2(network, parameters, variates: 3, batch: 2)
            let found = prepared.influences(series, starts: [0, 5, 9])
            for forecast in 0..<3 {
                for known in 0..<3 {
                    #expect((found[forecast, known] > 0) == (mixes || forecast == known))
                }
            }
        }
    }
}
