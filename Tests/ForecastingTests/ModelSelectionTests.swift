@testable import Forecasting
import Testing

@Suite struct ModelSelectionTests {
    /// A record with the given errors; everything else from a small real fit.
    static func report(_ family: Family, mse: Double, naive: Double)
        throws -> FitReport
    {
        let fitted = try FittedPipelineTests.fit(.seasonalNaive, MadeSeries.wave(300)).report
        return FitReport(
            family: family, task: fitted.task, split: fitted.split,
            stepSeconds: fitted.stepSeconds, standardiser: fitted.standardiser,
            trainWindows: fitted.trainWindows, validationWindows: fitted.validationWindows,
            excludedWindows: 0, filledRows: 0, validationMSE: mse, validationMAE: mse,
            seasonalNaiveMSE: naive, repeatLastMSE: naive, calibration: .absolute,
            calibrationWindows: 10, coverage: [], parameterCount: 0, trainSeconds: 0, seed: 0,
            threads: 1, settings: [:], codeVersion: "", dataDigest: "", notes: [])
    }

    @Test func `the least validation error wins and the reason names it`() throws {
        let selection = ModelSelection([
            try Self.report(.seasonalNaive, mse: 0.5, naive: 0.5),
            try Self.report(.ridge, mse: 0.3, naive: 0.5),
            try Self.report(.spacetime, mse: 0.25, naive: 0.5),
        ])
        #expect(selection.winner == 2)
        #expect(
            selection.reason
                == "spacetime: of those that may go live, it has the least validation error: MSE 0.25 "
                + "on 37 windows; others: seasonal-naive 0.5, ridge 0.3.")
        #expect(selection.verdicts.allSatisfy { $0.isEligible })
    }

    @Test func `an ensemble goes before its members`() throws {
        let selection = ModelSelection([
            try Self.report(.ridge, mse: 0.3, naive: 0.5),
            try Self.report(.ensemble, mse: 0.31, naive: 0.5),
        ])
        #expect(selection.winner == 1)
        #expect(selection.reason.contains("no model is better throughout"))
    }

    @Test func `a model that loses to seasonal naive stays a candidate`() throws {
        let selection = ModelSelection([
            try Self.report(.ridge, mse: 0.6, naive: 0.5),
            try Self.report(.seasonalNaive, mse: 0.5, naive: 0.5),
        ])
        #expect(selection.winner == 1)
        #expect(!selection.verdicts[0].isEligible)
        #expect(selection.verdicts[0].reason.contains("0.6 against 0.5"))
    }

    @Test func `a diverged model never goes live`() throws {
        let selection = ModelSelection([
            try Self.report(.spacetime, mse: .infinity, naive: 0.5)
        ])
        #expect(selection.winner == nil)
        #expect(selection.verdicts[0].reason == "It diverged.")
        #expect(selection.reason == "No candidate may go live.")
    }

    @Test func `no candidate, no winner`() {
        #expect(ModelSelection([]).winner == nil)
    }
}
