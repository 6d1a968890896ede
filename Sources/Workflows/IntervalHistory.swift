import Forecasting
import Store

extension IntervalWidening {
    /// What became of the intervals that a model issued for a series; none where nothing is known.
    init(_ sums: [CoverageSum]?) {
        let outcomes = (sums ?? []).flatMap { sum in
            [
                Outcome(
                    range: sum.range, nominal: 0.8, realised: sum.bounded80,
                    missed: sum.bounded80 - sum.inside80),
                Outcome(
                    range: sum.range, nominal: 0.95, realised: sum.bounded95,
                    missed: sum.bounded95 - sum.inside95),
            ]
        }
        self.init(outcomes.filter { $0.realised > 0 })
    }

    /// What the ledger says about intervals that are issued with it.
    var method: IntervalMethod { self == .none ? .split : .adaptive }
}
